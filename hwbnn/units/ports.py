# SPDX-License-Identifier: Apache-2.0
"""Ports: what units of several inputs or outputs tell their modules of each."""

from collections.abc import Sequence

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import DType, Kind
from hwbnn.ir.unit import Packed

BITS = 8  # of a port's element bits, kind or shift


def types(dtypes: Sequence[DType]) -> dict[str, int | Packed]:
    """Return the parameters that say the types of the inputs' elements."""
    return {
        "Inputs": len(dtypes),
        "AllBits": sum(dtype.bits for dtype in dtypes),
        "InBits": Packed(tuple(dtype.bits for dtype in dtypes), BITS),
        "InKinds": Packed(tuple(list(Kind).index(dtype.kind) for dtype in dtypes), BITS),
    }


def check_several(origin: str, what: str, count: int) -> None:
    """Refuse fewer than two ports."""
    if count < 2:
        raise ConfigError(f"{origin}: {what} must be at least 2, not {count}; leave the unit out")
