# SPDX-License-Identifier: Apache-2.0
"""Translation: what the walk through a model has made so far."""

from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import onnx

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Affine, Chain, Levels, Quantizer
from hwbnn.frontend.run_node import NodeRunner
from hwbnn.frontend.staircase import is_identity, staircase
from hwbnn.frontend.weights import Constant
from hwbnn.ir.dtype import DType, IntArray
from hwbnn.ir.graph import Preprocess
from hwbnn.ir.ops import Input, Op

MAX_LEVELS = 256  # of an activation


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
    ops: list[Op] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    quantizers: dict[str, Quantizer] = field(default_factory=dict)  # by operator
    orders: dict[str, IntArray] = field(default_factory=dict)  # of the quantizer's tensor
    made_by: dict[str, str] = field(default_factory=dict)  # operator of each quantizer
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


def materialise(made: Translation, chain: Chain) -> tuple[str, Chain, DType | None]:
    """Make the operator of the last quantizer; return it, the chain after it, and its type."""
    quantizer = chain.quantizer
    if quantizer is None:
        return chain.source, chain, None
    steps, rest = chain.split()
    levels = int(quantizer.levels[-1] - quantizer.levels[0]) + 1
    if levels > MAX_LEVELS:
        raise ModelError(
            f"{steps[-1].node}: activation must have at most {MAX_LEVELS} levels (8 bits), "
            f"not {levels}; choose bit_width 8 or less"
        )
    if quantizer.name not in made.quantizers:
        made.quantizers[quantizer.name] = quantizer
        made.orders[quantizer.name] = chain.order if chain.places is not None else np.arange(0)
        made.made_by[quantizer.name] = _add_quantizer(made, replace(chain, steps=steps), quantizer)
    op = made.op(made.made_by[quantizer.name])
    after = Chain(op.name, _levels(quantizer, op.dtype), chain.places, rest)
    return op.name, after, op.dtype


def _add_quantizer(made: Translation, chain: Chain, quantizer: Quantizer) -> str:
    """Add the operator of a chain that ends in a quantizer; return the name of its value."""
    if chain.entry is None:  # not known how, but of this type
        elements = chain.elements if chain.places is not None else 0
        made.ops.append(Input(quantizer.name, elements, quantizer.dtype))
        return quantizer.name
    source = made.op(chain.source)
    op = staircase(quantizer.name, chain, where=chain.steps[-1].node)
    if isinstance(source, Input) and is_identity(op):
        return source.name
    made.ops.append(op)
    return op.name


def _levels(quantizer: Quantizer, dtype: DType) -> Levels:
    """Floats of the integers low to high; a bipolar type has no 0, which stands for nothing."""
    low, high = max(dtype.min, int(quantizer.levels[0])), min(dtype.max, int(quantizer.levels[-1]))
    rows = np.searchsorted(quantizer.levels, np.arange(low, high + 1))
    return Levels(quantizer.floats[rows], low)
