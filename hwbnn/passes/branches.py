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
        rough, _, _ = self._paces(coarse, floor, room)
        slowest = self._costs.slowest if rough is None else rough
        network = self._costs.network(slowest)
        pace, proved, known = self._paces(network, floor, room)
        if pace is None or known is None:
            return _misfit(network, settle(network, self._task(slowest, room)))
        task = self._task(pace, room)
        settled = settle(network, task)
        picks = known if settled.picks is None else settled.picks  # from other prices on
        return self._branched(network, picks, task, settled.bound, proved)

    def _task(self, target: int, room: Resources) -> Task:
        parts = np.minimum(np.array(in_parts(room)), self._limit)
        return Task(target, self._price, parts, self._limit)

    def _paces(
        self, network: Network, floor: int, room: Resources
    ) -> tuple[int | None, int, Picks | None]:
        """Return the fewest cycles found that fit, those below which, proved, nothing fits, picks.

        The picks are of the fewest cycles found.
        """
        paces = sorted({max(floor, pace) for pace in network.paces})
        proofs: dict[int, bool] = {}  # by place among the paces
        picks: dict[int, Picks | None] = {}
        raised = None

        def fits(place: int) -> bool:
            nonlocal raised
            settled = settle(network, self._task(paces[place], room), raised=raised, cheap=False)
            proofs[place], picks[place] = settled.impossible, settled.picks
            raised = settled.raised
            return settled.picks is not None

        def possible(place: int) -> bool:
            if place not in proofs:
                fits(place)
            return not proofs[place]

        found = _first(fits, 0, len(paces))
        first = max((place + 1 for place, proof in proofs.items() if proof), default=0)
        open_ = min((place for place, proof in proofs.items() if not proof), default=found)
        proved = _first(possible, first, max(first, open_))
        fewest = paces[min(proved, len(paces) - 1)]
        return None if found == len(paces) else paces[found], fewest, picks.get(found)

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
