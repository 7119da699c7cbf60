# SPDX-License-Identifier: Apache-2.0
"""Chain: the nodes after an integer value, evaluated on any integers of its range."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.ir.dtype import DType, IntArray
from hwbnn.ir.graph import FloatArray, Preprocess

Evaluate: TypeAlias = Callable[[FloatArray], FloatArray]
MAX_CHUNK = 1 << 20  # elements evaluated at once, to bound memory


@dataclass(frozen=True, eq=False)
class Pixels:
    """How the model's input follows from pixels of 0 to 255."""

    preprocess: Preprocess
    low: int = 0
    high: int = 255
    exact: bool = True

    def floats(self, points: IntArray) -> FloatArray:
        """Integers (points, elements) to the model's floats."""
        return self.preprocess.apply(points)


@dataclass(frozen=True, eq=False)
class Affine:
    """Floats of a sum: scale * integer + offset per element, rounded to float32 once.

    exact: the model's float32 sum has no rounding at all, in any order of its terms.
    """

    scale: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    offset: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    low: int
    high: int
    exact: bool

    def floats(self, points: IntArray) -> FloatArray:
        """Integers (points, elements) to the model's floats."""
        return np.asarray(points * self.scale + self.offset, np.float32)


@dataclass(frozen=True, eq=False)
class Levels:
    """Floats of a quantizer's integers: floats[integer - low], (levels, elements or 1)."""

    values: FloatArray
    low: int
    exact: bool = True

    @property
    def high(self) -> int:
        """The greatest integer."""
        return self.low + self.values.shape[0] - 1

    def floats(self, points: IntArray) -> FloatArray:
        """Integers (points, elements) to the model's floats."""
        columns = np.arange(points.shape[1]) if self.values.shape[1] > 1 else 0
        floats: FloatArray = self.values[points - self.low, columns]
        return floats


Entry: TypeAlias = Pixels | Affine | Levels


@dataclass(frozen=True, eq=False)
class Quantizer:
    """A quantizer's integers, and the floats that it gives for them.

    floats is (levels, elements or 1); the float of integer k is scale * k + offset up to rounding.
    """

    name: str  # of the operator that it makes
    tensor: str  # the model's tensor that holds its floats
    dtype: DType
    levels: IntArray
    floats: FloatArray
    scale: FloatArray
    offset: float = 0.0

    def integers(self, values: FloatArray, order: IntArray | None = None) -> IntArray:
        """Floats that the quantizer gave to integers; order: of the columns, if not the value's."""
        scale = self.scale if order is None or not self.scale.ndim else self.scale[order]
        return np.rint((values.astype(np.float64) - self.offset) / scale).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Step:
    """One elementwise node: floats (points, elements) to floats, in the operator's order."""

    node: str
    evaluate: Evaluate
    monotone: bool = True
    uniform: bool = False  # the same function for every element
    exact: bool = True  # whether the model gives these very floats, not a neighbour
    quantizer: Quantizer | None = None
    width: int = 1  # floats of memory that evaluation takes for each element


@dataclass(frozen=True, eq=False)
class Chain:
    """The value of a tensor: an operator's integers, and the steps since.

    places: for each element of the tensor (with batch), which element of the operator's value it
    is, counted through the batch: reshapes and transposes are no steps. source "" is a value that
    is not known, because of a node that is not supported; places is None if its shape is not
    known either.
    """

    source: str
    entry: Entry | None
    places: IntArray | None
    steps: tuple[Step, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image's value."""
        assert self.places is not None
        return self.places.shape[1:]

    @property
    def elements(self) -> int:
        """Elements of one image's value."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def order(self) -> IntArray:
        """For each element of the tensor, which element of the operator's value it is."""
        assert self.places is not None
        order: IntArray = self.places[0].reshape(-1)
        return order

    @property
    def monotone(self) -> bool:
        """Every step is monotone, so the chain is."""
        return all(step.monotone for step in self.steps)

    @property
    def columns(self) -> int:
        """Elements to evaluate: one stands for all if all have the same function."""
        alike = isinstance(self.entry, Pixels) or (
            isinstance(self.entry, Levels) and self.entry.values.shape[1] == 1
        )
        return 1 if alike and all(step.uniform for step in self.steps) else self.elements

    @property
    def exact(self) -> bool:
        """The model gives the floats of this chain bit for bit."""
        return (self.entry is None or self.entry.exact) and all(step.exact for step in self.steps)

    @property
    def quantizer(self) -> Quantizer | None:
        """The last quantizer."""
        return next((s.quantizer for s in reversed(self.steps) if s.quantizer), None)

    def then(self, step: Step, places: IntArray | None = None) -> "Chain":
        """Return the chain with one more step."""
        return replace(
            self,
            steps=(*self.steps, step),
            places=self.places if places is None else places,
        )

    def split(self) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """Return the steps up to the last quantizer, and those after it."""
        last = max((i for i, step in enumerate(self.steps) if step.quantizer), default=-1)
        return self.steps[: last + 1], self.steps[last + 1 :]

    def evaluate(self, points: IntArray) -> FloatArray:
        """Floats after the last step for integers (points, elements), in the operator's order."""
        assert self.entry is not None
        width = max((step.width for step in self.steps), default=1)
        rows = max(1, MAX_CHUNK // (points.shape[1] * width))
        parts = []
        for start in range(0, points.shape[0], rows):
            x = self.entry.floats(points[start : start + rows])
            for step in self.steps:
                x = step.evaluate(x)
                if np.isnan(x).any():
                    raise ModelError(
                        f"{step.node}: result must be a number, not nan; look for a negative "
                        "variance or a division by zero"
                    )
            parts.append(x)
        return np.concatenate(parts)
