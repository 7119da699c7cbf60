# SPDX-License-Identifier: Apache-2.0
"""FINN's operators by their attributes, in NumPy: what an emitted graph computes, without FINN.

Written from the operators' documentation; tests/tools/test_finn.py has finn-plus do the same.
"""

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Array = np.ndarray[Any, Any]


def run(model: onnx.ModelProto, frame: Array) -> dict[str, Array]:
    """Return every tensor that a frame gives, by name."""
    values: dict[str, Array] = {
        tensor.name: numpy_helper.to_array(tensor).astype(np.int64)
        for tensor in model.graph.initializer
    }
    entry = model.graph.input[0]
    shape = [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
    values[entry.name] = frame.reshape(shape)
    types = types_of(model)
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        kind = node.op_type.rsplit("_", 1)[0]
        inputs = [values[name] for name in node.input]
        result = OPERATORS[kind](inputs, attributes)
        for name in node.output:
            values[name] = result
            assert list(result.shape) == shape_of(model, name), (node.name, result.shape)
            low, high = range_of(types[name])
            assert result.min() >= low and result.max() <= high, (node.name, types[name])
    return values


def types_of(model: onnx.ModelProto) -> dict[str, str]:
    """Return FINN's type of each tensor."""
    return {
        note.tensor_name: note.quant_parameter_tensor_names[0].value
        for note in model.graph.quantization_annotation
    }


def shape_of(model: onnx.ModelProto, name: str) -> list[int]:
    """Return the declared shape of a tensor."""
    infos = [*model.graph.value_info, *model.graph.output, *model.graph.input]
    (info,) = (info for info in infos if info.name == name)
    return [dim.dim_value for dim in info.type.tensor_type.shape.dim]


def range_of(dtype: str) -> tuple[int, int]:
    """Return the least and greatest value of one of FINN's types."""
    if dtype in ("BINARY", "BIPOLAR"):
        return (0, 1) if dtype == "BINARY" else (-1, 1)
    bits = int(dtype.removeprefix("U").removeprefix("INT"))
    return (0, 2**bits - 1) if dtype.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _thresholds(x: Array, thresholds: Array, base: int) -> Array:
    return (x[..., None] >= thresholds).sum(axis=-1) + base


def _mvau(inputs: list[Array], a: dict[str, Any]) -> Array:
    x, weights = inputs[:2]
    assert weights.shape == (a["MW"], a["MH"])
    assert a["MW"] % a["SIMD"] == a["MH"] % a["PE"] == 0
    assert list(x.shape[:-1]) == list(a["numInputVectors"])
    if a["binaryXnorMode"]:
        assert set(np.unique(x)) <= {0, 1} and set(np.unique(weights)) <= {0, 1}
        sums = (x[..., :, None] == weights).sum(axis=-2)
    else:
        sums = x @ weights
    if a["noActivation"]:
        return sums
    assert not a["binaryXnorMode"] or inputs[2].min() >= 0  # as FINN asserts
    return _thresholds(sums, inputs[2], a["ActVal"])


def _thresholding(inputs: list[Array], a: dict[str, Any]) -> Array:
    x, thresholds = inputs
    assert thresholds.shape == (thresholds.shape[0], a["numSteps"])
    assert thresholds.shape[0] in (1, a["NumChannels"])
    assert (np.diff(thresholds) >= 0).all(), "binary search"
    if a["inputDataType"].startswith(b"U"):
        assert thresholds.min() >= 0  # as FINN asserts
    return _thresholds(x, thresholds, a["ActVal"])


def _windows(inputs: list[Array], a: dict[str, Any]) -> Array:
    (x,) = inputs
    (kh, kw), (sh, sw), (dh, dw) = a["ConvKernelDim"], a["Stride"], a["Dilation"]
    oh, ow = a["OFMDim"]
    assert list(x.shape[1:]) == [*a["IFMDim"], a["IFMChannels"]]
    assert a["IFMChannels"] % a["SIMD"] == 0
    rows = [
        [
            x[0, r * sh : r * sh + kh * dh : dh, c * sw : c * sw + kw * dw : dw].reshape(-1)
            for c in range(ow)
        ]
        for r in range(oh)
    ]
    return np.array(rows)[None]


def _padding(inputs: list[Array], a: dict[str, Any]) -> Array:
    top, left, bottom, right = a["Padding"]
    return np.pad(inputs[0], ((0, 0), (top, bottom), (left, right), (0, 0)))


def _pool(inputs: list[Array], a: dict[str, Any]) -> Array:
    (x,) = inputs
    taps = x.reshape(*x.shape[:-1], -1, a["Channels"])
    return taps.max(axis=-2) if a["Function"] == b"MaxPool" else taps.sum(axis=-2)


def _elementwise(operation: Any) -> Any:
    def run(inputs: list[Array], a: dict[str, Any]) -> Array:
        left, right = inputs
        assert list(left.shape) == list(a["lhs_shape"]) and list(right.shape) == list(
            a["rhs_shape"]
        )
        result: Array = operation(left, right)
        return result

    return run


OPERATORS = {
    "MVAU": _mvau,
    "Thresholding": _thresholding,
    "ConvolutionInputGenerator": _windows,
    "FMPadding": _padding,
    "Pool": _pool,
    "ElementwiseMul": _elementwise(np.multiply),
    "ElementwiseAdd": _elementwise(np.add),
    "Reshape": lambda inputs, a: inputs[0].reshape(list(a["out_shape"])),
    "GlobalAccPool": lambda inputs, a: inputs[0].sum(axis=(1, 2), keepdims=True),
    "StreamingConcat": lambda inputs, a: np.concatenate(inputs, axis=-1),
    "LabelSelect": lambda inputs, a: inputs[0].argmax(axis=-1, keepdims=True),
    "DuplicateStreams": lambda inputs, a: inputs[0],
    "StreamingFIFO": lambda inputs, a: inputs[0],
    "StreamingDataWidthConverter": lambda inputs, a: inputs[0],
}
