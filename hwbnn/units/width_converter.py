# SPDX-License-Identifier: Apache-2.0
"""WidthConverter: the same elements, another number of lanes; any ratio."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, unsigned
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import (
    Actor,
    Family,
    Folding,
    Port,
    Resources,
    Side,
    Unit,
    Write,
    pops,
)
from hwbnn.units.folds import check_folding


@dataclass(frozen=True, eq=False)
class WidthConverter(Unit):
    """Beats of `in_lanes` to beats of `out_lanes`; padding lanes are dropped and made anew.

    A firing reads a beat if fewer elements are held than the next output beat needs, and writes
    a beat if, with what it read, enough are held. Vectors do not share a firing.
    """

    dtype: DType
    elements: int
    in_lanes: int
    out_lanes: int
    vectors: int = 1

    module = "hwbnn_width_converter"
    foldable = False

    def __post_init__(self) -> None:
        check_folding(self.origin, "in_lanes", self.in_lanes, self.elements, "elements")
        check_folding(self.origin, "out_lanes", self.out_lanes, self.elements, "elements")

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.dtype, self.in_lanes, self.elements, self.vectors),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.dtype, self.out_lanes, self.elements, self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        return values

    def foldings(self) -> Iterator[Folding]:
        yield self.folding

    def fold(self, folding: Folding) -> Self:
        return replace(self, in_lanes=folding.simd, out_lanes=folding.pe)

    @property
    def folding(self) -> Folding:
        return Folding(pe=self.out_lanes, simd=self.in_lanes)

    def schedule(self) -> list[tuple[bool, bool]]:
        """(reads, writes) of each firing of a vector."""
        firings = []
        unread = unwritten = self.elements
        held = 0
        while unwritten:
            need = min(self.out_lanes, unwritten)
            reads = held < need
            if reads:
                taken = min(self.in_lanes, unread)
                unread -= taken
                held += taken
            writes = held >= need
            if writes:
                held -= need
                unwritten -= need
            firings.append((reads, writes))
        return firings

    def actors(self) -> tuple[Actor, ...]:
        """The data go straight through: latency is the FIFO's write alone."""
        table = np.array(self.schedule())
        return (
            Actor(
                name="width_converter",
                at=np.arange(len(table)),
                cycle=len(table),
                repeats=self.vectors,
                latency=1,
                reads=(pops(Port(Side.INPUT), table[:, 0]),),
                writes=(Write(Port(Side.OUTPUT), table[:, 1]),),
            ),
        )

    def resources(self, family: Family) -> Resources:
        """A selection of offsets for every place, and what is kept."""
        if self.in_lanes == self.out_lanes:
            return Resources(lut=1)
        small, large = sorted((self.in_lanes, self.out_lanes))
        bits, even = self.dtype.bits, large % small == 0
        choices = (1.0 if even else 2.0 + large / small / 2) * (1 if family is Family.XC7 else 1.5)
        places = large if even else large + small
        return Resources(lut=places * bits * choices + 10, ff=(large - 1) * bits + 4)

    def parameters(self) -> dict[str, int]:
        return {
            "ElementBits": self.dtype.bits,
            "Elements": self.elements,
            "InLanes": self.in_lanes,
            "OutLanes": self.out_lanes,
        }

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        shapes = ((12, 4, 4), (12, 2, 6), (12, 6, 2), (12, 4, 6), (12, 6, 4), (10, 4, 3), (7, 3, 5))
        more = ((9, 3, 4), (11, 5, 2), (7, 7, 1), (7, 1, 7), (13, 8, 5))
        ones = [WidthConverter(BIPOLAR, *shape, vectors=2) for shape in shapes]
        return (*ones, *(WidthConverter(unsigned(3), *shape) for shape in more))
