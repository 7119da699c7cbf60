# SPDX-License-Identifier: Apache-2.0
"""Branches: foldings of designs whose streams part and meet, and what is proved of all others.

The exact search within limits (chain.py) runs along a chain. Here limits become prices
(priced.py): what is found fits, and a bound says how much better any other can be.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.unit import Family, Knobs, Resources, Unit
from hwbnn.passes.search.choice_costs import Costs, Members
from hwbnn.passes.search.held import Held
from hwbnn.passes.search.network import Network, Picks
from hwbnn.passes.search.priced import Settled, Task, settle
from hwbnn.passes.search.search_space import HASTE, Choice, in_parts, prices

STRETCH = 1.5  # of cycles, in which foldings are looked at together
NEAR = 1.15  # likewise, from a pace that was nearly right


@dataclass(frozen=True)
class Bound:
    """What is proved of the choices in the search space, with converters and FIFOs.

    Of those that are not much faster than need be (choice_costs.py). FIFOs are counted as deep as
    the search reckons with: where branches meet, what they are reckoned to hold, or were found to
    at another folding; else the least.

    cycles: no design of fewer fits the limits, with FIFOs as they were reckoned at first; None: a
    number of cycles was asked for. reason: why none of fewer was looked for, if none was. share:
    none of at most `target` cycles that fits takes a smaller share of the limits on LUTs, block
    RAMs and DSPs together; found: the share of the design that was found. choices: of units, whose
    cost was worked out.
    """

    target: int
    cycles: int | None
    share: float
    found: float
    choices: int
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Branched:
    """A folding: settings of every unit, cycles, and cost in parts of each kind."""

    knobs: tuple[Knobs, ...]
    cycles: int
    cost: tuple[int, ...]
    bound: Bound


@dataclass(frozen=True, eq=False)
class Misfit:
    """Nothing was found that fits: what nearly does. proved: nothing fits the limits."""

    knobs: tuple[Knobs, ...]
    cost: tuple[int, ...]
    proved: bool


@dataclass(frozen=True)
class _Paced:
    """The fewest cycles found in a network, and a design of so many, None if nothing fits.

    least: the fewest cycles that were looked at. proved: the fewest not proved impossible.
    """

    pace: int
    picks: Picks | None
    least: int
    proved: int


class Branches:
    """The choices of one design, and the searches among them. limit: for which bounds hold.

    members: from `floor` cycles on. held: what FIFOs are reckoned to hold besides the least.
    """

    def __init__(
        self, design: Design, members: Members, *, held: Held, limit: Resources, family: Family
    ) -> None:
        self._costs = Costs(design, members, held=held, family=family, ultra=limit.uram > 0)
        fewest = max(min(choice.cycles for choice in found) for _, found in members)
        self._whole = [_divisors(*pair, fewest=fewest) for pair in members]
        self._coarse = self._costs.of_some(self._whole)
        self._price = prices(limit)
        self._limit = np.array(in_parts(limit))

    def that_hold(self, held: Held) -> "Branches":
        """Return the same choices with FIFOs that hold other shares of a frame."""
        other = copy(self)
        other._costs = self._costs.that_hold(held)
        other._coarse = other._costs.of_some(self._whole)
        return other

    def cheapest(self, target: int, room: Resources) -> Branched | Misfit:
        """Return the cheapest folding found of at most `target` cycles that fits the room."""
        network = self._costs.network(target, target, weighty=HASTE)
        task = self._task(target, room)
        settled = settle(network, task)
        if settled.picks is None:
            return _misfit(network, settled)
        return self._branched(network, settled.picks, task, settled.bound, None)

    def fastest(
        self, floor: int, room: Resources, *, after: Branched | None = None
    ) -> Branched | Misfit:
        """Return the fastest folding found that fits the room, and of its pace the cheapest.

        Nothing faster than `floor` is looked for. First among the foldings that divide, stretch by
        stretch of cycles, to know which choices are worth a look at all. after: what was found
        before, in a larger room: nothing faster is looked for again, and what it proves stays.
        """
        if after is None:
            ends = _stretches(floor, self._costs.slowest, STRETCH)
        else:
            ends = _stretches(max(floor, after.cycles), self._costs.slowest, NEAR)
        place, rough = self._rough(ends, room)
        network = self._costs.network(*ends[place : place + 2])
        found = self._paces(network, ends[place], room)
        while found.proved == found.least and place:  # perhaps something faster fits
            place -= 1
            wider = self._costs.network(*ends[place : place + 2])
            faster = self._paces(wider, ends[place], room)
            if faster.picks is not None:
                network, found = wider, faster
            found = replace(found, least=faster.least, proved=faster.proved)
        proved = found.proved if after is None else after.bound.cycles
        if found.picks is not None and found.pace == ends[0]:  # nothing faster is looked for
            best = self.cheapest(ends[0], room)
            if isinstance(best, Branched):
                return replace(best, bound=replace(best.bound, cycles=proved))
        task = self._task(found.pace, room)
        settled = settle(network, task)
        picks = found.picks if settled.picks is None else settled.picks
        if picks is not None:
            return self._branched(network, picks, task, settled.bound, proved)
        coarse, picks = rough
        if picks is None:
            return _misfit(network, settled)
        return self._branched(coarse, picks, task, settled.bound, proved)

    def _task(self, target: int, room: Resources) -> Task:
        parts = np.minimum(np.array(in_parts(room)), self._limit)
        return Task(target, self._price, parts, self._limit)

    def _rough(self, ends: list[int], room: Resources) -> tuple[int, tuple[Network, Picks | None]]:
        """Return the first stretch in which a folding of divisors fits, and that; or the last."""
        tried: dict[int, tuple[Network, Picks | None]] = {}

        def fits(place: int) -> bool:
            end = ends[place + 1]
            network = self._coarse.network(end, end)
            picks = settle(network, self._task(end, room), cheap=False).picks
            tried[place] = network, picks
            return picks is not None

        place = min(_first(fits, 0, len(ends) - 1), len(ends) - 2)
        return place, tried[place]

    def _paces(self, network: Network, low: int, room: Resources) -> "_Paced":
        """Halve the numbers of cycles that a design may take, for what fits and for the proof."""
        paces = sorted({max(low, pace) for pace in network.paces})
        tried: dict[int, Settled] = {}  # by place among the paces
        raised = None

        def settled(place: int) -> Settled:
            nonlocal raised
            if place not in tried:
                task = self._task(paces[place], room)
                tried[place] = settle(network, task, raised=raised, cheap=False)
                raised = tried[place].raised
            return tried[place]

        found = _first(lambda place: settled(place).picks is not None, 0, len(paces))
        first = max((place + 1 for place, one in tried.items() if one.impossible), default=0)
        open_ = min((place for place, one in tried.items() if not one.impossible), default=found)
        proved = _first(lambda place: not settled(place).impossible, first, max(first, open_))
        last = min(found, len(paces) - 1)
        fewest = paces[min(proved, len(paces) - 1)]
        return _Paced(paces[last], None if found > last else tried[found].picks, paces[0], fewest)

    def _branched(
        self, network: Network, picks: Picks, task: Task, bound: int, cycles: int | None
    ) -> Branched:
        cost: IntArray = network.cost(picks)
        worth = float((self._price * self._limit).max())  # of a whole limit, rounded up
        found = float(cost @ self._price) / worth
        proof = Bound(task.target, cycles, bound / worth, found, self._costs.costed)
        parts = tuple(int(amount) for amount in cost)
        return Branched(network.knobs(picks), network.cycles(picks), parts, proof)


def _stretches(floor: int, slowest: int, times: float) -> list[int]:
    """Return the ends of stretches of cycles, from the floor to the slowest; two at the least."""
    ends = [floor]
    while ends[-1] < slowest:
        ends.append(max(ends[-1] + 1, int(ends[-1] * times)))
    return ends if len(ends) > 1 else [floor, floor]


def _divisors(
    unit: Unit, choices: Sequence[Choice], *, fewest: int
) -> tuple[Unit, Sequence[Choice]]:
    """Return the choices whose PE and SIMD divide; all, if none of at most `fewest` cycles does."""
    whole = {(folding.pe, folding.simd) for folding in unit.foldings()}
    found = tuple(c for c in choices if (c.knobs.pe, c.knobs.simd) in whole)
    return unit, found if any(choice.cycles <= fewest for choice in found) else choices


def _misfit(network: Network, settled: Settled) -> Misfit:
    parts = tuple(int(amount) for amount in network.cost(settled.least))
    return Misfit(network.knobs(settled.least), parts, settled.impossible)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first number from `low` on for which it holds, `high` if for none below."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
