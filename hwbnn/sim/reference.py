# SPDX-License-Identifier: Apache-2.0
"""Reference: a graph evaluated operator by operator; the plain meaning of DESIGN 3.2."""

from typing import assert_never

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import IntArray, Kind
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import ArgMax, Dense, Input, Staircase, Table, count_to_value

REFERENCE_FRAMES = 64  # at a time, to bound the memory


def reference(graph: Graph, frames: IntArray) -> IntArray:
    """Return the output (count, elements) for frames (count, elements), as the operators say."""
    frames = checked(graph, frames).astype(np.int64)
    out = np.empty((len(frames), graph[graph.output].elements), np.int64)
    for start in range(0, len(frames), REFERENCE_FRAMES):
        part = slice(start, start + REFERENCE_FRAMES)
        out[part] = evaluate(graph, frames[part])[graph.output]
    return out


def evaluate(graph: Graph, frames: IntArray) -> dict[str, IntArray]:
    """Return the value of every operator for frames (frames, elements)."""
    values: dict[str, IntArray] = {graph.input.name: frames}
    for op in graph.ops:
        match op:
            case Input():
                continue
            case Dense():
                # Sums below 2**53 are exact in float64, and much faster there.
                kind = np.float64 if op.dtype.bits <= 53 else np.int64
                sums = values[op.source].astype(kind) @ op.weights.T.astype(kind)
                y = sums.astype(np.int64)
            case Staircase():
                y = _staircase(op, values[op.source])
            case Table():
                rows = 0 if op.values.shape[0] == 1 else np.arange(op.elements)
                y = op.values[rows, values[op.source] - op.low]
            case ArgMax():
                y = values[op.source].argmax(axis=1, keepdims=True)
            case _:
                assert_never(op)
        values[op.name] = y
    return values


def _staircase(op: Staircase, x: IntArray) -> IntArray:
    count = np.zeros(x.shape, np.int64)
    for step in range(op.steps):
        count += x >= op.thresholds[:, step]
    count = np.where(op.descending, op.steps - count, count)
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
