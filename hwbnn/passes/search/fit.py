# SPDX-License-Identifier: Apache-2.0
"""Fit: the cheapest folding for a rate, and the fastest folding that fits a board."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.unit import KINDS, Family, Resources, Unit
from hwbnn.passes.fold import with_units
from hwbnn.passes.search.branches import Bound, Branched, Branches, Misfit
from hwbnn.passes.search.chain import UNLIMITED, Found, search
from hwbnn.passes.search.held import Held, reckoned
from hwbnn.passes.search.network import folded
from hwbnn.passes.search.search_space import (
    PARTS,
    Choice,
    Space,
    all_choices,
    beats_of,
    cycles_of_foldings,
    in_parts,
    is_chain,
    prices,
)

WORDS = ("LUTs", "flip-flops", "block RAMs", "DSPs", "UltraRAMs")  # by KINDS


@dataclass(frozen=True)
class Certificate:
    """What a search has proved of the choices in its space (search_space.choices).

    Nothing that fits the room and takes at most `target` cycles costs less than `share`: the sum of
    the shares of the limits on LUTs, block RAMs and DSPs. `reason`: why the target is not lower.
    choices, joins: of units, and between two streams, whose cost was worked out; labels: partial
    designs that were compared.
    """

    target: int
    share: float
    reason: str
    choices: int
    joins: int
    labels: int


@dataclass(frozen=True, eq=False)
class Searched:
    """A folded design, not yet adapted; cycles and resources with converters and FIFOs reckoned.

    given: the design that was folded. room: what it had to fit. again: the same search for another
    room, with FIFOs that hold what they were found to hold (of a chain, the least). certificate: of
    a chain; bound: where streams part and meet.
    """

    given: Design
    design: Design
    cycles: int
    resources: Resources
    room: Resources
    again: "Again"
    certificate: Certificate | None = None
    bound: Bound | None = None


Again = Callable[[Resources, Held], Searched]


class UnreachableTargetError(ConfigError):
    """No folding is fast enough; `best`: the fewest cycles a frame that one takes.

    instead: that folding, if it was room that was short.
    """

    def __init__(
        self, name: str, *, asked: int, best: int, reason: str, instead: Searched | None = None
    ) -> None:
        self.name, self.best, self.reason = name, best, reason
        self.asked, self.instead = asked, instead
        super().__init__(f"{name}: target cycles must be at least {best}, not {asked}; {reason}")


class MisfitError(ConfigError):
    """Not even the cheapest folding fits the board."""


@dataclass(frozen=True, eq=False)
class _Task:
    """What the searches share: a design, what it must fit, and the widest beat that arrives.

    floor: no choice is for a faster design. ultra: weights may lie in UltraRAM. held: what FIFOs
    hold besides the least where streams part and meet; of: the task whose choices these are, with
    other FIFOs. What choices cost is worked out once.
    """

    design: Design
    limit: Resources
    family: Family
    port_bits: int | None
    floor: int
    ultra: bool
    held: Held | None = None
    of: "_Task | None" = None

    @cached_property
    def space(self) -> Space:
        """The choices of a chain."""
        found = _choices(self)
        return Space(found, family=self.family)

    @cached_property
    def branches(self) -> Branches:
        """The choices of a design whose streams part and meet."""
        held = reckoned(self.design) if self.held is None else self.held
        if self.of is not None:
            return self.of.branches.that_hold(held)
        found = _choices(self)
        return Branches(self.design, found, held=held, limit=self.limit, family=self.family)

    def that_hold(self, held: Held) -> "_Task":
        """Return the task with other FIFOs; a chain's stay the least."""
        return self if is_chain(self.design) else replace(self, held=held, of=self)


def _choices(task: _Task) -> tuple[tuple[Unit, tuple[Choice, ...]], ...]:
    return all_choices(
        task.design,
        floor=task.floor,
        family=task.family,
        port_bits=task.port_bits,
        ultra=task.ultra,
    )


