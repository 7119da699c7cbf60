# SPDX-License-Identifier: Apache-2.0
"""The integer operators of a Graph. An operator's name is also the name of its value.

A value is `vectors` vectors of `channels` elements, one after another: an image is its positions
row by row, each with all its channels (channels last). A plain vector is one vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, smallest
from hwbnn.ir.window import BoolArray, Window


@dataclass(frozen=True)
class Input:
    """The frame as it comes from the host; ends: least and greatest, if narrower than its type."""

    name: str
    elements: int
    dtype: DType
    vectors: int = 1
    ends: tuple[int, int] | None = None

    sources = ()


@dataclass(frozen=True, eq=False)
class Permute:
    """y[e] = x[order[e]]; only the host does this (channels first to channels last)."""

    name: str
    source: str
    order: IntArray
    dtype: DType
    vectors: int = 1

    @property
    def sources(self) -> tuple[str, ...]:
        """The value that it reads."""
        return (self.source,)

    @property
    def elements(self) -> int:
        """As many as the source has."""
        return int(self.order.size)


@dataclass(frozen=True, eq=False)
class Dense:
    """Matrix product: y[o] = sum over i of weights[o, i] * x[i]; weights is int64 (out, in)."""

    name: str
    source: str
    weights: IntArray
    weight_dtype: DType
    dtype: DType  # of the accumulator: the smallest for its exact range

    vectors = 1

    @property
    def sources(self) -> tuple[str, ...]:
        """The value that it reads."""
        return (self.source,)

    @property
    def elements(self) -> int:
        """Outputs."""
        return int(self.weights.shape[0])


@dataclass(frozen=True, eq=False)
class Conv:
    """Product of every window with constant weights, int64 (outputs, taps, channels of a group).

    Output o is of group o // (outputs / groups); group g reads the channels from g * (channels /
    groups) on. A tap in the padding has the value `fill` in every channel, whether or not the
    source's type holds it: 0 adds nothing to the sum.
    """

    name: str
    source: str
    weights: IntArray
    weight_dtype: DType
    window: Window
    dtype: DType  # of the accumulator: the smallest for its exact range
    groups: int = 1
    fill: int = 0

    @property
    def sources(self) -> tuple[str, ...]:
        """The value that it reads."""
        return (self.source,)

    @property
    def outputs(self) -> int:
        """Channels of the result."""
        return int(self.weights.shape[0])

    @property
    def channels(self) -> int:
        """Channels of the source."""
        return int(self.weights.shape[2]) * self.groups

    @property
    def vectors(self) -> int:
        """Positions of the result."""
        return self.window.positions

    @property
    def elements(self) -> int:
        """Positions times outputs."""
        return self.vectors * self.outputs

    @property
    def matrix(self) -> IntArray:
        """Weights as (outputs, taps * channels of a group)."""
        return self.weights.reshape(self.outputs, -1)


@dataclass(frozen=True, eq=False)
class MaxPool:
    """Greatest element of every window, per channel; padding does not count.

    minimum: bool (channels or 1,): the least instead (behind a descending staircase).
    """

    name: str
    source: str
    window: Window
    channels: int
    minimum: BoolArray
    dtype: DType  # the source's

    @property
    def sources(self) -> tuple[str, ...]:
        """The value that it reads."""
        return (self.source,)

    @property
    def vectors(self) -> int:
        """Positions of the result."""
        return self.window.positions

    @property
    def elements(self) -> int:
        """Positions times channels."""
        return self.vectors * self.channels


@dataclass(frozen=True, eq=False)
class SumPool:
    """Sum of every window, per channel, times a factor; padding adds 0.

    factors: positive, int64 (vectors,), that of each window; None: all 1. Averages over fewer taps
    at the border become averages over as many as elsewhere.
    """

    name: str
    source: str
    window: Window
    channels: int
    dtype: DType  # the smallest for its exact range
    factors: IntArray | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The value that it reads."""
        return (self.source,)

    @property
    def vectors(self) -> int:
        """Positions of the result."""
        return self.window.positions

    @property
    def elements(self) -> int:
        """Positions times channels."""
        return self.vectors * self.channels


