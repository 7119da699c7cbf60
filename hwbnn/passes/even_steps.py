# SPDX-License-Identifier: Apache-2.0
"""Even steps: the multiplication, addition and shift that equal a staircase exactly, if any do."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hwbnn.ir.dtype import IntArray, smallest
from hwbnn.ir.ops import Staircase
from hwbnn.units.rescale import multiplier_bits

LEAST_STEPS = 15  # fewer thresholds cost less than a multiplier
MAX_SHIFT = 30
_NARROWINGS = 90  # of the bracket around the best slope, by a third each
_UNBOUND = np.int64(1) << 60

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EvenSteps:
    """count = min(max((multipliers[c] * x + offsets[c]) >> shift, 0), steps) of a staircase.

    even: where the sum is a multiple of 2 ** shift, an odd base + quotient is one less (rounding
    half to even). One multiplier and offset serve all channels, or each has its own.
    """

    multipliers: IntArray
    offsets: IntArray
    shift: int
    even: bool


@lru_cache(maxsize=512)  # a graph is lowered in several forms to compare them
def even_steps(op: Staircase, low: int, high: int) -> EvenSteps | None:
    """Return what equals a staircase for every x from low to high; None: nothing does.

    A row of thresholds T is reached by a line a * x + b if for all steps k = 1, 2, ...
    a * T[k] + b >= k * 2 ** shift > a * (T[k] - 1) + b: for a given slope, an interval of b. The
    slope that leaves the widest interval is found in reals, then rounded at the least shift that
    serves all rows.
    """
    if op.steps < LEAST_STEPS or op.border is not None or len(op.thresholds) > op.channels:
        return None
    rows = np.broadcast_to(op.thresholds, (max(len(op.thresholds), len(op.descending)), op.steps))
    down = np.broadcast_to(op.descending, (len(rows),))
    # x < T is ~x >= -T: a descending row is a rising one of ~x.
    turned = np.where(down[:, None], -rows[:, ::-1], rows)
    lows, highs = np.where(down, ~high, low), np.where(down, ~low, high)
    most = multiplier_bits(smallest(low, high))
    for even in (False, True):
        bounds = _Bounds.of(turned, lows, highs, base=op.base, even=even)
        found = _fit(bounds, multiplier_bits=most)
        if found is not None:
            slopes, offsets, shift = found
            signs = np.where(down, -1, 1)
            return EvenSteps(signs * slopes, offsets - np.where(down, slopes, 0), shift, even)
    return None


@dataclass(frozen=True, eq=False)
class _Bounds:
    """Points that each row's line must pass: at or above (x, k), or below; (rows, steps)."""

    reached: IntArray  # x at which step k must be reached
    missed: IntArray  # x at which it must not
    above: npt.NDArray[np.bool_]  # which of them count
    below: npt.NDArray[np.bool_]
    steps: IntArray
    odd: IntArray  # 1: an exact k * 2 ** shift does not reach step k

    @classmethod
    def of(
        cls, rows: IntArray, lows: IntArray, highs: IntArray, *, base: int, even: bool
    ) -> "_Bounds":
        first, last = lows[:, None], highs[:, None]
        steps = np.arange(1, rows.shape[1] + 1)
        within = np.clip(rows, first, last + 1)
        odd = (base + steps) & 1 if even else np.zeros_like(steps)
        return cls(within, within - 1, within <= last, within > first, steps, odd)

    def slack(self, slopes: Doubles) -> Doubles:
        """Return the width of the interval of b / 2 ** shift, for slopes a / 2 ** shift."""
        floor = np.where(self.above, self.steps - slopes[:, None] * self.reached, -np.inf)
        ceiling = np.where(self.below, self.steps - slopes[:, None] * self.missed, np.inf)
        slack: Doubles = ceiling.min(axis=1) - floor.max(axis=1)
        return slack

    def offsets(self, slopes: IntArray, shift: int) -> tuple[IntArray, IntArray]:
        """Return the least and greatest b."""
        level = self.steps << shift
        floor = np.where(self.above, level + self.odd - slopes[:, None] * self.reached, -_UNBOUND)
        ceiling = np.where(
            self.below, level - 1 + self.odd - slopes[:, None] * self.missed, _UNBOUND
        )
        return floor.max(axis=1), ceiling.min(axis=1)


def _fit(bounds: _Bounds, *, multiplier_bits: int) -> tuple[IntArray, IntArray, int] | None:
    slopes = _widest(bounds)
    for shift in range(MAX_SHIFT + 1):
        rounded = np.rint(np.ldexp(slopes, shift)).astype(np.int64)
        if int(rounded.max()).bit_length() >= multiplier_bits:
            return None
        best, offsets = np.full_like(rounded, -1), np.zeros_like(rounded)
        for near in (0, 1, -1):
            tried = np.maximum(rounded + near, 0)
            least, greatest = bounds.offsets(tried, shift)
            better = (best < 0) & (least <= greatest)
            best = np.where(better, tried, best)
            offsets = np.where(better, np.where(least > -_UNBOUND, least, greatest), offsets)
        if (best >= 0).all():
            return best, offsets, shift
    return None


def _widest(bounds: _Bounds) -> Doubles:
    """Return the slope of the widest interval of each row: the interval is concave in the slope."""
    count = len(bounds.reached)
    low, high = np.zeros(count), np.full(count, bounds.steps[-1] + 1.0)
    for _ in range(_NARROWINGS):
        third = (high - low) / 3
        rising = bounds.slack(low + third) < bounds.slack(high - third)
        low, high = np.where(rising, low + third, low), np.where(rising, high, high - third)
    middle: Doubles = (low + high) / 2
    return middle
