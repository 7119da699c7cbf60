# SPDX-License-Identifier: Apache-2.0
"""Fork: every word of a stream to several readers at once."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, signed, unsigned
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Actor, Family, Folding, Port, Resources, Side, Unit, Write, pops
from hwbnn.units.folds import check_folding, only_pe, pe_foldings
from hwbnn.units.ports import check_several


@dataclass(frozen=True, eq=False)
class Fork(Unit):
    """Each word goes to all of `ways` outputs, in the cycle in which all of them have room."""

    dtype: DType
    elements: int
    ways: int = 2
    vectors: int = 1
    pe: int = 1

    module = "hwbnn_fork"

    def __post_init__(self) -> None:
        check_several(self.origin, "outputs", self.ways)
        check_folding(self.origin, "pe", self.pe, self.elements, "elements")

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.dtype, self.pe, self.elements, self.vectors),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return self.inputs * self.ways

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        return values * self.ways

    def foldings(self) -> Iterator[Folding]:
        return pe_foldings(self.elements)

    def fold(self, folding: Folding) -> Self:
        return replace(self, pe=only_pe(self.origin, folding, "forks have no SIMD"))

    @property
    def folding(self) -> Folding:
        return Folding(self.pe)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def actors(self) -> tuple[Actor, ...]:
        """The data go straight through: latency is the FIFOs' write alone (timing.md rule 6)."""
        always = np.ones(1, np.bool_)
        return (
            Actor(
                name="fork",
                at=np.zeros(1, np.int64),
                cycle=1,
                repeats=self.cycles,
                latency=1,
                reads=(pops(Port(Side.INPUT), always),),
                writes=tuple(Write(Port(Side.OUTPUT, way), always) for way in range(self.ways)),
            ),
        )

    def resources(self, family: Family) -> Resources:
        """An AND of valid and the rooms, some of it anew for each FIFO; fitted to Yosys."""
        if family is Family.XC7:
            return Resources(lut=max(1, self.ways // 3))
        return Resources(lut=1 + (self.ways - 1) // 3)

    def parameters(self) -> dict[str, int]:
        return {"Width": self.inputs[0].bits, "Outputs": self.ways}

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        return (
            Fork(BIPOLAR, 6, 2, 2),
            Fork(signed(3), 5, 3),
            Fork(unsigned(2), 4, 9),
        )
