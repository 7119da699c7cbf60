# SPDX-License-Identifier: Apache-2.0
"""Network: what the units of any design may be folded to, with the converters between them.

The choices are those of a chain (search_space.py); here streams may part and meet. Costs are whole
thousandths (PARTS) of each kind of resource.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from hwbnn.ir.design import Design, Instance
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Family, Knobs, Unit
from hwbnn.passes.fold import with_units
from hwbnn.passes.search_space import Choice, in_parts, join_cost, unit_cost

Picks = tuple[int, ...]  # index of a choice, unit by unit
Ports = tuple[Stream, ...]
Option = tuple[tuple[int, ...], Ports, Ports]  # cost in parts, and what is read and written
Members = Sequence[tuple[Unit, Sequence[Choice]]]


@dataclass(frozen=True)
class Link:
    """An edge between two units, by index."""

    producer: int
    consumer: int


@dataclass(frozen=True, eq=False)
class Face:
    """Choices of a unit, fastest first; arrays are by choice.

    costs: (choices, kinds), with the FIFOs behind the unit. reads, writes: which of the `wanted`
    ways to read all its inputs, and which of the `given` ways to write all its outputs.
    """

    choices: tuple[Choice, ...]
    cycles: IntArray
    costs: IntArray
    reads: IntArray
    writes: IntArray
    wanted: int
    given: int


@dataclass(frozen=True, eq=False)
class Between:
    """Converters on a link, with a FIFO each: cycles (given, wanted), costs (.., kinds)."""

    cycles: IntArray
    costs: IntArray


@dataclass(frozen=True, eq=False)
class Network:
    """Choices of every unit of a design, in topological order, and what lies between them."""

    faces: tuple[Face, ...]
    links: tuple[Link, ...]
    between: tuple[Between, ...]

    @property
    def kinds(self) -> int:
        """Kinds of resources."""
        return self.faces[0].costs.shape[1]

    @cached_property
    def around(self) -> tuple[tuple[int, ...], ...]:
        """Links, by index, at each unit."""
        links = list(enumerate(self.links))
        units = range(len(self.faces))
        return tuple(
            tuple(i for i, link in links if unit in (link.producer, link.consumer))
            for unit in units
        )

    @property
    def paces(self) -> list[int]:
        """Numbers of cycles a frame that a design of these choices may take, rising."""
        fewest = max(int(face.cycles[0]) for face in self.faces)
        every = np.concatenate(
            [face.cycles for face in self.faces] + [b.cycles.ravel() for b in self.between]
        )
        return [int(cycles) for cycles in np.unique(every) if cycles >= fewest]

    def within(self, cycles: int) -> "Network":
        """Return the network of the choices of at most so many cycles; converters stay."""
        faces = tuple(_up_to(face, cycles) for face in self.faces)
        pairs = zip(self.links, self.between, strict=True)
        between = tuple(
            Between(
                b.cycles[: faces[link.producer].given, : faces[link.consumer].wanted],
                b.costs[: faces[link.producer].given, : faces[link.consumer].wanted],
            )
            for link, b in pairs
        )
        return Network(faces, self.links, between)

    def of_units(self, picks: Picks) -> IntArray:
        """Return what the picked choices cost by themselves: (units, kinds)."""
        return np.array([face.costs[pick] for face, pick in zip(self.faces, picks, strict=True)])

    def ends(self, link: Link, before: Picks, after: Picks) -> tuple[int, int]:
        """Return what a link's ends write and read."""
        producer, consumer = self.faces[link.producer], self.faces[link.consumer]
        given = producer.writes[before[link.producer]]
        return int(given), int(consumer.reads[after[link.consumer]])

    def cost(self, picks: Picks) -> IntArray:
        """Return what a design costs: (kinds,)."""
        total: IntArray = self.of_units(picks).sum(axis=0)
        for link, between in zip(self.links, self.between, strict=True):
            total = total + between.costs[self.ends(link, picks, picks)]
        return total

    def cycles(self, picks: Picks) -> int:
        """Return the cycles a frame of a design."""
        units = [int(face.cycles[pick]) for face, pick in zip(self.faces, picks, strict=True)]
        pairs = zip(self.links, self.between, strict=True)
        return max([*units, *(int(b.cycles[self.ends(link, picks, picks)]) for link, b in pairs)])

    def knobs(self, picks: Picks) -> tuple[Knobs, ...]:
        """Return the settings of the picked choices."""
        return tuple(f.choices[pick].knobs for f, pick in zip(self.faces, picks, strict=True))