@dataclass(frozen=True, eq=False)
class Staircase:
    """Count of thresholds reached, per channel (DESIGN 3.2).

    count = number of t with x >= thresholds[row, t]; a descending row counts those not reached
    instead. BIPOLAR output is 2 * count - 1, any other base + count. thresholds is int64
    (rows, steps), each row non-decreasing. One row serves all elements, or row c the channel c of
    every vector; with a border, row k * channels + c the channel c of vectors of class k.
    border: class of each vector, int64 (vectors,). descending: bool, (channels or 1,).
    A threshold of the input's minimum is always reached, of its maximum + 1 never.
    """

    name: str
    source: str
    elements: int
    thresholds: IntArray
    descending: BoolArray
    base: int
    dtype: DType
    vectors: int = 1
    border: IntArray | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The value that it reads."""
        return (self.source,)

    @property
    def steps(self) -> int:
        """Thresholds a channel."""
        return int(self.thresholds.shape[1])

    @property
    def channels(self) -> int:
        """Elements of a vector."""
        return self.elements // self.vectors

    @property
    def classes(self) -> int:
        """Classes of vectors."""
        return 1 if self.border is None else int(self.border.max()) + 1

    @property
    def rows(self) -> IntArray:
        """Row of thresholds of each element, int64 (elements,)."""
        if self.thresholds.shape[0] == 1:
            return np.zeros(self.elements, np.int64)
        border = np.zeros(self.vectors, np.int64) if self.border is None else self.border
        return (border[:, None] * self.channels + np.arange(self.channels)).reshape(-1)

    @property
    def directions(self) -> BoolArray:
        """Whether each element's row is descending, bool (elements,)."""
        return np.tile(np.broadcast_to(self.descending, (self.channels,)), self.vectors)


@dataclass(frozen=True, eq=False)
class Table:
    """Look-up per channel: y = values[c, x - low]; values is int64 (channels or 1, span)."""

    name: str
    source: str
    elements: int
    values: IntArray
    low: int
    dtype: DType
    vectors: int = 1

    @property
    def sources(self) -> tuple[str, ...]:
        """The value that it reads."""
        return (self.source,)

    @property
    def channels(self) -> int:
        """Elements of a vector."""
        return self.elements // self.vectors


@dataclass(frozen=True)
class ArgMax:
    """Index of the greatest element; the lowest index wins a tie."""

    name: str
    source: str
    dtype: DType

    elements: int = 1
    vectors: int = 1

    @property
    def sources(self) -> tuple[str, ...]:
        """The value that it reads."""
        return (self.source,)


@dataclass(frozen=True)
class Add:
    """Sum of values, element by element: y = factors[0] * x0 + factors[1] * x1 + ...

    sources: two or more of the same elements and vectors; one may stand there twice. factors:
    positive, one a source, for steps of different size; empty where all are 1.
    """

    name: str
    sources: tuple[str, ...]
    elements: int
    dtype: DType  # the smallest for its exact range
    vectors: int = 1
    factors: tuple[int, ...] = ()

    @property
    def terms(self) -> tuple[tuple[str, int], ...]:
        """Sources, each with its factor."""
        return tuple(zip(self.sources, self.factors or (1,) * len(self.sources), strict=True))


@dataclass(frozen=True)
class Concat:
    """At each position the channels of the first source, then of the second, and so on.

    sources: two or more of the same vectors; one may stand there twice. channels: of each.
    """

    name: str
    sources: tuple[str, ...]
    channels: tuple[int, ...]
    dtype: DType  # the smallest that holds all of them
    vectors: int = 1

    @property
    def elements(self) -> int:
        """Positions times the channels of all sources."""
        return self.vectors * sum(self.channels)


Op: TypeAlias = (
    Input | Permute | Dense | Conv | Staircase | Table | MaxPool | SumPool | Add | Concat | ArgMax
)


def joined_dtype(dtypes: Sequence[DType], low: int, high: int) -> DType:
    """Return the type of a Concat of values of these types, all within [low, high]."""
    return BIPOLAR if all(dtype == BIPOLAR for dtype in dtypes) else smallest(low, high)


def count_to_value(count: IntArray, *, base: int, dtype: DType) -> IntArray:
    """Return the value that a staircase's count stands for."""
    return 2 * count - 1 if dtype.kind is Kind.BIPOLAR else base + count
