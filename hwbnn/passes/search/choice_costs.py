# SPDX-License-Identifier: Apache-2.0
"""Choice costs: what the choices of a design's units cost, with FIFOs and converters."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np

from hwbnn.ir.design import Design
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import KINDS, Family, Knobs, Resources, Unit
from hwbnn.passes.search.held import Held, fifo_that_holds
from hwbnn.passes.search.network import Between, Face, Link, Network
from hwbnn.passes.search.search_space import (
    HASTE,
    PARTS,
    Choice,
    entry_cost,
    in_parts,
    join_cost,
    least_fifo,
)

Ports = tuple[Stream, ...]
Parts = tuple[int, ...]
Members = Sequence[tuple[Unit, Sequence[Choice]]]
WEIGHTY_HASTE = 1.5  # HASTE of a unit with weights, whose cost mostly rises with its speed
WIDE = range(36, 73)  # lanes of weights whose words fill memories, where slower ones are narrow


class Costs:
    """What units, FIFOs and converters of a design cost: each worked out once, when first wanted.

    members: every unit with its choices. held: what FIFOs hold besides the least. ultra: memories
    may lie in UltraRAM, too.
    """

    def __init__(
        self, design: Design, members: Members, *, held: Held, family: Family, ultra: bool
    ) -> None:
        self.design = design
        self._family, self._ultra = family, ultra
        self._members = _fastest_first(members)
        self._numbers = {instance.name: i for i, instance in enumerate(design.instances)}
        self._places = [_place(design, instance.name) for instance in design.instances]
        self._held = self._shares(held)
        self._options: dict[tuple[int, Knobs], tuple[Option, ...]] = {}
        self._joins: dict[tuple[Stream, Stream], tuple[int, Parts]] = {}

    def of_some(self, members: Members) -> "Costs":
        """Return the costs of fewer choices; what is worked out for one is for both."""
        fewer = copy(self)
        fewer._members = _fastest_first(members)
        return fewer

    def that_hold(self, held: Held) -> "Costs":
        """Return the costs with FIFOs that hold other shares of a frame."""
        other = copy(self)
        other._held, other._options = self._shares(held), {}
        return other

    def _shares(self, held: Held) -> list[tuple[float, ...]]:
        instances = self.design.instances
        edges = [self.design.out_of(instance.name) for instance in instances]
        return [tuple(held.get(edge.name, 0.0) for edge in out) for out in edges]

    @property
    def costed(self) -> int:
        """Choices whose cost was worked out."""
        return len(self._options)

    @property
    def slowest(self) -> int:
        """Most cycles of a choice."""
        return max(choices[-1].cycles for _, choices in self._members)

    def network(self, low: int, high: int, *, weighty: float = WEIGHTY_HASTE) -> Network:
        """Return the network of the choices for designs of `low` to `high` cycles.

        Left out is what is so much faster than the fastest of them that it is only dearer: HASTE,
        and `weighty` of a unit with weights, but for words that are WIDE. Designs need be no slower
        than the slowest choice.
        """
        low, units = min(low, self.slowest), range(len(self._members))
        faces, ports = zip(*(self._face(i, low, high, weighty) for i in units), strict=True)
        links, between = [], []
        for edge in self.design.edges:
            if edge.producer is None or edge.consumer is None:
                continue
            ends = self._numbers[edge.producer.instance], self._numbers[edge.consumer.instance]
            given = [streams[edge.producer.port] for streams in ports[ends[0]][1]]
            wanted = [streams[edge.consumer.port] for streams in ports[ends[1]][0]]
            links.append(Link(*ends))
            between.append(self._between(given, wanted))
        return Network(faces, tuple(links), tuple(between))

    def _face(
        self, index: int, low: int, high: int, weighty: float
    ) -> tuple[Face, tuple[list[Ports], list[Ports]]]:
        unit, members = self._members[index]
        heavy = unit.knobs.weight_style is not None
        enough = [choice.cycles for choice in members if choice.cycles <= low]
        least = min(low / (weighty if heavy else HASTE), max(enough, default=0))
        rows = [
            (choice, option)
            for choice in members
            if choice.cycles <= high
            and (choice.cycles >= least or (heavy and _lanes(choice) in WIDE))
            for option in self._option(index, choice)
        ]
        wanted: dict[Ports, int] = {}
        given: dict[Ports, int] = {}
        reads = [wanted.setdefault(option.inputs, len(wanted)) for _, option in rows]
        writes = [given.setdefault(option.outputs, len(given)) for _, option in rows]
        face = Face(
            tuple(choice for choice, _ in rows),
            np.array([choice.cycles for choice, _ in rows], np.int64),
            np.array([option.cost for _, option in rows], np.int64).reshape(-1, len(KINDS)),
            np.array(reads, np.int64),
            np.array(writes, np.int64),
            len(wanted),
            len(given),
        )
        return face, (list(wanted), list(given))

    def _option(self, index: int, choice: Choice) -> "tuple[Option, ...]":
        """Return a choice as it is, and with its memories in UltraRAM if that may be better."""
        key = index, choice.knobs
        if key not in self._options:
            known = _known(self._members[index][0], choice.knobs, self._family, self._places[index])
            usual = _with_fifos(known, known.cost, self._held[index], self._family, ultra=False)
            every = [usual]
            if self._ultra:
                own = known.cost if known.in_ultra is None else known.in_ultra
                every += [_with_fifos(known, own, self._held[index], self._family, ultra=True)]
            costs = dict.fromkeys(every)
            self._options[key] = tuple(Option(c, known.inputs, known.outputs) for c in costs)
        return self._options[key]

    def _between(self, given: list[Stream], wanted: list[Stream]) -> Between:
        rows: dict[Stream, int] = {}
        columns: dict[Stream, int] = {}
        row = [rows.setdefault(stream, len(rows)) for stream in given]
        column = [columns.setdefault(stream, len(columns)) for stream in wanted]
        found = [[self._join(a, b) for b in columns] for a in rows]
        cycles = np.array([[join[0] for join in line] for line in found], np.int64)
        costs = np.array([[join[1] for join in line] for line in found], np.int64)
        return Between(cycles[np.ix_(row, column)], costs[np.ix_(row, column)])

    def _join(self, given: Stream, wanted: Stream) -> tuple[int, Parts]:
        key = given, wanted
        if key not in self._joins:
            self._joins[key] = join_cost(given, wanted, self._family)
        return self._joins[key]


# ---- what a choice costs -------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """A choice's cost in parts, FIFOs behind it included, and what it reads and writes."""

    cost: Parts
    inputs: Ports
    outputs: Ports


