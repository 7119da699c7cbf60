# SPDX-License-Identifier: Apache-2.0
"""Products: units of dense layers and convolutions, with windows, padding and staircase."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hwbnn.ir.dtype import DType, IntArray, Kind, smallest
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Conv, Dense, Op, Staircase, SumPool
from hwbnn.ir.unit import Unit
from hwbnn.ir.window import Border, Window
from hwbnn.units.depthwise_mvu import DepthwiseMvu
from hwbnn.units.lookup import Lookup
from hwbnn.units.mvu import Mvu
from hwbnn.units.sliding_window import SlidingWindow


def conv_units(graph: Graph, op: Conv, follower: Staircase | None) -> Iterator[tuple[str, Unit]]:
    """Return the units of a convolution, each with its name's ending."""
    source, ends = graph[op.source].dtype, graph.range_of(op.source)
    window, fill = op.window, np.zeros(1, np.int64)
    shift: IntArray | None = None
    if any(window.padding):
        if widened(graph, op):
            source, shift, lookup = _widen(graph, op, follower)
            if lookup is not None:
                yield "_pad", lookup
        sent = op.fill if shift is None else source.min
        fill = np.array([sent])
        ends = min(ends[0], sent), max(ends[1], sent)
    groups = 1 if _depthwise(op) else op.groups
    regrouped = groups > 1 and window.taps > 1  # groups come one after another, with all their taps
    if slides(window) or regrouped:
        yield "_window", SlidingWindow(source, op.channels, window, fill, groups)
        op = replace(op, weights=op.weights[:, window.by_columns])
    if _depthwise(op):
        yield "", _depthwise_mvu(op, follower, source=source, ends=ends, shift=shift)
    else:
        unit = mvu(op, op.matrix, follower, source=source, ends=ends, shift=shift)
        yield "", replace(unit, vectors=op.vectors, groups=op.groups)


def widened(graph: Graph, op: Op) -> bool:
    """Return whether the type of what a convolution reads does not hold its padding."""
    if not isinstance(op, Conv) or not any(op.window.padding):
        return False
    return not graph[op.source].dtype.holds(np.array([op.fill]))


def slides(window: Window) -> bool:
    """Positions must be kept or repeated; otherwise the image itself is the stream of windows."""
    return not window.pointwise and not window.whole


def _depthwise(op: Conv) -> bool:
    """One filter a channel; a single channel is an ordinary convolution."""
    return op.groups == op.channels == op.outputs and op.channels > 1


def _widen(
    graph: Graph, op: Conv, follower: Staircase | None
) -> tuple[DType, IntArray | None, Lookup | None]:
    """Find how to send a padded tap that the source's type does not hold.

    Return the type that the windows carry, what to add to the thresholds, int64 (positions,
    outputs), and the unit that makes the type. A product with a staircase keeps the type: a padded
    tap is sent as the least value, and the thresholds of the border say what it should have been.
    """
    source = graph[op.source]
    if follower is not None:
        padded = (op.window.sources < 0).astype(np.int64)
        taps = op.weights.sum(axis=2)  # (outputs, taps), over the channels of the group
        return source.dtype, padded @ taps.T * (source.dtype.min - op.fill), None
    low, high = graph.range_of(op.source)
    wide = smallest(min(low, op.fill, -1), max(high, op.fill))
    return wide, None, in_type(source, wide, op)


def in_type(source: Op, wide: DType, op: Conv | SumPool) -> Lookup:
    """Make the unit that gives the values of source, before the windows of op, another type."""
    domain = source.dtype.decode(np.arange(1 << source.dtype.bits))
    positions = op.window.height * op.window.width
    return Lookup(domain[None], source.dtype, wide, op.channels, positions)


def mvu(
    op: Dense | Conv,
    weights: IntArray,
    staircase: Staircase | None,
    *,
    source: DType,
    ends: tuple[int, int],
    shift: IntArray | None = None,
) -> Mvu:
    """Return the product of op's weights, with a staircase behind it.

    ends: of the values that come. shift: what the hardware's sum has more than the operator's,
    (positions, outputs).
    """
    if staircase is None:
        return Mvu(weights, op.weight_dtype, source, op.dtype, input_range=ends)
    thresholds, border = _by_class(op, staircase, shift)
    weights, thresholds = _ascending(weights, thresholds, staircase)
    return Mvu(
        weights,
        _weight_dtype(op, weights),
        source,
        staircase.dtype,
        thresholds,
        input_range=ends,
        base=staircase.base,
        border=border,
    )


def _depthwise_mvu(
    op: Conv,
    staircase: Staircase | None,
    *,
    source: DType,
    ends: tuple[int, int],
    shift: IntArray | None,
) -> DepthwiseMvu:
    weights = op.matrix
    if staircase is None:
        return DepthwiseMvu(
            weights, op.weight_dtype, source, op.dtype, input_range=ends, vectors=op.vectors
        )
    thresholds, border = _by_class(op, staircase, shift)
    weights, thresholds = _ascending(weights, thresholds, staircase)
    return DepthwiseMvu(
        weights,
        _weight_dtype(op, weights),
        source,
        staircase.dtype,
        thresholds,
        input_range=ends,
        base=staircase.base,
        vectors=op.vectors,
        border=border,
    )


def _weight_dtype(op: Dense | Conv, weights: IntArray) -> DType:
    if op.weight_dtype.kind is Kind.BIPOLAR:
        return op.weight_dtype
    return smallest(min(int(weights.min()), -1), int(weights.max()))


def _by_class(
    op: Dense | Conv, staircase: Staircase, shift: IntArray | None
) -> tuple[IntArray, Border | None]:
    """Return thresholds (classes, outputs, steps) on the hardware's sum, and the classes.

    shift: what the hardware's sum has more than the operator's, (positions, outputs).
    """
    outputs, steps = staircase.channels, staircase.steps
    if isinstance(op, Dense) or (staircase.border is None and shift is None):
        return np.broadcast_to(staircase.thresholds, (outputs, steps))[None], None
    by_position = staircase.thresholds[staircase.rows].reshape(op.vectors, outputs, steps)
    if shift is not None:
        by_position = by_position + shift[..., None]
    window = op.window
    border = Border.of(by_position.reshape(window.out_height, window.out_width, -1))
    return by_position[border.examples], border


def _ascending(
    weights: IntArray, thresholds: IntArray, staircase: Staircase
) -> tuple[IntArray, IntArray]:
    """Negate the rows of descending channels: x < T is -x >= 1 - T, so no direction is left.

    Return weights and thresholds (classes * outputs, steps).
    """
    down = np.broadcast_to(staircase.descending, (len(weights),))[:, None]
    turned = np.where(down, 1 - thresholds[..., ::-1], thresholds)
    return np.where(down, -weights, weights), turned.reshape(-1, staircase.steps)
