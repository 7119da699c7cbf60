# SPDX-License-Identifier: Apache-2.0
"""Graphs and designs made by hand for the tests; the oracle of the passes is `evaluate`."""

from itertools import pairwise

import numpy as np

from hwbnn.ir.design import Design
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, smallest, unsigned
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import ArgMax, Dense, Input, Op, Staircase, Table, count_to_value
from hwbnn.passes import LayerFolding, adapt, fold, lower, size_fifos

TFC = (784, 64, 64, 64, 10)


def binary_mlp(sizes: tuple[int, ...] = TFC, *, seed: int = 0, argmax: bool = False) -> Graph:
    """A random network of 1-bit weights and activations on thresholded uint8 pixels."""
    rng = np.random.default_rng(seed)
    ops: list[Op] = [
        Input("x", sizes[0], unsigned(8)),
        Staircase("q", "x", sizes[0], np.array([[128]]), np.array([False]), 0, BIPOLAR),
    ]
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        name = f"fc{layer}"
        weights = rng.choice([-1, 1], (outputs, inputs))
        ops.append(Dense(name, ops[-1].name, weights, BIPOLAR, smallest(-inputs, inputs)))
        if layer < len(sizes) - 2:
            spread = int(inputs**0.5) + 1
            thresholds = rng.integers(-spread, spread, (outputs, 1))
            thresholds[0] = inputs + 1  # a dead neuron
            down = rng.random(outputs) < 0.4
            ops.append(Staircase(f"a{layer}", name, outputs, thresholds, down, 0, BIPOLAR))
    if argmax:
        ops.append(ArgMax("label", ops[-1].name, smallest(0, sizes[-1] - 1)))
    return Graph("mlp", tuple(ops), ops[-1].name, (sizes[0],), Preprocess())


def integer_mlp(data: DType, weight: DType, out: DType, *, seed: int = 0) -> Graph:
    """Two products with a staircase of `out` between, after a table from uint8 to `data`."""
    rng = np.random.default_rng([seed, data.bits, weight.bits, out.bits])
    table = data.decode(rng.integers(0, 1 << data.bits, (1, 256)))
    ops: list[Op] = [Input("x", 20, unsigned(8)), Table("q", "x", 20, table, 0, data)]
    for name, (rows, columns) in {"fc0": (12, 20), "fc1": (6, 12)}.items():
        weights = weight.decode(rng.integers(0, 1 << weight.bits, (rows, columns)))
        source = ops[-1].dtype
        bound = int(np.abs(weights).sum(axis=1).max()) * max(-source.min, source.max)
        ops.append(Dense(name, ops[-1].name, weights, weight, smallest(-bound - 1, bound)))
        if name == "fc0":
            steps = 1 if out.kind is Kind.BIPOLAR else (1 << out.bits) - 1
            thresholds = np.sort(rng.integers(-bound // 3 - 1, bound // 3 + 2, (rows, steps)))
            down = rng.random(rows) < 0.5
            ops.append(Staircase("a0", "fc0", rows, thresholds, down, out.min, out))
    return Graph("integers", tuple(ops), "fc1", (20,), Preprocess())


def evaluate(graph: Graph, frames: IntArray) -> IntArray:
    """Evaluate a graph literally, operator by operator, in int64."""
    values = {graph.input.name: frames}
    for op in graph.ops[1:]:
        assert not isinstance(op, Input)
        x = values[op.source]
        match op:
            case Dense():
                y = x @ op.weights.T
            case Staircase():
                count = (x[..., None] >= op.thresholds).sum(axis=-1)
                count = np.where(op.descending, op.steps - count, count)
                y = count_to_value(count, base=op.base, dtype=op.dtype)
            case Table():
                rows = 0 if op.values.shape[0] == 1 else np.arange(op.elements)
                y = op.values[rows, x - op.low]
            case ArgMax():
                y = x.argmax(axis=1, keepdims=True)
        values[op.name] = y
    return values[graph.output]


def pixels(graph: Graph, count: int, *, seed: int = 0) -> IntArray:
    """Random frames for a graph."""
    dtype = graph.input.dtype
    rng = np.random.default_rng(seed)
    return dtype.decode(rng.integers(0, 1 << dtype.bits, (count, graph.input.elements)))


def finished(graph: Graph, foldings: dict[str, LayerFolding] | None = None) -> Design:
    """Lower, fold, adapt and size the FIFOs."""
    return size_fifos(adapt(fold(lower(graph), foldings=foldings or {})))


TFC_64_CYCLES = {
    "q": LayerFolding(49),
    "fc0": LayerFolding(16, 49),
    "fc1": LayerFolding(8, 8),
    "fc2": LayerFolding(8, 8),
    "fc3": LayerFolding(10, 8),
}
TFC_UNROLLED = {
    "q": LayerFolding(784),
    "fc0": LayerFolding(64, 784),
    "fc1": LayerFolding(64, 64),
    "fc2": LayerFolding(64, 64),
    "fc3": LayerFolding(10, 64),
}
