# SPDX-License-Identifier: Apache-2.0
"""Dense: a MatMul or Gemm on an integer value as an operator, and what its sums stand for."""

from dataclasses import dataclass

import numpy as np
import onnx

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Affine, Chain, Levels, Pixels, Step
from hwbnn.frontend.run_node import attribute
from hwbnn.frontend.weights import Constant, Weights, binary_grid, integer_weights
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, smallest, unsigned
from hwbnn.ir.graph import Arithmetic, FloatArray
from hwbnn.ir.ops import Dense
from hwbnn.ir.ranges import sum_range

MAX_EXACT = 1 << 24  # float32 holds every integer up to here
MAX_INPUT = 1 << 16  # levels of what joins and sums of quantized values give


@dataclass(frozen=True, eq=False)
class Values:
    """What the integers of a product's input stand for: k is about scale * k + offset."""

    levels: IntArray
    floats: FloatArray  # one a level
    scale: float
    offset: float
    dtype: DType


def input_values(chain: Chain, dtype: DType | None, where: str) -> Values:
    """Return the floats of a product's input, equal for all its elements.

    chain: from the operator whose integers enter, so with no quantizer among its steps.
    """
    if isinstance(chain.entry, Affine | Levels) and dtype is not None:
        low, high = chain.entry.low, chain.entry.high
        if high - low >= MAX_INPUT:
            raise ModelError(
                f"{where}: input must have at most {MAX_INPUT} levels (16 bits), not "
                f"{high - low + 1}; put a QuantIdentity before the layer"
            )
        levels = np.arange(low, high + 1, 2 if dtype == BIPOLAR else 1)
    elif isinstance(chain.entry, Pixels):
        levels, dtype = np.arange(256), unsigned(8)
    else:
        raise ModelError(
            f"{where}: input must be quantized, not the sums of the layer before; "
            "put a QuantIdentity or QuantReLU between the layers"
        )
    floats = chain.spread(levels)
    if (floats != floats[:, :1]).any():
        raise ModelError(
            f"{where}: input must have one scale, not one for each channel; "
            "choose scaling_per_output_channel False for the activation"
        )
    scale, offset = _affine(levels, floats[:, 0], where)
    return Values(levels, floats[:, 0], scale, offset, dtype)


def _affine(levels: IntArray, floats: FloatArray, where: str) -> tuple[float, float]:
    """Return scale and offset with floats = scale * levels + offset, up to rounding."""
    exact = floats.astype(np.float64)
    unit = np.flatnonzero(levels == 1)
    if unit.size and (floats == (levels * exact[unit[0]]).astype(np.float32)).all():
        return float(exact[unit[0]]), 0.0
    scale = (exact[-1] - exact[0]) / float(levels[-1] - levels[0])
    offset = float(exact[0] - scale * levels[0])
    size = float(np.abs(exact).max())
    if scale == 0 or np.abs(levels * scale + offset - exact).max() > size * 2.0**-22:
        raise ModelError(
            f"{where}: input must be integers times one scale plus one offset, not "
            f"{', '.join(f'{x:g}' for x in floats[:4])}, ...; put a QuantIdentity before the layer"
        )
    return scale, 0.0 if abs(offset) < size * 2.0**-24 else offset


def dense(
    node: onnx.NodeProto, name: str, source: str, values: Values, order: IntArray,
    constant: Constant, where: str,
) -> tuple[Dense, Affine]:  # fmt: skip
    """Return the product of a value with constant weights, and the floats of its sums.

    order: for each input of the product, which element of the source it is.
    """
    weights = oriented_weights(node, constant, where)
    if weights.integers.shape[1] != order.size:
        raise ModelError(
            f"{where}: weights must have {order.size} inputs, not {weights.integers.shape[1]}; "
            "export the model again"
        )
    columns = np.empty_like(weights.integers)
    columns[:, order] = weights.integers
    low, high = sum_range(columns, int(values.levels[0]), int(values.levels[-1]))
    op = Dense(name, source, columns, weights.dtype, smallest(low, high))
    offset = values.offset * weights.scale * columns.sum(axis=1)
    scale, exact = values.scale * weights.scale, exact_sums(values.floats, weights)
    return op, Affine(scale, offset, low, high, exact, np.arange(op.elements))


def oriented_weights(node: onnx.NodeProto, constant: Constant, where: str) -> Weights:
    """Return the weights of a MatMul (inputs, outputs) or Gemm as (outputs, inputs)."""
    value = constant.value
    if value.ndim != 2 or value.dtype != np.float32:
        shape = " x ".join(map(str, value.shape))
        raise ModelError(
            f"{where}: weights must be a float32 matrix, not {shape} {value.dtype}; "
            "export the model again"
        )
    scale = None if constant.grid is None else np.broadcast_to(constant.grid.scale, value.shape)
    if node.op_type == "MatMul" or not attribute(node, "transB", 0):
        value, scale = value.T, None if scale is None else scale.T
    return integer_weights(constant, value, scale, where)


def exact_sums(inputs: FloatArray, weights: Weights) -> bool:
    """Say whether every float32 sum of these inputs times a row of weights is exact."""
    _, multiples = binary_grid(inputs[None])
    _, rows = binary_grid(weights.floats)
    return bool(multiples.max() * rows.sum(axis=1).max() <= MAX_EXACT)


def gemm_step(node: onnx.NodeProto, bias: Constant | None, outputs: int, where: str) -> Step | None:
    """Return the step for a Gemm's alpha, beta and C; None if it has none."""
    alpha = np.float32(attribute(node, "alpha", 1.0))
    beta = np.float32(attribute(node, "beta", 1.0))
    if bias is None and alpha == 1:
        return None
    constant = np.zeros(1, np.float32) if bias is None else bias.value
    if constant.shape not in ((), (1,), (outputs,), (1, outputs), (1, 1)):
        shape = " x ".join(map(str, constant.shape))
        raise ModelError(f"{where}: bias must have {outputs} elements, not {shape}; export again")
    added = np.broadcast_to(beta * constant.reshape(-1), (outputs,))

    def evaluate(x: FloatArray, columns: IntArray) -> FloatArray:
        return alpha * x + added[columns]

    # onnxruntime may add the bias first, and then round every partial sum.
    whole = alpha == 1 and bool((added == np.rint(added)).all()) and np.abs(added).max() < 1 << 20
    plain = (Arithmetic.ADD, added) if alpha == 1 else None
    return Step(where, evaluate, np.arange(outputs), exact=bool(whole), arithmetic=plain)