def cheapest_folding(
    design: Design,
    *,
    target_cycles: int,
    limit: Resources,
    family: Family,
    port_bits: int | None = None,
    ultra: bool = False,
) -> Searched:
    """Return the cheapest folding of at most `target_cycles` a frame that fits.

    Cheapest: the least sum of shares of the limits on LUTs, block RAMs, DSPs and UltraRAMs.
    port_bits: the most that arrive in a cycle; no wider input is tried. ultra: weights may lie in
    UltraRAM.
    """
    if target_cycles < 1:
        raise ConfigError(f"target cycles must be at least 1, not {target_cycles}")
    least, reason = _fewest(design, port_bits)
    if target_cycles < least:
        raise UnreachableTargetError(design.name, asked=target_cycles, best=least, reason=reason)
    task = _Task(design, limit, family, port_bits, target_cycles, ultra)
    return _cheapest(task, replace(task, floor=least), limit)


def fastest_folding(
    design: Design,
    *,
    limit: Resources,
    family: Family,
    port_bits: int | None = None,
    port_cycles: int = 1,
    ultra: bool = False,
) -> Searched:
    """Return the folding of the fewest cycles a frame that fits, and of those the cheapest.

    port_bits: the most that arrive in a cycle; no wider input is tried. port_cycles: what the
    port needs for a frame; to be faster is not tried. ultra: weights may lie in UltraRAM.
    """
    least, reason = _fewest(design, port_bits)
    if port_cycles > least:
        least, reason = port_cycles, f"the port takes {port_cycles} cycles a frame"
    return _fastest(_Task(design, limit, family, port_bits, least, ultra), limit, reason=reason)


def slowest_of_fastest(design: Design, *, port_bits: int | None = None) -> tuple[str, int]:
    """Return the layer that is slowest when each is as fast as it can be, and its cycles."""
    fastest: dict[str, int] = {}
    for instance in design.instances:
        beats, unit = beats_of(design, instance, port_bits), instance.unit
        if not beats:
            fastest[instance.name] = min(unit.fold(f).cycles for f in unit.foldings())
        else:
            fastest[instance.name] = min(cycles_of_foldings(unit, beats=beats).values())
    layer = max(fastest, key=lambda name: fastest[name])
    return layer, fastest[layer]


def _fewest(design: Design, port_bits: int | None) -> tuple[int, str]:
    """Return the fewest cycles that a folding takes, whether or not it fits, and why."""
    layer, least = slowest_of_fastest(design, port_bits=port_bits)
    reason = f"no folding of {layer} is faster"
    if port_bits is not None and least > slowest_of_fastest(design)[1]:
        reason = f"at {port_bits} bits a cycle from the port {reason}"
    return least, reason


def _cheapest(task: _Task, fast: _Task, room: Resources) -> Searched:
    """Return the cheapest folding in a room; fast: of the same design, from its fewest cycles."""
    target, proved = task.floor, True

    def again(other: Resources, held: Held) -> Searched:
        return _cheapest(task.that_hold(held), fast.that_hold(held), other)

    if is_chain(task.design):
        found = _search(task, target, room)
        if found is not None:
            return _searched(task, found, target=target, reason="asked for", room=room, again=again)
    else:
        one = task.branches.cheapest(target, room)
        if isinstance(one, Branched):
            return _branched(task, one, room, again)
        proved = one.proved and room == task.limit
    best = _fastest(fast, room, reason="")
    free = _room(room)
    raise UnreachableTargetError(
        task.design.name,
        asked=target,
        best=best.cycles,
        reason=f"no faster folding {'fits' if proved else 'was found that fits'} {free}",
        instead=best,
    )


def _fastest(
    task: _Task, room: Resources, *, reason: str, after: Branched | None = None
) -> Searched:
    if is_chain(task.design):
        return _fastest_chain(task, room, reason)
    found = task.branches.fastest(task.floor, room, after=after)
    if isinstance(found, Misfit):
        costs = _unit_costs(folded(task.design, found.knobs), task.family)
        raise MisfitError(_too_large(task.design, found.cost, costs, room))

    def again(other: Resources, held: Held) -> Searched:
        return _fastest(task.that_hold(held), other, reason=reason, after=found)

    floored = found.bound.cycles == task.floor
    bound = replace(found.bound, reason=reason if floored else "")
    return _branched(task, replace(found, bound=bound), room, again)


