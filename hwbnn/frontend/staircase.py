# SPDX-License-Identifier: Apache-2.0
"""Staircase: a chain up to its last quantizer, as thresholds or a table (DESIGN 3.2)."""

from dataclasses import dataclass, replace

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Chain, Quantizer, Step, channelwise
from hwbnn.ir.dtype import DType, IntArray, Kind, smallest
from hwbnn.ir.ops import Op, Staircase, Table
from hwbnn.ir.window import BoolArray

MAX_TABLE_SPAN = 1 << 14
MAX_TABLE = 1 << 24  # entries that are evaluated one by one


@dataclass(frozen=True, eq=False)
class Counts:
    """A quantizer's result as counts from 0 on, per function: at both ends, and where it changes.

    thresholds: (levels, functions), the first integer at which the side of each level changes.
    """

    low: IntArray
    high: IntArray
    thresholds: IntArray


def staircase(name: str, chain: Chain, source: Op, *, where: str) -> Staircase | Table:
    """Return the operator that gives the last quantizer's integers; where names its node.

    chain: ends in that quantizer and has no pools; it starts at the value of source. It is one
    vector if a channel rises at some positions of an image and falls at others.
    """
    quantizer = chain.quantizer
    assert quantizer is not None and chain.entry is not None
    if chain.monotone:
        return _staircase(name, chain, source, _changes(chain, quantizer))
    values = _tabulate(chain, quantizer, where)
    rises = np.diff(values, axis=0)
    if ((rises >= 0).all(axis=0) | (rises <= 0).all(axis=0)).all():
        return _staircase(name, chain, source, _count(chain, quantizer, values))
    channels = source.elements // source.vectors
    if not channelwise(chain.labels, channels):
        raise ModelError(
            f"{where}: what it quantizes must be one function of the sum at all positions of a "
            f"channel, or rise or fall with it; take out {_odd(chain)}"
        )
    _, function = chain.functions
    rows = values.T[function[:channels]]
    rows = rows[:1] if _same(rows) else rows
    return Table(
        name, source.name, source.elements, rows, chain.entry.low, quantizer.dtype, source.vectors
    )


def is_identity(op: Staircase | Table) -> bool:
    """The operator gives every pixel back as it is."""
    if not isinstance(op, Staircase) or op.base != 0 or op.steps != 255 or op.descending.any():
        return False
    return bool((op.thresholds == np.arange(1, 256)).all())


def _counts(dtype: DType, values: IntArray) -> IntArray:
    """Values as counts from 0 on, one by one."""
    return (values + 1) // 2 if dtype.kind is Kind.BIPOLAR else values


def _integers(chain: Chain, quantizer: Quantizer, points: IntArray) -> IntArray:
    examples, _ = chain.functions
    floats = chain.evaluate(points, examples)
    return _counts(quantizer.dtype, quantizer.integers(floats, examples))


def _base(quantizer: Quantizer, low: IntArray, high: IntArray) -> int:
    """The least count; one less if there is only one, and it is the quantizer's greatest."""
    if quantizer.dtype.kind is Kind.BIPOLAR:
        return 0
    return min(int(low.min()), int(high.min()), int(quantizer.levels[-1]) - 1)


def _levels(quantizer: Quantizer, low: IntArray, high: IntArray) -> IntArray:
    """Counts that some element reaches, but for the least one, as a column; at least one."""
    base = _base(quantizer, low, high)
    top = max(int(low.max()), int(high.max()), base + 1)
    return np.arange(base + 1, top + 1)[:, None]


