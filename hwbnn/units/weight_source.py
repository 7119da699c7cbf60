# SPDX-License-Identifier: Apache-2.0
"""WeightSource: the words of a layer's weights, over and over, out of memory beside the chip."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, signed
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import (
    Actor,
    Family,
    Folding,
    Memory,
    MemoryShape,
    Port,
    Resources,
    Side,
    Style,
    Unit,
    Write,
)
from hwbnn.units.folds import check_folding, divisors

MAX_PASS = 1024  # words in a pass of the pace: a thousandth is exact enough


@dataclass(frozen=True, eq=False)
class WeightSource(Unit):
    """All words of a layer once for each vector; no input.

    words: lane codes, int64 (words, lanes). beats, cycles: the pace, at most `beats` words in every
    `cycles` cycles, evenly; beats divides the words of a frame. On a chip the words come from
    memory through a port of the processing system, and this unit is left out
    (hwbnn/emit/weight_images.py).
    """

    words: IntArray
    dtype: DType
    vectors: int = 1
    beats: int = 1
    cycles_a_pass: int = 1

    module = "hwbnn_weight_source"
    foldable = False

    def __post_init__(self) -> None:
        if not 1 <= self.beats <= self.cycles_a_pass:
            raise ConfigError(
                f"{self.origin}: a word a cycle at the most must come, not {self.beats} in "
                f"{self.cycles_a_pass} cycles; take more cycles"
            )
        check_folding(self.origin, "beats", self.beats, self.frame_words, "words of a frame")
        assert self.frame_words % self.beats == 0, "a frame is whole passes"

    @property
    def frame_words(self) -> int:
        """Words of a frame."""
        return self.vectors * len(self.words)

    @property
    def word_bits(self) -> int:
        """Bits of a word."""
        return int(self.words.shape[1]) * self.dtype.bits

    @property
    def word_bytes(self) -> int:
        """Bytes that a word takes in memory: the next power of two."""
        return 1 << (-(-self.word_bits // 8) - 1).bit_length()

    @property
    def frame_bytes(self) -> int:
        """Bytes that are read from memory for a frame."""
        return self.frame_words * self.word_bytes

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return ()

    @property
    def outputs(self) -> tuple[Stream, ...]:
        words, lanes = self.words.shape
        return (Stream(self.dtype, lanes, words * lanes, self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        """One frame, for all; of small integers, since it may be large."""
        assert not values, "a source reads nothing"
        vector = self.dtype.decode(self.words.reshape(1, -1))
        small = vector.astype(np.min_scalar_type(-1 - int(np.abs(vector).max())))
        return (np.tile(small, self.vectors),)

    def foldings(self) -> Iterator[Folding]:
        yield self.folding

    def fold(self, folding: Folding) -> Self:
        check_folding(self.origin, "pe", folding.pe, 1, "the reader of the weights is folded")
        check_folding(self.origin, "simd", folding.simd, 1, "the reader of the weights is folded")
        return self

    @property
    def folding(self) -> Folding:
        return Folding()

    def paced(self, cycles: float) -> Self:
        """Return this source at the fastest pace at which a frame takes `cycles` or more."""
        words = self.frame_words
        if cycles <= words:
            return replace(self, beats=1, cycles_a_pass=1)
        beats = max(d for d in divisors(words) if d <= MAX_PASS)
        return replace(self, beats=beats, cycles_a_pass=int(-(-cycles * beats // words)))

    @property
    def cycles(self) -> int:
        return self.frame_words // self.beats * self.cycles_a_pass

    def actors(self) -> tuple[Actor, ...]:
        """Word i of a pass goes in cycle ceil(i * cycles / beats) of it, or later if it must wait.

        Latency is the FIFO's write alone.
        """
        places = np.arange(self.beats)
        at = -(-places * self.cycles_a_pass // self.beats)
        return (
            Actor(
                name="weight_source",
                at=at,
                cycle=self.cycles_a_pass,
                repeats=self.frame_words // self.beats,
                latency=1,
                reads=(),
                writes=(Write(Port(Side.OUTPUT), at >= 0),),
            ),
        )

    def resources(self, family: Family) -> Resources:
        """Nothing in the core: on a chip a port of the shell takes its place."""
        del family
        return Resources()

    def parameters(self) -> dict[str, int]:
        return {
            "Width": self.word_bits,
            "Words": len(self.words),
            "Beats": self.beats,
            "Cycles": self.cycles_a_pass,
        }

    def memory_shapes(self) -> tuple[MemoryShape, ...]:
        words, lanes = self.words.shape
        return (MemoryShape("weights", words, lanes, self.dtype.bits, Style.STREAM),)

    def memories(self) -> tuple[Memory, ...]:
        (shape,) = self.memory_shapes()
        return (Memory(shape, self.words),)

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        rng = np.random.default_rng(23)
        bits, numbers = rng.integers(0, 2, (6, 5)), rng.integers(0, 8, (5, 3))
        return (
            WeightSource(bits, BIPOLAR),
            WeightSource(bits, BIPOLAR, 2, beats=4, cycles_a_pass=7),
            WeightSource(numbers, signed(3), 3, beats=3, cycles_a_pass=4),
            WeightSource(numbers[:1], signed(3), 4, beats=1, cycles_a_pass=3),
        )
