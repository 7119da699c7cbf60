# SPDX-License-Identifier: Apache-2.0
"""The integer operators of a Graph. An operator's name is also the name of its value."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hwbnn.ir.dtype import DType, IntArray, Kind


@dataclass(frozen=True)
class Input:
    """The frame as it comes from the host, flattened in the model's own order."""

    name: str
    elements: int
    dtype: DType


@dataclass(frozen=True, eq=False)
class Dense:
    """Matrix product: y[o] = sum over i of weights[o, i] * x[i]; weights is int64 (out, in)."""

    name: str
    source: str
    weights: IntArray
    weight_dtype: DType
    dtype: DType  # of the accumulator: the smallest for its exact range

    @property
    def elements(self) -> int:
        """Outputs."""
        return int(self.weights.shape[0])


@dataclass(frozen=True, eq=False)
class Staircase:
    """Count of thresholds reached, per channel (DESIGN 3.2).

    count[c] = number of t with x[c] >= thresholds[c, t]; a descending channel counts those not
    reached instead. BIPOLAR output is 2 * count - 1, any other base + count. thresholds is int64
    (channels, steps), each row non-decreasing; one row serves all elements if channels is 1.
    A threshold of the input's minimum is always reached, of its maximum + 1 never.
    """

    name: str
    source: str
    elements: int
    thresholds: IntArray
    descending: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    base: int
    dtype: DType

    @property
    def steps(self) -> int:
        """Thresholds a channel."""
        return int(self.thresholds.shape[1])


@dataclass(frozen=True, eq=False)
class Table:
    """Look-up per channel: y[c] = values[c, x[c] - low]; values is int64 (channels or 1, span)."""

    name: str
    source: str
    elements: int
    values: IntArray
    low: int
    dtype: DType


@dataclass(frozen=True)
class ArgMax:
    """Index of the greatest element; the lowest index wins a tie."""

    name: str
    source: str
    dtype: DType

    elements: int = 1


Op: TypeAlias = Input | Dense | Staircase | Table | ArgMax


def sources(op: Op) -> tuple[str, ...]:
    """Names of the values that an operator reads."""
    return () if isinstance(op, Input) else (op.source,)


def value_range(op: Op) -> tuple[int, int]:
    """Return the least and greatest value that an operator gives."""
    match op:
        case Staircase() if op.dtype.kind is not Kind.BIPOLAR:
            return op.base, op.base + op.steps
        case Table():
            return int(op.values.min()), int(op.values.max())
        case _:
            return op.dtype.min, op.dtype.max


def sum_range(weights: IntArray, low: int, high: int) -> tuple[int, int]:
    """Return the least and greatest sum of any row of weights, for inputs of [low, high]."""
    total, magnitude = weights.sum(axis=1), np.abs(weights).sum(axis=1)
    positive, negative = (magnitude + total) // 2, (total - magnitude) // 2
    least, most = positive * low + negative * high, positive * high + negative * low
    return int(least.min()), int(most.max())


def count_to_value(count: IntArray, *, base: int, dtype: DType) -> IntArray:
    """Return the value that a staircase's count stands for."""
    return 2 * count - 1 if dtype.kind is Kind.BIPOLAR else base + count