def _fastest_chain(task: _Task, room: Resources, reason: str) -> Searched:
    """Double the cycles until something fits; then search among the numbers that may be fewer."""

    def again(other: Resources, held: Held) -> Searched:
        return _fastest(task.that_hold(held), other, reason=reason)

    target, failed = task.floor, 0
    while (found := _search(task, target, room)) is None:
        if target >= task.space.slowest:
            raise MisfitError(_misfit(task, room))
        target, failed = 2 * target, target
    while possible := [n for n in task.space.within(target).paces if 0 < failed < n < target]:
        middle = possible[len(possible) // 2]
        faster = _search(task, middle, room)
        if faster is None:
            failed = middle
        else:
            found, target = faster, middle
    if failed:
        reason = f"no folding of at most {failed} cycles fits"
    return _searched(task, found, target=target, reason=reason, room=room, again=again)


def _search(task: _Task, target: int, room: Resources) -> Found | None:
    parts, price = np.array(in_parts(room)), prices(task.limit)
    return search(task.space.within(target), target=target, price=price, limit=parts)


def _searched(
    task: _Task, found: Found, *, target: int, reason: str, room: Resources, again: Again
) -> Searched:
    """Put the found units in, and write down what was proved."""
    space, design = task.space, task.design
    units = space.units(found.choices)
    names = (instance.name for instance in design.instances)
    instances = tuple(Instance(*pair) for pair in zip(names, units, strict=True))
    resources = Resources(*(parts / PARTS for parts in found.cost))
    certificate = Certificate(
        target=target,
        share=resources.share(task.limit),
        reason=reason,
        choices=space.costed_choices,
        joins=space.costed_joins,
        labels=found.labels,
    )
    built = with_units(design, instances)
    return Searched(design, built, found.cycles, resources, room, again, certificate=certificate)


def _branched(task: _Task, found: Branched, room: Resources, again: Again) -> Searched:
    resources = Resources(*(parts / PARTS for parts in found.cost))
    built = folded(task.design, found.knobs)
    return Searched(task.design, built, found.cycles, resources, room, again, bound=found.bound)


# ---- what does not fit ---------------------------------------------------------------------------


def _misfit(task: _Task, room: Resources) -> str:
    """Say by how much the cheapest folding of all is too large, and which layer is largest."""
    space, price = task.space, prices(task.limit)
    chain = space.within(space.slowest)
    found = search(chain, target=space.slowest, price=price, limit=UNLIMITED)
    assert found is not None, "the slowest choices need no converters that are slower"
    costs = [in_parts(unit.resources(space.family)) for unit in space.units(found.choices)]
    return _too_large(task.design, found.cost, costs, room)


def _unit_costs(design: Design, family: Family) -> list[tuple[int, ...]]:
    return [in_parts(instance.unit.resources(family)) for instance in design.instances]


def _too_large(
    design: Design, cost: Sequence[int], units: Sequence[Sequence[int]], limit: Resources
) -> str:
    """Say by how much a cost, in parts, is too large, and which of the units is largest."""
    most = in_parts(limit)
    over = [kind for kind, amount in enumerate(cost) if amount > most[kind]]
    excess = [amount - room for amount, room in zip(cost, most, strict=True)]
    worst = max(over, key=lambda kind: excess[kind] / max(1, most[kind]))
    index = max(range(len(units)), key=lambda i: units[i][worst])
    layer, largest = design.instances[index].name, units[index]
    return (
        f"{design.name}: design must fit {amounts(over, most)}, not {amounts(over, cost)} "
        f"({amounts(over, excess)} too many), at its cheapest folding; the largest layer is "
        f"{layer} with {amounts([worst], largest)}; choose a larger board or a smaller network"
    )


def _room(limit: Resources) -> str:
    """Return a limit as text; UltraRAMs where there are any."""
    kinds = [kind for kind, name in enumerate(KINDS) if name != "uram" or limit.uram]
    return amounts(kinds, in_parts(limit))


def kept_free(room: Resources, limit: Resources) -> str:
    """Return what of a limit a room leaves out, as text; empty if nothing."""
    kept = in_parts(limit.less(room))
    return amounts((kind for kind, amount in enumerate(kept) if amount), kept)


def amounts(kinds: Iterable[int], parts: Iterable[int]) -> str:
    """Return amounts of some resources as text."""
    given = tuple(parts)
    return ", ".join(f"{round(given[k] / PARTS, 1):,.12g} {WORDS[k]}" for k in kinds)
