# SPDX-License-Identifier: Apache-2.0
"""Translate: the model's nodes to integer operators, one walk; problems are collected."""

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np
import onnx

from hwbnn.errors import ModelError
from hwbnn.frontend import join, spatial
from hwbnn.frontend.chain import Chain, Levels, Pixels
from hwbnn.frontend.constants import add_initializers, fold
from hwbnn.frontend.dense import dense, gemm_step, input_values, oriented_weights
from hwbnn.frontend.elementwise import ELEMENTWISE, elementwise_step, quantizer_step
from hwbnn.frontend.load import AGAIN, model_inputs
from hwbnn.frontend.materialise import materialise
from hwbnn.frontend.names import input_name, node_names, title
from hwbnn.frontend.run_node import NodeRunner, attribute, is_quantizer
from hwbnn.frontend.support import MOVES, REDUCE, SLIDING, UNKNOWN_KEEPS_SHAPE, refusal
from hwbnn.frontend.translation import Label, Translation, Value, Visit
from hwbnn.frontend.weights import Constant
from hwbnn.ir.dtype import IntArray, unsigned
from hwbnn.ir.graph import Preprocess
from hwbnn.ir.ops import Input

EVAL = "call model.eval() before the export"
# What NumPy, qonnx and onnx raise where a node has too few inputs, or shapes that do not fit.
MALFORMED = (ArithmeticError, AssertionError, LookupError, StopIteration, TypeError, ValueError)
CHOOSES = ("ArgMax", "TopK")
SOFTMAX = ("Softmax", "LogSoftmax")


def translate(model: onnx.ModelProto, *, name: str, preprocess: Preprocess) -> Translation:
    """Walk the nodes once; what is not supported becomes a problem, and the walk goes on."""
    nodes = node_names(model.graph)
    made = Translation(model, name, preprocess, NodeRunner(model), frozenset(nodes))
    add_initializers(made)
    _add_input(made)
    for index, (node, ident) in enumerate(zip(model.graph.node, nodes, strict=True)):
        where = title(node, index)
        made.titles[ident] = where
        try:
            outputs = _translate(made, node, ident, where)
        except ModelError as error:
            made.problems += error.problems
            outputs = [_unknown(made, node)]
        except MALFORMED as error:
            text = " ".join(str(error).split())[:200] or type(error).__name__
            made.problems.append(f"{where}: node must be well formed, not «{text}»; {AGAIN}")
            outputs = [_unknown(made, node)]
        made.values.update(zip(node.output, outputs, strict=False))
    return made


def _add_input(made: Translation) -> None:
    (value,) = model_inputs(made.model.graph)
    shape = [extent.dim_value or 1 for extent in value.type.tensor_type.shape.dim]
    op = Input(input_name(made.model.graph), prod(shape[1:]), unsigned(8))
    places = np.arange(prod(shape)).reshape(shape)
    made.ops.append(op)
    made.values[value.name] = Chain(op.name, Pixels(made.preprocess), places)


def _unknown(made: Translation, node: onnx.NodeProto) -> Chain:
    places = None
    if node.op_type in UNKNOWN_KEEPS_SHAPE:
        chains = [v for name in node.input if isinstance(v := made.values.get(name), Chain)]
        places = chains[0].places if chains else None
    return Chain("", None, places)


def _translate(made: Translation, node: onnx.NodeProto, name: str, where: str) -> list[Value]:
    inputs = [made.values.get(key) if key else None for key in node.input]
    live = [value for value in inputs if isinstance(value, Chain | Label)]
    if any(isinstance(value, Label) for value in live):
        return _after_label(node, inputs, where)
    if not live or node.op_type == "Shape":
        return [fold(made, node, inputs, where)]
    chain = live[0]
    assert isinstance(chain, Chain)
    problem = refusal(node, where, chains=len(live))
    if problem is not None:
        raise ModelError(problem)
    chosen = next((name for name in node.input if name in made.softmax), None)
    if chosen is not None and node.op_type not in CHOOSES:
        raise ModelError(_softmax_problem(made.softmax[chosen][0]))
    handler = _handler(node, joins=len(live) > 1)
    chain = next((c for c in live if isinstance(c, Chain) and c.padding is not None), chain)
    if chain.padding is not None and handler not in PADDED:
        raise ModelError(
            f"{where}: must not follow a Pad; put the Pad straight before a convolution or a pool"
        )
    chain = next((c for c in live if isinstance(c, Chain) and c.patches is not None), chain)
    if chain.patches is not None and handler != "MatMul":
        raise ModelError(f"{where}: must be a MatMul behind Im2Col; keep FINN's lowering as it is")
    visit = Visit(node, tuple(inputs), chain, name, where)
    result = HANDLERS[handler](made, visit)
    return [_unknown(made, node), result] if node.op_type == "TopK" else [result]


