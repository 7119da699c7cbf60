# SPDX-License-Identifier: Apache-2.0
"""Conv: a convolution of an integer image as an operator, and what its sums stand for."""

from dataclasses import replace

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Affine, Step
from hwbnn.frontend.dense import Values, exact_sums
from hwbnn.frontend.run_node import Array
from hwbnn.frontend.weights import Constant, Weights, integer_weights
from hwbnn.ir.dtype import BIPOLAR, IntArray, smallest
from hwbnn.ir.graph import Arithmetic, DoubleArray, FloatArray
from hwbnn.ir.ops import Conv
from hwbnn.ir.ranges import conv_range
from hwbnn.ir.window import Window


def conv_weights(constant: Constant, where: str) -> Weights:
    """Return weights (outputs, channels of a group, rows, columns) as (outputs, taps * channels).

    Without rows they are those of a sequence.
    """
    value = constant.value
    if value.ndim not in (3, 4) or value.dtype != np.float32:
        shape = " x ".join(map(str, value.shape))
        raise ModelError(
            f"{where}: weights must be a float32 kernel of one or two axes, not {shape} "
            f"{value.dtype}; use a 1D or 2D layer"
        )
    scale = None
    if constant.grid is not None:
        scale = _taps_first(np.broadcast_to(constant.grid.scale, value.shape))
    return integer_weights(constant, _taps_first(value), scale, where)


def conv_kernel(
    constant: Constant, kernel: tuple[int, int], *, depthwise: bool, where: str
) -> Constant:
    """Return a matrix (taps * channels, outputs), as FINN's lowering makes it, as a kernel again.

    Of a depthwise convolution it is the sparse matrix of all channels.
    """
    value, taps = constant.value, kernel[0] * kernel[1]
    if value.ndim != 2 or value.shape[0] % taps:
        shape = " x ".join(map(str, value.shape))
        raise ModelError(
            f"{where}: weights must be a matrix of rows for {taps} taps, not {shape}; export the "
            "model again"
        )

    def turned(matrix: Array) -> Array:
        whole = np.moveaxis(matrix.T.reshape(len(matrix.T), *kernel, -1), -1, 1)
        channel = np.arange(len(whole))
        return whole[channel, channel][:, None] if depthwise else whole

    grid = constant.grid
    if grid is not None:
        grid = replace(grid, scale=turned(np.broadcast_to(grid.scale, value.shape)))
    return replace(constant, value=turned(value), grid=grid)


def _taps_first(kernel: Array) -> Array:
    return np.moveaxis(kernel, 1, -1).reshape(len(kernel), -1)


def conv(
    name: str, source: str, values: Values, weights: Weights, window: Window, *,
    channels: int, groups: int, padded: float, where: str,
) -> tuple[Conv, Affine]:  # fmt: skip
    """Return the convolution, and the floats of its sums; padded is the float in the padding."""
    outputs = len(weights.integers)
    if channels % groups or outputs % groups:
        raise ModelError(
            f"{where}: group must divide {channels} channels and {outputs} outputs, not {groups}; "
            "export the model again"
        )
    if weights.integers.shape[1] * groups != window.taps * channels:
        raise ModelError(
            f"{where}: weights must have {channels // groups} channels, not "
            f"{weights.integers.shape[1] // window.taps}; export the model again"
        )
    integers = weights.integers.reshape(outputs, window.taps, -1)
    fill = _fill(values, padded) if any(window.padding) else 0
    op = Conv(
        name, source, integers, weights.dtype, window, BIPOLAR, groups, 0 if fill is None else fill
    )
    low, high = conv_range(op, int(values.levels[0]), int(values.levels[-1]))
    op = replace(op, dtype=smallest(low, high))
    offset, labels = _offsets(op, values, padded if fill is None else None)
    scale = np.tile(weights.scale, len(offset))
    floats = values.floats if not any(window.padding) else np.append(values.floats, padded)
    exact = exact_sums(floats.astype(np.float32), weights)
    entry = Affine(values.scale * scale, offset.reshape(-1) * scale, low, high, exact, labels)
    return op, entry


def _fill(values: Values, padded: float) -> int | None:
    """Return the integer that stands for the float in the padding, or None if there is none.

    It may lie outside of the levels, but not so far that the sums become much wider.
    """
    found = values.levels[values.floats == np.float32(padded)]
    if found.size:
        return int(found[0])
    integer = (padded - values.offset) / values.scale
    near = abs(integer) <= 4 * (values.levels[-1] - values.levels[0])
    return round(integer) if near and integer == round(integer) else None


def _offsets(op: Conv, values: Values, padded: float | None) -> tuple[DoubleArray, IntArray]:
    """Return what is added to the integers' sum, in units of the weights' scale.

    The offsets are (classes of positions, outputs); labels tell each element's. padded: the float
    of a tap outside, of which the integers know nothing; None if they hold it.
    """
    border = op.window.border
    inside = np.ones((1, op.window.taps))
    classes: IntArray = np.zeros(op.vectors, np.int64)
    if padded is not None:
        inside = (op.window.sources[border.examples] >= 0).astype(np.float64)
        classes = border.positions
    taps = op.weights.sum(axis=2).T  # of each output, over the channels of its group
    offset = values.offset * (inside @ taps) + (padded or 0.0) * ((1 - inside) @ taps)
    labels = (classes[:, None] * op.outputs + np.arange(op.outputs)).reshape(-1)
    return offset, labels


def bias_step(bias: Constant | None, op: Conv, where: str) -> Step | None:
    """Return the step that adds a convolution's bias: onnxruntime adds it last."""
    if bias is None:
        return None
    if bias.value.shape != (op.outputs,) or bias.value.dtype != np.float32:
        shape = " x ".join(map(str, bias.value.shape))
        raise ModelError(
            f"{where}: bias must have {op.outputs} elements, not {shape}; export the model again"
        )
    added = bias.value

    def evaluate(x: FloatArray, columns: IntArray) -> FloatArray:
        return x + added[columns % op.outputs]

    labels = np.arange(op.elements) % op.outputs
    return Step(where, evaluate, labels, arithmetic=(Arithmetic.ADD, added))
