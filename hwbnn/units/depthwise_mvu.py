# SPDX-License-Identifier: Apache-2.0
"""DepthwiseMvu: one filter a channel, tap after tap, with a fused staircase or the sum."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, signed
from hwbnn.ir.ops import count_to_value
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Actor, Family, Folding, Resources, Unit
from hwbnn.ir.window import Border
from hwbnn.units.folds import check_folding, divisors
from hwbnn.units.reduction import reduction_actor


@dataclass(frozen=True, eq=False)
class DepthwiseMvu(Unit):
    """y[c] = sum over taps of weights[c, tap] * x[tap, c], then count of thresholds reached.

    weights: int64 (channels, taps). The other fields are those of Mvu; vectors: windows a frame.
    """

    weights: IntArray
    weight_dtype: DType
    input_dtype: DType
    output_dtype: DType
    thresholds: IntArray | None = None
    input_range: tuple[int, int] | None = None
    base: int = 0
    vectors: int = 1
    border: Border | None = None
    pe: int = 1

    module = "hwbnn_depthwise_mvu"
    finn_nodes = ("VVAU", "VectorVectorActivation")

    def __post_init__(self) -> None:
        check_folding(self.origin, "pe", self.pe, self.channels, "channels")

    @property
    def channels(self) -> int:
        """Channels, in and out."""
        return int(self.weights.shape[0])

    @property
    def taps(self) -> int:
        """Weights a channel."""
        return int(self.weights.shape[1])

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.input_dtype, self.pe, self.channels, self.vectors * self.taps),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.output_dtype, self.pe, self.channels, self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        (x,) = values
        taps = x.reshape(x.shape[0], self.vectors, self.taps, self.channels)
        result = (taps * self.weights.T).sum(axis=2)
        if self.thresholds is not None:
            by_class = self.thresholds.reshape(-1, self.channels, self.thresholds.shape[1])
            rows = by_class if self.border is None else by_class[self.border.positions]
            count = (result[..., None] >= rows).sum(axis=-1)
            result = count_to_value(count, base=self.base, dtype=self.output_dtype)
        return (result.reshape(x.shape[0], -1),)

    def foldings(self) -> Iterator[Folding]:
        for pe in divisors(self.channels):
            yield Folding(pe)

    def fold(self, folding: Folding) -> Self:
        check_folding(self.origin, "simd", folding.simd, 1, "depthwise layers have no SIMD")
        return replace(self, pe=folding.pe)

    @property
    def folding(self) -> Folding:
        return Folding(self.pe)

    def actors(self) -> tuple[Actor, ...]:
        folds = self.outputs[0].vector_beats
        return (
            reduction_actor(
                "depthwise_mvu", taps=self.taps, folds=folds, vectors=self.vectors, latency=3
            ),
        )

    def resources(self, family: Family) -> Resources:
        return Resources(lut=20 + 4 * self.pe * self.input_dtype.bits)

    def parameters(self) -> dict[str, int]:
        return {}

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        rng = np.random.default_rng(3)
        weights, rows = rng.choice([-1, 1], (6, 9)), rng.integers(-4, 5, (6, 1))
        return (
            DepthwiseMvu(weights, BIPOLAR, BIPOLAR, BIPOLAR, rows, vectors=2),
            DepthwiseMvu(weights, BIPOLAR, signed(3), signed(7), vectors=2),
        )
