# SPDX-License-Identifier: Apache-2.0
"""Nodes run in NumPy are onnxruntime's, bit for bit; names are identifiers."""

import numpy as np
import onnx
import pytest
from onnx import helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from hwbnn.frontend.names import identifier, node_names
from hwbnn.frontend.run_node import EXACT, NodeRunner
from hwbnn.frontend.weights import binary_grid
from hwbnn.ir.reserved import RESERVED

QONNX = "qonnx.custom_op.general"


def runner() -> NodeRunner:
    return NodeRunner(
        helper.make_model(onnx.GraphProto(), opset_imports=[helper.make_opsetid("", 13)])
    )


@pytest.mark.parametrize("operator", sorted(set(EXACT) - {"Dropout"}))
def test_numpy_is_onnxruntime(operator: str) -> None:
    rng = np.random.default_rng(0)
    size = (501, 33)
    first = (rng.normal(size=size) * 10.0 ** rng.integers(-30, 30, size)).astype(np.float32)
    second = (rng.normal(size=(33,)) * 10.0 ** rng.integers(-6, 6, 33)).astype(np.float32)
    first[0, :5] = [0, -0.0, 1, -1, np.float32(1e-42)]
    inputs = [first, second] if operator in ("Add", "Sub", "Mul", "Div") else [first]
    node = helper.make_node(operator, ["a", "b"][: len(inputs)], ["y"])
    run = runner()
    with np.errstate(over="ignore"):
        ours = run(node, list(inputs))[0]
    theirs = run._onnxruntime(node, list(inputs))[0]
    assert ours.dtype == theirs.dtype == np.float32
    assert np.array_equal(ours, theirs)


def test_batch_norm_does_not_depend_on_the_batch() -> None:
    rng = np.random.default_rng(0)
    node = helper.make_node("BatchNormalization", list("xgbmv"), ["y"], epsilon=1e-5)
    x, (g, b, m) = rng.normal(size=(37, 9)).astype(np.float32) * 50, rng.normal(size=(3, 9))
    constants = [a.astype(np.float32) for a in (g, b, m, rng.random(9))]
    run = runner()
    whole = run(node, [x, *constants])[0]
    single = np.concatenate([run(node, [row[None], *constants])[0] for row in x])
    assert np.array_equal(whole, single)


def test_batch_norm_does_not_depend_on_the_layout() -> None:
    rng = np.random.default_rng(0)
    node = helper.make_node("BatchNormalization", list("xgbmv"), ["y"], epsilon=1e-5)
    x = (rng.normal(size=(3, 9, 6, 7)) * 50).astype(np.float32)
    constants = [a.astype(np.float32) for a in (*rng.normal(size=(3, 9)), rng.random(9))]
    run = runner()
    rows = run(node, [np.moveaxis(x, 1, -1).reshape(-1, 9), *constants])[0]
    images = run(node, [x, *constants])[0]
    assert np.array_equal(np.moveaxis(images, 1, -1).reshape(-1, 9), rows)


SHAPES = [((2, 4, 8, 8), (6, 4, 3, 3), 1), ((2, 4, 8, 8), (4, 1, 3, 3), 4),
          ((1, 256, 6, 6), (64, 256, 3, 3), 1), ((2, 600, 5, 5), (32, 600, 1, 1), 1),
          ((2, 600, 1, 40), (8, 150, 1, 5), 4), ((2, 6, 9), (8, 3, 3), 2)]  # fmt: skip


@pytest.mark.parametrize(("image", "kernel", "groups"), SHAPES)
def test_convolution_adds_its_bias_last(
    image: tuple[int, ...], kernel: tuple[int, ...], groups: int
) -> None:
    """So one addition of floats behind an exact sum is the model's own."""
    rng = np.random.default_rng(0)
    x = rng.integers(-99, 100, image).astype(np.float32)
    weights = rng.integers(-3, 4, kernel).astype(np.float32)
    bias = (rng.normal(size=kernel[0]) * 77).astype(np.float32)
    run = runner()
    plain = run(helper.make_node("Conv", list("xw"), ["y"], group=groups), [x, weights])[0]
    node = helper.make_node("Conv", list("xwb"), ["y"], group=groups)
    added = plain + bias.reshape(-1, *(1,) * (len(image) - 2))
    assert np.array_equal(run(node, [x, weights, bias])[0], added)


@pytest.mark.parametrize("kernel", [(3, 3), (5, 7), (9, 11)])
@pytest.mark.parametrize("operator", ["AveragePool", "GlobalAveragePool", "ReduceMean"])
def test_average_divides_the_sum(operator: str, kernel: tuple[int, int]) -> None:
    """And does not multiply by a rounded reciprocal."""
    x = np.random.default_rng(0).integers(-5000, 5000, (20, 8, *kernel)).astype(np.float32)
    attributes = {"AveragePool": {"kernel_shape": kernel}, "ReduceMean": {"axes": [2, 3]}}
    node = helper.make_node(operator, ["x"], ["y"], **attributes.get(operator, {}))
    total = x.sum(axis=(2, 3), keepdims=True, dtype=np.float64)
    assert np.array_equal(
        runner()(node, [x])[0], total.astype(np.float32) / np.float32(x[0, 0].size)
    )


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("MaxPoolNHWC", {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [1, 0, 1, 0]}),
        ("Im2Col", {"kernel_size": [2, 3], "stride": [2, 1], "input_shape": "(1, 6, 7, 3)"}),
        ("Im2Col", {"kernel_size": [3, 2], "stride": [1, 2], "input_shape": "(1, 6, 7, 3)",
                    "pad_amount": [1, 0, 2, 1], "dilations": [2, 1], "pad_value": 1}),
    ],
)  # fmt: skip
def test_operators_of_finn_are_those_of_qonnx(operator: str, attributes: dict[str, object]) -> None:
    node = helper.make_node(operator, ["x"], ["y"], domain=QONNX, **attributes)
    images = np.random.default_rng(0).integers(-8, 8, (3, 6, 7, 3)).astype(np.float32)
    run = runner()(node, [images])[0]
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 6, 7, 3])
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    graph = helper.make_graph([node], "g", [value], [result])
    wrapper = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8))
    wrapper.set_tensor_datatype("x", DataType["INT4"])
    wrapper = wrapper.transform(InferShapes())
    expected = [execute_onnx(wrapper, {"x": image[None]})["y"] for image in images]
    assert np.array_equal(run, np.concatenate(expected))


def test_binary_grid() -> None:
    powers, multiples = binary_grid(np.array([[0.75, -1.5, 0, 6], [1, 2, 4, 0], [0, 0, 0, 0]]))
    assert powers[:, 0].tolist() == [-2, 0, 0]
    assert multiples.tolist() == [[3, 6, 0, 24], [1, 2, 4, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/features/fc1/MatMul", "features_fc1_MatMul"),
        ("node_QuantÜ__2", "node_Quant_2"),
        ("12", "matmul_0_12"),
        ("", "matmul_0"),
        ("module", "module_"),
        ("a.b", "a_b"),
    ],
)
def test_identifier(name: str, expected: str) -> None:
    assert identifier(name, fallback="matmul_0") == expected
    assert expected not in RESERVED


def test_names_and_their_edges_are_unique() -> None:
    names = ["a", "a_out", "a", "a.", "", "", "b_out", "b"]
    nodes = [helper.make_node("Relu", ["x"], [f"y{i}"], name) for i, name in enumerate(names)]
    graph = helper.make_graph(nodes, "g", [], [])
    found = node_names(graph)
    everything = [*found, *(f"{name}_out" for name in found)]
    assert len(set(everything)) == len(everything)
