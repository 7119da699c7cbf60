# SPDX-License-Identifier: Apache-2.0
"""Graphs and designs made by hand for the tests; the oracle is hwbnn.sim.reference."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from hwbnn.ir.design import Design
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, signed, smallest, unsigned
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import ArgMax, Conv, Dense, Input, MaxPool, Op, Staircase, Table
from hwbnn.ir.ranges import conv_range, sum_range
from hwbnn.ir.unit import Knobs
from hwbnn.ir.window import Window
from hwbnn.passes import adapt, fold, lower, size_fifos

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


def pixels(graph: Graph, count: int, *, seed: int = 0) -> IntArray:
    """Random frames for a graph."""
    dtype = graph.input.dtype
    rng = np.random.default_rng(seed)
    return dtype.decode(rng.integers(0, 1 << dtype.bits, (count, graph.input.elements)))


def finished(graph: Graph, foldings: dict[str, Knobs] | None = None) -> Design:
    """Lower, fold, adapt and size the FIFOs."""
    return size_fifos(adapt(fold(lower(graph), foldings=foldings or {})))


TFC_64_CYCLES = {
    "q": Knobs(49),
    "fc0": Knobs(16, 49),
    "fc1": Knobs(8, 8),
    "fc2": Knobs(8, 8),
    "fc3": Knobs(10, 8),
}
TFC_UNROLLED = {
    "q": Knobs(784),
    "fc0": Knobs(64, 784),
    "fc1": Knobs(64, 64),
    "fc2": Knobs(64, 64),
    "fc3": Knobs(10, 64),
}


def random_cnn(
    layers: tuple[tuple[int, ...], ...],
    image: tuple[int, int, int],
    dense: tuple[int, ...] = (10,),
    *,
    data: DType = BIPOLAR,
    seed: int = 0,
) -> Graph:
    """A binary CNN: for each layer (channels, kernel, stride, padding, pool), then dense layers.

    image: height, width, channels of uint8 pixels. A first layer of 8-bit signed inputs, as CNV's.
    """
    rng = np.random.default_rng(seed)
    height, width, channels = image
    bytes_ = signed(8)
    table = np.arange(-128, 128)[None]
    ops: list[Op] = [
        Input("x", height * width * channels, unsigned(8), height * width),
        Table("q", "x", height * width * channels, table, 0, bytes_, height * width),
    ]
    low, high = -128, 127
    for index, (outputs, kernel, stride, padding, pool) in enumerate(layers):
        window = Window(height, width, (kernel,) * 2, (stride,) * 2, padding=(padding,) * 4)
        name, steps = f"conv{index}", 1 if data.kind is Kind.BIPOLAR else (1 << data.bits) - 1
        weights = rng.choice([-1, 1], (outputs, kernel * kernel, channels))
        conv = Conv(name, ops[-1].name, weights, BIPOLAR, window, BIPOLAR)
        bottom, top = conv_range(conv, low, high)
        ops.append(replace(conv, dtype=smallest(bottom, top)))
        spread = max(2, int((top - bottom) / 2 / (kernel * kernel * channels) ** 0.5))
        thresholds = np.sort(rng.integers(-spread, spread, (outputs, steps)), axis=1)
        down, elements = rng.random(outputs) < 0.3, window.positions * outputs
        ops.append(
            Staircase(
                f"a{index}", name, elements, thresholds, down, data.min, data, window.positions
            )
        )
        height, width, channels = window.out_height, window.out_width, outputs
        low, high = data.min, data.max
        if pool:
            window = Window(height, width, (pool, pool), (pool, pool))
            ops.append(MaxPool(f"pool{index}", ops[-1].name, window, channels, down, data))
            height, width = window.out_height, window.out_width
    inputs = height * width * channels
    for index, outputs in enumerate(dense):
        weights = rng.choice([-1, 1], (outputs, inputs))
        bottom, top = sum_range(weights, low, high)
        ops.append(Dense(f"fc{index}", ops[-1].name, weights, BIPOLAR, smallest(bottom, top)))
        if index < len(dense) - 1:
            steps = 1 if data.kind is Kind.BIPOLAR else (1 << data.bits) - 1
            spread = int(inputs**0.5) + 1
            thresholds = np.sort(rng.integers(-spread, spread, (outputs, steps)), axis=1)
            down = rng.random(outputs) < 0.3
            ops.append(
                Staircase(f"b{index}", f"fc{index}", outputs, thresholds, down, data.min, data)
            )
        inputs = outputs
    shape = (image[2], image[0], image[1])
    return Graph("cnn", tuple(ops), ops[-1].name, shape, Preprocess())


CNV_LAYERS = (
    (64, 3, 1, 0, 0),
    (64, 3, 1, 0, 2),
    (128, 3, 1, 0, 0),
    (128, 3, 1, 0, 2),
    (256, 3, 1, 0, 0),
    (256, 3, 1, 0, 0),
)
CNV_DENSE = (512, 512, 10)


def cnv(*, seed: int = 0) -> Graph:
    """The shape of CNV (BNN-PYNQ, FINN) with random weights and thresholds."""
    return random_cnn(CNV_LAYERS, (32, 32, 3), CNV_DENSE, seed=seed)


# PE and SIMD of BNN-PYNQ's CNV W1A1, `bnn/src/network/cnvW1A1/hw/config.h`: 32,768 cycles a frame
BNN_PYNQ_FOLDING = {
    name: Knobs(pe, simd)
    for name, pe, simd in zip(
        ("conv0", "conv1", "conv2", "conv3", "conv4", "conv5", "fc0", "fc1", "fc2"),
        (16, 32, 16, 16, 4, 1, 1, 1, 4),
        (3, 32, 32, 32, 32, 32, 4, 8, 1),
        strict=True,
    )
}
BNN_PYNQ_FOLDING |= {f"conv{i}_window": Knobs(simd=32) for i in range(1, 5)}
BNN_PYNQ_FOLDING |= {f"pool{i}_window": Knobs(simd=16) for i in (1, 3)}
BNN_PYNQ_FOLDING |= {"conv0_window": Knobs(simd=3), "pool1": Knobs(16), "pool3": Knobs(16)}
BNN_PYNQ_FOLDING |= {"q": Knobs(3)}
