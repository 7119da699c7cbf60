# SPDX-License-Identifier: Apache-2.0
"""Network: choices of the units of any design, with the converters between them.

The choices are those of a chain (search_space.py); here streams may part and meet. Costs are whole
thousandths (PARTS) of each kind of resource.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwbnn.ir.design import Design, Instance
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.unit import Knobs
from hwbnn.passes.fold import with_units
from hwbnn.passes.search.search_space import Choice

Picks = tuple[int, ...]  # index of a choice, unit by unit


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
