# SPDX-License-Identifier: Apache-2.0
"""One node in float32, as the oracle executes it: qonnx for quantizers, onnxruntime for the rest.

Additions, products and comparisons are exact in IEEE 754 whoever does them, so NumPy does those;
tests/frontend compares it with onnxruntime bit for bit.
"""

from collections.abc import Callable
from math import prod
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from hwbnn.errors import ModelError
from hwbnn.frontend.names import title

Array: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[Any]]
QONNX_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant", "MultiThreshold")
MAX_BYTES = 1 << 29  # of a value that only constants make

EXACT: dict[str, Callable[..., Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Neg": np.negative,
    "Abs": np.abs,
    "Relu": lambda x: np.maximum(x, np.float32(0)),
    "Identity": lambda x: x,
    "Dropout": lambda x, *_: x,
}
# Operators that may make constants: none makes much from little, but by broadcasting or gathering.
FOLDABLE = frozenset(
    """
    Abs Add Cast Ceil Clip Concat Constant ConstantOfShape Div Dropout Equal Erf Exp Flatten Floor
    Gather Greater
    GreaterOrEqual Identity Less LessOrEqual Log Max Min Mul Neg Pow Reciprocal ReduceMax ReduceMean
    ReduceSum Relu Reshape Round Shape Sign Slice Sqrt Squeeze Sub Tanh Transpose Unsqueeze Where
    Quant IntQuant BipolarQuant
    """.split()
)


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """Return an attribute's value, or the default."""
    for entry in node.attribute:
        if entry.name == name:
            value = helper.get_attribute_value(entry)
            return value.decode() if isinstance(value, bytes) else value
    return default


def is_quantizer(node: onnx.NodeProto) -> bool:
    """The node is one of qonnx' quantizers."""
    return node.domain in QONNX_DOMAINS and node.op_type in QUANTIZERS


def constant_value(node: onnx.NodeProto) -> Array:
    """Return a Constant node's tensor."""
    for entry in node.attribute:
        match entry.name:
            case "value":
                return numpy_helper.to_array(entry.t)
            case "value_float":
                return np.array(entry.f, np.float32)
            case "value_int":
                return np.array(entry.i, np.int64)
            case "value_floats":
                return np.array(entry.floats, np.float32)
            case "value_ints":
                return np.array(entry.ints, np.int64)
            case _:
                continue
    raise ModelError(f"{title(node)}: constant must be a tensor of numbers; export the model again")


class NodeRunner:
    """Executes nodes of one model; keeps onnxruntime's sessions, which are slow to make."""

    def __init__(self, model: onnx.ModelProto) -> None:
        versions = {entry.domain: entry.version for entry in model.opset_import}
        self._opset = versions.get("", versions.get("ai.onnx", 13))
        self._sessions: dict[bytes, Any] = {}

    def __call__(self, node: onnx.NodeProto, inputs: list[Array | None]) -> list[Array]:
        """Return the node's outputs; None stands for an optional input that is not given."""
        if node.op_type == "Constant":
            return [constant_value(node)]
        if is_quantizer(node):
            return [_quantize(node, [np.asarray(x) for x in inputs])]
        if node.domain in QONNX_DOMAINS and node.op_type in ("MaxPoolNHWC", "Im2Col"):
            return [self._channels_last(node, np.asarray(inputs[0]))]
        given = [x for x in inputs if x is not None]
        if node.op_type in EXACT and all(x.dtype == np.float32 for x in given):
            with np.errstate(all="ignore"):
                return [np.asarray(EXACT[node.op_type](*given), np.float32)]
        return self._onnxruntime(node, inputs)

    def fold(self, node: onnx.NodeProto, inputs: list[Array | None]) -> list[Array]:
        """Return the outputs of a node of constants; ModelError if they would be huge."""
        given = [x for x in inputs if x is not None]
        if not given:
            return self(node, inputs)
        if node.op_type == "Gather":
            size = given[1].size * (given[0].size // max(1, given[0].shape[0]))
        elif node.op_type == "Concat":
            size = sum(x.size for x in given)
        elif node.op_type == "ConstantOfShape":
            size = prod(int(extent) for extent in given[0].reshape(-1))
        else:
            try:
                size = prod(np.broadcast_shapes(*(x.shape for x in given)))
            except ValueError:
                size = max(x.size for x in given)
        if size * 8 > MAX_BYTES:
            raise ModelError(
                f"{title(node)}: constants must have at most {MAX_BYTES // 8} elements, "
                f"not {size}; export the model again"
            )
        return self(node, inputs)

    def _onnxruntime(self, node: onnx.NodeProto, inputs: list[Array | None]) -> list[Array]:
        import onnxruntime  # slow to import, and not needed to say that a model is wrong

        pairs = [(n, x) for n, x in zip(node.input, inputs, strict=True) if x is not None]
        feeds = dict(pairs)
        types: dict[str, int] = {
            name: helper.np_dtype_to_tensor_dtype(x.dtype) for name, x in feeds.items()
        }
        key = node.SerializeToString() + repr(sorted(types.items())).encode()
        if key not in self._sessions:
            self._sessions[key] = self._session(onnxruntime, node, types)
        try:
            return list(self._sessions[key].run(None, feeds))
        except Exception as error:  # onnxruntime's errors have no common class
            raise ModelError(_refusal(node, error)) from error

    def _channels_last(self, node: onnx.NodeProto, x: Array) -> Array:
        """Execute qonnx' operators on images (N, H, W, C), an Im2Col image by image as qonnx."""
        if node.op_type == "Im2Col":
            return np.concatenate([_im2col(node, image[None]) for image in x])
        plain = onnx.NodeProto()
        plain.CopyFrom(node)
        plain.op_type, plain.domain = "MaxPool", ""
        (result,) = self._onnxruntime(plain, [np.moveaxis(x, -1, 1)])
        return np.moveaxis(result, 1, -1)

    def _session(self, onnxruntime: Any, node: onnx.NodeProto, types: dict[str, int]) -> Any:
        outputs = [name for name in node.output[:1] if name]
        if node.op_type == "TopK":
            outputs = list(node.output)
        graph = helper.make_graph(
            [node],
            "node",
            [helper.make_tensor_value_info(name, kind, None) for name, kind in types.items()],
            [onnx.ValueInfoProto(name=name) for name in outputs],
        )
        opsets = [helper.make_opsetid("", self._opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        try:
            return onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # no common class here either
            raise ModelError(_refusal(node, error)) from error


def _refusal(node: onnx.NodeProto, error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    return f"{title(node)}: node must be executable, not «{text}»; export the model again"


def _quantize(node: onnx.NodeProto, inputs: list[Array]) -> Array:
    """Execute qonnx' own function of a quantizer; the result is float32 as in qonnx."""
    if node.op_type == "BipolarQuant":
        from qonnx.custom_op.general.bipolar_quant import binary_quant

        return np.asarray(binary_quant(*inputs), np.float32)
    if node.op_type == "MultiThreshold":
        return _multithreshold(node, *inputs)
    from qonnx.custom_op.general.intquant import int_quant

    signed, narrow = attribute(node, "signed", 1), attribute(node, "narrow", 1)
    mode = attribute(node, "rounding_mode", "ROUND")
    with np.errstate(all="ignore"):
        return np.asarray(int_quant(*inputs, signed, narrow, mode), np.float32)


def _multithreshold(node: onnx.NodeProto, x: Array, thresholds: Array) -> Array:
    """Execute qonnx' function with channels where the layout, or else the rank, puts them."""
    from qonnx.custom_op.general.multithreshold import multithreshold

    layout = attribute(node, "data_layout", "")
    layout = layout or {2: "NC", 3: "NWC", 4: "NCHW"}.get(x.ndim, "NC")
    axis = layout.index("C") if "C" in layout else 1
    scale, bias = attribute(node, "out_scale", 1.0), attribute(node, "out_bias", 0.0)
    values = multithreshold(x.swapaxes(axis, 1), thresholds, scale, bias)
    return np.asarray(values.swapaxes(axis, 1), np.float32)


def _im2col(node: onnx.NodeProto, x: Array) -> Array:
    """Execute qonnx' function on one image."""
    from qonnx.custom_op.general.im2col import compute_conv_output_dim, im2col_indices_nchw

    (kh, kw), (sh, sw) = attribute(node, "kernel_size", []), attribute(node, "stride", [])
    (dh, dw) = attribute(node, "dilations", [1, 1])
    pad, value = attribute(node, "pad_amount", [0] * 4), attribute(node, "pad_value", 0)
    _, height, width, channels = x.shape
    rows = compute_conv_output_dim(height, kh, sh, pad[0] + pad[2], dh)
    columns = compute_conv_output_dim(width, kw, sw, pad[1] + pad[3], dw)
    first = x.transpose(0, 3, 1, 2)
    taps = im2col_indices_nchw(first, height, width, kh, kw, pad, sh, sw, value, dh, dw)
    whole = taps.reshape(1, channels, kh, kw, rows, columns).transpose(0, 4, 5, 2, 3, 1)
    return np.asarray(whole.reshape(1, rows, columns, -1))
