# SPDX-License-Identifier: Apache-2.0
"""ArgMax: the index of a vector's greatest element."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.ir.dtype import DType, IntArray, Kind, signed, smallest, unsigned
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
from hwbnn.units.folds import check_folding, only_pe, pe_foldings


@dataclass(frozen=True, eq=False)
class ArgMax(Unit):
    """Index of the greatest of `elements`; the lowest index wins a tie."""

    input_dtype: DType
    elements: int
    vectors: int = 1
    pe: int = 1

    module = "hwbnn_arg_max"
    finn_nodes = ("LabelSelect",)

    def __post_init__(self) -> None:
        check_folding(self.origin, "pe", self.pe, self.elements, "elements")

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.input_dtype, self.pe, self.elements, self.vectors),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(smallest(0, self.elements - 1), 1, 1, self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        (x,) = values
        vectors = x.reshape(x.shape[0], self.vectors, self.elements)
        return (vectors.argmax(axis=-1),)

    def foldings(self) -> Iterator[Folding]:
        return pe_foldings(self.elements)

    def fold(self, folding: Folding) -> Self:
        return replace(self, pe=only_pe(self.origin, folding, "argmax has no SIMD"))

    @property
    def folding(self) -> Folding:
        return Folding(self.pe)

    @property
    def tree_registers(self) -> int:
        """Register levels of the tree over the lanes: one every two levels, at least one."""
        return max(1, -(-(self.pe - 1).bit_length() // 2))

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def actors(self) -> tuple[Actor, ...]:
        """Every firing reads, the last writes. Latency: tree, running best, FIFO write."""
        beats = self.inputs[0].vector_beats
        return (
            Actor(
                name="arg_max",
                at=np.arange(beats),
                cycle=beats,
                repeats=self.vectors,
                latency=self.tree_registers + 2,
                reads=(pops(Port(Side.INPUT), np.ones(beats, np.bool_)),),
                writes=(Write(Port(Side.OUTPUT), np.arange(beats) == beats - 1),),
            ),
        )

    def resources(self, family: Family) -> Resources:
        """A comparison and two selections a node of the tree."""
        bits = self.input_dtype.bits
        nodes = self.pe - 1 + (self.inputs[0].vector_beats > 1)
        lut = nodes * (1.5 * bits + 1.5) if family is Family.XC7 else nodes * 3.0 * bits + 2
        return Resources(lut=lut, ff=self._registers)

    @property
    def _registers(self) -> int:
        """The tree's, every two levels; the result, pushes; of several beats the best, counts."""
        bits, index = self.input_dtype.bits, self.outputs[0].dtype.bits
        levels, beats = (self.pe - 1).bit_length(), self.inputs[0].vector_beats
        result = index + self.tree_registers + 1
        for level in range(levels + 1):
            if level == levels or (level > 0 and level % 2 == 0):
                key = bits if level < levels or beats > 1 else 0
                result += -(-self.pe // (1 << level)) * (key + min(level, index))
        if beats > 1:
            result += (beats - 1).bit_length() + 2 * self.tree_registers + 1 + bits + index
        return result

    def parameters(self) -> dict[str, int]:
        return {
            "Pe": self.pe,
            "Elements": self.elements,
            "InBits": self.input_dtype.bits,
            "InKind": list(Kind).index(self.input_dtype.kind),
            "OutBits": self.outputs[0].dtype.bits,
        }

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        return (
            ArgMax(signed(5), 10),
            ArgMax(unsigned(3), 7, vectors=2),
            ArgMax(signed(4), 1),
        )
