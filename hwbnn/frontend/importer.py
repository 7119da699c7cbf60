# SPDX-License-Identifier: Apache-2.0
"""Import: a QONNX or FINN-dialect model as a Graph that gives the same outputs, bit for bit."""

from dataclasses import dataclass, replace

import numpy as np
import onnx

from hwbnn.errors import ConfigError, ModelError
from hwbnn.frontend.chain import Chain
from hwbnn.frontend.check import check_outputs
from hwbnn.frontend.ending import Output, label_ops, output_floats, output_values
from hwbnn.frontend.facts import classes_of, dialect_problem, preprocess_of
from hwbnn.frontend.load import model_inputs, verify_model
from hwbnn.frontend.materialise import materialise
from hwbnn.frontend.translate import translate
from hwbnn.frontend.translation import Label, Translation
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import ArgMax, Input, Op, Permute, Staircase, Table
from hwbnn.ir.verify import verify_graph


@dataclass(frozen=True, eq=False)
class Imported:
    """A graph, and what its proof needs: the walk behind it, and the chain at its end."""

    graph: Graph
    translation: Translation
    tail: Chain
    tensor: str  # of the floats at the end of the tail


def import_model(
    model: onnx.ModelProto,
    *,
    name: str,
    preprocess: Preprocess | None = None,
    samples: IntArray | None = None,
    output: Output = Output.VALUES,
    packed_input: bool = False,
    check: bool = True,
) -> Graph:
    """Return the model as integers, after comparing it with the oracle on samples.

    samples: pixels (frames, ...), a few made ones if None. packed_input: the host quantizes the
    pixels. Raises ModelError with everything that is not supported, MismatchError if an output
    differs.
    """
    made = read(model, name=name, preprocess=preprocess)
    return build(made, output=output, packed_input=packed_input, samples=samples, check=check)


def check(graph: Graph, model: onnx.ModelProto, *, samples: IntArray | None = None) -> None:
    """Raise MismatchError if a graph gives another output than the model it was imported from."""
    made = read(model, name=graph.name, preprocess=graph.preprocess)
    output = Output.LABEL if isinstance(graph[graph.output], ArgMax) else Output.VALUES
    imported = finish(made, output=output)
    check_outputs(graph.on_pixels, made, imported.tail, imported.tensor, samples)


def read(model: onnx.ModelProto, *, name: str, preprocess: Preprocess | None) -> Translation:
    """Verify and translate a model; ModelError with all its problems."""
    verify_model(model)
    problem = dialect_problem(model, name)
    if problem is not None:
        raise ModelError(problem)
    made = translate(model, name=name, preprocess=preprocess or preprocess_of(model))
    if made.problems:
        raise ModelError(dict.fromkeys(made.problems))
    return made


def build(
    made: Translation,
    *,
    output: Output,
    packed_input: bool,
    samples: IntArray | None,
    check: bool,
) -> Graph:
    """Return the graph of a translation without problems."""
    imported = finish(made, output=output)
    verify_graph(imported.graph)
    if check:
        check_outputs(imported.graph.on_pixels, made, imported.tail, imported.tensor, samples)
    return _packed(imported.graph) if packed_input else imported.graph


def finish(made: Translation, *, output: Output) -> Imported:
    """End a translation with values or with a label."""
    model, result = made.model, made.result
    tensor = model.graph.output[0].name
    label = result.name if isinstance(result, Label) else "label"
    choose = output is Output.LABEL or isinstance(result, Label)
    if isinstance(result, Label):
        tensor, result = result.tensor, result.chain
    if not isinstance(result, Chain) or result.source in {"", *made.pixels}:
        raise ModelError(
            f"{made.name}: output must be values of a layer or a class index, not {tensor}; "
            "export the whole network with one output"
        )
    if not choose and tensor in made.softmax:
        raise ModelError(
            f"{made.softmax[tensor][0]}: output must be the class when the network ends with it, "
            "not its values; choose the label as output or take it out"
        )
    if tensor in made.softmax:
        tensor = made.softmax[tensor][1]
    last, tail, _ = materialise(made, result)
    if (tail.order != np.arange(tail.elements)).any():
        raise ModelError(
            f"{made.name}: output must have the order of the last layer's outputs (of an image, "
            "channels last); take out the transpose at the end, or end with a pool of the whole "
            "image or a dense layer"
        )
    host, ops = _hosted(_upstream(made, last), made.name)
    values = None if choose else output_values(tail, made.name)
    ops = label_ops(ops, tail, output_floats(tail, made.name), label) if choose else ops
    source = model_inputs(model.graph)[0]
    shape = tuple(int(d.dim_value) for d in source.type.tensor_type.shape.dim[1:])
    graph = Graph(
        made.name, ops, ops[-1].name, shape, made.preprocess, values, classes_of(model), host
    )
    return Imported(graph, made, tail, tensor)


def _upstream(made: Translation, last: str) -> tuple[Op, ...]:
    """The operators that the last one depends on; nodes without a reader are left out."""
    by_name, needed, waiting = {op.name: op for op in made.ops}, {last}, [last]
    while waiting:
        new = set(by_name[waiting.pop()].sources) - needed
        needed |= new
        waiting += new
    return tuple(op for op in made.ops if op.name in needed)


def _hosted(ops: tuple[Op, ...], name: str) -> tuple[tuple[Op, ...], tuple[Op, ...]]:
    """Give a permutation of the pixels to the host."""
    order = ops[1]
    if not isinstance(order, Permute):
        return (), ops
    if any(ops[0].name in op.sources for op in ops[2:]):
        raise ModelError(
            f"{name}: pixels must be read as an image everywhere, not also as one flat vector; "
            "branch behind the first layer"
        )
    sent = Input(order.name, order.elements, order.dtype, order.vectors)
    return ops[:2], (sent, *ops[2:])


def _packed(graph: Graph) -> Graph:
    """Give the first staircase or table to the host, and its result as the input."""
    first = graph.ops[1]
    if not isinstance(first, Staircase | Table):
        raise ConfigError(
            f"{graph.name}: packed input must be quantized by the model, not raw pixels; "
            "put a QuantIdentity on the input or send pixels"
        )
    others = [op.name for op in graph.readers(graph.input.name) if op is not first]
    if others:
        raise ConfigError(
            f"{graph.name}: packed input must be quantized once, not by {first.name} and "
            f"{', '.join(others)}; put one QuantIdentity on the input or send pixels"
        )
    ends, whole = graph.range_of(first.name), (first.dtype.min, first.dtype.max)
    narrower = None if ends == whole else ends
    sent = Input(first.name, first.elements, first.dtype, first.vectors, narrower)
    host = graph.host or (graph.input,)
    return replace(graph, ops=(sent, *graph.ops[2:]), host=(*host, first))
