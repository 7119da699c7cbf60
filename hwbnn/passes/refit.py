# SPDX-License-Identifier: Apache-2.0
"""Refit: fold again with less room until the design fits with its FIFOs sized.

The searches count every FIFO as the least one. Sized FIFOs are deeper where branches meet: what
they add is taken from the room, and the search is made again.
"""

from collections.abc import Callable, Iterable

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Family, Resources
from hwbnn.passes.fit import MisfitError, Searched, UnreachableTargetError, amounts
from hwbnn.passes.search_space import in_parts
from hwbnn.passes.size_fifos import EFFORT, Sizing

EFFORTS = (EFFORT, *(EFFORT // 4,) * 4)  # of sizing, round by round
NAMED = 3  # of the largest layers and FIFOs

Size = Callable[[Design, int], Sizing]  # of a folded design, not yet adapted, with an effort
Cost = Callable[[Design], Resources]


def fit_sized(
    searched: Searched, *, limit: Resources, cost: Cost, family: Family, size: Size
) -> tuple[Searched, Sizing]:
    """Return a folding whose cost, with its FIFOs sized, is within the limit; and the sizing.

    The room falls with every round. UnreachableTargetError: a target was asked for, and only slower
    foldings were found that fit; ConfigError: none was.
    """
    first: str = ""  # what is too large where it was asked for
    unreachable: UnreachableTargetError | None = None
    for effort in EFFORTS:
        sizing = size(searched.design, effort)
        whole = cost(sizing.design)
        if whole.within(limit):
            if unreachable is not None:
                raise _slower(unreachable, searched, first)
            return searched, sizing
        first = first or _too_large(sizing.design, whole, limit, family)
        try:
            searched = searched.again(_left(searched, whole, limit))
        except UnreachableTargetError as error:
            unreachable = unreachable or error
            if error.instead is None:
                raise
            searched = error.instead
        except ConfigError:
            break
    raise MisfitError(f"{searched.design.name}: {first}; no folding was found that fits")


def _left(searched: Searched, cost: Resources, limit: Resources) -> Resources:
    """Return the room without what sizing added; less than before in what is above the limit."""
    left, before = limit.less(cost.less(searched.resources)), searched.room
    pairs = zip(left.amounts, before.amounts, strict=True)
    return Resources(*(min(pair) for pair in pairs))


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
