# SPDX-License-Identifier: Apache-2.0
"""Staircase: a chain up to its last quantizer, as thresholds or a table (DESIGN 3.2)."""

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Chain, Quantizer
from hwbnn.ir.dtype import DType, IntArray, Kind, smallest
from hwbnn.ir.ops import Staircase, Table

MAX_TABLE_SPAN = 1 << 14
MAX_TABLE = 1 << 24  # entries that are evaluated one by one


def staircase(name: str, chain: Chain, *, where: str) -> Staircase | Table:
    """Return the operator that gives the last quantizer's integers; where names its node."""
    steps, _ = chain.split()
    quantizer = chain.quantizer
    assert quantizer is not None
    start = Chain(chain.source, chain.entry, chain.places, steps)
    if start.monotone:
        low, high = _ends(start, quantizer)
        thresholds = _bisect(start, quantizer, low, high)
        return _staircase(name, start, quantizer.dtype, low, high, thresholds)
    values = _tabulate(start, quantizer, where)
    rises = np.diff(values, axis=0)
    if ((rises >= 0).all(axis=0) | (rises <= 0).all(axis=0)).all():
        counts = _counts(quantizer.dtype, values)
        thresholds = _count(start, quantizer.dtype, counts)
        return _staircase(name, start, quantizer.dtype, counts[0], counts[-1], thresholds)
    assert start.entry is not None
    table = values.T[:1] if _same(values.T) else values.T
    return Table(name, start.source, start.elements, table, start.entry.low, quantizer.dtype)


def is_identity(op: Staircase | Table) -> bool:
    """The operator gives every pixel back as it is."""
    if not isinstance(op, Staircase) or op.base != 0 or op.steps != 255 or op.descending.any():
        return False
    return bool((op.thresholds == np.arange(1, 256)).all())


def _counts(dtype: DType, values: IntArray) -> IntArray:
    """Values as counts from 0 on, one by one."""
    return (values + 1) // 2 if dtype.kind is Kind.BIPOLAR else values


def _integers(chain: Chain, quantizer: Quantizer, points: IntArray) -> IntArray:
    return _counts(quantizer.dtype, quantizer.integers(chain.evaluate(points)))


def _ends(chain: Chain, quantizer: Quantizer) -> tuple[IntArray, IntArray]:
    """Counts of every element at the least and the greatest integer."""
    assert chain.entry is not None
    ends = np.array([[chain.entry.low], [chain.entry.high]])
    low, high = _integers(chain, quantizer, np.repeat(ends, chain.columns, axis=1))
    return low, high


def _base(dtype: DType, low: IntArray, high: IntArray) -> int:
    """The least count; one less if there is only one, and no room above."""
    if dtype.kind is Kind.BIPOLAR:
        return 0
    return min(int(low.min()), int(high.min()), dtype.max - 1)


def _levels(dtype: DType, low: IntArray, high: IntArray) -> IntArray:
    """Counts that some element reaches, but for the least one, as a column; at least one."""
    base = _base(dtype, low, high)
    top = max(int(low.max()), int(high.max()), base + 1)
    return np.arange(base + 1, top + 1)[:, None]


def _bisect(chain: Chain, quantizer: Quantizer, low: IntArray, high: IntArray) -> IntArray:
    """For each level and element, the first integer at which the level's side changes.

    The chain is monotone: every node is, and rounding to float32 is.
    """
    assert chain.entry is not None
    level, down = _levels(quantizer.dtype, low, high), high < low
    reached = (low >= level) != down  # already at the least integer
    before = np.full(reached.shape, chain.entry.low - 1)
    after = np.where(reached, chain.entry.low, chain.entry.high + 1)
    before = np.where(reached, before, chain.entry.low)
    while (after - before > 1).any():
        middle = (after + before) // 2
        inside = np.clip(middle, chain.entry.low, chain.entry.high)
        changed = (_integers(chain, quantizer, inside) >= level) != down
        open_ = after - before > 1
        after = np.where(open_ & changed, middle, after)
        before = np.where(open_ & ~changed, middle, before)
    return after


def _count(chain: Chain, dtype: DType, counts: IntArray) -> IntArray:
    """The same from the counts of all integers, (span, elements)."""
    assert chain.entry is not None
    down, levels = counts[-1] < counts[0], _levels(dtype, counts[0], counts[-1])
    return chain.entry.low + np.stack([((counts >= x) == down).sum(axis=0) for x in levels[:, 0]])


def _staircase(
    name: str, chain: Chain, dtype: DType, low: IntArray, high: IntArray, thresholds: IntArray
) -> Staircase:
    down, base = high < low, _base(dtype, low, high)
    rows = np.sort(thresholds.T, axis=1)
    if _same(rows) and _same(down):
        rows, down = rows[:1], down[:1]
    if dtype.kind is not Kind.BIPOLAR:
        narrow = smallest(base, base + rows.shape[1])
        dtype = narrow if narrow.bits < dtype.bits else dtype
    return Staircase(name, chain.source, chain.elements, rows, down, base, dtype)


def _same(rows: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bool:
    return bool((rows == rows[:1]).all())


def _tabulate(chain: Chain, quantizer: Quantizer, where: str) -> IntArray:
    """The quantizer's integers for the whole range, (span, elements)."""
    assert chain.entry is not None
    span = chain.entry.high - chain.entry.low + 1
    if span > MAX_TABLE_SPAN or span * chain.columns > MAX_TABLE:
        odd = next(step.node for step in chain.steps if not step.monotone)
        raise ModelError(
            f"{where}: what it quantizes must rise or fall with the sum over its {span} values, "
            f"or the sum must have at most {MAX_TABLE_SPAN}; take out {odd} or make the layer "
            "before it smaller"
        )
    points = np.arange(chain.entry.low, chain.entry.high + 1)[:, None]
    return quantizer.integers(chain.evaluate(np.repeat(points, chain.columns, axis=1)))
