# SPDX-License-Identifier: Apache-2.0
"""Staircases as FINN's thresholds: non-decreasing rows, and the value of count 0 (ActVal)."""

from dataclasses import dataclass, replace

import numpy as np

from hwbnn.emit.finn_graph import number_type
from hwbnn.errors import ModelError
from hwbnn.ir.dtype import DType, IntArray, Kind, unsigned
from hwbnn.ir.window import BoolArray
from hwbnn.units.lookup import Lookup
from hwbnn.units.rescale import Rescale


@dataclass(frozen=True, eq=False)
class Steps:
    """thresholds: int64 (rows, steps), within [low, high + 1] of what they are compared with."""

    thresholds: IntArray
    base: int
    dtype: DType


def steps(
    thresholds: IntArray,
    *,
    base: int,
    dtype: DType,
    numbers: bool,
    ends: tuple[int, int],
) -> Steps:
    """Return a staircase of a unit; `numbers`: its one-bit values are carried as such.

    Of -1 and +1 the number is -1 plus twice the same threshold. FINN's thresholding in RTL makes
    its output as wide as its steps need, so a type of two bits has two steps: the second never.
    """
    low, high = ends
    inside = np.clip(thresholds, low, high + 1)
    if dtype.bits == 1 and not numbers:
        return Steps(inside, 0, unsigned(1))
    if dtype.kind is Kind.BIPOLAR:
        return Steps(np.repeat(inside, 2, axis=1), -1, number_type(-1, 1))
    if inside.shape[1] == 1 and base in (-1, 0):
        inside = np.concatenate([inside, np.full_like(inside, high + 1)], axis=1)
    return Steps(inside, base, number_type(base, base + thresholds.shape[1]))


def of_table(unit: Lookup) -> tuple[IntArray, BoolArray, int]:
    """Return a table as thresholds (rows, steps), directions (rows,) and the value of count 0.

    A descending row is compared with -x: threshold t is reached where -x >= t.
    """
    domain = unit.input_dtype.decode(np.arange(1 << unit.input_dtype.bits))
    order = np.argsort(domain)
    domain, values = domain[order], unit.values[:, order]
    rises: BoolArray = np.all(np.diff(values) >= 0, axis=1)
    falls: BoolArray = np.all(np.diff(values) <= 0, axis=1)
    if not (rises | falls).all():
        row = int(np.argmin(rises | falls))
        raise ModelError(
            f"{unit.origin}: table must rise or fall all along for FINN, which has thresholds "
            f"only, not turn back, as that of channel {row} does; build for RTL or HLS"
        )
    descending: BoolArray = np.logical_not(rises)
    up = np.where(descending[:, None], values[:, ::-1], values)
    seen = np.where(descending[:, None], -domain[::-1], domain)
    if unit.output_dtype.kind is Kind.BIPOLAR:
        base, levels = -1, np.array([1])
    else:
        base = int(values.min())
        levels = np.arange(base + 1, max(int(values.max()), base + 1) + 1)
    below = (up[:, None, :] < levels[None, :, None]).sum(axis=2)
    ends = np.concatenate([seen, seen[:, -1:] + 1], axis=1)
    return np.take_along_axis(ends, below, axis=1), descending, base


def of_rescale(unit: Rescale) -> tuple[IntArray, BoolArray, int]:
    """Return a rescaling as thresholds (rows, levels), directions (rows,) and the value of count 0.

    A descending row is compared with -x. Each threshold is searched for in the input's range.
    """
    rows = len(unit.multipliers)
    alone = replace(unit, elements=rows, vectors=1, pe=1)
    descending: BoolArray = unit.multipliers < 0
    sign = np.where(descending, -1, 1)
    least, most = unit.input_dtype.min, unit.input_dtype.max
    wanted = unit.base + np.arange(1, unit.levels + 1)[:, None]
    low = np.broadcast_to(np.where(descending, -most, least), (unit.levels, rows))
    high = np.broadcast_to(np.where(descending, -least, most) + 1, (unit.levels, rows))
    while (low < high).any():
        middle = (low + high) // 2
        (value,) = alone.run(sign * np.minimum(middle, np.where(descending, -least, most)))
        reached, open_ = value >= wanted, low < high
        high = np.where(open_ & reached, middle, high)
        low = np.where(open_ & ~reached, middle + 1, low)
    return low.T, descending, unit.base