def _up_to(face: Face, cycles: int) -> Face:
    count = int(np.searchsorted(face.cycles, cycles, side="right"))
    reads, writes = face.reads[:count], face.writes[:count]
    return Face(
        face.choices[:count],
        face.cycles[:count],
        face.costs[:count],
        reads,
        writes,
        int(reads.max(initial=-1)) + 1,
        int(writes.max(initial=-1)) + 1,
    )


def folded(design: Design, knobs: Sequence[Knobs]) -> Design:
    """Return a design with every unit set, not adapted."""
    pairs = zip(design.instances, knobs, strict=True)
    return with_units(design, tuple(Instance(i.name, i.unit.with_knobs(k)) for i, k in pairs))


class Costs:
    """What units, FIFOs and converters of a design cost: each worked out once, when first wanted.

    members: every unit with its choices.
    """

    def __init__(self, design: Design, members: Members, *, family: Family) -> None:
        self.design = design
        self.family = family
        self._members = _fastest_first(members)
        self._numbers = {instance.name: i for i, instance in enumerate(design.instances)}
        self._joined = [len(design.into(instance.name)) for instance in design.instances]
        entries = (edge.consumer for edge in design.inputs)
        self._entries = {self._numbers[end.instance]: end.port for end in entries if end}
        self._options: dict[tuple[int, Knobs], Option] = {}
        self._joins: dict[tuple[Stream, Stream], tuple[int, tuple[int, ...]]] = {}

    def of_some(self, members: Members) -> "Costs":
        """Return the costs of fewer choices; what is worked out for one is for both."""
        fewer = copy(self)
        fewer._members = _fastest_first(members)
        return fewer

    @property
    def costed(self) -> int:
        """Choices whose cost was worked out."""
        return len(self._options)

    @property
    def slowest(self) -> int:
        """Most cycles of a choice."""
        return max(choices[-1].cycles for _, choices in self._members)

    def network(self, cycles: int) -> Network:
        """Return the network of all choices of at most so many cycles."""
        faces, ports = zip(*(self._face(i, cycles) for i in range(len(self._members))), strict=True)
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

    def _face(self, index: int, cycles: int) -> tuple[Face, tuple[list[Ports], list[Ports]]]:
        choices = tuple(choice for choice in self._members[index][1] if choice.cycles <= cycles)
        options = [self._option(index, choice) for choice in choices]
        wanted: dict[Ports, int] = {}
        given: dict[Ports, int] = {}
        reads = [wanted.setdefault(inputs, len(wanted)) for _, inputs, _ in options]
        writes = [given.setdefault(outputs, len(given)) for _, _, outputs in options]
        face = Face(
            choices,
            np.array([choice.cycles for choice in choices], np.int64),
            np.array([cost for cost, _, _ in options], np.int64),
            np.array(reads, np.int64),
            np.array(writes, np.int64),
            len(wanted),
            len(given),
        )
        return face, (list(wanted), list(given))

    def _option(self, index: int, choice: Choice) -> Option:
        key = index, choice.knobs
        if key not in self._options:
            unit, place = self._members[index][0], (self._joined[index], self._entries.get(index))
            self._options[key] = _known(unit, choice.knobs, self.family, *place)
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

    def _join(self, given: Stream, wanted: Stream) -> tuple[int, tuple[int, ...]]:
        key = given, wanted
        if key not in self._joins:
            self._joins[key] = join_cost(given, wanted, self.family)
        return self._joins[key]


_KNOWN: WeakKeyDictionary[Unit, dict[tuple[object, ...], Option]] = WeakKeyDictionary()


def _known(unit: Unit, knobs: Knobs, family: Family, joined: int, entry: int | None) -> Option:
    """Return the cost and the ports of a choice; a unit is in many designs that are tried."""
    options = _KNOWN.setdefault(unit, {})
    key = knobs, family, joined, entry
    if key not in options:
        folded = unit.with_knobs(knobs)
        cost = unit_cost(folded, family=family, joined=joined, entry=entry)
        options[key] = in_parts(cost), folded.inputs[:joined], folded.outputs
    return options[key]


def _fastest_first(members: Members) -> tuple[tuple[Unit, tuple[Choice, ...]], ...]:
    return tuple(
        (unit, tuple(sorted(found, key=lambda choice: choice.cycles))) for unit, found in members
    )
