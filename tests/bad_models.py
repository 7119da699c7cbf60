# SPDX-License-Identifier: Apache-2.0
"""Models that import must refuse, each wrong in exactly one way."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.models import mlp

SIZES = (16, 8, 8, 4)


def _plain(
    nodes: list[onnx.NodeProto], initializers: dict[str, np.ndarray], *, opset: int = 13
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "plain",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 16])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(value, name) for name, value in initializers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def float_mlp() -> onnx.ModelProto:
    """Make a float network: nothing is quantized."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Gemm", ["input", "w0", "b0"], ["a"], name="fc1", transB=1),
        helper.make_node("Relu", ["a"], ["b"], name="relu1"),
        helper.make_node("Gemm", ["b", "w1", "b1"], ["output"], name="fc2", transB=1),
    ]
    shapes = {"w0": (8, 16), "b0": (8,), "w1": (4, 8), "b1": (4,)}
    return _plain(nodes, {n: rng.normal(size=s).astype(np.float32) for n, s in shapes.items()})


def qcdq_mlp() -> onnx.ModelProto:
    """Make a QCDQ export: QuantizeLinear, Clip, DequantizeLinear in place of Quant."""
    rng = np.random.default_rng(0)
    constants: dict[str, np.ndarray] = {
        "scale": np.array(0.125, np.float32),
        "zero": np.array(0, np.int8),
        "low": np.array(-1, np.int8),
        "high": np.array(1, np.int8),
        "w0": rng.integers(-1, 2, (8, 16)).astype(np.int8),
        "w1": rng.integers(-1, 2, (4, 8)).astype(np.int8),
    }
    nodes = []
    value = "input"
    for index in range(2):
        names = [f"{stem}{index}" for stem in ("q", "c", "d", "dw", "t")]
        q, c, d, dw, t = names
        out = "output" if index else "m0"
        nodes += [
            helper.make_node("QuantizeLinear", [value, "scale", "zero"], [q], name=f"quant{index}"),
            helper.make_node("Clip", [q, "low", "high"], [c], name=f"clip{index}"),
            helper.make_node("DequantizeLinear", [c, "scale", "zero"], [d], name=f"dequant{index}"),
            helper.make_node("DequantizeLinear", [f"w{index}", "scale", "zero"], [dw], name=dw),
            helper.make_node("Transpose", [dw], [t], name=f"transpose{index}", perm=[1, 0]),
            helper.make_node("MatMul", [d, t], [out], name=f"matmul{index}"),
        ]
        value = out
    return _plain(nodes, constants)


def unsupported_mlp(operators: tuple[str, str] = ("Sigmoid", "Softmax")) -> onnx.ModelProto:
    """Make a network with two foreign operators, `foreign_1` and `foreign_2`, before quantizers."""
    model = mlp(SIZES, style="new")
    norms = [n for n in model.graph.node if n.op_type == "BatchNormalization"]
    for index, (norm, operator) in enumerate(zip(norms, operators, strict=True), start=1):
        position = list(model.graph.node).index(norm)
        output = norm.output[0]
        norm.output[0] = f"before_{index}"
        node = helper.make_node(operator, [norm.output[0]], [output], name=f"foreign_{index}")
        model.graph.node.insert(position + 1, node)
    return model


def _initializer(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    tensors: dict[str, onnx.TensorProto] = {t.name: t for t in model.graph.initializer}
    return tensors[name]


def _replace(model: onnx.ModelProto, name: str, value: np.ndarray) -> onnx.ModelProto:
    _initializer(model, name).CopyFrom(numpy_helper.from_array(value, name))
    for info in model.graph.input:
        if info.name == name:
            info.CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape))
    return model


def off_grid_weights() -> onnx.ModelProto:
    """Make a FINN-dialect network whose `weights_1` says BIPOLAR but holds one 0.5."""
    model = mlp(SIZES, style="finn")
    weights = numpy_helper.to_array(_initializer(model, "weights_1")).copy()
    weights[2, 3] = 0.5
    return _replace(model, "weights_1", weights)


def nan_weights() -> onnx.ModelProto:
    """Make a network with one NaN in `features.1.weight`."""
    model = mlp(SIZES)
    weights = numpy_helper.to_array(_initializer(model, "features.1.weight")).copy()
    weights[2, 3] = np.nan
    return _replace(model, "features.1.weight", weights)


def dynamic_shape(axis: int = 0) -> onnx.ModelProto:
    """Make a network whose input has a symbolic dimension."""
    model = mlp((784, 8, 4))
    model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = "batch"
    return model


def zero_size() -> onnx.ModelProto:
    """Make a network with no input features."""
    model = mlp(SIZES)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 0
    return _replace(model, "features.0.weight", np.zeros((8, 0), np.float32))


def huge_initializer() -> onnx.ModelProto:
    """Make a small file whose `features.1.weight` claims 1 GiB."""
    model = mlp(SIZES)
    tensor = _initializer(model, "features.1.weight")
    tensor.Clear()
    tensor.name, tensor.data_type = "features.1.weight", TensorProto.FLOAT
    tensor.dims.extend([1 << 14, 1 << 14])
    tensor.raw_data = bytes(64)
    return model


def external_data_outside() -> onnx.ModelProto:
    """Make a network whose `features.1.weight` lies in a file outside the model's folder."""
    model = mlp(SIZES)
    tensor = _initializer(model, "features.1.weight")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return model
