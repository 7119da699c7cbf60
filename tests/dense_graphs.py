# SPDX-License-Identifier: Apache-2.0
"""Random small graphs of dense blocks: concatenations that staircases of every kind look at."""

from dataclasses import replace

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, smallest, unsigned
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import Concat, Conv, Dense, Input, MaxPool, Op, Staircase, SumPool, joined_dtype
from hwbnn.ir.ranges import range_from, value_range
from hwbnn.ir.window import Window
from hwbnn.passes.carry import forms
from hwbnn.passes.dense_blocks import dense_blocks


class Draw:
    """A graph while it is drawn, channels last."""

    def __init__(self, seed: int, size: tuple[int, int] | None) -> None:
        self.rng = np.random.default_rng([seed, 31])
        self.height, self.width = size or (int(n) for n in self.rng.integers(3, 6, 2))
        self.ops: dict[str, Op] = {}

    @property
    def positions(self) -> int:
        return self.height * self.width

    def put(self, op: Op) -> str:
        self.ops[op.name] = op
        return op.name

    def ends(self, name: str) -> tuple[int, int]:
        return value_range(self.ops[name], self.ops)

    def channels(self, name: str) -> int:
        return self.ops[name].elements // self.ops[name].vectors

    def staircase(self, name: str, source: str, *, steps: int, near: bool = False) -> str:
        """Thresholds of which some are equal, never or always reached, or of no integer at all.

        near: of few different numbers, so that readers often share them.
        """
        low, high = self.ends(source)
        rows = self.channels(source) if self.rng.random() < 0.9 else 1
        middle, span = (low + high) // 2, 3 if near else max(2, (high - low) // 2)
        thresholds = self.rng.integers(middle - span, middle + span + 1, (rows, steps))
        dead = self.rng.random((rows, steps))
        thresholds = np.where(dead < 0.1, self.rng.choice([low - 5, low, high + 1]), thresholds)
        down = self.rng.random(rows) < 0.3
        base = 0 if steps == 1 else int(self.rng.integers(-2, 2))
        dtype = BIPOLAR if steps == 1 and self.rng.random() < 0.8 else smallest(base, base + steps)
        elements, vectors = self.ops[source].elements, self.ops[source].vectors
        rising = np.sort(thresholds, axis=1)
        return self.put(Staircase(name, source, elements, rising, down, base, dtype, vectors))

    def conv(self, name: str, source: str, outputs: int) -> str:
        shape = (outputs, 9, self.channels(source))
        weights, window = self.rng.choice([-1, 1], shape), self.window((3, 3), (1, 1), 1)
        fill = -1 if self.ops[source].dtype == BIPOLAR else 0
        return self.summed(Conv(name, source, weights, BIPOLAR, window, BIPOLAR, fill=fill))

    def window(self, kernel: tuple[int, int], stride: tuple[int, int], padding: int) -> Window:
        return Window(self.height, self.width, kernel, stride, padding=(padding,) * 4)

    def summed(self, op: Conv | Dense | SumPool) -> str:
        low, high = range_from(op, [self.ends(op.source)])
        return self.put(replace(op, dtype=smallest(low, high)))

    def concat(self, name: str, *sources: str) -> str:
        ends = [self.ends(source) for source in sources]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        dtype = joined_dtype([self.ops[source].dtype for source in sources], low, high)
        channels = tuple(map(self.channels, sources))
        return self.put(Concat(name, sources, channels, dtype, self.positions))

    def pool(self, name: str, source: str) -> str:
        """A pool that gives less than it reads, and so may be carried instead."""
        channels, dtype = self.channels(source), self.ops[source].dtype
        window = self.window((2, 2), (2, 2), 0)
        if self.rng.random() < 0.5:
            minimum = self.rng.random(channels) < 0.3
            return self.put(MaxPool(name, source, window, channels, minimum, dtype))
        return self.summed(SumPool(name, source, window, channels, dtype))

    def dense(self, name: str, source: str, outputs: int = 4) -> str:
        weights = self.rng.choice([-1, 1], (outputs, self.ops[source].elements))
        return self.summed(Dense(name, source, weights, BIPOLAR, BIPOLAR))


def dense_graph(
    seed: int, *, layers: int = 3, channels: int = 3, size: tuple[int, int] | None = None
) -> Graph:
    """Return a dense block whose readers are binary, but for some; its first value may be bits.

    size: of the image, of which every product then makes all channels; None: any up to 5 x 5.
    """
    draw = Draw(seed, size)
    rng, pixels = draw.rng, unsigned(int(draw.rng.integers(2, 6)))
    draw.put(Input("pixels", draw.positions * 2, pixels, draw.positions))
    draw.staircase("bits", "pixels", steps=1)
    value = draw.conv("stem", "bits", channels)
    if rng.random() < 0.5:
        value = draw.staircase("first", value, steps=int(rng.choice([1, 5, 18])))
    near, parts = bool(rng.random() < 0.5), [value]
    for layer in range(layers):
        steps = int(rng.choice([1, 2, 4])) if rng.random() < 0.2 else 1
        seen = draw.staircase(f"seen{layer}", value, steps=steps, near=near)
        outputs = channels if size else int(rng.integers(1, channels + 1))
        new = draw.conv(f"conv{layer}", seen, outputs)
        if rng.random() < 0.3:
            new = draw.staircase(f"few{layer}", new, steps=int(rng.choice([3, 17])))
        order = [value, new] if rng.random() < 0.8 else [new, value]
        if rng.random() < 0.1:
            order.append(str(rng.choice(parts)))  # once more
        parts.append(new)
        value = draw.concat(f"cat{layer}", *order)
    steps = int(rng.choice([1, 3, 17, 60]))
    value = draw.staircase("last", value, steps=steps, near=near)
    if rng.random() < 0.6:
        value = draw.pool("pool", value)
    draw.dense("fc", value)
    return Graph("dense", tuple(draw.ops.values()), "fc", (draw.positions * 2,), Preprocess(1.0))


def in_some_form(graph: Graph, rng: np.random.Generator) -> tuple[Graph, list[str]]:
    """Return a graph with ranks of either kind in its dense blocks, whatever they cost.

    And the name of the form of each block.
    """
    chosen = []
    for given in reversed(dense_blocks(graph)):
        for block in (block for block in dense_blocks(graph) if block.names >= given.names):
            found = list(forms(graph, block))
            if found:
                name, graph = found[int(rng.integers(len(found)))]
                chosen.append(name)
    return graph, chosen