def _softmax_problem(where: str) -> str:
    return f"{where}: must stand at the very end, before an ArgMax, not between layers; take it out"


def _handler(node: onnx.NodeProto, *, joins: bool) -> str:
    if is_quantizer(node):
        return "quantizer"
    if joins and node.op_type == "Add":
        return "sum"
    return "elementwise" if node.op_type in ELEMENTWISE else node.op_type


# ----------------------------------------------------------------------------- values


def _move(made: Translation, visit: Visit) -> Value:
    """Reshape, transpose and the like: the elements of an image change places."""
    chain, node = visit.chain, visit.node
    if chain.places is None or node.op_type == "Identity":
        return chain
    if node.op_type == "Dropout":
        training = visit.constant(2)
        if training is not None and training.value.any():
            raise ModelError(f"{visit.where}: must be in inference mode, not training; {EVAL}")
        return chain
    if not visit.rest_constant:
        raise ModelError(
            f"{visit.where}: shape must be constant; export the model with fixed image sizes"
        )
    rest = [value.value if isinstance(value, Constant) else None for value in visit.inputs[1:]]
    places: IntArray = made.runner(node, [chain.places, *rest])[0].astype(np.int64)
    if not _images_apart(chain, places):
        shape = " x ".join(map(str, places.shape))
        raise ModelError(
            f"{visit.where}: must keep the batch in front, not make {shape} of "
            f"{' x '.join(map(str, chain.places.shape))}; export with a batch of 1"
        )
    return replace(chain, places=places)


def _images_apart(chain: Chain, places: IntArray) -> bool:
    """Every image of the batch has its elements, all in the same order, in its own row."""
    assert chain.places is not None
    batch = chain.places.shape[0]
    if places.ndim < 2 or places.shape[0] != batch or places.size != chain.places.size:
        return False
    images = places.reshape(batch, -1) - np.arange(batch)[:, None] * chain.elements
    return bool((images == images[0]).all() and images[0].min() >= 0)


def _elementwise(made: Translation, visit: Visit) -> Value:
    if visit.chain.places is None:
        return visit.chain
    operands = [value for value in visit.inputs if not isinstance(value, Label)]
    step = elementwise_step(
        visit.node, visit.chain, operands, runner=made.runner, where=visit.where
    )
    return spatial.padded(visit.chain.then(step), visit.where)


def _quantize(made: Translation, visit: Visit) -> Value:
    chain = visit.chain
    constants = [value for value in visit.inputs[1:] if isinstance(value, Constant)]
    if not visit.rest_constant or len(constants) != len(visit.inputs) - 1:
        raise ModelError(f"{visit.where}: scale and bit width must be constants; {EVAL}")
    known = chain
    if chain.places is None:
        # Of a value whose shape is not known, at least the type is known from here on.
        if visit.node.op_type == "MultiThreshold" or any(c.value.size > 1 for c in constants):
            return chain
        known = replace(chain, places=np.zeros((1, 1), np.int64))
    step = quantizer_step(
        visit.node, known, constants, runner=made.runner, name=visit.name, where=visit.where
    )
    return spatial.padded(chain.then(step), visit.where)


