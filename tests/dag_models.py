# SPDX-License-Identifier: Apache-2.0
"""Random QONNX models whose branches part and meet: skips, concatenations, shared values.

Scales are powers of two and sums stay within 24 bits, so that every float32 sum has no rounding and
one right answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import TensorProto

from tests.cnn_models import RandomModel
from tests.cnn_weights import draw_weights
from tests.onnx_builder import EPSILON, Array, Builder

EXACT = 1 << 24


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of images. step: a power of two that divides all floats, if they are one integer
    times one scale; most: the greatest multiple. levels: those of a quantizer, or of what joins and
    pools make of them, so that it can enter a product; unit: their distance, if 0 is a multiple."""

    x: str
    channels: int
    height: int
    width: int
    spread: float
    step: float | None = None
    most: float = 0.0
    levels: Array | None = None
    unit: float | None = None
    even: bool = True  # the same integers stand for the same floats at all positions

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.width


def random_dag_model(seed: int, *, block: bool = False) -> RandomModel:
    """Draw a network of a few joins on images up to 8 x 8 x 3; block: and a dense block."""
    return _Draw(seed).network(block=block)


class _Draw:
    """A network while it is drawn."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 1608])
        self.build = Builder(self.choice("script", "new"))
        self.features: list[str] = []
        self.values: list[Value] = []
        self.read: set[str] = set()

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def choice(self, *names: str) -> str:
        return str(self.rng.choice(names))

    def integer(self, low: int, high: int) -> int:
        """Draw one of low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def any(self, values: list[Value]) -> Value:
        """Draw a value, a late one rather than an early one."""
        late = values[-4:] if self.chance(0.7) else values
        return late[int(self.rng.integers(len(late)))]

    def note(self, feature: str) -> None:
        self.features.append(feature)

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        return self.build.constant(f"c{len(self.build.initializers)}", value, dtype)

    def keep(self, value: Value, *sources: Value) -> Value:
        self.values.append(value)
        self.read |= {source.x for source in sources}
        return value

    # ---- one value

    def input(self) -> dict[str, float]:
        channels = self.integer(1, 3)
        height, width = self.integer(4, 8), self.integer(4, 8)
        value = Value("input", channels, height, width, 1.0)
        if self.chance(0.2):
            divisor = 2.0 ** self.integer(0, 8)
            self.note("raw pixels")
            levels = np.arange(256) / divisor
            raw = replace(value, step=1 / divisor, most=255, levels=levels, spread=200 / divisor)
            self.keep(raw)
            return {"divisor": divisor}
        x = self.build.node("Mul", "input", self.constant(2.0))
        self.keep(self.quantized(replace(value, x=self.build.node("Sub", x, self.constant(1.0)))))
        return {"divisor": 255.0}

    def norm(self, value: Value) -> Value:
        size = value.channels
        gamma = self.rng.uniform(0.3, 2, size) * self.rng.choice([-1, 1], size, p=[0.3, 0.7])
        if self.chance(0.2):
            gamma[self.integer(0, size - 1)] = 0
        given = [
            gamma, self.rng.normal(0, 0.5, size), self.rng.normal(0, value.spread / 2, size),
            self.rng.uniform(0.3, 2, size) * value.spread**2,
        ]  # fmt: skip
        names = [self.constant(array) for array in given]
        x = self.build.node("BatchNormalization", value.x, *names, epsilon=EPSILON)
        return replace(value, x=x, spread=1.0, step=None, levels=None, unit=None)

    def quantized(self, value: Value, *, step: float | None = None, bits: int = 0) -> Value:
        """Quantize a value: to signs, to a few bits, or to those that are given."""
        value = replace(value, even=True)
        if step is None and self.chance(0.4):
            return self.signs(value)
        if step is None and self.chance(0.2):
            return self.thresholds(value)
        bits = bits or self.integer(1, 4)
        step = step or float(2.0 ** round(np.log2(value.spread * 3 / (1 << bits))))
        signed = int(self.chance(0.6))
        constants = [self.constant(number) for number in (step, 0.0, float(bits))]
        x = self.build.quantizer(
            "Quant", value.x, *constants, signed=signed, narrow=0, rounding_mode="ROUND"
        )
        low = -(1 << (bits - 1)) if signed else 0
        levels = np.arange(low, low + (1 << bits)) * step
        levels = np.array([-step, step]) if signed and bits == 1 else levels
        most, spread = float(np.abs(levels).max() / step), float(np.abs(levels).mean())
        return replace(value, x=x, spread=spread, step=step, most=most, levels=levels, unit=step)

    def signs(self, value: Value) -> Value:
        """Quantize a value to one bit."""
        scale = 2.0 ** self.integer(-1, 1)
        x = self.build.quantizer("BipolarQuant", value.x, self.constant(scale))
        levels = np.array([-scale, scale])
        return replace(value, x=x, spread=scale, step=scale, most=1, levels=levels, unit=scale)

    def thresholds(self, value: Value) -> Value:
        """FINN's quantizer; its levels may lie between the multiples of its scale."""
        steps, scale = self.integer(1, 5), 2.0 ** self.integer(-2, 1)
        rows = np.sort(self.rng.normal(0, value.spread, (value.channels, steps)), axis=1)
        bias = float(self.rng.choice([0.0, -scale, scale / 4]))
        x = self.build.quantizer(
            "MultiThreshold", value.x, self.constant(rows), out_dtype="INT8", out_scale=scale,
            out_bias=bias, data_layout="NCHW",
        )  # fmt: skip
        levels = np.arange(steps + 1) * scale + bias
        most = float(np.abs(levels).max()) * 4 / scale
        spread = float(np.abs(levels).mean()) + scale / 4
        return replace(
            value, x=x, spread=spread, step=scale / 4, most=most, levels=levels, unit=None
        )

    def ready(self, value: Value) -> Value:
        """Return what a product takes: the value itself, or quantized, perhaps behind a norm."""
        if value.levels is not None and self.chance(0.7):
            return value
        normed = self.norm(value) if self.chance(0.7) else value
        if self.chance(0.2):
            normed = replace(normed, x=self.build.node("Relu", normed.x))
        return self.quantized(normed)

    def conv(self, given: Value, outputs: int, *, stride: int = 1, kernel: int = 0) -> Value:
        """Convolve; kernels are padded to keep the image, by 0 or a level."""
        value = self.ready(given)
        assert value.levels is not None
        kernel = kernel or int(self.rng.choice([1, 3]))
        shape = (outputs, value.channels, kernel, kernel)
        attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2}
        around = self.x_padded(value, kernel // 2, attributes)
        weights, size, feature = draw_weights(self.rng, self.build, shape, matrix=False)
        x = self.build.node("Conv", around, weights, **attributes)
        taps = int(np.prod(shape[1:]))
        spread = float(np.sqrt(np.square(value.levels).mean() * taps) * size) + 1e-6
        step, most = None, 0.0
        if "per output" not in feature:
            # Weights are multiples of 1/8, of at most 7 * 4 = 2**5.
            unit = value.step
            assert unit is not None
            step, most = unit / 8, value.most * taps * 256
        height, width = (-(-extent // stride) for extent in value.size)
        made = Value(x, outputs, height, width, spread, step, most)
        return self.keep(replace(made, even="pads" not in attributes or bool(value.unit)), given)

    def x_padded(self, value: Value, amount: int, attributes: dict[str, Any]) -> str:
        assert value.levels is not None
        if not amount:
            return value.x
        level = float(self.rng.choice(value.levels))
        if self.chance(0.5):
            attributes["pads"] = [amount] * 4
            return value.x
        pads = self.constant([0, 0, amount, amount] * 2, np.int64)
        return self.build.node("Pad", value.x, pads, self.constant(level), mode="constant")

    def max_pool(self, value: Value) -> Value:
        ceil = int(self.chance(0.5))
        x = self.build.node("MaxPool", value.x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=ceil)
        self.note("max pool")
        return self.keep(self.smaller(value, x, ceil), value)

    def average_pool(self, value: Value) -> Value:
        ceil = int(self.chance(0.5))
        x = self.build.node(
            "AveragePool", value.x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=ceil
        )
        self.note("average pool")
        assert value.step is not None
        # A window at the border may divide by 2 or by 1: no one scale, unless all are full.
        whole = not ceil or not any(extent % 2 for extent in value.size)
        step = value.step / 4 if whole else None
        pooled = replace(self.smaller(value, x, ceil), step=step, most=value.most * 4)
        levels = unit = None
        if whole and value.unit is not None and value.levels is not None:
            unit, least, most = value.unit / 4, value.levels.min(), value.levels.max()
            levels = np.arange(least / unit, most / unit + 1) * unit
        even = value.even and whole
        return self.keep(replace(pooled, levels=levels, unit=unit, even=even), value)

    def smaller(self, value: Value, x: str, ceil: int) -> Value:
        height, width = ((extent + ceil) // 2 for extent in value.size)
        return replace(value, x=x, height=height, width=width)

    # ---- joins

    def add(self, a: Value, b: Value) -> Value:
        assert a.step is not None and b.step is not None
        x = self.build.node("Add", a.x, b.x)
        step = min(a.step, b.step)
        most = (a.most * a.step + b.most * b.step) / step
        spread = float(np.hypot(a.spread, b.spread))
        self.note("add" if a.x != b.x else "add to itself")
        made = Value(x, a.channels, a.height, a.width, spread, step, most)
        if a.unit is not None and b.unit is not None and self.chance(0.7):
            assert a.levels is not None and b.levels is not None
            levels = np.unique(np.add.outer(a.levels, b.levels))
            if levels.size < 1 << 12:
                made = replace(made, levels=levels, unit=min(a.unit, b.unit))
        return self.keep(replace(made, even=a.even and b.even), a, b)

    def concat(self, *parts: Value) -> Value:
        last = self.chance(0.3)
        names = [part.x for part in parts]
        if last:
            names = [self.build.node("Transpose", name, perm=[0, 2, 3, 1]) for name in names]
        x = self.build.node(
            "Concat", *names, axis=int(self.rng.choice([3, -1] if last else [1, -3]))
        )
        if last:
            x = self.build.node("Transpose", x, perm=[0, 3, 1, 2])
        self.note(f"concat of {len(parts)}{' last' if last else ''}")
        channels = sum(part.channels for part in parts)
        spread = float(np.mean([part.spread for part in parts]))
        height, width = parts[0].size
        made = Value(x, channels, height, width, spread)
        given = [part.levels for part in parts if part.levels is not None]
        if len({part.unit for part in parts}) == 1 and parts[0].unit is not None:
            unit, levels = parts[0].unit, np.unique(np.concatenate(given))
            most = float(np.abs(levels).max() / unit)
            made = replace(made, levels=levels, unit=unit, step=unit, most=most)
        return self.keep(replace(made, even=all(part.even for part in parts)), *parts)

    def addable(self) -> list[tuple[Value, Value]]:
        """Pairs of one shape whose sum is exact."""
        found = []
        for i, a in enumerate(self.values):
            for b in self.values[: i + 1]:
                same = (a.channels, *a.size) == (b.channels, *b.size)
                if not same or a.step is None or b.step is None or "input" in (a.x, b.x):
                    continue
                total = (a.most * a.step + b.most * b.step) / min(a.step, b.step)
                if total <= EXACT / 16 and (a is not b or self.chance(0.1)):
                    found.append((a, b))
        return found

    def residual(self) -> None:
        """A body around which a shortcut goes, perhaps to a smaller map and more channels."""
        value = self.any([v for v in self.values if v.step is not None and v.x != "input"])
        step, bits = 2.0 ** self.integer(-4, -1), self.integer(4, 8)
        smaller = self.chance(0.3) and min(value.size) >= 3
        outputs = self.integer(1, 5) if smaller else value.channels
        body = self.conv(value, outputs, stride=2 if smaller else 1)
        body = self.keep(self.quantized(self.norm(body), step=step, bits=bits), body)
        if not smaller:
            assert value.step is not None
            if body.most * step + value.most * value.step <= min(step, value.step) * EXACT / 16:
                self.add(body, value)
                self.note("identity shortcut")
            return
        pooled = self.average_pool(value)
        if pooled.size != body.size:  # of an odd extent without ceil_mode
            return
        shortcut = self.conv(pooled, outputs, kernel=1)
        shortcut = self.keep(self.quantized(self.norm(shortcut), step=step, bits=bits), shortcut)
        self.add(shortcut, body)
        self.note("smaller shortcut")

    def dense_layer(self) -> None:
        """What comes in, and behind it what a convolution makes of it."""
        value = self.any(self.values[1:] or self.values)
        if value.x == "input":
            return
        self.concat(value, self.conv(value, self.integer(1, 4), kernel=3))
        self.note("dense layer")

    def block(self) -> None:
        """Dense layers one behind another, each with signs of its own of all before it."""
        value = self.any(self.values[1:])
        for _ in range(self.integer(2, 4)):
            bits = replace(self.signs(self.norm(value)), even=True)
            value = self.concat(value, self.conv(bits, self.integer(1, 4), kernel=3))
        self.note("dense block")
        if self.chance(0.5):  # many levels, as a transition's
            step, width = 2.0 ** self.integer(-4, -2), self.integer(5, 8)
            levels = self.keep(self.quantized(self.norm(value), step=step, bits=width), value)
            if min(levels.size) >= 2 and self.chance(0.7):
                self.max_pool(levels)

    def grow(self) -> None:
        """Draw one more value."""
        kinds = "conv conv residual residual dense dense add concat pool norm"
        kind = self.choice(*kinds.split())
        value = self.any(self.values)
        grown = [v for v in self.values if v.x != "input"]
        pools: list[Callable[[Value], Value]]
        match kind:
            case "conv":
                stride = 2 if self.chance(0.2) else 1
                self.conv(value, self.integer(1, 5), stride=stride)
            case "residual" if any(v.step is not None for v in grown):
                self.residual()
            case "dense":
                self.dense_layer()
            case "add" if pairs := self.addable():
                self.add(*pairs[int(self.rng.integers(len(pairs)))])
            case "concat" if grown:
                first = self.any(grown)
                alike = [v for v in grown if v.size == first.size]
                picked = [alike[int(i)] for i in self.rng.integers(len(alike), size=3)]
                self.concat(first, *picked[: self.integer(1, 2)])
            case "pool" if min(value.size) >= 2 and value.x != "input":
                pools = [self.max_pool] if value.even else []
                pools += [self.average_pool] if value.step is not None else []
                if pools:
                    pools[int(self.rng.integers(len(pools)))](value)
            case "norm" if value.step is not None:  # which several may read
                self.keep(self.norm(value), value)

    # ---- the end

    def ending(self) -> Value:
        """Bring every value that nobody read to one vector."""
        leaves = [v for v in self.values if v.x not in self.read and v.x != "input"]
        ends = []
        for leaf in leaves[-4:]:
            value = self.ready(leaf)
            kind = self.choice("GlobalMaxPool", "ReduceSum", "ReduceSum")
            if kind == "ReduceSum":
                axes = self.constant([2, 3], np.int64)
                x = self.build.node(kind, value.x, axes, keepdims=1)
            else:
                x = self.build.node(kind, value.x)
            ends.append(replace(value, x=x, height=1, width=1))
        self.note(f"{len(ends)} ends")
        flat = self.chance(0.5)
        names = [end.x for end in ends]
        if flat:
            names = [self.build.node("Flatten", name, axis=1) for name in names]
        x = names[0] if len(names) == 1 else self.build.node("Concat", *names, axis=1)
        x = x if flat else self.build.node("Flatten", x, axis=1)
        channels = sum(end.channels for end in ends)
        value = Value(x, channels, 1, 1, float(np.mean([end.spread for end in ends])) * 4)
        step = 2.0 ** round(np.log2(value.spread / 16))
        x = self.quantized(value, step=step, bits=8).x
        outputs = self.integer(2, 5)
        weights, *_ = draw_weights(self.rng, self.build, (outputs, channels), matrix=True)
        return Value(self.build.node("MatMul", x, weights), outputs, 1, 1, 1.0)

    def network(self, *, block: bool) -> RandomModel:
        preprocess = self.input()
        first = self.values[0]
        self.conv(first, self.integer(2, 5))
        for _ in range(self.integer(3, 9)):
            self.grow()
        if block:
            self.block()
        end = self.ending()
        shape = [1, first.channels, first.height, first.width]
        output = (end.x, TensorProto.FLOAT, [1, end.channels])
        model = self.build.model(shape, output, **preprocess)
        return RandomModel(model, ", ".join(self.features))
