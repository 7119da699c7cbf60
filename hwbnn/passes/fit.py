# SPDX-License-Identifier: Apache-2.0
"""Fit: the cheapest folding for a rate, and the fastest folding that fits a board."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.unit import KINDS, Family, Resources
from hwbnn.passes.balance import Balance, Balanced
from hwbnn.passes.fold import with_units
from hwbnn.passes.search import UNLIMITED, Found, search
from hwbnn.passes.search_space import (
    PARTS,
    Space,
    all_choices,
    beats_of,
    cycles_of_foldings,
    in_parts,
    is_chain,
    prices,
)

TRIED_PACES = 32  # from the slowest on, until a design fits
PRICES = 5  # of LUTs, block RAMs and DSPs that are tried where streams part and meet
WORDS = ("LUTs", "flip-flops", "block RAMs", "DSPs", "UltraRAMs")  # by KINDS


@dataclass(frozen=True)
class Certificate:
    """What a search has proved of the choices in its space (search_space.choices).

    Nothing that fits and takes at most `target` cycles costs less than `share`: the sum of the
    shares of the limits on LUTs, block RAMs and DSPs. `reason`: why the target is not lower.
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
    """A folded design, not yet adapted; cycles and resources with converters and least FIFOs.

    certificate: None if streams part and meet: then every unit was chosen by itself (balance.py).
    """

    design: Design
    cycles: int
    resources: Resources
    certificate: Certificate | None


class UnreachableTargetError(ConfigError):
    """No folding is fast enough; `best`: the fewest cycles a frame that one takes."""

    def __init__(self, name: str, *, asked: int, best: int, reason: str) -> None:
        self.name, self.best, self.reason = name, best, reason
        super().__init__(f"{name}: target cycles must be at least {best}, not {asked}; {reason}")


class MisfitError(ConfigError):
    """Not even the cheapest folding fits the board."""


@dataclass(frozen=True)
class _Task:
    """What the searches share: a design, what it must fit, and the widest beat that arrives."""

    design: Design
    limit: Resources
    family: Family
    port_bits: int | None


def cheapest_folding(
    design: Design,
    *,
    target_cycles: int,
    limit: Resources,
    family: Family,
    port_bits: int | None = None,
) -> Searched:
    """Return the cheapest folding of at most `target_cycles` a frame that fits.

    Cheapest: the least sum of shares of the limits on LUTs, block RAMs and DSPs. port_bits: the
    most that arrive in a cycle; no wider input is tried.
    """
    if target_cycles < 1:
        raise ConfigError(f"target cycles must be at least 1, not {target_cycles}")
    task = _Task(design, limit, family, port_bits)
    least, reason = _fewest(task)
    if target_cycles < least:
        raise UnreachableTargetError(design.name, asked=target_cycles, best=least, reason=reason)
    if not is_chain(design):
        return _balanced(task, target=target_cycles, least=least)
    space = _space(task, floor=target_cycles)
    found = _search(space, target_cycles, limit)
    if found is None:
        best = _fastest(task, floor=least, reason="")
        room = _room(limit)
        reason = f"no faster folding fits {room}"
        raise UnreachableTargetError(
            design.name, asked=target_cycles, best=best.cycles, reason=reason
        )
    return _searched(space, design, found, target=target_cycles, reason="asked for", limit=limit)


def fastest_folding(
    design: Design,
    *,
    limit: Resources,
    family: Family,
    port_bits: int | None = None,
    port_cycles: int = 1,
) -> Searched:
    """Return the folding of the fewest cycles a frame that fits, and of those the cheapest.

    port_bits: the most that arrive in a cycle; no wider input is tried. port_cycles: what the
    port needs for a frame; to be faster is not tried.
    """
    task = _Task(design, limit, family, port_bits)
    least, reason = _fewest(task)
    if port_cycles > least:
        least, reason = port_cycles, f"the port takes {port_cycles} cycles a frame"
    if not is_chain(design):
        return _fastest_balanced(task, floor=least)
    return _fastest(task, floor=least, reason=reason)


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


def _fewest(task: _Task) -> tuple[int, str]:
    """Return the fewest cycles that a folding takes, whether or not it fits, and why."""
    layer, least = slowest_of_fastest(task.design, port_bits=task.port_bits)
    reason = f"no folding of {layer} is faster"
    if task.port_bits is not None and least > slowest_of_fastest(task.design)[1]:
        reason = f"at {task.port_bits} bits a cycle from the port {reason}"
    return least, reason


