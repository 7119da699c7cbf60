# SPDX-License-Identifier: Apache-2.0
"""Branches: foldings of designs whose streams part and meet, and what is proved of all others.

The exact search within limits (search.py) runs along a chain. Here limits become prices
(priced.py): what is found fits, and a bound says how much better any other can be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.unit import Family, Knobs, Resources, Unit
from hwbnn.passes.network import Costs, Members, Network, Picks
from hwbnn.passes.priced import Settled, Task, settle
from hwbnn.passes.search_space import Choice, in_parts, prices


@dataclass(frozen=True)
class Bound:
    """What is proved of the choices in the search space, converters and least FIFOs counted.

    cycles: no design of fewer fits the limits; None: a number of cycles was asked for. share: none
    of at most `target` cycles that fits takes a smaller share of the limits on LUTs, block RAMs and
    DSPs together; found: the share of the design that was found. choices: of units, whose cost was
    worked out.
    """

    target: int
    cycles: int | None
    share: float
    found: float
    choices: int


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
    """The fewest cycles found, and a design of so many, None if nothing fits; the fewest proved."""

    pace: int
    picks: Picks | None
    proved: int


class Branches:
    """The choices of one design, and the searches among them. limit: for which bounds hold.

    members: from `floor` cycles on.
    """

    def __init__(
        self, design: Design, members: Members, *, limit: Resources, family: Family
    ) -> None:
        self._costs = Costs(design, members, family=family)
        self._coarse = self._costs.of_some([_divisors(*pair) for pair in members])
        self._price = prices(limit)
        self._limit = np.array(in_parts(limit))

    def cheapest(self, target: int, room: Resources) -> Branched | Misfit:
        """Return the cheapest folding found of at most `target` cycles that fits the room."""
        task = self._task(target, room)
        network = self._costs.network(target)
        settled = settle(network, task)
        if settled.picks is None:
            return _misfit(network, settled)
        return self._branched(network, settled.picks, task, settled.bound, None)

    def fastest(self, floor: int, room: Resources) -> Branched | Misfit:
        """Return the fastest folding found that fits the room, and of its pace the cheapest.

        Nothing faster than `floor` is looked for. First among the foldings that divide, to know
        how slow a choice is worth a look at all.
        """
        coarse = self._coarse.network(self._coarse.slowest)
        rough = self._paces(coarse, floor, room)
        slowest = self._costs.slowest if rough.picks is None else rough.pace
        network = self._costs.network(slowest)
        found = self._paces(network, floor, room)
        if found.picks is None:
            task = self._task(slowest, room)
            settled = settle(network, task)
            if rough.picks is None:
                return _misfit(network, settled)
            return self._branched(coarse, rough.picks, task, settled.bound, found.proved)
        task = self._task(found.pace, room)
        settled = settle(network, task)
        picks = found.picks if settled.picks is None else settled.picks
        return self._branched(network, picks, task, settled.bound, found.proved)

    def _task(self, target: int, room: Resources) -> Task:
        parts = np.minimum(np.array(in_parts(room)), self._limit)
        return Task(target, self._price, parts, self._limit)

    def _paces(self, network: Network, floor: int, room: Resources) -> "_Paced":
        """Halve the numbers of cycles that a design may take, for what fits and for the proof."""
        paces = sorted({max(floor, pace) for pace in network.paces})
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
        return _Paced(paces[last], None if found > last else tried[found].picks, fewest)

    def _branched(
        self, network: Network, picks: Picks, task: Task, bound: int, cycles: int | None
    ) -> Branched:
        cost: IntArray = network.cost(picks)
        worth = float((self._price * self._limit).max())  # of a whole limit, rounded up
        found = float(cost @ self._price) / worth
        proof = Bound(task.target, cycles, bound / worth, found, self._costs.costed)
        parts = tuple(int(amount) for amount in cost)
        return Branched(network.knobs(picks), network.cycles(picks), parts, proof)


def _divisors(unit: Unit, choices: Sequence[Choice]) -> tuple[Unit, Sequence[Choice]]:
    """Return the choices whose PE and SIMD divide; all, if there are none."""
    whole = {(folding.pe, folding.simd) for folding in unit.foldings()}
    found = tuple(c for c in choices if (c.knobs.pe, c.knobs.simd) in whole)
    return unit, found or choices


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