@dataclass(frozen=True)
class _Place:
    """Where a unit stands: inputs that other units feed, and that by which frames enter."""

    joined: int
    entry: int | None


@dataclass(frozen=True)
class _Known:
    """What a choice costs without the FIFOs behind it, in parts, and if need be in UltraRAM."""

    cost: Parts
    in_ultra: Parts | None
    inputs: Ports
    outputs: Ports
    latency: int


_KNOWN: WeakKeyDictionary[Unit, dict[tuple[object, ...], _Known]] = WeakKeyDictionary()


def _known(unit: Unit, knobs: Knobs, family: Family, place: _Place) -> _Known:
    """Return what is known of a choice; a unit is in many designs that are tried."""
    every = _KNOWN.setdefault(unit, {})
    key = knobs, family, place
    if key not in every:
        folded = unit.with_knobs(knobs)
        before = entry_cost(folded, family=family, joined=place.joined, entry=place.entry)
        in_ultra, cost = folded.in_ultra_ram(), folded.resources(family)
        every[key] = _Known(
            in_parts(cost + before),
            None if in_ultra is folded else in_parts(in_ultra.resources(family) + before),
            folded.inputs[: place.joined],
            folded.outputs,
            folded.latency,
        )
    return every[key]


def _with_fifos(
    known: _Known, own: Parts, held: tuple[float, ...], family: Family, *, ultra: bool
) -> Parts:
    """Return the cost of a unit, `own`, with that of the FIFOs behind it."""
    fifos = (
        _fifo_cost(stream, known.latency, share, family, ultra)
        for stream, share in zip(known.outputs, held, strict=True)
    )
    return tuple(map(sum, zip(own, *fifos, strict=True)))


@lru_cache(maxsize=1 << 16)
def _fifo_cost(stream: Stream, latency: int, share: float, family: Family, ultra: bool) -> Parts:
    fifo = _fifo(stream, latency, share, family)
    if ultra and fifo.storage is Storage.BLOCK:
        fifo = replace(fifo, storage=Storage.ULTRA)
    return in_parts(fifo.resources(family))


def reckon(design: Design, held: Held, *, family: Family) -> Resources:
    """Return what a folded design costs, not adapted, with FIFOs that hold shares of a frame."""
    total = Resources()
    for instance in design.instances:
        place, unit = _place(design, instance.name), instance.unit
        total += unit.resources(family)
        total += entry_cost(unit, family=family, joined=place.joined, entry=place.entry)
        for edge in design.out_of(instance.name):
            share = held.get(edge.name, 0.0)
            total += _fifo(edge.stream, unit.latency, share, family).resources(family)
    for edge in design.edges:
        if edge.producer is not None and edge.consumer is not None:
            wanted = design[edge.consumer.instance].inputs[edge.consumer.port]
            parts = join_cost(edge.stream, wanted, family)[1]
            total += Resources(*(amount / PARTS for amount in parts))
    return total


def _fifo(stream: Stream, latency: int, share: float, family: Family) -> Fifo:
    if not share:
        return least_fifo(stream, latency, family)
    return fifo_that_holds(stream, share, latency=latency, family=family)


def _place(design: Design, name: str) -> _Place:
    entries = (edge.consumer for edge in design.inputs)
    entry = next((end.port for end in entries if end and end.instance == name), None)
    return _Place(len(design.into(name)), entry)


def _lanes(choice: Choice) -> int:
    return (choice.knobs.pe or 1) * (choice.knobs.simd or 1)


def _fastest_first(members: Members) -> tuple[tuple[Unit, tuple[Choice, ...]], ...]:
    return tuple(
        (unit, tuple(sorted(found, key=lambda choice: choice.cycles))) for unit, found in members
    )
