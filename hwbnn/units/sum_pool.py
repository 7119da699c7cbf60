# SPDX-License-Identifier: Apache-2.0
"""SumPool: the sum of a window's taps, per channel (average pools; the next staircase divides)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, signed, unsigned
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Actor, Family, Folding, Memory, MemoryShape, Packed, Resources, Unit
from hwbnn.ir.window import Border
from hwbnn.units import border, reduction
from hwbnn.units.folds import check_folding, only_pe, pe_foldings


@dataclass(frozen=True, eq=False)
class SumPool(Unit):
    """y[c] = factor * sum over taps of x[tap, c]. vectors: windows a frame.

    factors: positive, int64 (rows, columns of windows); None: all 1.
    """

    input_dtype: DType
    output_dtype: DType
    channels: int
    taps: int
    vectors: int = 1
    pe: int = 1
    factors: IntArray | None = None

    module = "hwbnn_sum_pool"
    finn_nodes = ("Pool",)

    def __post_init__(self) -> None:
        check_folding(self.origin, "pe", self.pe, self.channels, "channels")
        assert self.factors is None or self.factors.size == self.vectors

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.input_dtype, self.pe, self.channels, self.vectors * self.taps),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.output_dtype, self.pe, self.channels, self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        (x,) = values
        sums = x.reshape(x.shape[0], self.vectors, self.taps, self.channels).sum(axis=2)
        if self.factors is not None:
            sums *= self.factors.reshape(-1, 1)
        return (sums.reshape(x.shape[0], -1),)

    @cached_property
    def border(self) -> Border | None:
        """Classes of windows of one factor."""
        return None if self.factors is None else Border.of(self.factors[..., np.newaxis])

    @property
    def by_class(self) -> tuple[int, ...]:
        """Factor of each class."""
        if self.factors is None or self.border is None:
            return (1,)
        return tuple(self.factors.reshape(-1)[self.border.examples].tolist())

    def foldings(self) -> Iterator[Folding]:
        return pe_foldings(self.channels)

    def fold(self, folding: Folding) -> Self:
        return replace(self, pe=only_pe(self.origin, folding, "pools have no SIMD"))

    @property
    def folding(self) -> Folding:
        return Folding(self.pe)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def actors(self) -> tuple[Actor, ...]:
        """Latency: the sum so far, FIFO write."""
        folds = self.outputs[0].vector_beats
        return (
            reduction.reduction_actor(
                "sum_pool", taps=self.taps, folds=folds, vectors=self.vectors, latency=2
            ),
        )

    def resources(self, family: Family) -> Resources:
        """An adder a lane; without a start to choose, bits above an unsigned input only carry."""
        folds, data = self.outputs[0].vector_beats, self.input_dtype
        bipolar = data.kind is Kind.BIPOLAR
        width = self.output_dtype.bits - bipolar
        lane = reduction.adder(width, folds, family)
        if family is Family.XC7 and folds == 1 and not data.signed:
            lane = data.bits
        masked = (folds * self.pe - self.channels) * self.output_dtype.bits if bipolar else 0
        return (
            Resources(lut=self.pe * lane + masked, ff=self.pe * width)
            + reduction.control(self.taps, folds, family)
            + reduction.held(folds, self.pe * width, family)
            + self._factor_resources(family)
        )

    def _factor_resources(self, family: Family) -> Resources:
        """Choice of a shift and addition for each one of a factor; fitted to Yosys, control too."""
        if self.border is None:
            return Resources()
        ones = max(factor.bit_count() for factor in self.by_class)
        rows, columns = self.border.rows.size - 1, self.border.columns.size - 1
        counters = (
            rows.bit_length() + columns.bit_length() + border.index_bits(self.border, folds=1)
        )
        lane = (1.85 * ones - 0.2 if family.lut4 else 1.6 * ones - 0.6) * self.output_dtype.bits
        lut = self.pe * lane + border.luts(self.border, folds=1, family=family)
        return Resources(lut=lut, ff=counters + 3)

    def parameters(self) -> dict[str, int | Packed]:
        by_class = self.by_class
        bits = max(by_class).bit_length()
        return {
            "Pe": self.pe,
            "Channels": self.channels,
            "Taps": self.taps,
            "InBits": self.input_dtype.bits,
            "InKind": list(Kind).index(self.input_dtype.kind),
            "OutBits": self.output_dtype.bits,
            "Classes": len(by_class),
            "FactorBits": bits,
            "FactorOnes": max(factor.bit_count() for factor in by_class),
            "Factors": Packed(by_class, bits),
            "BorderRows": 1 if self.border is None else self.border.rows.size,
            "BorderColumns": 1 if self.border is None else self.border.columns.size,
        }

    def memory_shapes(self) -> tuple[MemoryShape, ...]:
        return () if self.border is None else border.shapes(self.border, folds=1)

    def memories(self) -> tuple[Memory, ...]:
        """The class of a position is the sum of a word of its row and one of its column."""
        return () if self.border is None else border.tables(self.border, folds=1)

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        return (
            SumPool(BIPOLAR, signed(4), 6, 4, 3),
            SumPool(BIPOLAR, signed(5), 5, 9, 2),
            SumPool(BIPOLAR, signed(2), 3, 1),
            SumPool(unsigned(2), unsigned(4), 5, 3),
            SumPool(signed(3), signed(5), 4, 2, 2),
            SumPool(signed(8), signed(13), 6, 20),
            SumPool(signed(3), signed(5), 3, 4, 6, factors=np.array([[1, 1, 2], [2, 2, 4]])),
            SumPool(unsigned(2), unsigned(7), 4, 3, 4, factors=np.array([[4], [6], [9], [6]])),
            SumPool(BIPOLAR, signed(6), 3, 3, 3, factors=np.array([[4, 5, 4]])),
        )
