# SPDX-License-Identifier: Apache-2.0
"""Concat: at each position the channels of several streams, one after another (dense nets)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Self

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, signed, smallest, unsigned
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Actor, Family, Folding, Packed, Port, Resources, Side, Unit, Write, pops
from hwbnn.units.folds import only_pe, pe_foldings
from hwbnn.units.ports import check_several, types


def common_dtype(dtypes: Sequence[DType]) -> DType:
    """Return the one type of all, or the narrowest integers that hold the values of each."""
    if len(set(dtypes)) == 1:
        return dtypes[0]
    return smallest(min(d.min for d in dtypes), max(d.max for d in dtypes))


def _choice(ways: int) -> int:
    # LUT6s of a multiplexer, a bit.
    if ways == 1:
        return 0
    return ways // 4 + (ways % 4 > 1) + _choice(-(-ways // 4))


@dataclass(frozen=True, eq=False)
class Concat(Unit):
    """The vectors of the inputs, of `channels` elements each, make one of the sum of them.

    output_dtype: `common_dtype`, or wider. Lanes divide the channels of all inputs but the last,
    whose padding is that of the output, and are at most its own.
    """

    input_dtypes: tuple[DType, ...]
    output_dtype: DType
    channels: tuple[int, ...]
    vectors: int = 1
    pe: int = 1

    module = "hwbnn_concat"

    def __post_init__(self) -> None:
        check_several(self.origin, "inputs", len(self.channels))
        if len(self.input_dtypes) != len(self.channels):
            raise ConfigError(
                f"{self.origin}: inputs must have a type each, not {len(self.input_dtypes)} "
                f"for {len(self.channels)}; name them all"
            )
        wider = any(d != self.output_dtype for d in self.input_dtypes)
        if wider and self.output_dtype.kind is Kind.BIPOLAR:
            raise ConfigError(
                f"{self.origin}: output must be of integers, not BIPOLAR, since not all inputs "
                f"are BIPOLAR; choose {common_dtype(self.input_dtypes)}"
            )
        legal = [folding.pe for folding in self.foldings()]
        if self.pe not in legal:
            raise ConfigError(
                f"{self.origin}: pe must divide the channels of every input but the last, "
                f"{self.channels}, and be at most those of the last, not {self.pe}; "
                f"choose {', '.join(map(str, legal))}"
            )

    @property
    def inputs(self) -> tuple[Stream, ...]:
        ports = zip(self.input_dtypes, self.channels, strict=True)
        return tuple(Stream(dtype, self.pe, count, self.vectors) for dtype, count in ports)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.output_dtype, self.pe, sum(self.channels), self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        frames = len(values[0])
        vectors = [value.reshape(frames, self.vectors, -1) for value in values]
        return (np.concatenate(vectors, axis=2).reshape(frames, -1),)

    def foldings(self) -> Iterator[Folding]:
        common = pe_foldings(math.gcd(*self.channels[:-1]))
        return (folding for folding in common if folding.pe <= self.channels[-1])

    def fold(self, folding: Folding) -> Self:
        return replace(self, pe=only_pe(self.origin, folding, "concatenations have no SIMD"))

    @property
    def folding(self) -> Folding:
        return Folding(self.pe)

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    @property
    def ends(self) -> list[int]:
        """Beats of a vector up to the last of each input."""
        return list(accumulate(stream.vector_beats for stream in self.inputs))

    def actors(self) -> tuple[Actor, ...]:
        """Input after input (timing.md rule 6); straight through: latency is the FIFO's write."""
        beats = [stream.vector_beats for stream in self.inputs]
        turn = np.repeat(np.arange(len(beats)), beats)
        return (
            Actor(
                name="concat",
                at=np.arange(turn.size),
                cycle=turn.size,
                repeats=self.vectors,
                latency=1,
                reads=tuple(pops(Port(Side.INPUT, i), turn == i) for i in range(len(beats))),
                writes=(Write(Port(Side.OUTPUT), np.ones(turn.size, np.bool_)),),
            ),
        )

    def resources(self, family: Family) -> Resources:
        """A multiplexer of the inputs, LUTs of four each or of two; fitted to Yosys: control."""
        ways, beats = len(self.channels), [stream.vector_beats for stream in self.inputs]
        turn, beat = (ways - 1).bit_length(), (max(beats) - 1).bit_length()
        if family is Family.XC7:
            chosen = float(_choice(ways))
            control = 2.4 * ways + (0.8 * beat if len(set(beats)) > 1 else 0)
        else:
            chosen = (ways - 1) * (0.9 if ways > 4 else 1)
            control = 2.5 * ways + 1.9 * beat
        return Resources(lut=self.outputs[0].bits * chosen + control, ff=turn + beat)

    def parameters(self) -> dict[str, int | Packed]:
        beats = tuple(stream.vector_beats for stream in self.inputs)
        return {
            "Pe": self.pe,
            **types(self.input_dtypes),
            "Beats": Packed(beats, 32),
            "Tail": self.channels[-1] - (self.inputs[-1].vector_beats - 1) * self.pe,
            "OutBits": self.output_dtype.bits,
            "OutKind": list(Kind).index(self.output_dtype.kind),
        }

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        def example(dtypes: tuple[DType, ...], channels: tuple[int, ...], vectors: int) -> Concat:
            return Concat(dtypes, common_dtype(dtypes), channels, vectors)

        return (
            example((BIPOLAR, BIPOLAR), (6, 12), 2),
            example((signed(3),) * 3, (4, 8, 3), 3),
            example((unsigned(2), signed(4), BIPOLAR), (4, 4, 7), 2),
            example((BIPOLAR, unsigned(3)), (6, 3), 1),
            example((unsigned(1), signed(2), unsigned(5), BIPOLAR, signed(2)), (2, 2, 4, 6, 1), 2),
        )
