# SPDX-License-Identifier: Apache-2.0
"""Ranges: the least and greatest value that an operator can give."""

from collections.abc import Mapping, Sequence
from typing import assert_never

import numpy as np

from hwbnn.ir.dtype import IntArray, Kind
from hwbnn.ir.ops import (
    Add,
    ArgMax,
    Concat,
    Conv,
    Dense,
    Input,
    MaxPool,
    Op,
    Permute,
    Staircase,
    SumPool,
    Table,
)
from hwbnn.ir.window import Window


def value_range(op: Op, ops: Mapping[str, Op]) -> tuple[int, int]:
    """Return the least and greatest value that an operator gives; ops: those before it, by name.

    Sums are as exact as their sources, which count as independent.
    """
    return _value_range(op, ops, {})


def _value_range(
    op: Op, ops: Mapping[str, Op], known: dict[str, tuple[int, int]]
) -> tuple[int, int]:
    if op.name in known:
        return known[op.name]
    match op:
        case Staircase() if op.dtype.kind is not Kind.BIPOLAR:
            found = op.base, op.base + op.steps
        case Table():
            found = int(op.values.min()), int(op.values.max())
        case Input() if op.ends is not None:
            found = op.ends
        case Input() | Staircase() | ArgMax():
            found = op.dtype.min, op.dtype.max
        case _:
            found = range_from(op, [_value_range(ops[name], ops, known) for name in op.sources])
    known[op.name] = found
    return found


def range_from(
    op: Permute | Dense | Conv | MaxPool | SumPool | Add | Concat,
    ends: Sequence[tuple[int, int]],
) -> tuple[int, int]:
    """Return the least and greatest value of an operator whose sources have these ends."""
    match op:
        case Permute() | MaxPool():
            return ends[0]
        case Dense():
            return sum_range(op.weights, *ends[0])
        case Conv():
            return conv_range(op, *ends[0])
        case SumPool():
            return pool_range(op.window, *ends[0], factors=op.factors)
        case Add():
            factors = [factor for _, factor in op.terms]
            low = sum(f * low for f, (low, _) in zip(factors, ends, strict=True))
            return low, sum(f * high for f, (_, high) in zip(factors, ends, strict=True))
        case Concat():
            return min(low for low, _ in ends), max(high for _, high in ends)
        case _:
            assert_never(op)


def conv_range(op: Conv, low: int, high: int) -> tuple[int, int]:
    """Return the least and greatest sum of a convolution, for inputs of [low, high]."""
    if any(op.window.padding):
        low, high = min(low, op.fill), max(high, op.fill)
    return sum_range(op.matrix, low, high)


def pool_range(
    window: Window, low: int, high: int, *, factors: IntArray | None = None
) -> tuple[int, int]:
    """Return the least and greatest sum of a window's elements, for inputs of [low, high].

    factors: of each window's sum, (positions,); None: 1.
    """
    taps = (window.sources >= 0).sum(axis=1) * (1 if factors is None else factors)
    ends = np.outer(taps, (low, high))
    return int(ends.min()), int(ends.max())


def sum_range(weights: IntArray, low: int, high: int) -> tuple[int, int]:
    """Return the least and greatest sum of any row of weights, for inputs of [low, high]."""
    total, magnitude = weights.sum(axis=1), np.abs(weights).sum(axis=1)
    positive, negative = (magnitude + total) // 2, (total - magnitude) // 2
    least, most = positive * low + negative * high, positive * high + negative * low
    return int(least.min()), int(most.max())
