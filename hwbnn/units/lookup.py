# SPDX-License-Identifier: Apache-2.0
"""Lookup: a table per element, for what is not monotone or has too many steps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.ir.dtype import DType, IntArray, Kind, signed, unsigned
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import (
    Actor,
    Family,
    Folding,
    Memory,
    MemoryShape,
    Resources,
    Style,
    Unit,
)
from hwbnn.units import cost
from hwbnn.units.elementwise import every_firing
from hwbnn.units.folds import check_folding, only_pe, pe_foldings

MAX_IN_BITS = 14  # 16384 words a table: beyond this a table is not a sensible circuit


@dataclass(frozen=True, eq=False)
class Lookup(Unit):
    """y[e] = values[e, code of x[e]]: int64 (elements or 1, 2**bits); one row serves all."""

    values: IntArray
    input_dtype: DType
    output_dtype: DType
    elements: int
    vectors: int = 1
    pe: int = 1

    module = "hwbnn_lookup"
    finn_nodes = ("Thresholding",)

    def __post_init__(self) -> None:
        check_folding(self.origin, "pe", self.pe, self.elements, "elements")
        if self.input_dtype.bits > MAX_IN_BITS:
            raise ModelError(
                f"{self.origin}: a table's input must have at most {MAX_IN_BITS} bits, not "
                f"{self.input_dtype.bits}; quantise before this node"
            )

    @property
    def shared(self) -> bool:
        """One table serves every element."""
        return self.values.shape[0] == 1

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.input_dtype, self.pe, self.elements, self.vectors),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.output_dtype, self.pe, self.elements, self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        (x,) = values
        codes = self.input_dtype.encode(x).reshape(x.shape[0], self.vectors, self.elements)
        rows = 0 if self.shared else np.arange(self.elements)
        return (self.values[rows, codes].reshape(x.shape[0], -1),)

    def foldings(self) -> Iterator[Folding]:
        return pe_foldings(self.elements)

    def fold(self, folding: Folding) -> Self:
        return replace(self, pe=only_pe(self.origin, folding, "tables have no SIMD"))

    @property
    def folding(self) -> Folding:
        return Folding(self.pe)

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    def actors(self) -> tuple[Actor, ...]:
        """Every firing reads and writes. Latency: the table's registered read, FIFO write."""
        beats = self.outputs[0].beats
        return every_firing("lookup", beats=beats, latency=2)

    def resources(self, family: Family) -> Resources:
        copies = self.memory_shapes() * (self.pe if self.shared else 1)
        fold_bits = 0 if self.shared else (self.outputs[0].vector_beats - 1).bit_length()
        control = Resources(lut=1 + fold_bits, ff=self.pe * self.output_dtype.bits + 1 + fold_bits)
        return sum((cost.table(shape, family) for shape in copies), control)

    def parameters(self) -> dict[str, int]:
        return {
            "Pe": self.pe,
            "Elements": self.elements,
            "Shared": int(self.shared),
            "InBits": self.input_dtype.bits,
            "OutBits": self.output_dtype.bits,
            "BlockTable": int(self._style is Style.BLOCK),
        }

    @property
    def _style(self) -> Style:
        return Style.BLOCK if self._depth > 1024 else Style.DISTRIBUTED

    @property
    def _depth(self) -> int:
        return (1 if self.shared else self.outputs[0].vector_beats) << self.input_dtype.bits

    def memory_shapes(self) -> tuple[MemoryShape, ...]:
        return tuple(
            MemoryShape(f"table{lane:03d}", self._depth, 1, self.output_dtype.bits, self._style)
            for lane in range(1 if self.shared else self.pe)
        )

    def memories(self) -> tuple[Memory, ...]:
        """Table of lane l (one table for all if shared): word (fold << InBits) + code of x.

        Lanes of the last fold without an element hold code 0.
        """
        codes = self.output_dtype.encode(self.values)
        shapes = self.memory_shapes()
        padded = np.zeros(
            (self._depth * len(shapes) >> self.input_dtype.bits, codes.shape[1]), np.int64
        )
        padded[: codes.shape[0]] = codes
        by_lane = padded.reshape(-1, len(shapes), codes.shape[1])
        words = by_lane.transpose(1, 0, 2).reshape(len(shapes), -1, 1)
        return tuple(Memory(shape, words[lane]) for lane, shape in enumerate(shapes))

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        rng = np.random.default_rng(11)
        return (
            Lookup(rng.integers(0, 8, (1, 256)), unsigned(8), unsigned(3), 12),
            Lookup(rng.integers(-8, 8, (6, 32)), signed(5), signed(4), 6, vectors=2),
            Lookup(rng.choice([-1, 1], (5, 16)), unsigned(4), DType(Kind.BIPOLAR, 1), 5),
        )
