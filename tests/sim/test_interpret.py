# SPDX-License-Identifier: Apache-2.0
"""The interpreter against the plain definition, on random graphs of every kind."""

import numpy as np
import pytest

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, signed, smallest, unsigned
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import ArgMax, Dense, Input, Op, Staircase, Table
from hwbnn.sim.interpret import Interpreter
from hwbnn.sim.reference import reference
from tests.quick import quick

ACTIVATIONS = (
    BIPOLAR,
    unsigned(1),
    signed(1),
    unsigned(2),
    signed(2),
    signed(3),
    unsigned(4),
    unsigned(8),
    signed(8),
    signed(11),
)
WEIGHTS = (BIPOLAR, unsigned(1), signed(2), signed(4), signed(8))


def draw(rng: np.random.Generator, dtype: DType, shape: tuple[int, ...]) -> IntArray:
    return dtype.decode(rng.integers(0, 1 << dtype.bits, shape))


def stairs(
    rng: np.random.Generator,
    source: str,
    elements: int,
    low: int,
    high: int,
    out: DType,
    *,
    shared: bool = False,
) -> Staircase:
    """Random thresholds, some out of reach on either side, some channels descending."""
    rows = 1 if shared else elements
    steps = 1 if out.kind is Kind.BIPOLAR else (1 << out.bits) - 1
    thresholds = rng.integers(low, high + 2, (rows, steps))
    thresholds[rng.random(rows) < 0.1] = high + 1
    thresholds[rng.random(rows) < 0.1] = low
    down = rng.random(rows) < 0.4
    return Staircase("", source, elements, np.sort(thresholds, axis=1), down, out.min, out)


def dense(rng: np.random.Generator, source: Op, outputs: int, weight: DType) -> Dense:
    weights = draw(rng, weight, (outputs, source.elements))
    ends = weights * source.dtype.min, weights * source.dtype.max
    low, high = (int(f(*ends).sum(axis=1).min()) for f in (np.minimum, np.maximum))
    high = int(np.maximum(*ends).sum(axis=1).max())
    return Dense("", source.name, weights, weight, smallest(min(low, 0), max(high, 0)))


def named(op: Op, index: int) -> Op:
    from dataclasses import replace

    return replace(op, name=f"v{index}")


def random_graph(seed: int, *, data: DType | None = None, weight: DType | None = None) -> Graph:
    rng = np.random.default_rng(seed)
    kinds = (unsigned(8), BIPOLAR, unsigned(1), signed(4), signed(9), unsigned(3))
    first = data or kinds[rng.integers(len(kinds))]
    sizes = [int(n) for n in rng.choice([1, 3, 10, 63, 64, 65, 100, 128, 200], 4)]
    ops: list[Op] = [Input("v0", sizes[0], first)]

    def add(op: Op) -> None:
        ops.append(named(op, len(ops)))

    if rng.random() < 0.4:
        out = ACTIVATIONS[rng.integers(len(ACTIVATIONS) - 1)]
        shared = rng.random() < 0.5
        add(stairs(rng, "v0", sizes[0], first.min, first.max, out, shared=shared))
    elif rng.random() < 0.4:
        out = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
        rows = sizes[0] if rng.random() < 0.5 else 1
        values = draw(rng, out, (rows, first.max - first.min + 1))
        add(Table("", "v0", sizes[0], values, first.min, out))
    for index, outputs in enumerate(sizes[1:]):
        kind = weight or WEIGHTS[rng.choice(len(WEIGHTS), p=[0.6, 0.1, 0.1, 0.1, 0.1])]
        product = dense(rng, ops[-1], outputs, kind)
        add(product)
        if index < len(sizes) - 2:
            out = data or ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
            half = product.weights.shape[1] // 2 + 2
            low, high = max(product.dtype.min, -half), min(product.dtype.max, half)
            add(stairs(rng, ops[-1].name, outputs, low, high, out, shared=rng.random() < 0.2))
    if rng.random() < 0.4:
        add(ArgMax("", ops[-1].name, smallest(0, sizes[-1] - 1)))
    elif rng.random() < 0.3:
        add(stairs(rng, ops[-1].name, sizes[-1], -9, 9, unsigned(2)))
    return Graph("random", tuple(ops), ops[-1].name, (sizes[0],), Preprocess())


def agree(graph: Graph, frames: IntArray) -> None:
    expected = reference(graph, frames)
    found = Interpreter(graph).run(frames)
    assert found.dtype == np.int64
    assert (found == expected).all()


