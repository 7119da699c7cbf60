# SPDX-License-Identifier: Apache-2.0
"""The tables in which an Mvu searches its staircase."""

from typing import TYPE_CHECKING
from weakref import ReferenceType, ref

import numpy as np

from hwbnn.ir.dtype import IntArray, Kind
from hwbnn.ir.ranges import sum_range
from hwbnn.ir.unit import Memory, MemoryShape
from hwbnn.units import search
from hwbnn.units.mode import Mode

if TYPE_CHECKING:
    from hwbnn.units.mvu import Mvu


def compared_range(mvu: "Mvu") -> tuple[int, int]:
    """Return the range of what the thresholds are compared with: the popcount, or the sum."""
    if mvu.mode is Mode.XNOR:
        return 0, mvu.synapses
    low, high = _sums(mvu.weights, *(mvu.input_range or (mvu.input_dtype.min, mvu.input_dtype.max)))
    return min(low, -1), max(high, 0)


_SUMS: dict[tuple[int, int, int], tuple[ReferenceType[IntArray], tuple[int, int]]] = {}


def _sums(weights: IntArray, low: int, high: int) -> tuple[int, int]:
    """Return sum_range: every folding of a unit has the same weights, and asks again.

    Arrays have no hash: known by place in memory, as long as they live.
    """
    key = id(weights), low, high
    if key not in _SUMS:
        known = ref(weights, lambda _: _SUMS.pop(key, None))
        _SUMS[key] = known, sum_range(weights, low, high)
    return _SUMS[key][1]


def shapes(mvu: "Mvu") -> tuple[MemoryShape, ...]:
    """Return the shapes of the tables; none without a staircase."""
    if mvu.thresholds is None:
        return ()
    low, high = compared_range(mvu)
    blocks = mvu.classes * mvu.groups
    return search.shapes(*mvu.thresholds.shape, low=low, high=high, lanes=mvu.pe, blocks=blocks)


def tables(mvu: "Mvu") -> tuple[Memory, ...]:
    """Return the tables: of thresholds on the popcount, or on the sum."""
    if mvu.thresholds is None:
        return ()
    thresholds = mvu.thresholds
    low, high = compared_range(mvu)
    if mvu.mode is Mode.XNOR:
        if mvu.input_dtype.kind is Kind.BIPOLAR:
            thresholds = -((-(thresholds + mvu.synapses)) // 2)
        else:
            negative = (mvu.weights < 0).sum(axis=1)
            thresholds = thresholds + np.tile(negative, mvu.classes)[:, None]
    blocks = mvu.classes * mvu.groups
    return search.tables(thresholds, low=low, high=high, lanes=mvu.pe, blocks=blocks)
