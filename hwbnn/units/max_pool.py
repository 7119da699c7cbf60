# SPDX-License-Identifier: Apache-2.0
"""MaxPool: the greatest element of a window's taps, per channel; on bits OR and AND."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, signed, unsigned
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Actor, Family, Folding, Memory, MemoryShape, Resources, Unit
from hwbnn.ir.window import BoolArray
from hwbnn.units import cost, reduction
from hwbnn.units.folds import check_folding, only_pe, pe_foldings


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
        """Latency: the best so far, FIFO write."""
        folds = self.outputs[0].vector_beats
        return (
            reduction.reduction_actor(
                "max_pool", taps=self.taps, folds=folds, vectors=self.vectors, latency=2
            ),
        )

    def resources(self, family: Family) -> Resources:
        """A comparison and a choice a lane; in one fold a register's enable may be the choice."""
        bits, folds, width = self.dtype.bits, self.outputs[0].vector_beats, self.inputs[0].bits
        lane = 1.0
        if bits > 1:
            by_enable = folds == 1 and (family is Family.XC7 or bits <= 4)
            lane = bits + (0 if by_enable else bits)
            lane += 2 if family.lut4 and bits > 4 else 0
        result = Resources(lut=self.pe * lane, ff=width if folds > 1 else 0)
        return (
            result
            + reduction.control(self.taps, folds, family)
            + reduction.held(folds, width, family)
            + cost.memories(self.memory_shapes(), family)
        )

    def parameters(self) -> dict[str, int]:
        return {
            "Pe": self.pe,
            "Channels": self.channels,
            "Taps": self.taps,
            "InBits": self.dtype.bits,
            "InKind": list(Kind).index(self.dtype.kind),
            "Minimum": int(self.minimum[0]) if self._uniform else 2,
        }

    def memory_shapes(self) -> tuple[MemoryShape, ...]:
        if self._uniform:
            return ()
        return (MemoryShape("minimum", self.outputs[0].vector_beats, self.pe, 1),)

    def memories(self) -> tuple[Memory, ...]:
        """Flags of fold f in word f: those of channels whose least is taken."""
        if self._uniform:
            return ()
        (shape,) = self.memory_shapes()
        flags = np.zeros((shape.depth, shape.lanes), np.int64)
        flags.reshape(-1)[: self.channels] = self.minimum
        return (Memory(shape, flags),)

    @property
    def _uniform(self) -> bool:
        return bool((self.minimum == self.minimum[0]).all())

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        some, none = np.arange(6) % 3 == 1, np.zeros(1, np.bool_)
        return (
            MaxPool(BIPOLAR, 6, 4, some, 3),
            MaxPool(BIPOLAR, 6, 4, none),
            MaxPool(BIPOLAR, 5, 3, ~none, 2),
            MaxPool(signed(1), 4, 2, none),
            MaxPool(signed(3), 6, 2, some, 2),
            MaxPool(signed(4), 3, 6, ~none),
            MaxPool(unsigned(4), 6, 9, none, 2),
            MaxPool(unsigned(2), 5, 1, none, 3),
        )
