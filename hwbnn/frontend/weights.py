# SPDX-License-Identifier: Apache-2.0
"""Weights: constants as integers times a scale per output."""

import re
from dataclasses import dataclass

import numpy as np
import onnx

from hwbnn.errors import ModelError
from hwbnn.frontend.load import EXPORT
from hwbnn.frontend.run_node import Array, attribute
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, signed, unsigned
from hwbnn.ir.graph import FloatArray

MAX_WEIGHT_BITS = 16
NEAR = 1e-6  # relative; a scale that was multiplied in twice rounds twice
QAT = f"train it with Brevitas (QuantLinear, QuantConv2d) and export it with {EXPORT}"


@dataclass(frozen=True, eq=False)
class Grid:
    """What a quantizer said of a constant: scale (of the constant's shape) and integer type."""

    scale: Array
    dtype: DType


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that no pixel reaches. name: of the tensor; problem: why it can be no weight."""

    name: str
    value: Array
    grid: Grid | None = None
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class Weights:
    """Float weights (outputs, inputs) = integers * scale[output]."""

    floats: FloatArray
    integers: IntArray
    scale: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    dtype: DType


def quantizer_dtype(node: onnx.NodeProto, inputs: list[Array], where: str) -> DType:
    """Return the integer type of a Quant or BipolarQuant; ModelError if there is none."""
    scale = inputs[1]
    if not (scale > 0).all():
        raise ModelError(
            f"{where}: scale must be positive, not {float(scale.min()):g}; "
            "train with a positive scale (zero means a dead layer)"
        )
    if node.op_type == "BipolarQuant":
        return BIPOLAR
    zero, bits = inputs[2], inputs[3]
    if (zero != 0).any():
        odd = float(zero[zero != 0].reshape(-1)[0])
        raise ModelError(
            f"{where}: zero point must be 0, not {odd:g}; use a symmetric quantizer of Brevitas"
        )
    if bits.size != 1 or float(bits.reshape(-1)[0]) not in range(1, MAX_WEIGHT_BITS + 1):
        given = ", ".join(f"{b:g}" for b in bits.reshape(-1)[:4])
        raise ModelError(
            f"{where}: bit width must be one integer of 1 to {MAX_WEIGHT_BITS}, not {given}; "
            "choose another bit_width"
        )
    width = int(bits.reshape(-1)[0])
    if attribute(node, "signed", 1):
        return BIPOLAR if width == 1 else signed(width)
    return unsigned(width)


def annotated_dtype(text: str | None) -> DType | None:
    """Return the type that FINN's annotation of a tensor names, if it is one of integers."""
    if text == "BINARY":
        return unsigned(1)
    if text == "TERNARY":
        return signed(2)
    if text == "BIPOLAR":
        return BIPOLAR
    match = re.fullmatch(r"(U?)INT(\d+)", text or "")
    if not match or not 1 <= int(match[2]) <= 64:
        return None
    return unsigned(int(match[2])) if match[1] else signed(int(match[2]))


def integer_weights(constant: Constant, value: Array, scale: Array | None, where: str) -> Weights:
    """Return the weights (outputs, inputs) of a product as integers; where names its node.

    value and scale are the constant's, already turned to (outputs, inputs).
    """
    if constant.problem is not None:
        raise ModelError(constant.problem)
    if constant.grid is None or scale is None:
        return _plain(constant, value, where)
    if (scale != scale[:, :1]).any():
        raise ModelError(
            f"{where}: scale of its weights must be one, or one an output, not one an input; "
            "choose scaling_per_output CHANNEL or TENSOR"
        )
    dtype = constant.grid.dtype
    ratio = value.astype(np.float64) / scale
    integers = np.rint(ratio).astype(np.int64)
    wrong = (np.abs(integers - ratio) > NEAR * np.abs(ratio)) | (integers < dtype.min)
    wrong |= (integers > dtype.max) | ((dtype == BIPOLAR) & (integers == 0))
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise ModelError(
            f"{where}: weights {constant.name} must be {dtype} times their scale, not "
            f"{value[row, column]:g} (output {row}, input {column}); "
            "export the quantized model again"
        )
    return Weights(value, integers, scale[:, 0].astype(np.float64), _signed(dtype))


def _signed(dtype: DType) -> DType:
    """The hardware multiplies by signed weights only."""
    return dtype if dtype.signed or dtype == BIPOLAR else signed(dtype.bits + 1)


def _plain(constant: Constant, value: Array, where: str) -> Weights:
    """Weights without a quantizer: already integers, or +-scale in every row."""
    integers = np.rint(value).astype(np.int64)
    if (integers == value).all() and np.abs(integers).max() < 1 << (MAX_WEIGHT_BITS - 1):
        bits = int(np.abs(integers).max()).bit_length() + 1
        dtype = BIPOLAR if BIPOLAR.holds(integers) else signed(max(2, bits))
        return Weights(value, integers, np.ones(len(value)), dtype)
    size = np.abs(value[:, :1])
    if (np.abs(value) == size).all() and (size > 0).all():
        signs = np.where(value > 0, 1, -1).astype(np.int64)
        return Weights(value, signs, size[:, 0].astype(np.float64), BIPOLAR)
    raise ModelError(f"{where}: weights {constant.name} must be quantized, not float32; {QAT}")


def binary_grid(values: Array) -> tuple[IntArray, Array]:
    """Per row, the greatest power of two that divides all floats, and |float| / 2**power.

    A float32 sum of multiples of one power of two is exact in any order while the multiples stay
    within 24 bits (IEEE 754).
    """
    mantissa, exponent = np.frexp(np.asarray(values, np.float64))
    digits = np.rint(np.ldexp(mantissa, 53)).astype(np.int64)
    lowest = np.frexp((digits & -digits).astype(np.float64))[1] - 1 + exponent - 53
    powers = np.where(digits == 0, 1 << 12, lowest).min(axis=1, keepdims=True)
    powers = np.where(powers == 1 << 12, 0, powers)
    return powers.astype(np.int64), np.ldexp(np.abs(values.astype(np.float64)), -powers)
