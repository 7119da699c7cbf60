# SPDX-License-Identifier: Apache-2.0
"""Inspect: what a model holds, layer by layer, and everything in it that is not supported."""

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx

from hwbnn.errors import ModelError
from hwbnn.frontend.ending import Output
from hwbnn.frontend.facts import classes_of, dialect_problem, preprocess_of
from hwbnn.frontend.importer import finish
from hwbnn.frontend.load import model_inputs, verify_model
from hwbnn.frontend.translate import translate
from hwbnn.frontend.translation import Translation
from hwbnn.ir.dtype import BIPOLAR
from hwbnn.ir.graph import Preprocess
from hwbnn.ir.ops import (
    Add,
    ArgMax,
    Concat,
    Conv,
    Dense,
    Input,
    MaxPool,
    Op,
    Permute,
    Staircase,
    SumPool,
    Table,
)
from hwbnn.ir.ranges import value_range

Layered: TypeAlias = Dense | Conv | MaxPool | SumPool | Staircase | Table | Add | Concat | ArgMax


@dataclass(frozen=True)
class Layer:
    """One operator; node is the model's own name of it. MACs and thresholds are per frame.

    inputs, input_type: of all its sources; types that differ are separated by commas.
    """

    operator: str
    name: str
    node: str
    inputs: int
    outputs: int
    input_type: str
    weight_type: str | None
    output_type: str
    low: int
    high: int
    binary_macs: int
    multi_bit_macs: int
    weight_bits: int
    thresholds: int
    descending: int
    constant: int


@dataclass(frozen=True)
class Inspection:
    """A model's layers, and its problems, each with a mend; no problem means it can be built."""

    name: str
    input_shape: tuple[int, ...]
    preprocess: str
    classes: tuple[str, ...]
    layers: tuple[Layer, ...]
    problems: tuple[str, ...]

    @property
    def binary_macs(self) -> int:
        """Products of two bits a frame."""
        return sum(layer.binary_macs for layer in self.layers)

    @property
    def multi_bit_macs(self) -> int:
        """All other products a frame."""
        return sum(layer.multi_bit_macs for layer in self.layers)

    @property
    def weight_bits(self) -> int:
        """Bits of all weights."""
        return sum(layer.weight_bits for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries and lists."""
        totals = {
            "binary_macs": self.binary_macs,
            "multi_bit_macs": self.multi_bit_macs,
            "weight_bits": self.weight_bits,
            "thresholds": sum(layer.thresholds for layer in self.layers),
        }
        lists = {"input_shape": list(self.input_shape), "classes": list(self.classes)}
        layers = {"layers": [asdict(layer) for layer in self.layers]}
        return {**asdict(self), **lists, **layers, "problems": list(self.problems), "total": totals}


def inspect_model(
    model: onnx.ModelProto, *, name: str, preprocess: Preprocess | None = None
) -> Inspection:
    """Describe a model without refusing it; ModelError only if it cannot be read at all."""
    verify_model(model)
    problems: list[str] = []
    try:
        preprocess = preprocess or preprocess_of(model)
        classes = classes_of(model)
    except ModelError as error:
        problems += error.problems
        preprocess, classes = preprocess or Preprocess(), ()
    dialect = dialect_problem(model, name)
    made = translate(model, name=name, preprocess=preprocess)
    ops = tuple(made.ops)
    if dialect is not None:
        problems.append(dialect)
    elif made.problems:
        problems += dict.fromkeys(made.problems)
    else:
        try:
            ops = finish(made, output=Output.VALUES).graph.ops
        except ModelError as error:
            problems += error.problems
    shape = tuple(d.dim_value for d in model_inputs(model.graph)[0].type.tensor_type.shape.dim[1:])
    layers = tuple(_layer(op, ops, made) for op in ops if not isinstance(op, Input | Permute))
    return Inspection(name, shape, str(preprocess), classes, layers, tuple(dict.fromkeys(problems)))


def _layer(op: Layered, ops: tuple[Op, ...], made: Translation) -> Layer:
    by_name = {other.name: other for other in ops}
    sources = [by_name[name] for name in op.sources]
    source = sources[0]
    low, high = _range(op, made)
    weights = op.weights if isinstance(op, Dense | Conv) else np.zeros((0, 0), np.int64)
    weight_type = op.weight_dtype if isinstance(op, Dense | Conv) else None
    binary = weight_type == BIPOLAR and source.dtype == BIPOLAR
    macs = weights.size * op.vectors  # every weight at every position
    down = changing = steps = 0
    if isinstance(op, Staircase):
        entry_low, entry_high = _range(source, made)
        inside = (op.thresholds > entry_low) & (op.thresholds <= entry_high)
        changing = int(np.asarray(inside.any(axis=1))[op.rows].sum())
        down = int(op.directions.sum())
        steps = op.thresholds.size
    return Layer(
        operator=type(op).__name__,
        name=op.name,
        node=made.titles.get(op.name, op.name),
        inputs=sum(source.elements for source in sources),
        outputs=op.elements,
        input_type=", ".join(dict.fromkeys(str(source.dtype) for source in sources)),
        weight_type=str(weight_type) if weight_type else None,
        output_type=str(op.dtype),
        low=low,
        high=high,
        binary_macs=macs if binary else 0,
        multi_bit_macs=0 if binary else macs,
        weight_bits=weights.size * (weight_type.bits if weight_type else 0),
        thresholds=steps,
        descending=down,
        constant=op.elements - changing if isinstance(op, Staircase) else 0,
    )


def _range(op: Op, made: Translation) -> tuple[int, int]:
    if op.name in made.sums:
        return made.sums[op.name].low, made.sums[op.name].high
    return value_range(op, {op.name: op for op in made.ops})
