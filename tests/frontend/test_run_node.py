# SPDX-License-Identifier: Apache-2.0
"""Nodes run in NumPy are onnxruntime's, bit for bit; names are identifiers."""

import numpy as np
import onnx
import pytest
from onnx import helper

from hwbnn.frontend.names import identifier, node_names
from hwbnn.frontend.run_node import EXACT, NodeRunner
from hwbnn.frontend.weights import binary_grid
from hwbnn.ir.reserved import RESERVED


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
