# SPDX-License-Identifier: Apache-2.0
"""SumPool: the sum of a window's taps, per channel (average pools; the next staircase divides)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, signed, unsigned
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Actor, Family, Folding, Resources, Unit
from hwbnn.units import reduction
from hwbnn.units.folds import check_folding, divisors


@dataclass(frozen=True, eq=False)
class SumPool(Unit):
    """y[c] = sum over taps of x[tap, c]. vectors: windows a frame."""

    input_dtype: DType
    output_dtype: DType
    channels: int
    taps: int
    vectors: int = 1
    pe: int = 1

    module = "hwbnn_sum_pool"
    finn_nodes = ("Pool",)

    def __post_init__(self) -> None:
        check_folding(self.origin, "pe", self.pe, self.channels, "channels")

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.input_dtype, self.pe, self.channels, self.vectors * self.taps),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.output_dtype, self.pe, self.channels, self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        (x,) = values
        taps = x.reshape(x.shape[0], self.vectors, self.taps, self.channels)
        return (taps.sum(axis=2).reshape(x.shape[0], -1),)

    def foldings(self) -> Iterator[Folding]:
        for pe in divisors(self.channels):
            yield Folding(pe)

    def fold(self, folding: Folding) -> Self:
        check_folding(self.origin, "simd", folding.simd, 1, "pools have no SIMD")
        return replace(self, pe=folding.pe)

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
        )

    def parameters(self) -> dict[str, int]:
        return {
            "Pe": self.pe,
            "Channels": self.channels,
            "Taps": self.taps,
            "InBits": self.input_dtype.bits,
            "InKind": list(Kind).index(self.input_dtype.kind),
            "OutBits": self.output_dtype.bits,
        }

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        return (
            SumPool(BIPOLAR, signed(4), 6, 4, 3),
            SumPool(BIPOLAR, signed(5), 5, 9, 2),
            SumPool(BIPOLAR, signed(2), 3, 1),
            SumPool(unsigned(2), unsigned(4), 5, 3),
            SumPool(signed(3), signed(5), 4, 2, 2),
            SumPool(signed(8), signed(13), 6, 20),
        )
