# SPDX-License-Identifier: Apache-2.0
"""The interpreter against the plain definition, value by value, on random graphs of images."""

from dataclasses import replace

import numpy as np
import pytest

from hwbnn.errors import ModelError
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, signed, smallest, unsigned
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import ArgMax, Conv, Dense, Input, MaxPool, Op, Permute, Staircase, SumPool, Table
from hwbnn.ir.ranges import conv_range, pool_range, sum_range, value_range
from hwbnn.ir.verify import verify_graph
from hwbnn.ir.window import Window
from hwbnn.sim.interpret import Interpreter
from hwbnn.sim.reference import evaluate, reference
from tests.graphs import cnv, pixels, random_cnn
from tests.quick import quick

DATA = (
    BIPOLAR,
    unsigned(1),
    signed(1),
    unsigned(2),
    signed(3),
    unsigned(4),
    unsigned(8),
    signed(9),
)
WEIGHTS = (BIPOLAR, BIPOLAR, BIPOLAR, unsigned(1), signed(2), signed(5))
CHANNELS = (1, 2, 3, 8, 60, 64, 66, 128)


class Builder:
    """A random graph of images, grown operator by operator."""

    def __init__(self, seed: int, *, data: DType | None = None) -> None:
        self.rng = np.random.default_rng(seed)
        self.height, self.width, self.channels = (
            int(self.rng.integers(1, 8)),
            int(self.rng.integers(1, 8)),
            int(self.rng.choice(CHANNELS)),
        )
        elements = self.height * self.width * self.channels
        dtype = data or self.pick(DATA)
        self.ops: list[Op] = [Input("v0", elements, dtype, self.height * self.width)]

    def pick(self, choices: tuple[DType, ...]) -> DType:
        return choices[self.rng.integers(len(choices))]

    def draw(self, dtype: DType, shape: tuple[int, ...]) -> IntArray:
        return dtype.decode(self.rng.integers(0, 1 << dtype.bits, shape))

    @property
    def last(self) -> Op:
        return self.ops[-1]

    @property
    def ends(self) -> tuple[int, int]:
        return value_range(self.last, {op.name: op for op in self.ops})

    def add(self, op: Op) -> None:
        self.ops.append(replace(op, name=f"v{len(self.ops)}"))

    def window(self, *, least_taps: int = 1) -> Window:
        """Draw until a window fits and each holds a position of the image."""
        while True:
            kernel, stride, dilation = (
                (int(a), int(b)) for a, b in self.rng.integers(1, (4, 3, 3), (2, 3)).T
            )
            top, left, bottom, right = (int(n) for n in self.rng.choice((0, 0, 0, 1, 2), 4))
            padding = top, left, bottom, right
            try:
                window = Window(self.height, self.width, kernel, stride, dilation, padding)
            except ModelError:
                continue
            if window.taps >= least_taps and (window.sources >= 0).any(axis=1).all():
                return window

    def shrink(self, window: Window, channels: int) -> None:
        self.height, self.width, self.channels = window.out_height, window.out_width, channels

    def conv(self, weight: DType) -> None:
        window, groups = self.window(), int(self.rng.choice((1, 1, 1, self.channels)))
        if groups == 1 and self.channels % 2 == 0 and self.rng.random() < 0.2:
            groups = 2
        outputs = groups * int(self.rng.choice((1, 2) if groups > 2 else (1, 5, 20, 64, 65)))
        fill = int(self.rng.choice((0, 0, -1, 1, 3)))
        weights = self.draw(weight, (outputs, window.taps, self.channels // groups))
        conv = Conv("", self.last.name, weights, weight, window, BIPOLAR, groups, fill)
        self.add(replace(conv, dtype=smallest(*conv_range(conv, *self.ends))))
        self.shrink(window, outputs)

    def dense(self, weight: DType) -> None:
        weights = self.draw(weight, (int(self.rng.choice((1, 10, 70))), self.last.elements))
        dtype = smallest(*sum_range(weights, *self.ends))
        self.add(Dense("", self.last.name, weights, weight, dtype))
        self.height, self.width, self.channels = 1, 1, len(weights)

    def staircase(self, out: DType) -> None:
        steps = 1 if out.kind is Kind.BIPOLAR else (1 << min(out.bits, 5)) - 1
        vectors, border, classes = self.height * self.width, None, 1
        if self.rng.random() < 0.4:
            classes = int(self.rng.integers(1, 4))
            border = self.rng.integers(0, classes, vectors)
            border[0] = classes - 1
        low, high = self.ends
        middle, reach = (low + high) // 2, max(2, (high - low) // 6)
        rows = classes * self.channels
        if border is None and self.rng.random() < 0.2:
            rows = 1
        thresholds = self.rng.integers(middle - reach, middle + reach + 1, (rows, steps))
        thresholds[self.rng.random(rows) < 0.1] = high + 1
        thresholds[self.rng.random(rows) < 0.1] = low
        down = self.rng.random(1 if self.rng.random() < 0.2 else self.channels) < 0.4
        elements, thresholds = self.last.elements, np.sort(thresholds, axis=1)
        self.add(
            Staircase("", self.last.name, elements, thresholds, down, out.min, out, vectors, border)
        )

    def table(self, out: DType) -> None:
        low, high = self.ends
        rows = int(self.rng.choice((1, self.channels)))
        values = self.draw(out, (rows, high - low + 1))
        vectors = self.height * self.width
        self.add(Table("", self.last.name, self.last.elements, values, low, out, vectors))

    def max_pool(self) -> None:
        window = self.window(least_taps=2)
        least = self.rng.random(int(self.rng.choice((1, self.channels)))) < 0.5
        dtype = self.last.dtype
        self.add(MaxPool("", self.last.name, window, self.channels, least, dtype))
        self.shrink(window, self.channels)

    def sum_pool(self) -> None:
        window = self.window(least_taps=2)
        dtype = smallest(*pool_range(window, *self.ends))
        self.add(SumPool("", self.last.name, window, self.channels, dtype))
        self.shrink(window, self.channels)

    def permute(self) -> None:
        vectors, order = self.height * self.width, self.rng.permutation(self.last.elements)
        self.add(Permute("", self.last.name, order, self.last.dtype, vectors))

    def anything(self, *, data: DType | None = None, weight: DType | None = None) -> None:
        """Add one operator, products and staircases more often than others."""
        match self.rng.integers(12):
            case 0 | 1 | 2 | 3:
                self.conv(weight or self.pick(WEIGHTS))
                if self.rng.random() < 0.8:
                    self.staircase(data or self.pick(DATA))
            case 4 | 5:
                self.staircase(data or self.pick(DATA))
            case 6 if self.ends[1] - self.ends[0] < 5000:
                self.table(data or self.pick(DATA))
            case 7 | 8 if self.height * self.width > 1:
                self.max_pool()
            case 9 if self.height * self.width > 1 and self.last.dtype.bits < 20:
                self.sum_pool()
            case 10:
                self.permute()
            case 11:
                self.dense(weight or self.pick(WEIGHTS))
                self.staircase(data or self.pick(DATA))
            case _:
                pass

    def graph(self, output: str = "") -> Graph:
        made = Graph("images", tuple(self.ops), output or self.last.name, (1,), Preprocess())
        verify_graph(made)
        return made


def agree(graph: Graph, frames: IntArray) -> None:
    """The output, and each value by itself, is what the definition says."""
    values = evaluate(graph, frames.astype(np.int64))
    for name in {graph.output, *(op.name for op in graph.ops[1:])}:
        found = Interpreter(replace(graph, output=name)).run(frames)
        assert (found == values[name]).all(), (name, graph[name])


@pytest.mark.parametrize("seed", quick(range(150), first=50))
def test_random_graphs(seed: int) -> None:
    builder = Builder(seed)
    for _ in range(5):
        if builder.last.dtype.bits > 20:
            builder.staircase(builder.pick(DATA))
        builder.anything()
    if builder.rng.random() < 0.3:
        builder.add(ArgMax("", builder.last.name, smallest(0, builder.last.elements)))
    agree(builder.graph(), builder.draw(builder.ops[0].dtype, (5, builder.ops[0].elements)))


@pytest.mark.parametrize("weight", sorted(set(WEIGHTS), key=str), ids=str)
@pytest.mark.parametrize("data", DATA, ids=str)
def test_every_combination_of_types(data: DType, weight: DType) -> None:
    """Two convolutions with staircases, a pool between, a dense product."""
    for seed in range(3):
        builder = Builder(1000 + seed, data=data)
        for _ in range(2):
            builder.conv(weight)
            builder.staircase(data)
        if builder.height * builder.width > 1:
            builder.max_pool()
        builder.dense(weight)
        agree(builder.graph(), builder.draw(data, (6, builder.ops[0].elements)))


@pytest.mark.parametrize("data", [BIPOLAR, unsigned(2)], ids=str)
def test_shape_of_cnv(data: DType) -> None:
    """Also through both widths of frames, and with batches in threads."""
    graph = (
        cnv()
        if data == BIPOLAR
        else random_cnn(
            ((64, 3, 1, 1, 2), (130, 3, 1, 0, 2), (64, 3, 2, 1, 0)),
            (16, 16, 3),
            (70, 10),
            data=data,
        )
    )
    frames = pixels(graph, 9)
    expected = reference(graph, frames)
    assert (Interpreter(graph, threads=3).run(frames) == expected).all()
    assert (Interpreter(graph, threads=1).run(frames.astype(np.uint8)) == expected).all()
