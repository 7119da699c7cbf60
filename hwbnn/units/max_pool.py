# SPDX-License-Identifier: Apache-2.0
"""MaxPool: the greatest element of a window's taps, per channel; on bits OR and AND."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, signed
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Actor, Family, Folding, Resources, Unit
from hwbnn.ir.window import BoolArray
from hwbnn.units.folds import check_folding, divisors
from hwbnn.units.reduction import reduction_actor


@dataclass(frozen=True, eq=False)
class MaxPool(Unit):
    """y[c] = max over taps of x[tap, c]; min where `minimum`, bool (channels or 1,), is set.

    vectors: windows a frame.
    """

    dtype: DType
    channels: int
    taps: int
    minimum: BoolArray
    vectors: int = 1
    pe: int = 1

    module = "hwbnn_max_pool"
    finn_nodes = ("StreamingMaxPool", "Pool")

    def __post_init__(self) -> None:
        check_folding(self.origin, "pe", self.pe, self.channels, "channels")

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.dtype, self.pe, self.channels, self.vectors * self.taps),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.dtype, self.pe, self.channels, self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        (x,) = values
        taps = x.reshape(x.shape[0], self.vectors, self.taps, self.channels)
        result = np.where(self.minimum, taps.min(axis=2), taps.max(axis=2))
        return (result.reshape(x.shape[0], -1),)

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
                "max_pool", taps=self.taps, folds=folds, vectors=self.vectors, latency=2
            ),
        )

    def resources(self, family: Family) -> Resources:
        return Resources(lut=10 + 2 * self.pe * self.dtype.bits)

    def parameters(self) -> dict[str, int]:
        return {}

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        some = np.arange(6) % 2 == 1
        return (MaxPool(BIPOLAR, 6, 4, some, 3), MaxPool(signed(3), 6, 2, some, 2))