def _changes(chain: Chain, quantizer: Quantizer) -> Counts:
    """Find the changes of a monotone chain by the way that evaluates less."""
    assert chain.entry is not None
    span = chain.entry.high - chain.entry.low + 1
    searched = int(quantizer.levels[-1] - quantizer.levels[0]) * span.bit_length()
    if span > min(searched, MAX_TABLE // chain.functions[0].size):
        return _bisect(chain, quantizer)
    points = np.arange(chain.entry.low, chain.entry.high + 1)
    return _count(chain, quantizer, quantizer.integers(chain.spread(points), chain.functions[0]))


def _bisect(chain: Chain, quantizer: Quantizer) -> Counts:
    """Find the changes; the chain is monotone: every node is, and rounding to float32 is."""
    assert chain.entry is not None
    first, last = chain.entry.low, chain.entry.high
    ends = np.repeat(np.array([[first], [last]]), chain.functions[0].size, axis=1)
    low, high = _integers(chain, quantizer, ends)
    level, down = _levels(quantizer, low, high), high < low
    reached = (low >= level) != down  # already at the least integer
    before = np.where(reached, first - 1, first)
    after = np.where(reached, first, last + 1)
    while (after - before > 1).any():
        middle = (after + before) // 2
        inside = np.clip(middle, first, last)
        changed = (_integers(chain, quantizer, inside) >= level) != down
        open_ = after - before > 1
        after = np.where(open_ & changed, middle, after)
        before = np.where(open_ & ~changed, middle, before)
    return Counts(low, high, after)


def _count(chain: Chain, quantizer: Quantizer, values: IntArray) -> Counts:
    """Find the changes among the results of all integers, (span, functions)."""
    assert chain.entry is not None
    counts = _counts(quantizer.dtype, values)
    down, levels = counts[-1] < counts[0], _levels(quantizer, counts[0], counts[-1])
    steps = [((counts >= level) == down).sum(axis=0) for level in levels[:, 0]]
    return Counts(counts[0], counts[-1], chain.entry.low + np.stack(steps))


def _staircase(name: str, chain: Chain, source: Op, counts: Counts) -> Staircase:
    assert chain.entry is not None and chain.quantizer is not None
    dtype, base = chain.quantizer.dtype, _base(chain.quantizer, counts.low, counts.high)
    classes, border = _classes(chain.functions[1].reshape(source.vectors, -1))
    down = (counts.high < counts.low)[classes]  # (classes, channels)
    vectors, falls = source.vectors, np.asarray(down.any(axis=0))
    if (falls & (counts.high > counts.low)[classes]).any():  # one long vector: each its direction
        classes, border, vectors = chain.functions[1][None], np.zeros(1, np.int64), 1
        falls = down = (counts.high < counts.low)[classes[0]]
    rows = np.sort(counts.thresholds.T, axis=1)[classes]
    # A constant is written in its channel's direction: what is reached never is, and the reverse.
    turned = np.where(rows == chain.entry.low, chain.entry.high + 1, chain.entry.low)[..., ::-1]
    rows = np.where((falls & ~down)[..., None], turned, rows)
    if dtype.kind is not Kind.BIPOLAR:
        narrow = smallest(base, base + rows.shape[2])
        dtype = narrow if narrow.bits < dtype.bits else dtype
    op = Staircase(name, source.name, source.elements, rows[0], falls, base, dtype, vectors)
    return _merged(op, rows, border)


def _classes(functions: IntArray) -> tuple[IntArray, IntArray]:
    """Positions that differ in no function: functions of each class, and class of each position."""
    if _same(functions):
        return functions[:1], np.zeros(len(functions), np.int64)
    classes, border = np.unique(functions, axis=0, return_inverse=True)
    return classes, border.reshape(-1).astype(np.int64)


def _merged(op: Staircase, rows: IntArray, border: IntArray) -> Staircase:
    """Give a staircase its rows (classes, channels, steps), of which many may be the same."""
    flat, again = rows.reshape(len(rows), -1), np.zeros(len(rows), np.int64)
    if len(flat) > 1:
        flat, again = np.unique(flat, axis=0, return_inverse=True)
    if len(flat) > 1:
        thresholds = flat.reshape(-1, op.steps)
        return replace(op, thresholds=thresholds, border=again.reshape(-1)[border])
    if _same(rows[0]) and _same(op.descending):
        return replace(op, thresholds=rows[0, :1], descending=op.descending[:1])
    return op


def _same(rows: IntArray | BoolArray) -> bool:
    return bool((rows == rows[:1]).all())


def _odd(chain: Chain) -> str:
    return next(s.node for s in chain.steps if isinstance(s, Step) and not s.monotone)


def _tabulate(chain: Chain, quantizer: Quantizer, where: str) -> IntArray:
    """The quantizer's integers for the whole range, (span, functions)."""
    assert chain.entry is not None
    examples, _ = chain.functions
    span = chain.entry.high - chain.entry.low + 1
    if span > MAX_TABLE_SPAN or span * examples.size > MAX_TABLE:
        raise ModelError(
            f"{where}: what it quantizes must rise or fall with the sum over its {span} values, "
            f"or the sum must have at most {MAX_TABLE_SPAN}; take out {_odd(chain)} or make the "
            "layer before it smaller"
        )
    points = np.arange(chain.entry.low, chain.entry.high + 1)
    return quantizer.integers(chain.spread(points), examples)
