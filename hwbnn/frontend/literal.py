# SPDX-License-Identifier: Apache-2.0
"""Literal: a graph evaluated operator by operator; the plain meaning of DESIGN 3.2."""

from typing import assert_never

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import ArgMax, Dense, Input, Staircase, Table, count_to_value


def evaluate(graph: Graph, frames: IntArray) -> dict[str, IntArray]:
    """Return the value of every operator for frames (frames, elements)."""
    values: dict[str, IntArray] = {graph.input.name: frames}
    for op in graph.ops:
        match op:
            case Input():
                continue
            case Dense():
                # Products in float64 are exact below 2**53, and fast.
                sums = values[op.source].astype(np.float64) @ op.weights.T.astype(np.float64)
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
