# SPDX-License-Identifier: Apache-2.0
"""Small QONNX and FINN-dialect models for the tests, made with NumPy and onnx.helper alone."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from tests.cnn_models import random_cnn_model
from tests.onnx_builder import EPSILON, Array, Builder

__all__ = ["divisor", "lfc", "mlp", "pixels", "random_cnn_model"]


@dataclass(frozen=True)
class Layer:
    """A dense layer: weights = integers * scale, then bias, batch norm, quantizer."""

    latent: Array  # float32 [out, in]
    integers: Array  # what the weight quantizer makes of it
    scale: Array  # [1] or [out, 1]
    bias: Array | None
    norm: tuple[Array, Array, Array, Array] | None  # gamma, beta, mean, variance
    act_scale: float  # 0 for the last layer


@dataclass(frozen=True)
class Recipe:
    """What `mlp` was asked for."""

    weight_bits: int
    act_bits: int
    input_bits: int
    style: str
    bn: bool
    negative_gamma: bool
    dead_neurons: bool
    weight_scale: float
    channel_scale: bool
    act_scale: float
    relu: bool
    bias: bool
    final: str


# ------------------------------------------------------------------------------- numbers


def levels(bits: int, *, relu: bool) -> tuple[int, int]:
    """Return the lowest and highest integer of an activation (Brevitas: signed ones are narrow)."""
    top = (1 << bits) - 1 if relu else max(1, (1 << (bits - 1)) - 1)
    return (0 if relu else -top), top


def _quantize(x: Array, scale: float, recipe: Recipe) -> Array:
    if recipe.act_bits == 1:
        return np.where(x >= 0, 1.0, -1.0)
    low, high = levels(recipe.act_bits, relu=recipe.relu)
    return np.clip(np.rint(x / scale), low, high)


def _batch_norm(
    acc: Array, rng: np.random.Generator, *, negative: bool, dead: bool
) -> tuple[Array, Array, Array, Array]:
    channels = acc.shape[1]
    gamma: Array = rng.uniform(0.6, 2.4, (channels,))
    if negative:
        gamma[rng.permutation(channels)[: channels // 4]] *= -1
    beta: Array = rng.normal(0.0, 0.4, (channels,))
    mean, variance = acc.mean(0), acc.var(0) + 0.1
    if dead and channels >= 4:
        gamma[0], beta[0] = 0.0, 0.7  # always on
        gamma[1], beta[1] = 0.0, -0.7  # always off
        gamma[2], beta[2] = 0.01, -9.0  # threshold above the range
        gamma[3], beta[3] = -0.01, 9.0  # threshold above the range, reversed
    return tuple(np.asarray(v, np.float32) for v in (gamma, beta, mean, variance))  # type: ignore[return-value]


def _layers(sizes: tuple[int, ...], recipe: Recipe, rng: np.random.Generator) -> list[Layer]:
    """Draw the layers, running random images through them so that activations are balanced."""
    x = np.floor(rng.uniform(0, 256, (256, sizes[0])))
    x = np.where(x >= 128, 1.0, -1.0) if recipe.input_bits == 1 else x / 255
    made: list[Layer] = []
    for index, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        last = index == len(sizes) - 2
        latent = rng.uniform(-1, 1, (fan_out, fan_in)).astype(np.float32)
        scale = np.full(1, recipe.weight_scale, np.float32)
        if recipe.channel_scale:
            scale = (scale * rng.uniform(0.5, 1.5, (fan_out, 1))).astype(np.float32)
        top = max(1, (1 << (recipe.weight_bits - 1)) - 1)
        if recipe.weight_bits == 1:
            integers = np.where(latent >= 0, 1, -1).astype(np.int64)
        else:
            integers = rng.integers(-top, top + 1, latent.shape)
            latent = ((integers + rng.uniform(-0.4, 0.4, latent.shape)) * scale).astype(np.float32)
        acc = x @ (integers * scale).T.astype(np.float64)
        bias = rng.normal(0, acc.std() / 2, fan_out).astype(np.float32) if recipe.bias else None
        acc = acc if bias is None else acc + bias
        norm, act_scale = None, 0.0
        if not last:
            spread = float(2.0 ** np.round(np.log2(acc.std() + 1e-9)))
            if recipe.bn:
                norm = _batch_norm(
                    acc, rng, negative=recipe.negative_gamma, dead=recipe.dead_neurons
                )
                gamma, beta, mean, variance = norm
                acc, spread = gamma * (acc - mean) / np.sqrt(variance + EPSILON) + beta, 1.0
            steps = 1.0 if recipe.act_bits == 1 else spread * 2.0 ** (2 - recipe.act_bits)
            act_scale = steps * recipe.act_scale
            x = _quantize(acc, act_scale, recipe) * act_scale
        made.append(Layer(latent, integers, scale, bias, norm, act_scale))
    return made


# ------------------------------------------------------------------------------- graphs


def _flatten(build: Builder, features: int) -> str:
    if build.style == "script":
        return build.node("Flatten", "input", axis=1)
    if build.style == "new":
        shape = build.constant("val_3", [1, features], np.int64)
        return build.node("Reshape", "input", shape, allowzero=1)
    if build.style == "finn":
        return build.node("Reshape", "input", build.constant("shape", [1, -1], np.int64))
    shape = build.node("Shape", "input")
    batch = build.node("Gather", shape, build.constant("zero", 0, np.int64), axis=0)
    batch = build.node("Unsqueeze", batch, axes=[0])
    shape = build.node("Concat", batch, build.constant("rest", [-1], np.int64), axis=0)
    return build.node("Reshape", "input", shape)


def _activation(build: Builder, x: str, scale: float, recipe: Recipe) -> str:
    step = build.constant(f"scale_{scale:g}", scale)
    if recipe.act_bits == 1:
        return build.quantizer("BipolarQuant", x, step)
    x = build.node("Relu", x) if recipe.relu else x
    zero, bits = build.constant("zero_point", 0.0), build.constant("bits", recipe.act_bits)
    return build.quantizer(
        "Quant", x, step, zero, bits,
        narrow=int(not recipe.relu), rounding_mode="ROUND", signed=int(not recipe.relu),
    )  # fmt: skip


def _input(build: Builder, x: str, recipe: Recipe) -> str:
    if recipe.input_bits == 8:
        step, zero = build.constant("step", 1 / 255), build.constant("zero_point", 0.0)
        bits = build.constant("input_bits", 8)
        return build.quantizer(
            "Quant", x, step, zero, bits, narrow=0, rounding_mode="ROUND", signed=0
        )
    x = build.node("Mul", x, build.constant("two", 2.0))
    x = build.node("Sub", x, build.constant("one", 1.0))
    return build.quantizer("BipolarQuant", x, build.constant("scale_1", 1.0))


def _dense(build: Builder, x: str, layer: Layer, index: int, bits: int) -> str:
    weight = build.constant(f"features.{index}.weight", layer.latent)
    scale = build.constant(f"features.{index}.scale", layer.scale)
    if bits == 1:
        weight = build.quantizer("BipolarQuant", weight, scale)
    else:
        zero, width = build.constant("zero_point", 0.0), build.constant("weight_bits", bits)
        weight = build.quantizer(
            "Quant", weight, scale, zero, width, narrow=1, rounding_mode="ROUND", signed=1
        )
    bias = [] if layer.bias is None else [build.constant(f"features.{index}.bias", layer.bias)]
    if build.style == "new":
        return build.node("Gemm", x, weight, *bias, alpha=1.0, beta=1.0, transA=0, transB=1)
    x = build.node("MatMul", x, build.node("Transpose", weight, perm=[1, 0]))
    return build.node("Add", x, *bias) if bias else x


def _norm(build: Builder, x: str, norm: tuple[Array, ...], index: int) -> str:
    names = ("gamma", "beta", "running_mean", "running_var")
    inputs = [build.constant(f"features.{index}.{n}", v) for n, v in zip(names, norm, strict=True)]
    return build.node("BatchNormalization", x, *inputs, epsilon=EPSILON, momentum=0.9)


def _final(
    build: Builder, x: str, classes: int, recipe: Recipe, rng: np.random.Generator
) -> tuple[str, int, list[int]]:
    if recipe.final == "argmax" and build.style == "finn":  # InsertTopK
        k = build.constant("k", [1], np.int64)
        build.nodes.append(
            helper.make_node("TopK", [x, k], ["values", "class"], name="TopK", axis=-1)
        )
        return "class", TensorProto.INT64, [1, 1]
    if recipe.final == "argmax":
        return build.node("ArgMax", x, axis=1, keepdims=0), TensorProto.INT64, [1]
    if recipe.final == "scalar" and build.style == "old":  # TensorNorm
        x = build.node("Sub", x, build.constant("mean", [0.45]))
        deviation = build.node("Pow", build.constant("variance", [318.2]), build.constant("h", 0.5))
        x = build.node("Div", x, deviation)
    if recipe.final == "scalar":
        x = build.node("Mul", x, build.constant("gain", [0.734]))
        x = build.node("Add", x, build.constant("offset", [-1.14]))
    if recipe.final == "batchnorm":
        gamma = rng.uniform(0.5, 1.5, classes).astype(np.float32)
        beta, mean = rng.normal(size=(2, classes)).astype(np.float32)
        if build.style == "finn":  # as FINN's BatchNormToAffine leaves it
            x = build.node("Mul", x, build.constant("gain", gamma))
            x = build.node("Add", x, build.constant("offset", beta))
        else:
            variance = rng.uniform(1, 9, classes).astype(np.float32)
            x = _norm(build, x, (gamma, beta, mean, variance), 99)
    return x, TensorProto.FLOAT, [1, classes]


def _finn_thresholds(layer: Layer, input_scale: float, recipe: Recipe) -> tuple[Array, Array]:
    """Return weights [in, out] and thresholds [out, steps], flipped where gamma is negative."""
    channels, fan_in = layer.integers.shape
    low, high = levels(recipe.act_bits, relu=recipe.relu)
    edges = np.array([0.0]) if recipe.act_bits == 1 else np.arange(low + 1, high + 1) - 0.5
    ones = np.ones(channels)
    default = (ones, 0 * ones, 0 * ones, ones)
    gamma, beta, mean, variance = (v.astype(np.float64) for v in layer.norm or default)
    gain = gamma / np.sqrt(variance + (EPSILON if layer.norm else 0.0))
    offset = beta + gain * ((0.0 if layer.bias is None else layer.bias) - mean)
    gain = gain * layer.scale.reshape(-1).astype(np.float64) * input_scale
    bound = 256.0 * fan_in * (1 << recipe.weight_bits)
    distance = edges[None, :] * layer.act_scale - offset[:, None]
    flip = np.where(gain < 0, -1.0, 1.0)
    with np.errstate(divide="ignore"):
        thresholds = np.ceil(distance / np.abs(gain)[:, None])
    weights = (layer.integers * flip[:, None]).T
    return weights, np.clip(thresholds, -bound, bound)


def _finn(
    sizes: tuple[int, ...], layers: list[Layer], recipe: Recipe, rng: np.random.Generator
) -> onnx.ModelProto:
    build = Builder("finn")
    build.annotate("input", "UINT8")
    x, input_scale = _flatten(build, sizes[0]), 1 / 255

    def threshold(x: str, values: Array, name: str, bits: int, *, relu: bool) -> str:
        low, _ = levels(bits, relu=relu)
        out = "BIPOLAR" if bits == 1 else f"{'U' if relu else ''}INT{bits}"
        gain = 2.0 if bits == 1 else 1.0
        y = build.quantizer(
            "MultiThreshold", x, build.constant(name, values),
            out_dtype=out, out_scale=gain, out_bias=float(low),
        )  # fmt: skip
        build.annotate(name, "INT32")
        build.annotate(y, out)
        return y

    if recipe.input_bits == 1:
        input_scale = 1.0
        x = threshold(x, np.array([[128.0]]), "thresholds", 1, relu=False)
    for index, layer in enumerate(layers):
        weights, thresholds = _finn_thresholds(layer, input_scale, recipe)
        if not layer.act_scale:
            weights = layer.integers.T
        name = build.constant(f"weights_{index}", weights)
        build.annotate(name, "BIPOLAR" if recipe.weight_bits == 1 else f"INT{recipe.weight_bits}")
        x = build.node("MatMul", x, name)
        build.annotate(x, "INT32")
        if layer.act_scale:
            x = threshold(x, thresholds, f"thresholds_{index}", recipe.act_bits, relu=recipe.relu)
            input_scale = layer.act_scale
    output = _final(build, x, sizes[-1], recipe, rng)
    return build.model(_shape(sizes[0]), output, divisor=1.0)


def _shape(features: int) -> list[int]:
    return [1, 1, 28, 28] if features == 784 else [1, features]


def mlp(
    sizes: tuple[int, ...],
    *,
    weight_bits: int = 1,
    act_bits: int = 1,
    input_bits: int = 1,
    style: str = "old",
    bn: bool = True,
    negative_gamma: bool = True,
    dead_neurons: bool = True,
    weight_scale: float = 1.0,
    channel_scale: bool = False,
    act_scale: float = 1.0,
    relu: bool = False,
    bias: bool = False,
    final: str = "none",
    seed: int = 0,
) -> onnx.ModelProto:
    """Make a random multilayer perceptron with calibrated batch norms.

    style: old (Brevitas' first exports), script (Brevitas now, TorchScript), new (Brevitas now,
    dynamo), finn. input_bits 1: sign of 2 x - 1; 8: uint8 pixels / 255 (finn: raw). relu makes
    activations of 2 bits and more unsigned. final: none, scalar, batchnorm, argmax. All styles of
    one seed compute the same classes, save for ties; finn drops the scales.
    """
    rng = np.random.default_rng(seed)
    recipe = Recipe(
        weight_bits, act_bits, input_bits, style, bn, negative_gamma, dead_neurons,
        weight_scale, channel_scale, act_scale, relu, bias, final,
    )  # fmt: skip
    layers = _layers(tuple(sizes), recipe, rng)
    if style == "finn":
        return _finn(tuple(sizes), layers, recipe, rng)
    build = Builder(style)
    x = _input(build, _flatten(build, sizes[0]), recipe)
    for index, layer in enumerate(layers):
        x = _dense(build, x, layer, index, weight_bits)
        if layer.norm is not None:
            x = _norm(build, x, layer.norm, index)
        if layer.act_scale:
            x = _activation(build, x, layer.act_scale, recipe)
    output = _final(build, x, sizes[-1], recipe, rng)
    return build.model(_shape(sizes[0]), output, divisor=255.0)


def lfc(seed: int = 0, *, style: str = "old") -> onnx.ModelProto:
    """Make a random network of LFC's size: 784-1024-1024-1024-10, W1A1."""
    return mlp((784, 1024, 1024, 1024, 10), style=style, seed=seed)


def pixels(model: onnx.ModelProto, count: int, *, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Draw count random uint8 images of the model's input shape."""
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *shape[1:])).astype(np.uint8)


def divisor(model: onnx.ModelProto) -> float:
    """Return what pixels are divided by before they enter the model."""
    entries = {p.key: p.value for p in model.metadata_props}
    return float(json.loads(entries["hwbnn.input"])["divisor"])
