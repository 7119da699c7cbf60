# SPDX-License-Identifier: Apache-2.0
"""SumPool: the sum of a window's taps, per channel (average pools; the next staircase divides)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, signed, unsigned
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Actor, Family, Folding, Resources, Unit
from hwbnn.units.folds import check_folding, divisors
from hwbnn.units.reduction import reduction_actor


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

    def actors(self) -> tuple[Actor, ...]:
        folds = self.outputs[0].vector_beats
        return (
            reduction_actor(
                "sum_pool", taps=self.taps, folds=folds, vectors=self.vectors, latency=2
            ),
        )

    def resources(self, family: Family) -> Resources:
        return Resources(lut=10 + 2 * self.pe * self.output_dtype.bits)

    def parameters(self) -> dict[str, int]:
        return {}

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        return (
            SumPool(BIPOLAR, signed(4), 6, 4, 3),
            SumPool(unsigned(2), unsigned(4), 5, 3),
            SumPool(signed(3), signed(5), 4, 2, 2),
        )
