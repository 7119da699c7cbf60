# SPDX-License-Identifier: Apache-2.0
"""Interpreter: a Graph on many frames, bit-packed, on all cores."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import assert_never

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import ArgMax, Dense, Input, Staircase, Table
from hwbnn.sim import layers
from hwbnn.sim.layers import Layer, Value
from hwbnn.sim.reference import checked

BATCH_ELEMENTS = 1 << 21  # of the widest value, in one batch
FEWEST, MOST = 16, 4096  # frames in a batch


class Interpreter:
    """A Graph made ready to run; exact for every operator."""

    def __init__(self, graph: Graph, *, threads: int | None = None) -> None:
        """threads: as many as cores if None."""
        self.graph = graph
        self.threads = threads or os.cpu_count() or 1
        self._steps = tuple(_steps(graph))
        widest = max(op.elements for op in graph.ops)
        self._batch = max(FEWEST, min(MOST, BATCH_ELEMENTS // widest))

    def run(self, frames: IntArray) -> IntArray:
        """Frames (count, elements), uint8 or any integers, to int64 (count, elements)."""
        frames = checked(self.graph, frames)
        out = np.empty((len(frames), self.graph[self.graph.output].elements), np.int64)
        share = -(-len(frames) // self.threads)
        batch = max(FEWEST, min(self._batch, share))
        starts = range(0, len(frames), batch)

        def one(start: int) -> None:
            out[start : start + batch] = self._run_batch(frames[start : start + batch])

        if len(starts) < 2 or self.threads == 1:
            for start in starts:
                one(start)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                for _ in pool.map(one, starts):
                    pass
        return out

    def _run_batch(self, frames: IntArray) -> IntArray:
        source = self.graph.input
        values = {source.name: Value(source.dtype, source.elements, integers=frames)}
        for name, source_name, layer in self._steps:
            values[name] = layer(values[source_name])
        return values[self.graph.output].as_integers()


def _steps(graph: Graph) -> list[tuple[str, str, Layer]]:
    """Return (value, its source, layer); a binary product takes the staircase behind it along."""
    steps: list[tuple[str, str, Layer]] = []
    taken = set()
    for op in graph.ops:
        if isinstance(op, Input) or op.name in taken:
            continue
        name, source = op.name, graph[op.source].dtype
        match op:
            case Dense():
                follower = _follower(graph, op)
                if follower is None:
                    layer = layers.product(op, source)
                else:
                    name = follower.name
                    taken.add(name)
                    layer = layers.product_and_staircase(op, follower, source)
            case Staircase():
                layer = layers.staircase(op)
            case Table():
                layer = layers.table(op)
            case ArgMax():
                layer = layers.arg_max(op.dtype)
            case _:
                assert_never(op)
        steps.append((name, op.source, layer))
    return steps


def _follower(graph: Graph, op: Dense) -> Staircase | None:
    """Return the staircase that is all that sees a binary product, if it can be joined to it."""
    readers = graph.readers(op.name)
    if len(readers) != 1 or op.name == graph.output:
        return None
    (reader,) = readers
    if not isinstance(reader, Staircase) or not layers.fuses(reader):
        return None
    return reader if layers.is_binary(op, graph[op.source].dtype) else None
