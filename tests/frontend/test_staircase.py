# SPDX-License-Identifier: Apache-2.0
"""Staircases of random chains are the chains, on every integer of the range, bit for bit."""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from hwbnn.errors import ModelError
from hwbnn.frontend import import_model
from hwbnn.ir.dtype import BIPOLAR, IntArray, unsigned
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import Dense, Input, Staircase, Table
from hwbnn.sim.reference import evaluate

Floats = npt.NDArray[np.float32]
QONNX = "qonnx.custom_op.general"
CHANNELS = 7
ROUNDINGS = ("ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN")


@dataclass
class Nodes:
    """Nodes on `x` (points, channels), and their constants."""

    rng: np.random.Generator
    made: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    last: str = "x"

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def add(self, operator: str, *constants: Any, first: bool = True, **attributes: Any) -> None:
        names = [self.constant(value) for value in constants]
        inputs = [self.last, *names] if first else [*names, self.last]
        domain = QONNX if operator in ("Quant", "BipolarQuant", "MultiThreshold") else ""
        self.last = f"y{len(self.made)}"
        self.made.append(
            helper.make_node(
                operator, inputs, [self.last], f"n{len(self.made)}", domain=domain, **attributes
            )
        )

    def values(self, spread: float, *, signs: bool = True) -> Floats:
        """Per channel or one for all; some zero, some tiny, some negative."""
        shape = [(), (1,), (CHANNELS,), (1, CHANNELS)][self.rng.integers(0, 4)]
        values = self.rng.normal(0, spread, shape)
        values = np.where(self.rng.random(shape) < 0.1, 1e-30, values)
        values = np.where(self.rng.random(shape) < 0.1, 0.0, values)
        return np.asarray(values if signs else np.abs(values) + 0.01, np.float32)

    def step(self, spread: float, *, monotone: bool) -> None:
        rng = self.rng
        match rng.integers(0, 12 if monotone else 13):
            case 0 | 1 | 2:
                gamma = rng.normal(0, 1, CHANNELS) * (rng.random(CHANNELS) > 0.2)
                gamma[rng.integers(0, CHANNELS)] = 1e-20
                beta, mean = rng.normal(0, 1, CHANNELS), rng.normal(0, spread, CHANNELS)
                variance = rng.uniform(0, spread**2, CHANNELS)
                self.add("BatchNormalization", gamma, beta, mean, variance, epsilon=1e-5)
            case 3:
                self.add("Mul", self.values(1), first=bool(rng.integers(0, 2)))
            case 4:
                self.add("Div", self.values(1, signs=False))
            case 5:
                self.add("Add", self.values(spread / 3), first=bool(rng.integers(0, 2)))
            case 6:
                self.add("Sub", self.values(spread / 3), first=bool(rng.integers(0, 2)))
            case 7:
                self.add("Relu")
            case 8:
                self.add("Clip", -abs(rng.normal(0, spread)), abs(rng.normal(0, spread)))
            case 9:
                self.add("Identity")
            case 10:
                self.add("LeakyRelu", alpha=0.1)
            case 11:
                self.quantizer(spread, bits=6)
            case 12:
                self.add("Abs")

    def quantizer(self, spread: float, *, bits: int) -> None:
        rng, bits = self.rng, int(self.rng.integers(1, bits + 1))
        match rng.integers(0, 3):
            case 0:
                self.add("BipolarQuant", abs(rng.normal(0, 1)) + 0.1)
            case 1:
                signed, narrow = (int(x) for x in rng.integers(0, 2, 2))
                narrow = 0 if bits == 1 else narrow
                scale = np.abs(rng.normal(0, spread / 2**bits, rng.choice([1, CHANNELS]))) + 1e-3
                mode = str(rng.choice(ROUNDINGS))
                self.add("Quant", scale, 0, bits, signed=signed, narrow=narrow, rounding_mode=mode)
            case _:
                steps = int(rng.integers(1, 2**bits + 1))
                rows = int(rng.choice([1, CHANNELS]))
                thresholds = np.sort(rng.normal(0, spread, (rows, steps)), axis=1)
                scale, bias = (2.0, -1.0) if steps == 1 else (0.5, float(rng.integers(-3, 2)))
                self.add(
                    "MultiThreshold", thresholds, out_scale=scale, out_bias=bias, out_dtype="INT8"
                )


def network(nodes: Nodes, weights: Floats, *, pixels: bool) -> onnx.ModelProto:
    """Input, product with weights, the nodes, and a last product."""
    quantize = [] if pixels else [helper.make_node("Sub", ["in", "half"], ["centred"])]
    if not pixels:
        quantize += [helper.make_node("BipolarQuant", ["centred", "unit"], ["q"], domain=QONNX)]
    product = helper.make_node("MatMul", ["in" if pixels else "q", "w"], ["x"], name="product")
    start = [numpy_helper.from_array(weights, "w")]
    start += [numpy_helper.from_array(np.float32(v), n) for n, v in (("half", 128), ("unit", 1))]
    return _model(
        [*quantize, product, *nodes.made], [*start, *nodes.constants], len(weights), nodes.last
    )