@pytest.mark.parametrize("seed", quick(range(120), first=40))
def test_random_graphs(seed: int) -> None:
    graph = random_graph(seed)
    rng = np.random.default_rng(seed)
    agree(graph, draw(rng, graph.input.dtype, (int(rng.integers(1, 90)), graph.input.elements)))


@pytest.mark.parametrize("weight", WEIGHTS, ids=str)
@pytest.mark.parametrize("data", ACTIVATIONS, ids=str)
def test_every_combination_of_types(data: DType, weight: DType) -> None:
    for seed in range(3):
        graph = random_graph(1000 + seed, data=data, weight=weight)
        rng = np.random.default_rng(seed)
        agree(graph, draw(rng, data, (20, graph.input.elements)))


def test_bytes_are_pixels() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        graph = random_graph(seed, data=unsigned(8), weight=BIPOLAR)
        frames = rng.integers(0, 256, (30, graph.input.elements))
        narrow = Interpreter(graph).run(frames.astype(np.uint8))
        assert (narrow == reference(graph, frames)).all()


def test_thresholds_out_of_a_pixels_range() -> None:
    rows = np.array([[0], [1], [255], [256], [-5], [1000]])
    down = np.array([False, True] * 3)
    quantizer = Staircase("q", "x", 6, rows, down, 0, BIPOLAR)
    graph = Graph("q", (Input("x", 6, unsigned(8)), quantizer), "q", (6,), Preprocess())
    frames = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 6, axis=1)
    agree(graph, frames)


def test_a_value_with_two_readers() -> None:
    rng = np.random.default_rng(3)
    source = Input("v0", 70, BIPOLAR)
    product = named(dense(rng, source, 66, BIPOLAR), 1)
    one = named(stairs(rng, "v1", 66, -20, 20, unsigned(2)), 2)
    two = named(stairs(rng, "v1", 66, -20, 20, BIPOLAR), 3)
    graph = Graph("two", (source, product, one, two), "v3", (70,), Preprocess())
    agree(graph, draw(rng, BIPOLAR, (9, 70)))


def test_sums_beyond_float32_are_exact() -> None:
    """Sums just beyond the integers of float32, of float64, and in the staircase behind them."""
    rng = np.random.default_rng(4)
    for data, weight in (
        (signed(12), signed(8)),
        (signed(16), signed(12)),
        (signed(28), signed(24)),
    ):
        source = Input("v0", 101, data)
        weights = draw(rng, weight, (20, 101))
        weights[0], weights[1] = weight.max, -weight.max
        dtype = smallest(-101 << data.bits + weight.bits - 2, 101 << data.bits + weight.bits - 2)
        product = Dense("v1", "v0", weights, weight, dtype)
        frames = draw(rng, data, (8, 101))
        frames[0], frames[1] = data.max, data.min
        agree(Graph("wide", (source, product), "v1", (101,), Preprocess()), frames)
        sums = frames @ weights.T
        rows = np.sort(np.stack([sums[0], sums[0] + 1, sums[1]], axis=1), axis=1)
        stairs = Staircase("v2", "v1", 20, rows, np.array([False]), 0, unsigned(2))
        agree(Graph("wide", (source, product, stairs), "v2", (101,), Preprocess()), frames)


def test_many_frames_in_batches() -> None:
    graph = random_graph(7, data=BIPOLAR, weight=BIPOLAR)
    rng = np.random.default_rng(5)
    frames = draw(rng, BIPOLAR, (10001, graph.input.elements))
    one = Interpreter(graph, threads=1).run(frames)
    many = Interpreter(graph, threads=5).run(frames)
    assert (one == many).all()
    assert (one[-100:] == reference(graph, frames[-100:])).all()
    assert Interpreter(graph).run(frames[:0]).shape == (0, one.shape[1])


def test_refuses_other_frames() -> None:
    graph = Graph("g", (Input("x", 4, BIPOLAR),), "x", (4,), Preprocess())
    with pytest.raises(ConfigError, match=r"frames must be an array \(frames, 4\), not \(2, 3\)"):
        Interpreter(graph).run(np.ones((2, 3), np.int64))
    with pytest.raises(ConfigError, match="g: frames must hold values of BIPOLAR alone"):
        Interpreter(graph).run(np.zeros((2, 4), np.int64))
    with pytest.raises(ConfigError, match=r"g: frames must be integers \(BIPOLAR\), not float64"):
        reference(graph, np.ones((2, 4)))  # type: ignore[arg-type]