def _dense(made: Translation, visit: Visit) -> Value:
    node, chain, where = visit.node, visit.chain, visit.where
    constant = visit.constant(1)
    if constant is None or not visit.rest_constant:
        raise ModelError(
            f"{where}: weights must be constant and the second input, not computed; "
            "export the model again"
        )
    if attribute(node, "transA", 0):
        raise ModelError(f"{where}: transA must be 0, not 1; export the model again")
    if chain.places is not None and _is_image(chain, constant):
        return spatial.multiply(made, visit)
    if chain.places is not None and len(chain.shape) != 1:
        raise ModelError(
            f"{where}: input must be one vector an image, not "
            f"{' x '.join(map(str, chain.shape))}; put a Flatten before the layer"
        )
    source, start, dtype = materialise(made, chain)
    if chain.entry is None:
        # Nothing is known of the values but perhaps their type: enough to describe the layer.
        weights = oriented_weights(node, constant, where)
        outputs, inputs = weights.integers.shape
        if not isinstance(start.entry, Levels) or start.entry.labels is not None:
            return Chain("", None, np.arange(outputs)[None])
        start = replace(start, places=np.arange(inputs)[None])
    values = input_values(start, dtype, where)
    op, entry = dense(node, visit.name, source, values, start.order, constant, where)
    made.ops.append(op)
    made.sums[op.name] = entry
    assert start.places is not None
    batch = start.places.shape[0]
    sums = Chain(op.name, entry, np.arange(batch * op.elements).reshape(batch, -1))
    bias = visit.constant(2) if node.op_type == "Gemm" else None
    step = gemm_step(node, bias, op.elements, where) if node.op_type == "Gemm" else None
    return sums if step is None else sums.then(step)


def _is_image(chain: Chain, constant: Constant) -> bool:
    """A product multiplies windows, or every position, channels last."""
    if chain.patches is not None:
        return True
    return len(chain.shape) in (2, 3) and chain.shape[-1] == constant.value.shape[0]


# ----------------------------------------------------------------------------- the end


def _softmax(made: Translation, visit: Visit) -> Value:
    output = visit.node.output[0]
    readers = [n for n in made.model.graph.node if output in n.input]
    if any(reader.op_type not in CHOOSES for reader in readers):
        raise ModelError(_softmax_problem(visit.where))
    made.softmax[output] = visit.where, visit.node.input[0]
    return visit.chain


def _choose(_: Translation, visit: Visit) -> Value:
    chain, node, where = visit.chain, visit.node, visit.where
    if chain.places is None:
        return chain
    axis = int(attribute(node, "axis", -1 if node.op_type == "TopK" else 0))
    if prod(chain.shape[1:]) != 1 or axis not in (1, -len(chain.shape)):
        raise ModelError(f"{where}: must choose along the classes (axis 1), not {axis}; mend it")
    if node.op_type == "TopK":
        k = visit.constant(1)
        count = [attribute(node, "k", 0)] if k is None else k.value.reshape(-1).tolist()
        if count != [1] or not attribute(node, "largest", 1):
            raise ModelError(f"{where}: must choose the one greatest; set k = 1 and largest = 1")
    elif attribute(node, "select_last_index", 0):
        raise ModelError(f"{where}: must choose the first of equals; set select_last_index = 0")
    return Label(chain, visit.name, node.input[0])


def _after_label(node: onnx.NodeProto, inputs: list[Value | None], where: str) -> list[Value]:
    """Only what leaves the class index as it is may follow."""
    label = inputs[0]
    if node.op_type not in (*MOVES, "Cast") or not isinstance(label, Label):
        raise ModelError(f"{where}: must not follow the choice of the class; take it out")
    return [label]


HANDLERS: dict[str, Callable[[Translation, Visit], Value]] = {
    "quantizer": _quantize,
    "elementwise": _elementwise,
    "sum": join.add,
    "Concat": join.concat,
    "MatMul": _dense,
    "Gemm": _dense,
    "Conv": spatial.convolve,
    "MaxPool": spatial.max_pool,
    "MaxPoolNHWC": spatial.max_pool_nhwc,
    "GlobalMaxPool": spatial.global_max_pool,
    "AveragePool": spatial.average_pool,
    "GlobalAveragePool": spatial.global_average_pool,
    "Im2Col": spatial.im2col,
    **dict.fromkeys(REDUCE, spatial.reduce_image),
    "Pad": spatial.pad,
    **dict.fromkeys(MOVES, _move),
    **dict.fromkeys(SOFTMAX, _softmax),
    **dict.fromkeys(CHOOSES, _choose),
}
# What may stand between a Pad and the operator that slides over its image.
PADDED = ("Pad", "quantizer", "elementwise", "Identity", *SLIDING, *REDUCE)
