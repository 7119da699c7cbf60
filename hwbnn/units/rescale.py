# SPDX-License-Identifier: Apache-2.0
"""Rescale: a staircase of even steps as a multiplication, an addition and a shift."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

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
from hwbnn.units.dsp import LONG_BITS, SHORT_BITS, SUM_BITS
from hwbnn.units.elementwise import every_firing
from hwbnn.units.folds import check_folding, only_pe, pe_foldings

MAX_INPUT_BITS = LONG_BITS - 1  # and a sign, if the type has none


def multiplier_bits(dtype: DType) -> int:
    """Return how many bits a multiplier of such inputs may have, two's complement."""
    return SHORT_BITS if dtype.bits + 1 > SHORT_BITS else LONG_BITS


@dataclass(frozen=True, eq=False)
class Rescale(Unit):
    """y = base + min(max((multiplier * x + offset) >> shift, 0), levels), per channel.

    multipliers, offsets: int64 (elements or 1,). even: of a sum that is a multiple of 2 ** shift
    the quotient is made even, downwards, counted with the base: rounding half to even, if the
    offset holds the half.
    """

    multipliers: IntArray
    offsets: IntArray
    shift: int
    levels: int
    even: bool
    input_dtype: DType
    output_dtype: DType
    elements: int
    base: int = 0
    vectors: int = 1
    pe: int = 1

    module = "hwbnn_rescale"
    finn_nodes = ("Thresholding",)

    def __post_init__(self) -> None:
        check_folding(self.origin, "pe", self.pe, self.elements, "elements")
        assert self.input_dtype.bits <= MAX_INPUT_BITS
        assert self.multiplier_bits <= multiplier_bits(self.input_dtype)
        assert self.sum_bits <= SUM_BITS

    @property
    def shared(self) -> bool:
        """One multiplier and offset serve every element."""
        return len(self.multipliers) == 1

    @property
    def multiplier_bits(self) -> int:
        """Bits of the greatest multiplier, two's complement."""
        return max(2, _signed_bits(self.multipliers))

    @property
    def sum_bits(self) -> int:
        """Bits of every sum and offset, two's complement."""
        ends = np.array([self.input_dtype.min, self.input_dtype.max])
        sums = self.multipliers[:, None] * ends + self.offsets[:, None]
        least = max(self.input_dtype.bits + 1, self.multiplier_bits) + 1
        most = self.levels.bit_length() + self.shift + 1
        return max(_signed_bits(sums), _signed_bits(self.offsets), least, most)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.input_dtype, self.pe, self.elements, self.vectors),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.output_dtype, self.pe, self.elements, self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        (x,) = values
        vectors = x.reshape(x.shape[0], self.vectors, self.elements)
        sums = vectors * self.multipliers + self.offsets
        quotient = sums >> self.shift
        if self.even:
            whole = sums & ((1 << self.shift) - 1) == 0
            quotient = quotient - (whole & (quotient + self.base & 1 == 1))
        result = self.base + np.clip(quotient, 0, self.levels)
        return (result.reshape(x.shape[0], -1),)

    def foldings(self) -> Iterator[Folding]:
        return pe_foldings(self.elements)

    def fold(self, folding: Folding) -> Self:
        return replace(self, pe=only_pe(self.origin, folding, "a multiplication has no SIMD"))

    @property
    def folding(self) -> Folding:
        return Folding(self.pe)

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    def actors(self) -> tuple[Actor, ...]:
        """Every firing reads and writes. Latency: operands, product, sum, FIFO write."""
        beats = self.outputs[0].beats
        return every_firing("rescale", beats=beats, latency=4)

    def resources(self, family: Family) -> Resources:
        folds = 0 if self.shared else (self.outputs[0].vector_beats - 1).bit_length()
        lanes = Resources()
        for shape in self.memory_shapes():
            lanes += cost.table(shape, family)
        control = Resources(lut=2 + 2 * folds, ff=3 + folds)
        return sum([self._lane(family)] * self.pe, lanes + control)

    def _lane(self, family: Family) -> Resources:
        """Fitted to Yosys: LUTs within 25 % in all on xc7, on ECP5 mostly; it has no DSPs there.

        A constant multiplies by additions: one less than it has bits that are 1, some of them
        shared.
        """
        bits, total, out = self.input_dtype.bits, self.sum_bits, self.output_dtype.bits
        if self.shared:
            rows = int(abs(self.multipliers[0])).bit_count() - 1
            if family is Family.XC7:
                lut = (2.75 * bits - 8.5) * rows**0.8
            else:
                lut = 1.2 * bits + (6.25 * bits - 21.5) * rows**0.65
            return Resources(lut=out + max(0.0, lut), ff=bits + total)
        rows = self.multiplier_bits
        if family is Family.XC7:
            return Resources(lut=1.1 * out, ff=bits + rows + total, dsp=1)
        return Resources(lut=out + 1.8 * rows * bits + total, ff=bits + rows + 3 * total)

    def parameters(self) -> dict[str, int]:
        return {
            "Pe": self.pe,
            "Elements": self.elements,
            "Shared": int(self.shared),
            "InBits": self.input_dtype.bits,
            "InKind": list(Kind).index(self.input_dtype.kind),
            "OutBits": self.output_dtype.bits,
            "MultiplierBits": self.multiplier_bits,
            "SumBits": self.sum_bits,
            "Shift": self.shift,
            "Levels": self.levels,
            "Even": int(self.even),
            "Base": self.base,
            "BlockMultipliers": int(self.memory_shapes()[0].style is Style.BLOCK),
            "BlockOffsets": int(self.memory_shapes()[1].style is Style.BLOCK),
        }

    def memory_shapes(self) -> tuple[MemoryShape, ...]:
        lanes = 1 if self.shared else self.pe
        depth = -(-len(self.multipliers) // lanes)
        return tuple(
            MemoryShape(name, depth, lanes, bits, self._style(depth, lanes * bits))
            for name, bits in (("multipliers", self.multiplier_bits), ("offsets", self.sum_bits))
        )

    @staticmethod
    def _style(depth: int, width: int) -> Style:
        return Style.BLOCK if cost.prefers_block(depth, width) else Style.DISTRIBUTED

    def memories(self) -> tuple[Memory, ...]:
        """Word f holds what the elements of fold f are multiplied by, and what is added."""
        found = []
        for shape, values in zip(
            self.memory_shapes(), (self.multipliers, self.offsets), strict=True
        ):
            words = np.zeros(shape.depth * shape.lanes, np.int64)
            words[: len(values)] = values & ((1 << shape.lane_bits) - 1)
            found.append(Memory(shape, words.reshape(shape.depth, shape.lanes)))
        return tuple(found)

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        rng = np.random.default_rng(17)
        slopes = rng.integers(-900, 900, 6)
        offsets = rng.integers(-9000, 9000, 6)
        return (
            Rescale(slopes, offsets, 6, 15, False, signed(6), unsigned(4), 6, vectors=2),
            Rescale(np.array([3]), np.array([12]), 3, 14, True, unsigned(5), signed(5), 8, base=-7),
            Rescale(slopes[:5], offsets[:5] * 4, 9, 200, True, signed(12), signed(9), 5, base=-99),
            Rescale(slopes[:2], offsets[:2] << 12, 18, 99, False, signed(20), unsigned(7), 2),
            Rescale(slopes[:2] << 12, offsets[:2] << 8, 15, 99, False, signed(9), signed(8), 2),
        )


def _signed_bits(values: IntArray) -> int:
    ends = int(values.min()), int(values.max())
    return 1 + max((~end if end < 0 else end).bit_length() for end in ends)
