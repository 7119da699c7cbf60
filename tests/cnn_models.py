# SPDX-License-Identifier: Apache-2.0
"""Random small convolutional QONNX models, spelled in every ordinary way, whose sums are exact.

Scales of quantizers and weights, biases of averaged values and input offsets are multiples of
powers of two, so that the float32 sums of the model have no rounding and one right answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from tests.cnn_weights import draw_weights
from tests.cnn_windows import draw_window, global_pool
from tests.onnx_builder import EPSILON, Array, Builder


@dataclass(frozen=True, eq=False)
class RandomModel:
    """A model, and the features that were drawn for it."""

    model: onnx.ModelProto
    features: str


def random_cnn_model(seed: int) -> RandomModel:
    """Draw a network of a few layers on images up to 8 x 8 x 4."""
    return _Draw(seed).network()


class _Draw:
    """A network while it is drawn: what its last value is, as far as that matters."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 2016])
        self.build = Builder(self.choice("script", "new"))
        self.features: list[str] = []
        self.sequence = self.chance(0.15)
        self.channels = int(self.rng.choice([1, 2, 3, 4], p=[0.2, 0.2, 0.4, 0.2]))
        self.height, self.width = (int(n) for n in self.rng.integers(4, 9, 2))
        if self.sequence:
            self.height, self.width = 1, int(self.rng.integers(6, 17))
        self.x = "input"
        self.levels: Array | None = None  # floats of a quantized value
        self.spread = 1.0

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def choice(self, *names: str) -> str:
        return str(self.rng.choice(names))

    def integer(self, low: int, high: int) -> int:
        """Draw one of low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def note(self, feature: str) -> None:
        self.features.append(feature)

    @property
    def extents(self) -> tuple[int, ...]:
        return (self.width,) if self.sequence else (self.height, self.width)

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        return self.build.constant(f"c{len(self.build.initializers)}", value, dtype)

    def add(self, operator: str, *constants: Any, **attributes: Any) -> None:
        names = [self.constant(value) for value in constants]
        self.x = self.build.node(operator, self.x, *names, **attributes)

    def per_channel(self, values: Array) -> Array:
        return values.reshape(1, -1, *(1,) * len(self.extents))

    # ---- the input

    def input(self) -> dict[str, float]:
        """Spell out how pixels become the first quantized value; return the preprocessing."""
        kind = self.choice("raw", "offset", "bipolar", "quant", "channels", "norm")
        self.note(f"input {kind}")
        if kind in ("raw", "offset"):  # exact without a quantizer
            divisor = 2.0 ** self.integer(0, 8)
            mean = self.integer(1, 200) / divisor / 2 if kind == "offset" else 0.0
            self.levels = np.arange(256) / divisor - mean
            return {"divisor": divisor, "mean": mean, "std": 1.0}
        preprocess = {"divisor": 255.0}
        if kind == "channels":
            mean, std = self.rng.uniform(0.2, 0.7, (2, self.channels))
            self.add("Sub", self.per_channel(mean))
            self.add("Div", self.per_channel(std))
        elif kind == "norm":
            self.spread = 0.5
            self.batch_norm()
        else:
            self.add("Mul", 2.0)
            self.add("Sub", 1.0)
        self.spread = 1.0
        if kind == "bipolar":
            self.bipolar()
        else:
            self.quantizer(bits=self.integer(1, 8))
        return preprocess

    # ---- between layers

    def batch_norm(self) -> None:
        size = self.channels
        gamma = self.rng.uniform(0.3, 2, size) * self.rng.choice([-1, 1], size, p=[0.3, 0.7])
        beta = self.rng.normal(0, 0.5, size)
        if self.chance(0.3):
            gamma[self.integer(0, size - 1)] = float(self.rng.choice([0, 1e-20, -1e-20]))
            self.note("dead channel")
        if self.chance(0.2):
            beta[self.integer(0, size - 1)] = float(self.rng.choice([-99, 99]))
        mean = self.rng.normal(0, self.spread / 2, size)
        variance = self.rng.uniform(0.3, 2, size) * self.spread**2
        self.add("BatchNormalization", gamma, beta, mean, variance, epsilon=EPSILON)
        self.spread, self.levels = 1.0, None

    def bipolar(self) -> None:
        scale = 2.0 ** self.integer(-2, 1)
        self.x = self.build.quantizer("BipolarQuant", self.x, self.constant(scale))
        self.levels, self.spread = np.array([-scale, scale]), scale

    def quantizer(self, *, bits: int) -> None:
        kind = self.choice("Quant", "Quant", "MultiThreshold")
        step = float(2.0 ** round(np.log2(self.spread * 3 / (1 << bits))))
        if kind == "MultiThreshold":
            return self.thresholds(min(bits, 4), step)
        signed = int(self.chance(0.5))
        narrow = int(bits > 1 and signed and self.chance(0.5))
        constants = [self.constant(value) for value in (step, 0.0, float(bits))]
        self.x = self.build.quantizer(
            "Quant", self.x, *constants, signed=signed, narrow=narrow,
            rounding_mode=self.choice("ROUND", "FLOOR"),
        )  # fmt: skip
        low = -(1 << (bits - 1)) + narrow if signed else 0
        self.levels = np.arange(low, low + (1 << bits) - narrow) * step
        if signed and bits == 1:
            self.levels = np.array([-step, step])
        self.spread = float(np.abs(self.levels).mean())
        self.note(f"{'int' if signed else 'uint'}{bits}")
        return None

    def thresholds(self, bits: int, step: float) -> None:
        """FINN's quantizer, channels first or last, with any bias of its levels."""
        steps = (1 << bits) - 1
        rows = self.channels if self.chance(0.5) else 1
        values = np.sort(self.rng.normal(0, self.spread, (rows, steps)), axis=1)
        bias = float(self.rng.choice([0.0, -step * (steps // 2), -step / 2, step / 4]))
        last = not self.sequence and self.chance(0.5)
        if last:
            self.x = self.build.node("Transpose", self.x, perm=[0, 2, 3, 1])
        layout = "NHWC" if last else "NCW" if self.sequence else "NCHW"
        self.x = self.build.quantizer(
            "MultiThreshold", self.x, self.constant(values), out_dtype="INT8", out_scale=step,
            out_bias=bias, data_layout=layout,
        )  # fmt: skip
        if last:
            self.x = self.build.node("Transpose", self.x, perm=[0, 3, 1, 2])
        self.levels = np.arange(steps + 1) * step + bias
        self.spread = float(np.abs(self.levels).mean() + step)
        self.note(f"thresholds {layout} {bias / step:g}")

    def activation(self) -> None:
        """Draw what stands between sums and the next layer: pools anywhere, a quantizer at last."""
        norm, pool = self.chance(0.8), self.choice("none", "none", "before", "middle", "behind")
        if pool == "before":
            self.max_pool()
        if norm:
            self.batch_norm()
        if pool == "middle":
            self.max_pool()
            if self.chance(0.5):
                self.batch_norm()
        clip = self.choice("none", "none", "Relu", "Clip", "PRelu")
        if clip == "Clip":
            self.add("Clip", -self.spread, self.spread)
        elif clip == "PRelu":
            self.add("PRelu", self.per_channel(self.rng.uniform(0, 1, self.channels))[0])
        elif clip == "Relu":
            self.add("Relu")
        self.note(f"{'norm ' if norm else ''}{clip} quant")
        if self.chance(0.6):
            self.bipolar()
        else:
            self.quantizer(bits=self.integer(1, 4))
        if self.chance(0.15):
            self.note("again")
            self.batch_norm()
            self.bipolar()
        if pool == "behind":
            self.max_pool()

    # ---- windows

    def window(self, *, pool: bool, dilated: bool = True, padded: bool = True) -> dict[str, Any]:
        """Draw the attributes of a window that fits, and move to its extents."""
        attributes, out = draw_window(
            self.rng, self.extents, pool=pool, dilated=dilated, padded=padded
        )
        mode = attributes.get("auto_pad", "")
        self.note("x".join(map(str, attributes["kernel_shape"])) + f" {mode.lower()}")
        self.height, self.width = (1, *out) if self.sequence else out
        return attributes

    def max_pool(self) -> None:
        self.note("max pool")
        self.x = self.build.node("MaxPool", self.x, **self.window(pool=True))

    def average_pool(self) -> None:
        self.note("average pool")
        attributes = self.window(pool=True, dilated=False)
        self.x = self.build.node(
            "AveragePool", self.x, count_include_pad=self.integer(0, 1), **attributes
        )
        self.levels = None

    # ---- layers

    def weights(self, shape: tuple[int, ...], *, matrix: bool = False) -> str:
        """Draw weights (outputs, ...) with one scale or one an output; matrix: transposed."""
        name, size, feature = draw_weights(self.rng, self.build, shape, matrix=matrix)
        self.spread *= size
        self.note(feature)
        return name

    def summed(self, taps: int) -> None:
        """Set the spread of a product's inputs."""
        assert self.levels is not None
        self.spread = float(np.sqrt(np.square(self.levels).mean() * taps))

    def conv(self, *, exact: bool = False, pointwise: bool = False, uniform: bool = False) -> None:
        """Draw a convolution.

        exact: its bias too is a multiple of a power of two. uniform: its sums are the same floats
        at all positions.
        """
        assert self.levels is not None
        groups = int(self.rng.choice([g for g in (1, 1, 1, 2, 4) if self.channels % g == 0]))
        groups = self.channels if self.chance(0.15) else groups
        outputs = groups * self.integer(1, max(1, 8 // groups))
        given = f"(1, {self.height}, {self.width}, {self.channels})"
        attributes: dict[str, Any] = {"kernel_shape": [1] * len(self.extents)}
        if not pointwise:
            attributes = self.window(pool=False, padded=not uniform)
        self.note(f"conv {self.channels} to {outputs} in {groups}")
        kernel = attributes["kernel_shape"]
        shape = (outputs, self.channels // groups, *kernel)
        self.summed(int(np.prod(shape[1:])))
        lowered = not self.sequence and groups == 1 and "auto_pad" not in attributes
        if lowered and self.chance(0.2):
            self.lowered(outputs, attributes, given)
        else:
            if "pads" in attributes and self.chance(0.6):
                self.pad(attributes.pop("pads"))
            names = [self.weights(shape)]
            if self.chance(0.3):
                bias = self.rng.normal(0, self.spread, outputs)
                names.append(self.constant(np.rint(bias * 8) / 8 if exact else bias))
                self.note("bias")
            self.x = self.build.node("Conv", self.x, *names, group=groups, **attributes)
        self.channels, self.levels = outputs, None
        if not uniform and self.chance(0.05):
            self.note("offset per element")
            self.add("Add", np.rint(self.rng.normal(0, self.spread, (outputs, *self.extents))))

    def lowered(self, outputs: int, attributes: dict[str, Any], given: str) -> None:
        """Spell a convolution as FINN does: windows as vectors, then a matrix product."""
        self.note("lowered")
        kernel = attributes["kernel_shape"]
        self.x = self.build.node("Transpose", self.x, perm=[0, 2, 3, 1])
        if kernel != [1, 1] or attributes.get("strides", [1, 1]) != [1, 1] or "pads" in attributes:
            self.x = self.build.quantizer(
                "Im2Col", self.x, stride=attributes.get("strides", [1, 1]), kernel_size=kernel,
                pad_amount=attributes.get("pads", [0] * 4), input_shape=given,
                dilations=attributes.get("dilations", [1, 1]),
            )  # fmt: skip
        shape = (outputs, kernel[0] * kernel[1] * self.channels)
        self.x = self.build.node("MatMul", self.x, self.weights(shape, matrix=True))
        self.x = self.build.node("Transpose", self.x, perm=[0, 3, 1, 2])

    def pad(self, pads: list[int]) -> None:
        """Spell the padding as a node, with a value that may be one of the levels or any."""
        assert self.levels is not None
        step = float(self.levels[1] - self.levels[0])
        value = float(self.rng.choice([0.0, *self.rng.choice(self.levels, 2), step / 2]))
        axes = len(self.extents)
        whole = [0, 0, *pads[:axes], 0, 0, *pads[axes:]]
        amounts = self.constant(whole, np.int64)
        self.x = self.build.node("Pad", self.x, amounts, self.constant(value), mode="constant")
        self.note(f"pad {value:g}")

    def block(self) -> None:
        """Draw a layer up to its quantizer."""
        match self.integer(0, 9):
            case 0:
                self.conv(exact=True)
                self.average_pool()
                self.activation()
            case 1:
                self.conv()
                self.activation()
                self.average_pool()
                self.activation()
            case _:
                self.conv()
                self.activation()

    # ---- the end

    def flatten(self) -> None:
        features = self.channels * self.height * self.width
        kind = self.choice("Flatten", "Reshape", "last")
        self.note(f"flatten {kind}")
        if kind == "Flatten":
            self.x = self.build.node("Flatten", self.x, axis=1)
        else:
            if kind == "last":
                perm = [0, *range(2, len(self.extents) + 2), 1]
                self.x = self.build.node("Transpose", self.x, perm=perm)
            shape = self.constant([1, features] if self.chance(0.5) else [0, -1], np.int64)
            self.x = self.build.node("Reshape", self.x, shape)
        self.channels, self.height, self.width, self.sequence = features, 1, 1, False

    def dense(self, outputs: int) -> None:
        self.summed(self.channels)
        if self.chance(0.5):
            weights = self.weights((outputs, self.channels), matrix=True)
            self.x = self.build.node("MatMul", self.x, weights)
        else:
            weights = self.weights((outputs, self.channels))
            self.x = self.build.node("Gemm", self.x, weights, transB=1)
        self.channels, self.levels = outputs, None

    def ending(self) -> None:
        match self.choice("dense", "dense", "normed", "whole", "global", "global"):
            case "dense":
                self.flatten()
                if self.chance(0.5):
                    self.dense(self.integer(2, 8))
                    self.batch_norm()
                    self.bipolar()
                self.dense(self.integer(2, 5))
            case "normed":  # a batch norm for every element behind the image
                pooled = self.chance(0.5)
                self.conv(uniform=pooled)
                if pooled:
                    self.max_pool()
                self.flatten()
                self.batch_norm()
                self.bipolar()
                self.dense(self.integer(2, 5))
            case "whole":
                self.note("kernel = image")
                self.summed(self.channels * self.height * self.width)
                outputs = self.integer(2, 5)
                weights = self.weights((outputs, self.channels, *self.extents))
                self.x = self.build.node("Conv", self.x, weights)
                self.channels, self.height, self.width = outputs, 1, 1
                self.flatten()
            case _:
                self.conv(exact=True, pointwise=self.chance(0.7), uniform=True)
                self.global_pool()
                self.flatten()
        self.final()

    def global_pool(self) -> None:
        self.x, kind = global_pool(self.rng, self.build, self.x, len(self.extents))
        self.note(kind)
        self.height, self.width, self.levels = 1, 1, None

    def final(self) -> None:
        kind = self.choice("none", "none", "norm", "scale", "argmax")
        self.note(f"end {kind}")
        if kind == "norm":
            self.batch_norm()
        elif kind == "scale":
            self.add("Mul", self.rng.uniform(0.1, 2))
            self.add("Add", self.rng.normal(0, 1, self.channels))
        elif kind == "argmax":
            self.x = self.build.node("ArgMax", self.x, axis=1, keepdims=0)

    def network(self) -> RandomModel:
        shape = [1, self.channels, *self.extents]
        preprocess = self.input()
        if self.chance(0.1) and not self.features[0].endswith(("raw", "offset")):
            self.max_pool()
        for _ in range(self.integer(1, 3)):
            self.block()
        self.ending()
        output = self.x, TensorProto.FLOAT, [1, self.channels]
        if "argmax" in self.features[-1]:
            output = self.x, TensorProto.INT64, [1]
        model = self.build.model(shape, output, **preprocess)
        return RandomModel(model, ", ".join(self.features))
