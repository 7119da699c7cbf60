# SPDX-License-Identifier: Apache-2.0
"""Elementwise: a node between an integer and a quantizer as a step of a chain."""

from dataclasses import dataclass

import numpy as np
import onnx

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Chain, Labels, Quantizer, Step, joined
from hwbnn.frontend.run_node import Array, NodeRunner, attribute
from hwbnn.frontend.weights import Constant, quantizer_dtype
from hwbnn.ir.dtype import BIPOLAR, IntArray, smallest
from hwbnn.ir.graph import Arithmetic, FloatArray

ARITHMETIC = {
    "Add": Arithmetic.ADD,
    "Sub": Arithmetic.SUBTRACT,
    "Mul": Arithmetic.MULTIPLY,
    "Div": Arithmetic.DIVIDE,
}
BINARY = frozenset({"Add", "Sub", "Mul", "Div", "Max", "Min"})
UNARY = frozenset(
    {"Relu", "Neg", "Abs", "LeakyRelu", "HardSigmoid", "Floor", "Ceil", "Round", "Sign", "Clip"}
)
CHANNELWISE = frozenset({"BatchNormalization", "PRelu"})
ELEMENTWISE = BINARY | UNARY | CHANNELWISE


def elementwise_step(
    node: onnx.NodeProto, chain: Chain, inputs: list[Constant | Chain | None], *,
    runner: NodeRunner, where: str,
) -> Step:  # fmt: skip
    """Return the step of a node of which one input is the chain, all others constant."""
    place = next(i for i, value in enumerate(inputs) if isinstance(value, Chain))
    if node.op_type in CHANNELWISE and place != 0:
        raise ModelError(f"{where}: input must be the first; export the model again")
    if node.op_type == "BatchNormalization" and attribute(node, "training_mode", 0):
        raise ModelError(
            f"{where}: must be in inference mode, not training; call model.eval() before the export"
        )
    spread = _channel_values if node.op_type == "BatchNormalization" else _element_values
    constants = [
        spread(value, chain, where) if isinstance(value, Constant) else None for value in inputs
    ]
    clean = _node(node, len(inputs))

    def evaluate(x: FloatArray, columns: IntArray) -> FloatArray:
        given = [None if values is None else values.at(columns) for values in constants]
        given[place] = x
        return runner(clean, given)[0].reshape(x.shape)

    labels = joined(values.labels for values in constants if values is not None)
    monotone = _monotone(node, place, constants)
    return Step(where, evaluate, labels, monotone, arithmetic=_arithmetic(node, place, constants))


@dataclass(frozen=True, eq=False)
class Values:
    """A node's constant for the elements of a value: one for all, or one a label."""

    floats: Array
    labels: Labels

    def at(self, columns: IntArray) -> Array:
        """Return the constant for some elements: a scalar, or one each."""
        return self.floats.reshape(()) if self.labels is None else self.floats[self.labels[columns]]


def _node(node: onnx.NodeProto, inputs: int) -> onnx.NodeProto:
    """The node with plain names: its values come as (points, elements)."""
    clean = onnx.NodeProto()
    clean.CopyFrom(node)
    del clean.input[:], clean.output[:]
    clean.input.extend(f"x{i}" if node.input[i] else "" for i in range(inputs))
    clean.output.append("y")
    kept = [a for a in clean.attribute if a.name != "data_layout"]
    del clean.attribute[:]
    clean.attribute.extend(kept)
    return clean


def _arithmetic(
    node: onnx.NodeProto, place: int, constants: list[Values | None]
) -> tuple[Arithmetic, FloatArray] | None:
    """What the node does to the chain, if it is one operation with one constant a label."""
    arithmetic = ARITHMETIC.get(node.op_type)
    operand = constants[1 - place] if arithmetic is not None else None
    ordered = arithmetic in (Arithmetic.SUBTRACT, Arithmetic.DIVIDE)
    if arithmetic is None or operand is None or (ordered and place != 0):
        return None
    return arithmetic, operand.floats


def _monotone(node: onnx.NodeProto, place: int, constants: list[Values | None]) -> bool:
    match node.op_type:
        case "Abs":
            return False
        case "Div":
            return place == 0
        case "LeakyRelu":
            return float(attribute(node, "alpha", 0.01)) >= 0
        case "PRelu":
            return constants[1] is not None and bool((constants[1].floats >= 0).all())
        case _:
            return True


def _labels(places: IntArray, chain: Chain) -> IntArray:
    """Labels of the tensor's elements in the order of the operator's value."""
    ordered = np.empty(chain.elements, np.int64)
    ordered[chain.order] = np.broadcast_to(places, chain.shape).reshape(-1)
    return ordered


