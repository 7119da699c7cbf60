# SPDX-License-Identifier: Apache-2.0
"""Chain: the nodes after an integer value, evaluated on any integers of its range."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.ir.dtype import DType, IntArray
from hwbnn.ir.graph import Arithmetic, DoubleArray, FloatArray, Preprocess
from hwbnn.ir.window import Window

# Floats (points, columns), and which elements the columns are, to floats.
Evaluate: TypeAlias = Callable[[FloatArray, IntArray], FloatArray]
# For each element of a value a number: elements of one number have one function. None: all have.
Labels: TypeAlias = IntArray | None
MAX_CHUNK = 1 << 20  # elements evaluated at once, to bound memory


@dataclass(frozen=True, eq=False)
class Pixels:
    """How the model's input follows from pixels of 0 to 255."""

    preprocess: Preprocess
    low: int = 0
    high: int = 255
    exact: bool = True

    labels = None

    def floats(self, points: IntArray, _: IntArray) -> FloatArray:
        """Integers (points, columns) to the model's floats."""
        return self.preprocess.apply(points)

    def moved(self, _: IntArray) -> "Pixels":
        """Return itself: all elements are alike."""
        return self


@dataclass(frozen=True, eq=False)
class Affine:
    """Floats of a sum: scale * integer + offset per label, rounded to float32 once.

    exact: the model's float32 sum has no rounding at all, in any order of its terms.
    """

    scale: DoubleArray
    offset: DoubleArray
    low: int
    high: int
    exact: bool
    labels: IntArray

    def floats(self, points: IntArray, columns: IntArray) -> FloatArray:
        """Integers (points, columns) to the model's floats."""
        rows = self.labels[columns]
        return np.asarray(points * self.scale[rows] + self.offset[rows], np.float32)

    def moved(self, take: IntArray) -> "Affine":
        """Return the floats of a value whose element e is like this one's element take[e]."""
        return replace(self, labels=self.labels[take])


@dataclass(frozen=True, eq=False)
class Levels:
    """Floats of a quantizer's integers: floats[integer - low, label]."""

    values: FloatArray
    low: int
    labels: Labels = None
    exact: bool = True

    @property
    def high(self) -> int:
        """The greatest integer."""
        return self.low + self.values.shape[0] - 1

    def floats(self, points: IntArray, columns: IntArray) -> FloatArray:
        """Integers (points, columns) to the model's floats."""
        floats: FloatArray = self.values[points - self.low, at(self.labels, columns)]
        return floats

    def moved(self, take: IntArray) -> "Levels":
        """Return the floats of a value whose element e is like this one's element take[e]."""
        return replace(self, labels=moved(self.labels, take))


Entry: TypeAlias = Pixels | Affine | Levels


@dataclass(frozen=True, eq=False)
class Quantizer:
    """A quantizer's integers, and the floats that it gives for them.

    floats is (levels, labels); the float of integer k is scale * k + offset up to rounding. order:
    for each element of the tensor, which element of the operator's value it is.
    """

    name: str  # of the operator that it makes
    tensor: str  # the model's tensor that holds its floats
    dtype: DType
    levels: IntArray
    floats: FloatArray
    scale: DoubleArray  # (labels,)
    order: IntArray
    labels: Labels = None
    offset: float = 0.0

    def integers(self, values: FloatArray, columns: IntArray) -> IntArray:
        """Floats (points, columns) that the quantizer gave, to integers."""
        scale = self.scale[at(self.labels, columns)]
        return np.rint((values.astype(np.float64) - self.offset) / scale).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Step:
    """One elementwise node: floats (points, columns) to floats.

    arithmetic: with an operand a label, if that is all that the node does.
    """

    node: str
    evaluate: Evaluate
    labels: Labels = None
    monotone: bool = True
    exact: bool = True  # whether the model gives these very floats, not a neighbour
    quantizer: Quantizer | None = None
    width: int = 1  # floats of memory that evaluation takes for each element
    arithmetic: tuple[Arithmetic, FloatArray] | None = None

    def moved(self, take: IntArray) -> "Step":
        """Return the step on a value whose element e is like this one's element take[e]."""

        def evaluate(x: FloatArray, columns: IntArray) -> FloatArray:
            return self.evaluate(x, take[columns])

        quantizer = self.quantizer
        if quantizer is not None:
            quantizer = replace(quantizer, labels=moved(quantizer.labels, take))
        labels = moved(self.labels, take)
        return replace(self, evaluate=evaluate, labels=labels, quantizer=quantizer)


@dataclass(frozen=True)
class Pool:
    """A maximum over windows among the steps: of floats, per channel."""

    node: str
    name: str  # of the operator that it makes
    window: Window
    channels: int

    quantizer = None


@dataclass(frozen=True)
class Padding:
    """What an explicit Pad puts around an image: amounts (top, left, bottom, right), one float."""

    amounts: tuple[int, int, int, int]
    value: float


