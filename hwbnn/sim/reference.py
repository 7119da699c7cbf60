# SPDX-License-Identifier: Apache-2.0
"""Reference: a graph evaluated operator by operator; the plain meaning of DESIGN 3.2."""

from typing import TypeAlias, TypeVar

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import IntArray, Kind
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import (
    Add,
    ArgMax,
    Concat,
    Conv,
    Dense,
    Input,
    MaxPool,
    Op,
    Permute,
    Staircase,
    SumPool,
    Table,
    count_to_value,
)
from hwbnn.ir.window import Window

Numbers: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float32 | np.float64 | np.int64]]
AnyNumbers = TypeVar("AnyNumbers", IntArray, Numbers)

FEW_STEPS = 15  # more are searched, not compared one by one
REFERENCE_ELEMENTS = 1 << 22  # of all values, at a time, to bound the memory


def reference(graph: Graph, frames: IntArray) -> IntArray:
    """Return the output (count, elements) for frames (count, elements), as the operators say."""
    frames = checked(graph, frames).astype(np.int64)
    out = np.empty((len(frames), graph[graph.output].elements), np.int64)
    batch = frames_at_once(graph)
    for start in range(0, len(frames), batch):
        part = slice(start, start + batch)
        out[part] = evaluate(graph, frames[part])[graph.output]
    return out


def frames_at_once(graph: Graph) -> int:
    """Return how many frames to evaluate at a time: all their values stay."""
    return max(1, REFERENCE_ELEMENTS // sum(op.elements for op in graph.ops))


def evaluate(graph: Graph, frames: IntArray) -> dict[str, IntArray]:
    """Return the value of every operator for frames (frames, elements)."""
    values: dict[str, IntArray] = {graph.input.name: frames}
    for op in graph.ops:
        if not isinstance(op, Input):
            given = [values[name] for name in op.sources]
            values[op.name] = _evaluate(op, given).reshape(len(frames), -1)
    return values


def _evaluate(op: Op, given: list[IntArray]) -> IntArray:
    if isinstance(op, Add | Concat):
        return _join(op, given)
    (x,) = given
    match op:
        case Dense():
            return _product(_exact(x, op.weights), op.weights)
        case Conv():
            return _conv(op, x)
        case MaxPool():
            return _max_pool(op, x)
        case SumPool():
            sums = np.asarray(_taps(op.window, op.channels, x, 0).sum(axis=2))
            return sums if op.factors is None else sums * op.factors[:, None]
        case Staircase():
            return _staircase(op, x)
        case Table():
            rows = 0 if op.values.shape[0] == 1 else np.arange(op.elements) % op.channels
            return np.asarray(op.values[rows, x - op.low])
        case Permute():
            return x[:, op.order]
        case ArgMax():
            return np.asarray(x.argmax(axis=1))
        case _:
            raise AssertionError("an Input has no source")


def _join(op: Add | Concat, given: list[IntArray]) -> IntArray:
    if isinstance(op, Add):
        factors = [factor for _, factor in op.terms]
        return np.asarray(sum(f * x for f, x in zip(factors, given, strict=True)))
    return np.concatenate([x.reshape(len(x), op.vectors, -1) for x in given], axis=2)


def _exact(x: IntArray, weights: IntArray, fill: int = 0) -> Numbers:
    """Return x as floats if no part of a product's sum can leave their integers: it is faster."""
    most = max(int(x.max(initial=fill)), -int(x.min(initial=fill)))
    largest = most * int(np.abs(weights).sum(axis=1).max())
    if largest < 1 << 24:
        return x.astype(np.float32)
    return x.astype(np.float64) if largest < 1 << 53 else x


def _product(x: Numbers, weights: IntArray) -> IntArray:
    return np.asarray((x @ weights.T.astype(x.dtype)).astype(np.int64))


def _taps(window: Window, channels: int, x: AnyNumbers, fill: int) -> AnyNumbers:
    """Return every tap of every window, (frames, positions, taps, channels)."""
    outside = np.full((len(x), 1, channels), fill, x.dtype)
    image = np.concatenate([x.reshape(len(x), -1, channels), outside], axis=1)
    taps: AnyNumbers = image[:, window.sources]  # -1, in the padding, is the last
    return taps


def _conv(op: Conv, x: IntArray) -> IntArray:
    taps = _taps(op.window, op.channels, _exact(x, op.matrix, op.fill), op.fill)
    taps = taps.reshape(*taps.shape[:3], op.groups, -1)
    rows = op.matrix.reshape(op.groups, -1, op.matrix.shape[1])
    parts = [
        _product(taps[..., g, :].reshape(-1, rows.shape[2]), rows[g]) for g in range(op.groups)
    ]
    return np.concatenate([part.reshape(len(x), op.vectors, -1) for part in parts], axis=2)


def _max_pool(op: MaxPool, x: IntArray) -> IntArray:
    outside = np.broadcast_to(op.window.sources[..., None] < 0, (*op.window.sources.shape, 1))
    taps = _taps(op.window, op.channels, x, 0)
    greatest = np.where(outside, np.iinfo(np.int64).min, taps).max(axis=2)
    least = np.where(outside, np.iinfo(np.int64).max, taps).min(axis=2)
    return np.asarray(np.where(op.minimum, least, greatest))


def _staircase(op: Staircase, x: IntArray) -> IntArray:
    count = np.zeros(x.shape, np.int64)
    rows = op.rows
    if op.steps > FEW_STEPS:
        order = np.argsort(rows, kind="stable")
        ends = np.cumsum(np.bincount(rows))
        for row, elements in enumerate(np.split(order, ends[:-1])):
            count[:, elements] = np.searchsorted(op.thresholds[row], x[:, elements], side="right")
    else:
        for step in range(op.steps):
            count += x >= op.thresholds[rows, step]
    count = np.where(op.directions, op.steps - count, count)
    return count_to_value(count, base=op.base, dtype=op.dtype)


def checked(graph: Graph, frames: IntArray) -> IntArray:
    """Return frames as contiguous uint8 or int64, or raise ConfigError: not a graph's input."""
    source = graph.input
    if frames.ndim != 2 or frames.shape[1] != source.elements:
        raise ConfigError(
            f"{graph.name}: frames must be an array (frames, {source.elements}), not {frames.shape}"
        )
    if not np.issubdtype(frames.dtype, np.integer):
        raise ConfigError(
            f"{graph.name}: frames must be integers ({source.dtype}), not {frames.dtype}"
        )
    free = frames.dtype == np.uint8 and source.dtype.kind is Kind.UNSIGNED
    if not (free and source.dtype.bits >= 8) and not source.dtype.holds(frames):
        raise ConfigError(f"{graph.name}: frames must hold values of {source.dtype} alone")
    return np.ascontiguousarray(frames, np.uint8 if frames.dtype == np.uint8 else np.int64)
