# SPDX-License-Identifier: Apache-2.0
"""Scores: the model's own float32 outputs from the integers that the accelerator gives, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from .errors import MismatchFault

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
}


@dataclass(frozen=True, eq=False)
class Table:
    """values: float32 (elements or 1, span): the model says values[e, y[e] - low]."""

    values: NDArray[np.float32]
    low: int

    def __call__(self, integers: NDArray[Any]) -> NDArray[np.float32]:
        """Integers (n, elements) to floats."""
        rows, span = self.values.shape
        index = integers - self.low
        if index.min() < 0 or index.max() >= span:
            raise MismatchFault(
                f"results: must be {self.low} to {self.low + span - 1}, not {integers.min()} to "
                f"{integers.max()}; the board computes something else: run the self-test"
            )
        found: NDArray[np.float32] = self.values[np.arange(rows) if rows > 1 else 0, index]
        return found


@dataclass(frozen=True, eq=False)
class Formula:
    """scale * y + offset in float64, rounded to float32, then each step in float32."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    steps: list[tuple[str, NDArray[np.float32]]]

    def __call__(self, integers: NDArray[Any]) -> NDArray[np.float32]:
        """Integers (n, elements) to floats."""
        floats = (integers * self.scale + self.offset).astype(np.float32)
        for name, operand in self.steps:
            floats = ARITHMETIC[name](floats, operand)
        return floats


def plain(integers: NDArray[Any]) -> NDArray[np.float32]:
    """The model's outputs are the integers."""
    return integers.astype(np.float32)


def read_scores(
    entry: dict[str, Any] | None, array: Callable[[str], NDArray[Any]]
) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """Return the function of a manifest's `output.values`; array: reads a file of the package."""
    if entry is None:
        return plain
    if "table" in entry:
        return Table(array(entry["table"]), int(entry["low"]))
    steps = [(name, array(file)) for name, file in entry["steps"]]
    return Formula(array(entry["scale"]), array(entry["offset"]), steps)
