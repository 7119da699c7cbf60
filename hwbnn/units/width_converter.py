# SPDX-License-Identifier: Apache-2.0
"""WidthConverter: the same elements, another number of lanes; any ratio."""

import math
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

    @property
    def cycles(self) -> int:
        """Beats of the side with more; one more if the last beat out needs no beat in."""
        (given,), (made,) = self.inputs, self.outputs
        if self.in_lanes >= self.out_lanes:
            return made.beats
        before_last = (made.vector_beats - 1) * self.out_lanes
        idle = -(-before_last // self.in_lanes) == given.vector_beats
        return self.vectors * (given.vector_beats + idle)

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
        """Stages of multiplexers, one more for an odd last beat, and two counters.

        On ECP5 a lane of a stage is a LUT4; xc7: fitted to Yosys, which finds the 4:1 multiplexer
        of a LUT6 in two stages, not always in more.
        """
        if self.in_lanes == self.out_lanes:
            return Resources(lut=1)
        unit = math.gcd(self.in_lanes, self.out_lanes)
        bits, taken, made = unit * self.dtype.bits, self.in_lanes // unit, self.out_lanes // unit
        kept = max(taken, made) - 1
        latest = taken - 1 if taken < made else kept  # element that a beat but the last begins at
        stages = latest.bit_length()
        if family.lut4:
            lanes = sum(min(made + (1 << n) - 1, kept + taken) for n in range(stages))
            chosen, count_luts, beat_luts = float(lanes), 2.4, 3.9
        else:
            choice = min(stages, 1) if stages < 3 else 0.65 * stages + 0.6
            chosen, count_luts, beat_luts = max(made * choice, latest / 3), 1.7, 2.4
        count, beats = (kept + made).bit_length(), (self.outputs[0].vector_beats - 1).bit_length()
        if self._even:
            beats = 0
        lut = bits * (chosen + self._last_lanes(latest)) + count_luts * count + beat_luts * beats
        return Resources(lut=lut, ff=kept * bits + count + beats)

    @property
    def _even(self) -> bool:
        return self.elements % self.in_lanes == 0 and self.elements % self.out_lanes == 0

    def _last_lanes(self, latest: int) -> int:
        # Places of the last beat, in units of the common divisor, that are chosen apart.
        if self._even:
            return 0
        (given,), (made,) = self.inputs, self.outputs
        unit = math.gcd(self.in_lanes, self.out_lanes)
        out, before = self.out_lanes // unit, (made.vector_beats - 1) * self.out_lanes
        tail = -(-(self.elements - before) // unit)
        read = given.vector_beats - (before <= (given.vector_beats - 1) * self.in_lanes)
        start = max(self.in_lanes, self.out_lanes) - unit + before - read * self.in_lanes
        return out if start > latest * unit else out - tail

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
