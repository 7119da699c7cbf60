# SPDX-License-Identifier: Apache-2.0
"""Translation: what the walk through a model has made so far."""

from dataclasses import dataclass, field
from typing import TypeAlias

import onnx

from hwbnn.frontend.chain import Affine, Chain, Quantizer
from hwbnn.frontend.names import unique
from hwbnn.frontend.run_node import NodeRunner
from hwbnn.frontend.weights import Constant
from hwbnn.ir.dtype import DType
from hwbnn.ir.graph import Preprocess
from hwbnn.ir.ops import Input, MaxPool, Op, Permute
from hwbnn.ir.ranges import value_range


@dataclass(frozen=True, eq=False)
class Label:
    """The index of the greatest element of a chain."""

    chain: Chain
    name: str
    tensor: str  # whose greatest element it is


Value: TypeAlias = Constant | Chain | Label


@dataclass(eq=False)
class Translation:
    """What the walk has made; ops, quantizers and sums are complete only without problems."""

    model: onnx.ModelProto
    name: str
    preprocess: Preprocess
    runner: NodeRunner
    nodes: frozenset[str]  # names that the nodes' operators take
    ops: list[Op] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    quantizers: dict[str, Quantizer] = field(default_factory=dict)  # by the operator of its value
    # The operators of each quantizer's value and of each pool, by its name and the chain's source.
    made_by: dict[tuple[str, str], str] = field(default_factory=dict)
    pooled: dict[tuple[str, str], str] = field(default_factory=dict)
    quantized: set[str] = field(default_factory=set)  # joins and sums of quantized values
    sums: dict[str, Affine] = field(default_factory=dict)  # by operator
    softmax: dict[str, tuple[str, str]] = field(default_factory=dict)  # after: title, before
    titles: dict[str, str] = field(default_factory=dict)  # by operator
    problems: list[str] = field(default_factory=list)

    @property
    def result(self) -> Value | None:
        """The model's output; None if it is one that no operator gives."""
        return self.values.get(self.model.graph.output[0].name)

    def op(self, name: str) -> Op:
        """Return an operator by name."""
        return next(op for op in self.ops if op.name == name)

    def fresh(self, name: str) -> str:
        """Return name, or name with a number that neither an operator nor a node has."""
        taken = {op.name for op in self.ops}
        if name not in taken and name in self.nodes:
            return name
        return unique(name, (*taken, *self.nodes))

    def quantized_type(self, name: str) -> DType | None:
        """Return the type of what joins, sums and pools make of quantized values; else None."""
        op = self.op(name)
        while isinstance(op, MaxPool):
            op = self.op(op.source)
        return op.dtype if op.name in self.quantized else None

    def range_of(self, name: str) -> tuple[int, int]:
        """Return the least and greatest element of an operator's type or staircase."""
        return value_range(self.op(name), {op.name: op for op in self.ops})

    def is_placeholder(self, name: str) -> bool:
        """An operator stands for a value of which no more than the type is known."""
        return isinstance(self.op(name), Input) and name not in self.pixels

    @property
    def pixels(self) -> set[str]:
        """Operators that give the pixels as they are."""
        return {op.name for op in self.ops if isinstance(op, Permute)} | {self.ops[0].name}


@dataclass(frozen=True, eq=False)
class Visit:
    """A node that reads the chain: its inputs, its operator's name, and what messages call it."""

    node: onnx.NodeProto
    inputs: tuple[Value | None, ...]
    chain: Chain
    name: str
    where: str

    def constant(self, place: int) -> Constant | None:
        """Return an input that is a constant, or None."""
        value = self.inputs[place] if place < len(self.inputs) else None
        return value if isinstance(value, Constant) else None

    @property
    def rest_constant(self) -> bool:
        """The chain is the first input, and every other is constant."""
        chain, *rest = self.inputs
        return isinstance(chain, Chain) and all(isinstance(x, Constant | None) for x in rest)
