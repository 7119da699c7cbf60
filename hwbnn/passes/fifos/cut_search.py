# SPDX-License-Identifier: Apache-2.0
"""Cut search: the cheapest vector of steps that is fast, and the proof (timing.md, "FIFO sizing").

A cut is "one of these channels must be above its step here": the room that a slow circuit waits
for. Cuts and bounds come from designs without the cycle X of block RAM, so that deeper is never
slower; what is accepted is simulated as it is.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.passes.fifos.steps import Step
from hwbnn.sim.paced import Paced

# Of the effort, when these parts of the search must end.
BOUND_SHARE, GROWTH_SHARE, TRIM_SHARE = 0.25, 0.6, 0.9
BOUNDED = 8  # a channel in so many must have time to be looked at alone, else none is

Vector = tuple[int, ...]  # index of a step, by channel


@dataclass(frozen=True)
class Found:
    """The cheapest fast vector that was found, and bits that every fast one needs at least."""

    vector: Vector
    bits: int
    bound: int


class CutSearch:
    """Searches the steps of each channel; the last steps of all channels are fast together.

    enough: words, by channel, with which the design is fast, but for block RAM's X.
    """

    def __init__(
        self, paced: Paced, steps: Sequence[Sequence[Step]], *, enough: IntArray, effort: int
    ) -> None:
        self._paced, self._effort = paced, effort
        self.steps, self._enough = steps, enough
        self._top: Vector = tuple(len(choices) - 1 for choices in steps)
        self.cuts: list[dict[int, int]] = []  # channels, and the step that one must exceed

    def run(self) -> Found:
        """Return the result of lower bounds, growth along circuits, and best-first search."""
        zero: Vector = (0,) * len(self._top)
        if self._fast(zero):
            return Found(zero, self.bits(zero), self.bits(zero))
        high = self._high()
        least = self._least_alone(high)
        best = self._trim(high, least)
        grown = self._grow(least, best)
        return self._best_first(least, min(best, grown, key=self._cost))

    def bits(self, vector: Vector) -> int:
        """Bits of all memories."""
        return sum(self.steps[c][step].bits for c, step in enumerate(vector))

    def depths(self, vector: Vector) -> IntArray:
        """Words of each channel."""
        return np.array([self.steps[c][step].depth for c, step in enumerate(vector)])

    def latencies(self, vector: Vector) -> IntArray:
        """X of each channel."""
        return np.array([self.steps[c][step].extra_latency for c, step in enumerate(vector)])

    # ---- questions -----------------------------------------------------------------------------

    def _left(self, share: float) -> bool:
        return self._paced.firings < share * self._effort

    def _fast(self, vector: Vector) -> bool:
        """Proved: fast as it is."""
        return self._paced.fast(self.depths(vector), self.latencies(vector)) is True

    def _slow(self, vector: Vector) -> bool:
        """Proved: slow even without the cycle of block RAM, and so is what is less deep."""
        return self._paced.fast(self.depths(vector), np.zeros(len(vector), np.int64)) is False

    def _cost(self, vector: Vector) -> tuple[int, float, Vector]:
        price = sum(self.steps[c][step].price for c, step in enumerate(vector))
        return self.bits(vector), price, vector

    # ---- parts of the search -------------------------------------------------------------------

    def _high(self) -> Vector:
        """Return steps that are enough, no higher than the water then stands."""
        vector = self._above(self._enough)
        if not self._fast(vector):
            vector = self._above(self._enough + self.latencies(vector))
        if not self._fast(vector):
            vector = self._top
        water = self._paced.high_water(self.depths(vector), self.latencies(vector))
        lower = tuple(map(min, self._above(water), vector))
        return lower if self._fast(lower) else vector

    def _above(self, words: IntArray) -> Vector:
        """Return the first steps of at least so many words, or the last of all."""
        pairs = zip(self.steps, words, strict=True)
        return tuple(
            next((i for i, step in enumerate(steps) if step.depth >= most), len(steps) - 1)
            for steps, most in pairs
        )

    def _least_alone(self, high: Vector) -> Vector:
        """Return for each channel the least step with which it is not slow on its own account."""
        least = []
        if BOUND_SHARE * self._effort * BOUNDED < len(high) * self._paced.frame:
            return (0,) * len(high)
        for channel, most in enumerate(high):
            alone = partial(self._alone, channel)
            least.append(self._lowest(0, most, alone, share=BOUND_SHARE)[0])
        return tuple(least)

    def _alone(self, channel: int, step: int) -> bool:
        return not self._slow(_put(self._top, channel, step))

    def _lowest(
        self, low: int, high: int, holds: Callable[[int], bool], *, share: float
    ) -> tuple[int, int]:
        """Return (low, high): what holds at `high` does not below `low`; they meet, if time allows.

        The answer is mostly near the low end: go up by strides that double.
        """
        stride = 0
        while low < high and self._left(share):
            middle = min(low + stride, (low + high) // 2)
            if holds(middle):
                high = middle
            else:
                low, stride = middle + 1, 2 * stride + 1
        return low, high

    def _grow(self, least: Vector, high: Vector) -> Vector:
        """Raise a channel of each circuit until the design is fast, then lower what was too much.

        The channel whose rise costs least in all. `high` if it takes too long.
        """
        vector = least
        while not self._fast(vector):
            cut = self._paced.cut(self.depths(vector), self.latencies(vector))
            open_ = [c for c in cut if vector[c] < self._top[c]]
            if not (open_ and self._left(GROWTH_SHARE)):
                return high
            channel = min(open_, key=lambda c: (self._rise(c, least[c], vector[c] + 1), c))
            further = max(1, vector[channel] - least[channel])  # strides that double
            to = min(vector[channel] + further, self._top[channel])
            vector = _put(vector, channel, to)
        return self._trim(vector, least)

    def _rise(self, channel: int, below: int, above: int) -> tuple[int, float]:
        low, high = self.steps[channel][below], self.steps[channel][above]
        return high.bits - low.bits, high.price - low.price

    def _trim(self, vector: Vector, least: Vector) -> Vector:
        risen = [c for c, step in enumerate(vector) if step > least[c]]
        for channel in sorted(risen, key=lambda c: self._rise(c, least[c], vector[c]))[::-1]:
            fast = partial(self._fast_with, vector, channel)
            _, step = self._lowest(least[channel], vector[channel], fast, share=TRIM_SHARE)
            vector = _put(vector, channel, step)
        return vector

    def _fast_with(self, vector: Vector, channel: int, step: int) -> bool:
        return self._fast(_put(vector, channel, step))

    def _best_first(self, least: Vector, best: Vector) -> Found:
        """Look at vectors from `least` up, cheapest first, until one is fast or dearer than `best`.

        Every vector below the cut is slow, so one of the cut's channels must go above it.
        """
        heap, seen = [self._cost(least)], {least}
        bound = self._cost(least)
        while heap:
            cost = heapq.heappop(heap)
            bound, vector = max(bound, cost), cost[2]
            if bound >= self._cost(best):
                bound = self._cost(best)
                break
            if not self._left(1.0):
                break
            fast = self._paced.fast(self.depths(vector), self.latencies(vector))
            best = vector if fast else best
            if fast or fast is None:  # not found out: nothing dearer can be proved
                break
            for channel, step in self._cut(vector).items():
                above = _put(vector, channel, step + 1)
                if step < self._top[channel] and above not in seen:
                    seen.add(above)
                    heapq.heappush(heap, self._cost(above))
        return Found(best, self.bits(best), bound[0])

    def _cut(self, vector: Vector) -> dict[int, int]:
        """Return channels, and the step that one of them must exceed if all are above `vector`."""
        for cut in self.cuts:
            if all(vector[c] <= step for c, step in cut.items()):
                return cut
        if not self._slow(vector):  # only as it is: anything but this very vector may be fast
            return dict(enumerate(vector))
        none = np.zeros(len(vector), np.int64)
        found = self._paced.cut(self.depths(vector), none)
        limit = tuple(vector[c] if c in found else top for c, top in enumerate(self._top))
        cut = {}
        for channel in sorted(found, key=lambda c: (self.steps[c][0].bits, c)):
            highest = self._highest_slow(limit, channel)
            limit = _put(limit, channel, highest)
            if highest < self._top[channel]:
                cut[channel] = highest
        self.cuts.append(cut)
        return cut

    def _highest_slow(self, vector: Vector, channel: int) -> int:
        """Return the highest step of a channel with which a slow vector is still slow."""
        low, high = vector[channel], self._top[channel]
        if self._left(1.0) and self._slow(_put(vector, channel, high)):
            return high

        def enough(step: int) -> bool:
            return not self._slow(_put(vector, channel, step))

        return self._lowest(low + 1, high, enough, share=1.0)[0] - 1


def _put(vector: Vector, channel: int, step: int) -> Vector:
    return (*vector[:channel], step, *vector[channel + 1 :])
