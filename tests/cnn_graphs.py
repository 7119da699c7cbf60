# SPDX-License-Identifier: Apache-2.0
"""Random graphs of convolutions and pools, with every feature of the operators, small."""

from dataclasses import replace

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, DType, Kind, signed, smallest, unsigned
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import Conv, Dense, Input, MaxPool, Op, Staircase, SumPool, Table
from hwbnn.ir.ranges import conv_range, pool_range, sum_range, value_range
from hwbnn.ir.window import Window


class Builder:
    """Adds random operators behind the last value."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 5])
        self.height, self.width = (int(n) for n in self.rng.integers(3, 9, 2))
        self.channels = int(self.rng.integers(1, 5))
        positions = self.height * self.width
        self.ops: list[Op] = [
            Input("x", positions * self.channels, unsigned(8), positions),
        ]
        dtype = (BIPOLAR, signed(3), unsigned(2), signed(8))[self.integer(4)]
        codes = self.rng.integers(0, 1 << dtype.bits, (1, 256))
        elements = positions * self.channels
        self.ops.append(Table("q", "x", elements, dtype.decode(codes), 0, dtype, positions))

    def integer(self, high: int) -> int:
        return int(self.rng.integers(high))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    @property
    def last(self) -> Op:
        return self.ops[-1]

    @property
    def ends(self) -> tuple[int, int]:
        return value_range(self.last, {op.name: op for op in self.ops})

    def window(self, *, pool: bool) -> Window:
        """A window that fits; padding less than half of the kernel for a pool."""
        while True:
            kernel = tuple(int(n) for n in self.rng.integers(1, 4, 2))
            stride = tuple(int(n) for n in self.rng.integers(1, 3, 2))
            dilation = (1, 1) if self.chance(0.7) else (2, 1 + self.integer(2))
            spans = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
            most = [k // 2 for k in kernel] if pool else spans
            padding = (0,) * 4
            if self.chance(0.6):
                padding = tuple(self.integer(min(2, most[i % 2]) + 1) for i in range(4))
            high, wide = self.height + padding[0] + padding[2], self.width + padding[1] + padding[3]
            if high > spans[0] and wide > spans[1]:
                found = Window(self.height, self.width, kernel, stride, dilation, padding)
                if not pool or (found.sources >= 0).any(axis=1).all():
                    return found

    def moved(self, window: Window, channels: int) -> None:
        self.height, self.width, self.channels = window.out_height, window.out_width, channels

    def weights(self, shape: tuple[int, ...]) -> tuple[np.ndarray, DType]:
        dtype = BIPOLAR if self.chance(0.7) else signed(3)
        return dtype.decode(self.rng.integers(0, 1 << dtype.bits, shape)), dtype

    def conv(self, index: int) -> None:
        window, source = self.window(pool=False), self.last
        groups = 1
        if self.chance(0.4):
            groups = int(self.rng.choice([g for g in (1, 2, 3, 4) if self.channels % g == 0]))
        outputs = self.channels if groups == self.channels else groups * (1 + self.integer(4))
        weights, dtype = self.weights((outputs, window.taps, self.channels // groups))
        fill = 0
        if self.chance(0.3):
            fill = int(source.dtype.decode(np.array([self.integer(1 << source.dtype.bits)]))[0])
        op = Conv(f"conv{index}", source.name, weights, dtype, window, BIPOLAR, groups, fill)
        low, high = conv_range(op, *self.ends)
        self.ops.append(replace(op, dtype=smallest(low, high)))
        self.moved(window, outputs)

    def max_pool(self, index: int) -> None:
        window = self.window(pool=True)
        minimum = self.rng.random(self.channels) < 0.4
        op = MaxPool(f"max{index}", self.last.name, window, self.channels, minimum, self.last.dtype)
        self.ops.append(op)
        self.moved(window, self.channels)

    def sum_pool(self, index: int) -> None:
        window = self.window(pool=True)
        ends = pool_range(window, *self.ends)
        self.ops.append(
            SumPool(f"sum{index}", self.last.name, window, self.channels, smallest(*ends))
        )
        self.moved(window, self.channels)

    def staircase(self, index: int) -> None:
        dtype = (BIPOLAR, BIPOLAR, unsigned(1), unsigned(2), signed(3))[self.integer(5)]
        steps = 1 if dtype.kind is Kind.BIPOLAR else (1 << dtype.bits) - 1
        source, (low, high) = self.last, self.ends
        border = None
        if self.chance(0.3):
            border = np.zeros((self.height, self.width), np.int64)
            border[0], border[:, -1] = 1, 2
            border = np.unique(border, return_inverse=True)[1].reshape(-1)
        classes = 1 if border is None else int(border.max()) + 1
        rows = 1 if border is None and self.chance(0.2) else classes * self.channels
        thresholds = np.sort(self.rng.integers(low // 2, high // 2 + 2, (rows, steps)), axis=1)
        down = self.rng.random(1 if self.chance(0.2) else self.channels) < 0.4
        self.ops.append(
            Staircase(
                f"a{index}", source.name, source.elements, thresholds, down, dtype.min, dtype,
                source.vectors, border,
            )
        )  # fmt: skip

    def dense(self, index: int) -> None:
        weights, dtype = self.weights((1 + self.integer(5), self.last.elements))
        low, high = sum_range(weights, *self.ends)
        self.ops.append(Dense(f"fc{index}", self.last.name, weights, dtype, smallest(low, high)))
        self.height, self.width, self.channels = 1, 1, weights.shape[0]


def random_graph(seed: int) -> Graph:
    """A graph of a few layers; not every value is one that a trained network would have."""
    build = Builder(seed)
    shape = (build.channels, build.height, build.width)
    for index in range(1 + build.integer(4)):
        layer = (build.conv, build.conv, build.conv, build.max_pool, build.sum_pool)
        layer[build.integer(5)](index)
        if build.chance(0.8) or build.last.dtype.bits > 9:
            build.staircase(index)
    if build.chance(0.5):
        build.dense(9)
    return Graph(f"cnn{seed}", tuple(build.ops), build.ops[-1].name, shape, Preprocess())
