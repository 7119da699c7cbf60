# SPDX-License-Identifier: Apache-2.0
"""Add: the sum of several streams, element by element (residual connections)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, signed, smallest, unsigned
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Actor, Family, Folding, Packed, Port, Resources, Side, Unit, Write, pops
from hwbnn.units.folds import check_folding, only_pe, pe_foldings
from hwbnn.units.ports import check_several, types

MAX_FACTOR_BITS = 32


def sum_dtype(dtypes: Sequence[DType], factors: Sequence[int] = ()) -> DType:
    """Return the narrowest type of every sum of values times factors (default 1)."""
    factors = factors or (1,) * len(dtypes)
    ends = zip(dtypes, factors, strict=True)
    lows, highs = zip(*((d.min * f, d.max * f) for d, f in ends), strict=True)
    return smallest(sum(lows), sum(highs))


@dataclass(frozen=True)
class _Term:
    """What an adder takes: its range, zeros below, and if it is always odd or always even."""

    low: int
    high: int
    zeros: int
    odd: bool

    @classmethod
    def of(cls, dtype: DType, shift: int) -> Self:
        bipolar = dtype.kind is Kind.BIPOLAR
        return cls(dtype.min << shift, dtype.max << shift, shift, bipolar and shift == 0)

    def __add__(self, other: "_Term") -> "_Term":
        zeros, odd = min(self.zeros, other.zeros), self.odd and other.odd
        return _Term(self.low + other.low, self.high + other.high, zeros, odd)

    @property
    def bits(self) -> int:
        """Bits of a register."""
        return smallest(self.low, self.high).bits - self.zeros - self.odd

    def adder(self, other: "_Term", family: Family) -> float:
        """LUTs of the sum: on xc7 of the bits that both have, on ECP5 of all above the zeros."""
        total, below = self + other, max(self.zeros, other.zeros)
        if total.odd:
            return total.bits
        if family.lut4:
            return 2.0 * ((smallest(total.low, total.high).bits - below + 1) // 2)
        ends = [smallest(term.low, term.high).bits for term in (self, other)]
        signs = [term.low < 0 for term in (self, other)]
        tops = [max(ends) if sign else end for sign, end in zip(signs, ends, strict=True)]
        return max(0.0, min(tops) - below)


@dataclass(frozen=True, eq=False)
class Add(Unit):
    """y[c] = sum over the inputs i of factors[i] * x_i[c]; no factors: all 1.

    A term of the adder tree is an input shifted by one of its factor's ones. output_dtype must hold
    every sum that occurs: `sum_dtype`, or narrower if it does not occur.
    """

    input_dtypes: tuple[DType, ...]
    output_dtype: DType
    channels: int
    vectors: int = 1
    factors: tuple[int, ...] = ()
    pe: int = 1

    module = "hwbnn_add"

    def __post_init__(self) -> None:
        check_several(self.origin, "inputs", len(self.input_dtypes))
        check_folding(self.origin, "pe", self.pe, self.channels, "channels")
        given, most = len(self.factors), 1 << MAX_FACTOR_BITS
        if given not in (0, len(self.input_dtypes)) or any(not 0 < f < most for f in self.factors):
            raise ConfigError(
                f"{self.origin}: factors must be one of 1 to 2^{MAX_FACTOR_BITS} - 1 for each of "
                f"{len(self.input_dtypes)} inputs, not {self.factors}; scale the others"
            )

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return tuple(Stream(d, self.pe, self.channels, self.vectors) for d in self.input_dtypes)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.output_dtype, self.pe, self.channels, self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        total = np.zeros_like(values[0], np.int64)
        for value, factor in zip(values, self.by_input, strict=True):
            total += value * factor
        return (total,)

    def foldings(self) -> Iterator[Folding]:
        return pe_foldings(self.channels)

    def fold(self, folding: Folding) -> Self:
        return replace(self, pe=only_pe(self.origin, folding, "additions have no SIMD"))

    @property
    def folding(self) -> Folding:
        return Folding(self.pe)

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    @property
    def levels(self) -> int:
        """Of the adder tree, a register each."""
        return (len(self._shifts) - 1).bit_length()

    @property
    def _shifts(self) -> tuple[tuple[DType, int], ...]:
        """Terms of the adder tree: each input's type, once for each one of its factor."""
        return tuple(
            (dtype, shift)
            for dtype, factor in zip(self.input_dtypes, self.by_input, strict=True)
            for shift in range(factor.bit_length())
            if factor >> shift & 1
        )

    def actors(self) -> tuple[Actor, ...]:
        """Every firing reads all inputs (timing.md rule 6). Latency: adder tree, FIFO write."""
        always = np.ones(1, np.bool_)
        inputs = range(len(self.input_dtypes))
        return (
            Actor(
                name="add",
                at=np.zeros(1, np.int64),
                cycle=1,
                repeats=self.cycles,
                latency=self.levels + 1,
                reads=tuple(pops(Port(Side.INPUT, i), always) for i in inputs),
                writes=(Write(Port(Side.OUTPUT), always),),
            ),
        )

    def resources(self, family: Family) -> Resources:
        """The adders and registers of the tree, cell by cell; fitted to Yosys: masks, control."""
        lut, ff = 0.0, 0
        terms = [_Term.of(*each) for each in self._shifts]
        while len(terms) > 1:
            pairs = list(zip(terms[::2], terms[1::2], strict=False))
            lut += sum(one.adder(other, family) for one, other in pairs)
            terms = [one + other for one, other in pairs] + terms[2 * len(pairs) :]
            ff += sum(term.bits for term in terms)
        total = Resources(lut=self.pe * lut + 1, ff=self.pe * ff + self.levels)
        bipolar = [dtype.kind is Kind.BIPOLAR for dtype in self.input_dtypes]
        if self.channels % self.pe == 0 or not any(bipolar):
            return total
        folds = (self.outputs[0].vector_beats - 1).bit_length()
        return total + Resources(lut=folds + 0.5 * self.pe * sum(bipolar), ff=folds)

    def parameters(self) -> dict[str, int | Packed]:
        return {
            "Pe": self.pe,
            "Channels": self.channels,
            **types(self.input_dtypes),
            "Terms": len(self._shifts),
            "Factors": Packed(self.by_input, MAX_FACTOR_BITS),
            "OutBits": self.output_dtype.bits,
        }

    @property
    def by_input(self) -> tuple[int, ...]:
        """Factor of each input."""
        return self.factors or (1,) * len(self.input_dtypes)

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        def example(
            dtypes: tuple[DType, ...], channels: int, vectors: int, factors: tuple[int, ...] = ()
        ) -> Add:
            return Add(dtypes, sum_dtype(dtypes, factors), channels, vectors, factors)

        return (
            example((BIPOLAR, BIPOLAR), 6, 2),
            example((signed(4), unsigned(2)), 5, 3),
            example((unsigned(3), unsigned(3)), 4, 1, (1, 4)),
            example((BIPOLAR, signed(5), unsigned(3)), 7, 2, (4, 1, 2)),
            example((signed(4), BIPOLAR, unsigned(2)), 5, 2, (3, 5, 2)),
            example((signed(9), BIPOLAR, unsigned(1), signed(1), signed(9), BIPOLAR), 6, 1),
        )