def _element_values(constant: Constant, chain: Chain, where: str) -> Values:
    """A constant per element, or a scalar; it must not widen the value nor tell images apart."""
    value = constant.value
    if value.dtype != np.float32:
        raise ModelError(f"{where}: {constant.name} must be float32, not {value.dtype}")
    if value.size == 1 and value.ndim <= len(chain.shape) + 1:
        return Values(value.reshape(-1), None)
    assert chain.places is not None
    shape = chain.places.shape
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits or (value.ndim == len(shape) and value.shape[0] != 1):
        text = " x ".join(map(str, value.shape))
        raise ModelError(
            f"{where}: {constant.name} must be a constant per element or channel of "
            f"{' x '.join(map(str, chain.shape))}, not {text}; export the model again"
        )
    one = value.reshape(value.shape[1:]) if value.ndim == len(shape) else value
    return Values(value.reshape(-1), _labels(np.arange(value.size).reshape(one.shape), chain))


def _channel_values(constant: Constant, chain: Chain, where: str) -> Values:
    """A batch norm's parameter, one a channel (axis 1), per element."""
    channels = chain.shape[0]
    if constant.value.shape != (channels,):
        text = " x ".join(map(str, constant.value.shape))
        raise ModelError(
            f"{where}: {constant.name} must have {channels} channels, not {text}; "
            "export the model again"
        )
    return Values(constant.value, _labels(_along(0, chain), chain))


def _along(axis: int, chain: Chain) -> IntArray:
    """Index along an axis of one image's value, to be broadcast."""
    shape = [1] * len(chain.shape)
    shape[axis] = -1
    return np.arange(chain.shape[axis]).reshape(shape)


def quantizer_step(
    node: onnx.NodeProto, chain: Chain, constants: list[Constant], *,
    runner: NodeRunner, name: str, where: str,
) -> Step:  # fmt: skip
    """Return the step of a Quant, BipolarQuant or MultiThreshold on a chain."""
    if node.op_type == "MultiThreshold":
        return _multithreshold_step(
            node, chain, constants[0], runner=runner, name=name, where=where
        )
    dtype = quantizer_dtype(node, [np.zeros(1), *(c.value for c in constants)], where)
    scale = _element_values(constants[0], chain, where)
    rest = [c.value.reshape(()) for c in constants[1:]]
    clean = _node(node, 2 + len(rest))
    if dtype == BIPOLAR:
        levels = np.array([-1, 1])
    else:
        narrow = int(attribute(node, "narrow", 1))
        low = dtype.min + (narrow if dtype.signed else 0)
        levels = np.arange(low, dtype.max + 1 - (narrow if not dtype.signed else 0))
    floats = levels.astype(np.float32)[:, None] * scale.floats

    def evaluate(x: FloatArray, columns: IntArray) -> FloatArray:
        return runner(clean, [x, scale.at(columns), *rest])[0]

    unit = scale.floats.astype(np.float64)
    quantizer = Quantizer(
        name, node.output[0], dtype, levels, floats, unit, chain.order, scale.labels
    )
    return Step(where, evaluate, scale.labels, quantizer=quantizer)


def _multithreshold_step(
    node: onnx.NodeProto, chain: Chain, constant: Constant, *,
    runner: NodeRunner, name: str, where: str,
) -> Step:  # fmt: skip
    rows, labels = _threshold_rows(node, chain, constant.value, where)
    scale = np.float32(attribute(node, "out_scale", 1.0))
    bias = np.float32(attribute(node, "out_bias", 0.0))
    if not scale > 0:
        raise ModelError(f"{where}: out_scale must be positive, not {scale:g}")
    steps = rows.shape[1]
    counts = np.arange(steps + 1)
    floats = scale * counts.astype(np.float32)[:, None] + bias
    first = float(bias) / float(scale)
    if steps == 1 and first == -0.5:
        dtype, levels, unit, offset = BIPOLAR, np.array([-1, 1]), float(scale) / 2, 0.0
    elif first == int(first):
        levels, unit, offset = counts + int(first), float(scale), 0.0
        dtype = smallest(int(levels[0]), int(levels[-1]))
    else:
        levels, unit, offset = counts, float(scale), float(bias)
        dtype = smallest(0, steps)
    clean = _node(node, 2)
    quantizer = Quantizer(
        name, node.output[0], dtype, levels, floats, np.full(1, unit), chain.order, offset=offset
    )

    def evaluate(x: FloatArray, columns: IntArray) -> FloatArray:
        return runner(clean, [x, rows if labels is None else rows[labels[columns]]])[0]

    return Step(where, evaluate, labels, quantizer=quantizer, width=max(1, steps // 4))


def _threshold_rows(
    node: onnx.NodeProto, chain: Chain, value: Array, where: str
) -> tuple[Array, Labels]:
    """Thresholds (rows, steps), and the row of each element."""
    rank = len(chain.shape) + 1
    layout = str(attribute(node, "data_layout", "")) or {3: "NWC", 4: "NCHW"}.get(rank, "NC")
    axis = (layout.index("C") if "C" in layout else 1) - 1
    if value.ndim != 2 or axis >= rank - 1 or value.shape[0] not in (1, chain.shape[axis]):
        text = " x ".join(map(str, value.shape))
        channels = chain.shape[min(axis, rank - 2)]
        raise ModelError(
            f"{where}: thresholds must be (1 or {channels}, steps), not {text}; "
            "export the model again"
        )
    return value, None if value.shape[0] == 1 else _labels(_along(axis, chain), chain)