def _model(
    nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto], inputs: int, last: str
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, inputs])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, CHANNELS])],
        constants,
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def oracle(nodes: Nodes, sums: Floats) -> Floats:
    """The nodes alone, executed by qonnx on (points, channels) sums."""
    graph = helper.make_graph(
        nodes.made,
        "nodes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, sums.shape)],
        [helper.make_tensor_value_info(nodes.last, TensorProto.FLOAT, sums.shape)],
        nodes.constants,
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapper = ModelWrapper(model).transform(InferShapes())
        return np.asarray(execute_onnx(wrapper, {"x": sums})[nodes.last])


def after_product(graph: Graph, points: IntArray) -> Floats:
    """The graph's output for given sums of its product."""
    product = next(op for op in graph.ops if isinstance(op, Dense))
    later = graph.ops[graph.ops.index(product) + 1 :]
    source = Input(product.name, CHANNELS, product.dtype)
    part = Graph("part", (source, *later), graph.output, (CHANNELS,), Preprocess())
    output = evaluate(part, np.repeat(points[:, None], CHANNELS, axis=1))[graph.output]
    if graph.output_values is None:
        return output.astype(np.float32)
    return graph.output_values.apply(output)


@pytest.mark.parametrize("seed", range(60))
def test_random_chains(seed: int) -> None:
    rng = np.random.default_rng([seed, 11])
    pixels, bits = seed % 3 == 0, 4
    inputs = 20
    spread = 3000.0 if pixels else 6.0
    nodes = Nodes(rng)
    for _ in range(rng.integers(0, 5)):
        nodes.step(spread, monotone=pixels)
    nodes.quantizer(spread, bits=bits)
    weights = rng.choice([-1, 1], (inputs, CHANNELS)).astype(np.float32)
    model = network(nodes, weights, pixels=pixels)
    graph = import_model(model, name="m", preprocess=Preprocess(1))
    low, high = product_range(graph)
    points = np.arange(low, high + 1)
    expected = oracle(nodes, np.repeat(points[:, None], CHANNELS, 1).astype(np.float32))
    assert np.array_equal(after_product(graph, points), expected)


def product_range(graph: Graph) -> tuple[int, int]:
    product = next(op for op in graph.ops if isinstance(op, Dense))
    ends = (
        product.weights * graph[product.source].dtype.min,
        product.weights * graph[product.source].dtype.max,
    )
    return (
        int(np.minimum(*ends).sum(1).min()),
        int(np.maximum(*ends).sum(1).max()),
    )


def one_quantizer(*steps: tuple[Any, ...], quantizer: tuple[Any, ...] = ()) -> Graph:
    """A graph of one product of 8 binary inputs, steps, and BipolarQuant."""
    nodes = Nodes(np.random.default_rng(0))
    for operator, *constants in steps:
        nodes.add(operator, *constants)
    if quantizer:
        nodes.add(quantizer[0], *quantizer[1:-1], **quantizer[-1])
    else:
        nodes.add("BipolarQuant", 1)
    weights = np.where(np.arange(8 * CHANNELS).reshape(8, CHANNELS) % 3, 1, -1).astype(np.float32)
    return import_model(network(nodes, weights, pixels=False), name="m", preprocess=Preprocess(1))


def last_staircase(graph: Graph) -> Staircase:
    assert isinstance(graph.ops[-1], Staircase)
    return graph.ops[-1]


def test_thresholds_of_constant_and_descending_channels() -> None:
    gain, offset = [1, -1, 0, 0, 1, 1, -1], [0.5, 0.5, 1, -1, 99, -99, 99]
    op = last_staircase(one_quantizer(("Mul", gain), ("Add", offset)))
    assert op.thresholds[:, 0].tolist() == [0, 1, -8, 9, -8, 9, -8]
    assert op.descending.tolist() == [False, True] + [False] * 5
    assert op.dtype == BIPOLAR and op.base == 0


def test_levels_never_reached_are_left_out() -> None:
    quant = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
    graph = one_quantizer(("Relu",), quantizer=("Quant", 1, 0, 4, quant))
    op = last_staircase(graph)
    assert op.dtype == unsigned(3) and op.base == 0 and op.steps == 7
    graph = one_quantizer(("Clip", 50, 60), quantizer=("Quant", 1, 0, 4, quant))
    op = last_staircase(graph)
    assert (op.base, op.steps, op.dtype) == (6, 1, unsigned(3))
    assert op.thresholds.tolist() == [[-8]]
    graph = one_quantizer(("Clip", 3, 3), quantizer=("Quant", 1, 0, 4, quant))
    op = last_staircase(graph)
    assert (op.base, op.thresholds.tolist()) == (3, [[9]])


def test_several_quantizers_make_one_staircase() -> None:
    quant = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    nodes = Nodes(np.random.default_rng(0))
    nodes.add("Quant", 0.3, 0, 4, **quant)
    nodes.add("Sub", 0.2)
    nodes.add("BipolarQuant", 1)
    weights = np.ones((8, CHANNELS), np.float32)
    graph = import_model(network(nodes, weights, pixels=False), name="m", preprocess=Preprocess(1))
    assert [type(op) for op in graph.ops] == [Input, Staircase, Dense, Staircase]


def test_non_monotone_is_a_table() -> None:
    graph = one_quantizer(("Abs",), ("Sub", 3.5))
    table = graph.ops[-1]
    assert isinstance(table, Table) and table.low == -8
    assert table.values.tolist() == [[1, 1, 1, 1, 1] + [-1] * 7 + [1, 1, 1, 1, 1]]


def test_whole_range_agrees_with_bisection() -> None:
    """A step that only happens to be monotone gives the thresholds of one that must be."""
    known = last_staircase(one_quantizer(("Sub", 2.5)))
    found = last_staircase(one_quantizer(("Add", 100), ("Abs",), ("Sub", 102.5)))
    assert np.array_equal(known.thresholds, found.thresholds)
    assert np.array_equal(known.descending, found.descending)


def test_overflow_is_refused() -> None:
    with pytest.raises(ModelError, match="result must be a number, not nan"):
        one_quantizer(("Div", 0.0))
