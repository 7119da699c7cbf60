# SPDX-License-Identifier: Apache-2.0
"""Figure: a number of the report, with its unit and how it was obtained."""

from enum import Enum
from typing import Any


class Origin(Enum):
    """How a figure was obtained (DESIGN 3.7)."""

    MODELLED = "modelled"
    COSIMULATED = "cosimulated"
    SYNTHESISED = "synthesised"
    ROUTED = "routed"
    MEASURED = "measured on board"


def figure(value: float, unit: str, origin: Origin = Origin.MODELLED) -> dict[str, Any]:
    """Return a figure as it stands in the report."""
    exact = int(value) if value == int(value) else round(value, 6)
    return {"value": exact, "unit": unit, "origin": origin.value}
