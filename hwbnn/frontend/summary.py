# SPDX-License-Identifier: Apache-2.0
"""Summary: what a network's layers hold and compute, as Larq's model summary tells it."""

from dataclasses import dataclass, replace
from typing import Any

from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Conv, Dense, Input, Op, Permute, Staircase

FLOAT = 32  # bits
BYTE = 8


@dataclass(frozen=True)
class Row:
    """One layer, for one image. output_shape: channels, rows, columns; bits 32 stands for float.

    input_bits: the most of its inputs.
    thresholds: numbers that an integer network compares with in place of norms and biases.
    """

    name: str
    kind: str
    input_bits: int
    output_shape: tuple[int, ...]
    weights: int = 0
    weight_bits: int = 0
    biases: int = 0  # float
    macs: int = 0
    thresholds: int = 0

    @property
    def memory_bits(self) -> int:
        """Bits of weights and biases."""
        return self.weights * self.weight_bits + self.biases * FLOAT

    @property
    def binary(self) -> bool:
        """Its products are of two bits: XNOR and popcount."""
        return self.input_bits == 1 and self.weight_bits == 1

    @property
    def binary_macs(self) -> int:
        """Products of two bits."""
        return self.macs if self.binary else 0

    @property
    def multi_bit_macs(self) -> int:
        """All other products."""
        return 0 if self.binary else self.macs


@dataclass(frozen=True)
class Summary:
    """A network's layers and totals. Batch norms are not counted: they become thresholds."""

    name: str
    rows: tuple[Row, ...]

    @property
    def weights(self) -> dict[int, int]:
        """How many weights have each bit width, the smallest first; biases are float."""
        found: dict[int, int] = {}
        for row in self.rows:
            for bits, count in ((row.weight_bits, row.weights), (FLOAT, row.biases)):
                if count:
                    found[bits] = found.get(bits, 0) + count
        return dict(sorted(found.items()))

    @property
    def memory_bits(self) -> int:
        """Bits of all weights and biases."""
        return sum(row.memory_bits for row in self.rows)

    @property
    def binary_macs(self) -> int:
        """Products of two bits a frame."""
        return sum(row.binary_macs for row in self.rows)

    @property
    def multi_bit_macs(self) -> int:
        """All other products a frame."""
        return sum(row.multi_bit_macs for row in self.rows)

    @property
    def binary_share(self) -> float:
        """Share of the products that are of two bits."""
        return self.binary_macs / max(1, self.binary_macs + self.multi_bit_macs)

    @property
    def compression(self) -> float:
        """How much smaller the weights are than in float32."""
        return sum(self.weights.values()) * FLOAT / max(1, self.memory_bits)

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries and lists; memory in bytes."""
        return {
            "name": self.name,
            "layers": [_row_json(row) for row in self.rows],
            "total": {
                "weights": {str(bits): count for bits, count in self.weights.items()},
                "memory_bytes": self.memory_bits / BYTE,
                "binary_macs": self.binary_macs,
                "multi_bit_macs": self.multi_bit_macs,
                "binary_share": self.binary_share,
                "compression": self.compression,
                "thresholds": sum(row.thresholds for row in self.rows),
            },
        }


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "input_bits": row.input_bits,
        "output_shape": list(row.output_shape),
        "weights": row.weights,
        "weight_bits": row.weight_bits,
        "biases": row.biases,
        "memory_bytes": row.memory_bits / BYTE,
        "binary_macs": row.binary_macs,
        "multi_bit_macs": row.multi_bit_macs,
        "thresholds": row.thresholds,
    }


def summarise(graph: Graph) -> Summary:
    """Return the summary of an imported model; a layer's staircases count as its thresholds."""
    graph = graph.on_pixels
    rows: dict[str, Row] = {}
    for op in graph.ops:
        if isinstance(op, Input | Permute):
            continue
        if isinstance(op, Staircase) and isinstance(graph[op.source], Dense | Conv):
            row = rows[op.source]
            added = int(op.thresholds.size)
            rows[op.source] = replace(row, thresholds=row.thresholds + added)
            continue
        rows[op.name] = _row(op, graph)
    return Summary(graph.name, tuple(rows.values()))


def _row(op: Op, graph: Graph) -> Row:
    assert not isinstance(op, Input)
    kind, bits = type(op).__name__, max(graph[name].dtype.bits for name in op.sources)
    shape = _shape(op)
    if isinstance(op, Dense | Conv):
        count = int(op.weights.size)
        return Row(op.name, kind, bits, shape, count, op.weight_dtype.bits, macs=count * op.vectors)
    steps = int(op.thresholds.size) if isinstance(op, Staircase) else 0
    return Row(op.name, kind, bits, shape, thresholds=steps)


def _shape(op: Op) -> tuple[int, ...]:
    """Channels, rows and columns; of a value without an image its elements."""
    window = getattr(op, "window", None)
    if window is not None:
        return op.elements // op.vectors, window.out_height, window.out_width
    return (op.elements,) if op.vectors == 1 else (op.elements // op.vectors, op.vectors)