@dataclass(frozen=True)
class Patches:
    """What FINN's Im2Col makes of an image: the windows of a convolution, for a MatMul."""

    window: Window
    padded: float
    depthwise: bool


@dataclass(frozen=True, eq=False)
class Chain:
    """The value of a tensor: an operator's integers, and the steps since.

    places: for each element of the tensor (with batch), which element of the operator's value (or
    of the last pool's) it is, counted through the batch: reshapes and transposes are no steps.
    source "" is a value that is not known, because of a node that is not supported; places is None
    if its shape is not known either. padding: what the tensor has around places.
    """

    source: str
    entry: Entry | None
    places: IntArray | None
    steps: tuple[Step | Pool, ...] = ()
    padding: Padding | None = None
    patches: Patches | None = None

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
    def floats(self) -> tuple[Step, ...]:
        """The steps of a chain without pools."""
        steps = tuple(step for step in self.steps if isinstance(step, Step))
        assert len(steps) == len(self.steps)
        return steps

    @property
    def monotone(self) -> bool:
        """Every step is monotone, so the chain is."""
        return all(isinstance(step, Pool) or step.monotone for step in self.steps)

    @property
    def labels(self) -> Labels:
        """Which elements have one function; of a chain without pools."""
        entry = () if self.entry is None else (self.entry.labels,)
        return joined((*entry, *(step.labels for step in self.floats)))

    @cached_property
    def functions(self) -> tuple[IntArray, IntArray]:
        """An element of each function, and the function of each element."""
        labels = self.labels
        if labels is None:
            return np.zeros(1, np.int64), np.zeros(self.elements, np.int64)
        _, examples, of_element = np.unique(labels, return_index=True, return_inverse=True)
        return examples.astype(np.int64), of_element.reshape(-1).astype(np.int64)

    @property
    def exact(self) -> bool:
        """The model gives the floats of this chain bit for bit."""
        steps = all(isinstance(step, Pool) or step.exact for step in self.steps)
        return (self.entry is None or self.entry.exact) and steps

    @property
    def quantizer(self) -> Quantizer | None:
        """The last quantizer."""
        return next((s.quantizer for s in reversed(self.steps) if s.quantizer), None)

    def then(self, step: Step | Pool) -> "Chain":
        """Return the chain with one more step."""
        return replace(self, steps=(*self.steps, step))

    def split(self) -> tuple[tuple[Step | Pool, ...], tuple[Step | Pool, ...]]:
        """Return the steps up to the last quantizer, and those after it."""
        last = max((i for i, step in enumerate(self.steps) if step.quantizer), default=-1)
        return self.steps[: last + 1], self.steps[last + 1 :]

    def evaluate(self, points: IntArray, columns: IntArray) -> FloatArray:
        """Floats after the last step for integers (points, columns) of these elements."""
        assert self.entry is not None
        width = max((step.width for step in self.floats), default=1)
        rows = max(1, MAX_CHUNK // (points.shape[1] * width))
        parts = []
        for start in range(0, points.shape[0], rows):
            x = self.entry.floats(points[start : start + rows], columns)
            parts.append(run_steps(self.floats, x, columns))
        return np.concatenate(parts)

    def spread(self, points: IntArray) -> FloatArray:
        """Floats (points, functions) of each function at each of the integers (points,)."""
        examples, _ = self.functions
        return self.evaluate(np.repeat(points[:, None], examples.size, axis=1), examples)


def merged(entry: Affine) -> Affine:
    """Give one label to all elements of one scale and offset."""
    rows = np.stack([entry.scale, entry.offset])
    (scale, offset), again = np.unique(rows, axis=1, return_inverse=True)
    return replace(entry, scale=scale, offset=offset, labels=again.reshape(-1)[entry.labels])


def run_steps(steps: Iterable[Step], x: FloatArray, columns: IntArray) -> FloatArray:
    """Return what steps make of floats (points, columns)."""
    for step in steps:
        x = step.evaluate(x, columns)
        if np.isnan(x).any():
            raise ModelError(
                f"{step.node}: result must be a number, not nan; look for a negative "
                "variance or a division by zero"
            )
    return x


def at(labels: Labels, columns: IntArray) -> IntArray:
    """Return the labels of some elements."""
    return np.zeros(columns.shape, np.int64) if labels is None else labels[columns]


def moved(labels: Labels, take: IntArray) -> Labels:
    """Return the labels of a value whose element e is like element take[e]."""
    return None if labels is None else labels[take]


def joined(several: Iterable[Labels]) -> Labels:
    """Return labels that tell apart what any of the given ones does."""
    result: Labels = None
    for labels in several:
        if result is None or labels is None or labels is result:
            result = labels if result is None else result
            continue
        both = result * (int(labels.max()) + 1) + labels
        result = np.unique(both, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return result


def channelwise(labels: Labels, channels: int) -> bool:
    """A channel's function is the same at all positions."""
    if labels is None:
        return True
    return bool((labels.reshape(-1, channels) == labels[:channels]).all())
