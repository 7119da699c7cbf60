# SPDX-License-Identifier: Apache-2.0
"""DepthwiseMvu: one filter a channel, tap after tap, with a fused staircase or the sum."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, signed, smallest, unsigned
from hwbnn.ir.ops import count_to_value
from hwbnn.ir.ranges import sum_range
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import (
    Actor,
    Family,
    Folding,
    Knobs,
    Memory,
    MemoryShape,
    Multiplier,
    Resources,
    Style,
    Unit,
    folding_of,
)
from hwbnn.ir.window import Border
from hwbnn.units import border, cost, reduction, search, weights
from hwbnn.units.folds import check_folding, only_pe, pe_foldings
from hwbnn.units.mode import Mode


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
    weight_style: Style = Style.AUTO

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
    def folds(self) -> int:
        """Beats of a vector."""
        return -(-self.channels // self.pe)

    @property
    def classes(self) -> int:
        """Sets of thresholds, by border class."""
        return 1 if self.border is None else self.border.classes

    @property
    def mode(self) -> Mode:
        """How a tap multiplies."""
        if self.weight_dtype.kind is not Kind.BIPOLAR:
            return Mode.MULTIPLY
        return Mode.XNOR if self.input_dtype.kind is Kind.BIPOLAR else Mode.ADD

    @property
    def accumulator(self) -> DType:
        """What the hardware adds up in; only the last sum must fit, those before may wrap.

        With one threshold, the sum less the threshold. Without any, the sum; of bipolar products
        half of it, rounded down. Otherwise the sum; of bipolar products the number of ones.
        """
        low, high = self._compared_range
        if self._fused:
            return smallest(low - high - 1, high - low)
        if self.thresholds is not None:
            return smallest(low, high)
        return signed(self.output_dtype.bits - (self.mode is Mode.XNOR))

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
        return pe_foldings(self.channels)

    def fold(self, folding: Folding) -> Self:
        return replace(self, pe=only_pe(self.origin, folding, "depthwise layers have no SIMD"))

    @property
    def folding(self) -> Folding:
        return Folding(self.pe)

    @property
    def knobs(self) -> Knobs:
        return Knobs(self.pe, 1, None, self.weight_style)

    def with_knobs(self, knobs: Knobs) -> Self:
        if knobs.stages is not None:
            raise ConfigError(f"{self.origin}: depthwise layers have no stages; remove them")
        if knobs.multipliers is Multiplier.DSP:
            raise ConfigError(
                f"{self.origin}: multipliers must be lut, not dsp: lanes of depthwise layers share "
                "no input; remove it"
            )
        style = self.weight_style if knobs.weight_style is None else knobs.weight_style
        if style in (Style.STREAM, Style.ULTRA):
            raise ConfigError(
                f"{self.origin}: weights must be auto, distributed or block, not {style.value}: a "
                "depthwise layer has few; choose one"
            )
        return replace(self.fold(folding_of(self.folding, knobs)), weight_style=style)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def actors(self) -> tuple[Actor, ...]:
        """Latency: operand register, one behind the multiplier, sum, search; FIFO write."""
        tables = self._table_shapes
        searching = search.latency(tables) if len(tables) > 1 else 0
        latency = 3 + (self.mode is Mode.MULTIPLY) + searching
        return (
            reduction.reduction_actor(
                "depthwise_mvu",
                taps=self.taps,
                folds=self.folds,
                vectors=self.vectors,
                latency=latency,
            ),
        )

    def resources(self, family: Family) -> Resources:
        words = cost.rom(self._weight_depth, self._weight_width, self._weight_shape.style, family)
        if self._fused:
            start = self._start_shape
            words += cost.rom(start.depth, start.width, start.style, family)
        else:
            words += sum((_table(shape, family) for shape in self._table_shapes), Resources())
        if self.border is not None and self.classes > 1:
            words += cost.memories(border.shapes(self.border, folds=self.folds), family)
            words += Resources(lut=border.luts(self.border, folds=self.folds, family=family))
        return (
            Resources(lut=self.pe * self._lane_luts(family), ff=self._registers(family))
            + words
            + reduction.control(self.taps, self.folds, family)
            + reduction.held(self.folds, self.pe * self.accumulator.bits, family)
        )

    def _lane_luts(self, family: Family) -> float:
        bits, tables = self.input_dtype.bits, self._table_shapes
        steady = not self._fused or self._start_shape.depth == 1
        chosen = self.folds > 1 or not steady
        lane = reduction.adder(self.accumulator.bits, self.folds, family, steady=steady)
        if self.mode is Mode.MULTIPLY:
            factor = self.weight_dtype.bits  # a row of adders a bit of the narrower but one
            rows = max(1, min(bits, factor) - 1)
            lane += rows * (bits + factor) * (1.0 if family is Family.XC7 else 1.8)
        elif self.mode is Mode.ADD and family.lut4:
            lane += bits
        elif self.mode is Mode.ADD and chosen:  # neither operand is a register
            lane += self.accumulator.bits
        elif self.mode is Mode.XNOR and family is Family.XC7 and not chosen:
            lane = 2.0  # the other bits only carry
        if len(tables) > 1:
            compare = tables[0].lane_bits / 2 + 2
            shallow = family is Family.XC7  # a table of few words joins the comparison
            lane += sum(min(table.depth, compare) if shallow else compare for table in tables)
        return lane

    def _registers(self, family: Family) -> float:
        """Operands, product, sum, or its sign, and what the search carries along."""
        tables, bits = self._table_shapes, self.accumulator.bits
        steps = len(tables)
        lane = self.input_dtype.bits + (1 if self._fused else bits)
        if self.mode is Mode.MULTIPLY:
            lane += min(self.input_dtype.bits + self.weight_dtype.bits, bits)
        if self._weight_depth > 1 and self._weight_shape.style is not Style.BLOCK:
            lane += self.weight_dtype.bits
        if steps > 1:
            lane += sum(bits + step + 1 for step in range(steps)) - bits
            # Yosys moves the registers of deep tables from the address to the word.
            lane += sum(table.lane_bits for table in tables[1:] if table.depth > 2)
        start = self._start_shape
        if not self._fused or start.depth == 1 or start.style is Style.BLOCK:
            starts = 0.0
        elif start.depth <= 8:  # many columns are the same
            starts = cost.rom_luts(start.depth, start.width, family)
        else:
            starts = start.width
        return self.pe * lane + starts + 4

    # ---- parameters and memories -----------------------------------------------------------------

    def parameters(self) -> dict[str, int]:
        tables = self._table_shapes
        return {
            "Mode": self.mode.value,
            "Pe": self.pe,
            "Channels": self.channels,
            "Taps": self.taps,
            "InBits": self.input_dtype.bits,
            "InKind": list(Kind).index(self.input_dtype.kind),
            "WeightBits": self.weight_dtype.bits,
            "WeightKind": list(Kind).index(self.weight_dtype.kind),
            "AccBits": self.accumulator.bits,
            "OutBits": self.output_dtype.bits,
            "CountBits": len(tables),
            "ThresholdBits": tables[0].lane_bits if tables else 1,
            "SearchCycles": search.cycles_per_step(tables) if tables else 1,
            "Base": 0 if self.output_dtype.kind is Kind.BIPOLAR else self.base,
            "BlockWeights": int(self._weight_shape.style is Style.BLOCK),
            "WeightRows": self._weight_shape.depth,
            "BlockStarts": int(self._fused and self._start_shape.style is Style.BLOCK),
            "BorderClasses": self.classes,
            "BorderRows": 1 if self.border is None else self.border.rows.size,
            "BorderColumns": 1 if self.border is None else self.border.columns.size,
        }

    def memory_shapes(self) -> tuple[MemoryShape, ...]:
        tables = (self._start_shape,) if self._fused else self._table_shapes
        shapes = (self._weight_shape, *tables)
        if self.border is None or self.classes == 1:
            return shapes
        return (*shapes, *border.shapes(self.border, folds=self.folds))

    def memories(self) -> tuple[Memory, ...]:
        """Weights, what sums begin with or the tables of the search, and those of the border.

        Weight word tap * folds + fold, lane l is weights[fold * PE + l, tap]; lanes without a
        channel hold code 0. Word class * folds + fold of the starts is minus the threshold.
        """
        codes = np.zeros((self.folds * self.pe, self.taps), np.int64)
        codes[: self.channels] = self.weight_dtype.encode(self.weights)
        words = codes.reshape(self.folds, self.pe, self.taps).transpose(2, 0, 1)
        packed = weights.memory(words.reshape(-1, self.pe), self._weight_shape)
        tables = self._search_tables()
        if self._fused:
            low, high = self._compared_range
            rows = smallest(low, high + 1).decode(tables[0].words)
            tables = (Memory(self._start_shape, self.accumulator.encode(-rows)),)
        if self.border is None or self.classes == 1:
            return (packed, *tables)
        return (packed, *tables, *border.tables(self.border, folds=self.folds))

    @property
    def _fused(self) -> bool:
        """One threshold: the sum begins at minus it, and its sign is the answer."""
        return len(self._table_shapes) == 1

    @property
    def _weight_depth(self) -> int:
        return self.taps * self.folds

    @property
    def _weight_width(self) -> int:
        return self.pe * self.weight_dtype.bits

    @property
    def _weight_shape(self) -> MemoryShape:
        return weights.shape(self._weight_depth, self.pe, self.weight_dtype.bits, self.weight_style)

    @property
    def _start_shape(self) -> MemoryShape:
        depth, bits = self.classes * self.folds, self.accumulator.bits
        block = cost.prefers_block(depth, self.pe * bits)
        style = Style.BLOCK if block else Style.DISTRIBUTED
        return MemoryShape("starts", depth, self.pe, bits, style)

    @property
    def _table_shapes(self) -> tuple[MemoryShape, ...]:
        if self.thresholds is None:
            return ()
        low, high = self._compared_range
        return search.shapes(
            *self.thresholds.shape, low=low, high=high, lanes=self.pe, blocks=self.classes
        )

    @property
    def _compared_range(self) -> tuple[int, int]:
        """Range of what the thresholds are compared with: ones, or the signed sum."""
        if self.mode is Mode.XNOR:
            return 0, self.taps
        ends = self.input_range or (self.input_dtype.min, self.input_dtype.max)
        low, high = sum_range(self.weights, *ends)
        return min(low, -1), max(high, 0)

    def _search_tables(self) -> tuple[Memory, ...]:
        if self.thresholds is None:
            return ()
        thresholds = self.thresholds
        if self.mode is Mode.XNOR:  # sum = 2 * ones - taps
            thresholds = -((-(thresholds + self.taps)) // 2)
        low, high = self._compared_range
        return search.tables(thresholds, low=low, high=high, lanes=self.pe, blocks=self.classes)

    # ---- example ---------------------------------------------------------------------------------

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        return _examples()


def _table(shape: MemoryShape, family: Family) -> Resources:
    """Cost of a table of the search; on xc7 64 words of a column are a LUT, two are logic."""
    if family.lut4 or shape.style is Style.BLOCK:
        return cost.memory(shape, family)
    column = max(0.8, -(-shape.depth // 64)) if shape.depth > 2 else 0.0
    return Resources(lut=shape.width * column)


def _example(
    weight: DType,
    data: DType,
    out: DType | None,
    *,
    steps: int = 1,
    channels: int = 6,
    taps: int = 9,
    vectors: int = 1,
    classes: Border | None = None,
) -> DepthwiseMvu:
    rng = np.random.default_rng([weight.bits, data.bits, steps, taps])
    filters = weight.decode(rng.integers(0, 1 << weight.bits, (channels, taps)))
    low, high = sum_range(filters, data.min, data.max)
    unit = DepthwiseMvu(filters, weight, data, smallest(min(low, -1), high), vectors=vectors)
    if out is None:
        return unit
    spread, sets = max(2, (high - low) // 4), 1 if classes is None else classes.classes
    rows = np.sort(rng.integers(-spread, spread, (sets * channels, steps)), axis=1)
    rows[0], rows[1] = low, high + 1  # always and never reached
    return replace(unit, output_dtype=out, thresholds=rows, base=out.min, border=classes)


def _examples() -> tuple[Unit, ...]:
    bit, u1, u2, i3 = BIPOLAR, unsigned(1), unsigned(2), signed(3)
    square = Border(np.array([0, 1, 2]), np.array([0, 1, 1, 2]))  # 3 x 3 padded, 3 x 4 positions
    line = Border(np.array([0]), np.array([0, 1, 0, 1, 0]))  # a sequence, stride 2
    block = _example(i3, u2, i3, channels=58)  # 522 words: two banks
    return (
        _example(bit, bit, bit, vectors=2),
        _example(bit, bit, None, vectors=2),
        _example(bit, bit, i3, steps=5, channels=5, taps=4),
        _example(bit, u1, bit, channels=5),
        _example(bit, u1, None, channels=3, taps=1),
        _example(bit, i3, i3, steps=3, vectors=3),
        _example(bit, u2, signed(2), channels=5, taps=3),
        _example(i3, bit, u2, steps=3, channels=5),
        _example(i3, signed(4), None, channels=5, taps=4, vectors=2),
        _example(unsigned(2), u2, bit, channels=4, taps=3),
        replace(block, weight_style=Style.BLOCK),
        _example(bit, bit, bit, channels=4, taps=3, vectors=12, classes=square),
        _example(bit, u1, i3, channels=3, taps=3, vectors=5, classes=line),
        _example(i3, u2, u2, steps=3, channels=3, taps=2, vectors=12, classes=square),
    )