def _fastest(task: _Task, *, floor: int, reason: str) -> Searched:
    """Double the cycles until something fits; then search among the numbers that may be fewer."""
    space, limit = _space(task, floor=floor), task.limit
    target, failed = floor, 0
    while (found := _search(space, target, limit)) is None:
        if target >= space.slowest:
            raise MisfitError(_misfit(space, task.design, limit))
        target, failed = 2 * target, target
    while possible := [n for n in space.within(target).paces if 0 < failed < n < target]:
        middle = possible[len(possible) // 2]
        faster = _search(space, middle, limit)
        if faster is None:
            failed = middle
        else:
            found, target = faster, middle
    if failed:
        reason = f"no folding of at most {failed} cycles fits"
    return _searched(space, task.design, found, target=target, reason=reason, limit=limit)


def _space(task: _Task, *, floor: int) -> Space:
    found = all_choices(task.design, floor=floor, family=task.family, port_bits=task.port_bits)
    return Space(found, family=task.family)


def _search(space: Space, target: int, limit: Resources) -> Found | None:
    room = np.array(in_parts(limit))
    return search(space.within(target), target=target, price=prices(limit), limit=room)


def _searched(
    space: Space, design: Design, found: Found, *, target: int, reason: str, limit: Resources
) -> Searched:
    """Put the found units in, and write down what was proved."""
    units = space.units(found.choices)
    names = (instance.name for instance in design.instances)
    instances = tuple(Instance(*pair) for pair in zip(names, units, strict=True))
    resources = Resources(*(parts / PARTS for parts in found.cost))
    certificate = Certificate(
        target=target,
        share=resources.share(limit),
        reason=reason,
        choices=space.costed_choices,
        joins=space.costed_joins,
        labels=found.labels,
    )
    return Searched(with_units(design, instances), found.cycles, resources, certificate)


# ---- branches ------------------------------------------------------------------------------------


def _balanced(task: _Task, *, target: int, least: int) -> Searched:
    balance = _balance(task, floor=target)
    for _ in range(PRICES):
        found = balance.within(target)
        if found.resources.within(task.limit):
            return Searched(found.design, found.cycles, found.resources, None)
        balance = balance.at(_dearer(balance, found.resources))
    best = _fastest_balanced(task, floor=least)
    room = _room(task.limit)
    reason = f"no faster folding was found that fits {room}"
    raise UnreachableTargetError(task.design.name, asked=target, best=best.cycles, reason=reason)


def _balance(task: _Task, *, floor: int) -> Balance:
    return Balance.of(
        task.design,
        floor=floor,
        limit=task.limit,
        family=task.family,
        port_bits=task.port_bits,
    )


def _slowest_that_fits(balance: Balance) -> Balanced | None:
    # What is slower is mostly, not always, cheaper: converters are left out of the choice.
    room, paces = in_parts(balance.limit), balance.paces
    some = paces[:: -max(1, len(paces) // TRIED_PACES)]
    possible = (pace for pace in some if (balance.alone(pace).sum(axis=0) <= room).all())
    slowest_first = (balance.within(pace) for pace in possible)
    return next((one for one in slowest_first if one.resources.within(balance.limit)), None)


def _dearer(balance: Balance, cost: Resources) -> Resources:
    """Return prices of which that of what is nearest to its limit, or most above it, is doubled."""
    now, limit = balance.dearer, balance.limit
    beside = max(cost.lut / max(limit.lut, 1.0), cost.bram / max(limit.bram, 1.0))
    if cost.dsp > beside * limit.dsp:
        return replace(now, dsp=2 * now.dsp)
    if cost.lut * limit.bram > cost.bram * limit.lut:
        return replace(now, lut=2 * now.lut)
    return replace(now, bram=2 * now.bram)


def _fastest_balanced(task: _Task, *, floor: int) -> Searched:
    """Take the fastest that is found at several prices of the resources."""
    balance, best = _balance(task, floor=floor), None
    first = balance.within(balance.paces[-1]).resources
    alone = balance.alone(balance.paces[-1]).tolist()
    for _ in range(PRICES):
        found = _fastest_at(balance)
        if found is not None and (best is None or found.cycles < best.cycles):
            best = found
        now = balance.within(balance.paces[-1]) if found is None else found
        balance = balance.at(_dearer(balance, now.resources))
    if best is None:
        raise MisfitError(_too_large(task.design, in_parts(first), alone, task.limit))
    return Searched(best.design, best.cycles, best.resources, None)


def _fastest_at(balance: Balance) -> Balanced | None:
    """Halve the numbers of cycles that units may take until the fewest that fit are left."""
    found, paces = _slowest_that_fits(balance), balance.paces
    if found is None:
        return None
    failed, last = -1, len(paces) - 1
    while last - failed > 1:
        middle = (last + failed) // 2
        faster = balance.within(paces[middle])
        if faster.resources.within(balance.limit):
            found, last = faster, middle
        else:
            failed = middle
    return found


# ---- what does not fit ---------------------------------------------------------------------------


def _misfit(space: Space, design: Design, limit: Resources) -> str:
    """Say by how much the cheapest folding of all is too large, and which layer is largest."""
    chain = space.within(space.slowest)
    found = search(chain, target=space.slowest, price=prices(limit), limit=UNLIMITED)
    assert found is not None, "the slowest choices need no converters that are slower"
    costs = [in_parts(unit.resources(space.family)) for unit in space.units(found.choices)]
    return _too_large(design, found.cost, costs, limit)


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
        f"{design.name}: design must fit {_amounts(over, most)}, not {_amounts(over, cost)} "
        f"({_amounts(over, excess)} too many), at its cheapest folding; the largest layer is "
        f"{layer} with {_amounts([worst], largest)}; choose a larger board or a smaller network"
    )


def _room(limit: Resources) -> str:
    """Return a limit as text; UltraRAMs where there are any."""
    kinds = [kind for kind, name in enumerate(KINDS) if name != "uram" or limit.uram]
    return _amounts(kinds, in_parts(limit))


def _amounts(kinds: Iterable[int], parts: Iterable[int]) -> str:
    """Return amounts of some resources as text."""
    amounts = tuple(parts)
    return ", ".join(f"{round(amounts[k] / PARTS, 1):,.12g} {WORDS[k]}" for k in kinds)
