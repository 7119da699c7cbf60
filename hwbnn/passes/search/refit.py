# SPDX-License-Identifier: Apache-2.0
"""Refit: fold again until the design fits with its FIFOs sized.

The searches reckon with FIFOs that hold what they are known to hold (held.py). What sizing then
finds is what the next search reckons with; what it adds besides is taken from the room.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Family, Resources
from hwbnn.passes.fifos.size_fifos import QUICK, Sizing
from hwbnn.passes.search.choice_costs import reckon
from hwbnn.passes.search.fit import MisfitError, Searched, UnreachableTargetError, amounts
from hwbnn.passes.search.held import found
from hwbnn.passes.search.search_space import in_parts

ROUNDS = 5
NAMED = 3  # of the largest layers and FIFOs

Size = Callable[[Design, int | None], Sizing]  # of a folded design, not yet adapted; an effort
Settle = Callable[[Design], Design]  # of a sized design: what goes to other memories
Cost = Callable[[Design], Resources]


def fit_sized(
    searched: Searched,
    *,
    limit: Resources,
    cost: Cost,
    family: Family,
    size: Size,
    settle: Settle = lambda design: design,
) -> tuple[Searched, Sizing]:
    """Return a folding whose cost, with its FIFOs sized and settled, is within the limit.

    And the sizing. UnreachableTargetError: a target was asked for, and only slower foldings were
    found that fit; ConfigError: none was.
    """
    first: str = ""  # what is too large where it was asked for
    unreachable: UnreachableTargetError | None = None
    for _ in range(ROUNDS):
        sizing = size(searched.design, QUICK)
        settled = replace(sizing, design=settle(sizing.design))
        whole = cost(settled.design)
        if whole.within(limit):
            if unreachable is not None:
                raise _slower(unreachable, searched, first)
            if not settled.hasty:
                return searched, settled
            best = size(searched.design, None)
            best = replace(best, design=settle(best.design))
            return searched, best if cost(best.design).within(limit) else settled
        first = first or _too_large(settled.design, whole, limit, family)
        held = found(sizing.design, searched.given, family)
        besides = cost(sizing.design).less(reckon(searched.design, held, family=family))
        room = _left(searched, limit.less(besides), whole.less(limit))
        try:
            searched = searched.again(room, held)
        except UnreachableTargetError as error:
            unreachable = unreachable or error
            if error.instead is None:
                raise
            searched = error.instead
        except ConfigError:
            break
    raise MisfitError(f"{searched.design.name}: {first}; no folding was found that fits")


def _left(searched: Searched, room: Resources, excess: Resources) -> Resources:
    """Return a room, but in what was too much less than before by as much."""
    less = searched.room.less(excess)
    triples = zip(room.amounts, less.amounts, excess.amounts, strict=True)
    return Resources(*(min(now, fewer) if over else now for now, fewer, over in triples))


def _slower(error: UnreachableTargetError, found: Searched, first: str) -> UnreachableTargetError:
    reason = f"of the faster foldings none was found that fits: {first}"
    return UnreachableTargetError(error.name, asked=error.asked, best=found.cycles, reason=reason)


def _too_large(design: Design, whole: Resources, limit: Resources, family: Family) -> str:
    """Say by how much a sized design is too large, and what in it is largest."""
    cost, most = in_parts(whole), in_parts(limit)
    over = [kind for kind in range(len(cost)) if cost[kind] > most[kind]]
    excess = [amount - room for amount, room in zip(cost, most, strict=True)]
    worst = max(over, key=lambda kind: excess[kind] / max(1, most[kind]))
    layers = _largest(((i.name, i.unit.resources(family)) for i in design.instances), worst)
    fifos = _largest(((e.name, e.fifo.resources(family)) for e in design.edges), worst)
    return (
        f"design must fit {amounts(over, most)} with its FIFOs sized, not {amounts(over, cost)} "
        f"({amounts(over, excess)} too many); the largest layers are {layers}; the largest FIFOs "
        f"are {fifos}; choose a larger board or a smaller network"
    )


def _largest(named: Iterable[tuple[str, Resources]], kind: int) -> str:
    costs = [(name, in_parts(cost)) for name, cost in named]
    some = [pair for pair in costs if pair[1][kind]]
    largest = sorted(some, key=lambda pair: pair[1][kind], reverse=True)[:NAMED]
    return ", ".join(f"{name} with {amounts([kind], cost)}" for name, cost in largest) or "none"
