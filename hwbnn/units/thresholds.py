# SPDX-License-Identifier: Apache-2.0
"""Thresholds: a staircase that stands alone (input quantizer, or after a join)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, signed, unsigned
from hwbnn.ir.ops import count_to_value
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import (
    Actor,
    Family,
    Folding,
    Memory,
    MemoryShape,
    Resources,
    Unit,
)
from hwbnn.ir.window import Border
from hwbnn.units import border, cost, search
from hwbnn.units.elementwise import every_firing
from hwbnn.units.folds import check_folding, only_pe, pe_foldings


@dataclass(frozen=True, eq=False)
class Thresholds(Unit):
    """Count of thresholds reached, per channel, with a direction per channel.

    thresholds: int64 (elements or 1, steps), non-decreasing rows; one row serves all elements.
    descending: bool (elements or 1): count those not reached. base: value of count 0.
    border: rows by class of vector, (classes * elements, steps).
    """

    thresholds: IntArray
    descending: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    input_dtype: DType
    output_dtype: DType
    elements: int
    base: int = 0
    vectors: int = 1
    pe: int = 1
    border: Border | None = None

    module = "hwbnn_thresholds"
    finn_nodes = ("Thresholding",)

    def __post_init__(self) -> None:
        check_folding(self.origin, "pe", self.pe, self.elements, "elements")

    @property
    def shared(self) -> bool:
        """One row of thresholds serves every element."""
        return self.thresholds.shape[0] == 1

    @property
    def classes(self) -> int:
        """Sets of thresholds, by class of vector."""
        return 1 if self.border is None else self.border.classes

    @property
    def by_element(self) -> "Thresholds":
        """The same function on one long vector."""
        if self.border is None:
            return self
        by_class = self.thresholds.reshape(self.classes, self.elements, -1)
        rows = by_class[self.border.positions].reshape(-1, self.thresholds.shape[1])
        down = np.tile(np.broadcast_to(self.descending, (self.elements,)), self.vectors)
        return replace(
            self,
            thresholds=rows,
            descending=down,
            elements=self.elements * self.vectors,
            vectors=1,
            border=None,
        )

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.input_dtype, self.pe, self.elements, self.vectors),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.output_dtype, self.pe, self.elements, self.vectors),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        (x,) = values
        vectors = x.reshape(x.shape[0], self.vectors, self.elements)
        count = np.zeros(vectors.shape, np.int64)
        for reached in self.thresholds.T:
            if self.border is not None:
                reached = reached.reshape(self.classes, -1)[self.border.positions]
            count += vectors >= reached
        count = np.where(self.descending, self.thresholds.shape[1] - count, count)
        result = count_to_value(count, base=self.base, dtype=self.output_dtype)
        return (result.reshape(x.shape[0], -1),)

    def foldings(self) -> Iterator[Folding]:
        return pe_foldings(self.elements)

    def fold(self, folding: Folding) -> Self:
        return replace(self, pe=only_pe(self.origin, folding, "thresholds have no SIMD"))

    @property
    def folding(self) -> Folding:
        return Folding(self.pe)

    @property
    def cycles(self) -> int:
        return self.outputs[0].beats

    def actors(self) -> tuple[Actor, ...]:
        """Every firing reads and writes. Latency: operand register, search, FIFO write."""
        beats = self.outputs[0].beats
        return every_firing(
            "thresholds", beats=beats, latency=2 + search.latency(self._table_shapes)
        )

    def resources(self, family: Family) -> Resources:
        tables = self._table_shapes
        bits, steps = self.input_dtype.bits + 1, len(tables)
        if self.thresholds.size == 1:
            bits = self._decisive_bits
        compares = sum(self._compare(shape.depth, bits, family) for shape in tables)
        folds = (tables[0].depth - 1).bit_length()
        control = 2 * folds + 2 if folds and family is Family.XC7 else 0
        logic = Resources(lut=self.pe * compares + 2 * steps + control, ff=self._registers)
        if self.border is not None:
            folds = self.outputs[0].vector_beats
            logic += Resources(lut=border.luts(self.border, folds=folds, family=family))
        copies = tables * (self.pe if self.shared else 1)
        return sum((cost.table(shape, family) for shape in copies), logic)

    @property
    def _registers(self) -> int:
        """Operands, counts, pushes, folds; Yosys also registers the first table and directions.

        On the grid of benchmarks/cost_model.py within 10 % on ECP5.
        """
        first, steps = self._table_shapes[0], len(self._table_shapes)
        bits = self.input_dtype.bits + (not self.input_dtype.signed)
        if self.thresholds.size == 1:
            bits = self._decisive_bits
        lanes = self.pe * (bits * steps + steps * (steps + 1) // 2)
        if first.depth == 1:
            return lanes + steps + 1
        folds = (first.depth - 1).bit_length() * (steps + 1)
        return lanes + steps + 1 + folds + self._table_lanes * (first.lane_bits + 1)

    @property
    def _decisive_bits(self) -> int:
        # Those below the lowest one of the only threshold do not matter.
        threshold = int(self.thresholds[0, 0])
        zeros = (threshold & -threshold).bit_length() - 1 if threshold else self.input_dtype.bits
        return max(1, self.input_dtype.bits - zeros)

    @staticmethod
    def _compare(depth: int, bits: int, family: Family) -> float:
        # Fitted to Yosys: on xc7 abc folds one or two constants into the comparison.
        if bits == 1:
            return 0.0
        if family.lut4:
            return bits + 2.0
        return 0.28 * bits if depth <= 2 else float(bits)

    def parameters(self) -> dict[str, int]:
        tables = self._table_shapes
        return {
            "Pe": self.pe,
            "Elements": self.elements,
            "Shared": int(self.shared),
            "InBits": self.input_dtype.bits,
            "InKind": list(Kind).index(self.input_dtype.kind),
            "OutBits": self.output_dtype.bits,
            "CountBits": len(tables),
            "ThresholdBits": tables[0].lane_bits,
            "SearchCycles": search.cycles_per_step(tables),
            "Base": 0 if self.output_dtype.kind is Kind.BIPOLAR else self.base,
            "Classes": self.classes,
            "BorderRows": 1 if self.border is None else self.border.rows.size,
            "BorderColumns": 1 if self.border is None else self.border.columns.size,
        }

    def memory_shapes(self) -> tuple[MemoryShape, ...]:
        shapes = (*self._table_shapes, self._direction_shape)
        if self.border is None:
            return shapes
        return (*shapes, *border.shapes(self.border, folds=self.outputs[0].vector_beats))

    def memories(self) -> tuple[Memory, ...]:
        """Tables of the search on x ^ descending (signed, so ~x = -x - 1), and the directions.

        x < T is ~x >= -T, and counts of ~x over the reversed, negated row count those not reached.
        If shared, every table has one lane, used by all lanes. With a border, fold class * folds
        + f is fold f of a class, in the tables and directions.
        """
        low, high = self._compared_range
        down = self.descending
        if self.border is not None:
            down = np.tile(np.broadcast_to(down, (self.elements,)), self.classes)
        rows = np.where(down[:, None], -self.thresholds[:, ::-1], self.thresholds)
        lanes, classes = self._table_lanes, self.classes
        tables = search.tables(rows, low=low, high=high, lanes=lanes, blocks=classes)
        shape = self._direction_shape
        flags = np.zeros((classes, shape.depth * shape.lanes // classes), np.int64)
        flags[:, : len(down) // classes] = down.reshape(classes, -1)
        found = (*tables, Memory(shape, flags.reshape(shape.depth, shape.lanes)))
        if self.border is None:
            return found
        return (*found, *border.tables(self.border, folds=self.outputs[0].vector_beats))

    @property
    def _table_lanes(self) -> int:
        return 1 if self.shared else self.pe

    @property
    def _table_shapes(self) -> tuple[MemoryShape, ...]:
        low, high = self._compared_range
        lanes = self._table_lanes
        rows, steps = self.thresholds.shape
        return search.shapes(rows, steps, low=low, high=high, lanes=lanes, blocks=self.classes)

    @property
    def _direction_shape(self) -> MemoryShape:
        rows = self.descending.shape[0] if self.border is None else self.elements
        folds = self.classes * -(-rows // self._table_lanes)
        return MemoryShape("descending", folds, self._table_lanes, 1)

    @property
    def _compared_range(self) -> tuple[int, int]:
        """Range of x and ~x."""
        low, high = self.input_dtype.min, self.input_dtype.max
        return min(low, ~high), max(high, ~low)

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        rng = np.random.default_rng(7)
        one = Thresholds(np.array([[128]]), np.array([False]), unsigned(8), BIPOLAR, 12)
        rows = np.sort(rng.integers(-9, 10, (6, 3)), axis=1)
        rows[0], rows[1] = -16, 16  # always and never reached
        mixed = np.arange(6) % 2 == 1
        by_class = np.concatenate([rows, rows[::-1] + 1])
        ends = Border(np.array([0]), np.array([0, 1, 1, 0]))
        return (
            one,
            Thresholds(rows, mixed, signed(5), signed(3), 6, base=-2, vectors=2),
            Thresholds(np.arange(1, 256)[None], np.array([True]), unsigned(8), unsigned(8), 4),
            Thresholds(by_class, mixed, signed(5), unsigned(2), 6, 0, 4, border=ends),
        )
