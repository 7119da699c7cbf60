# SPDX-License-Identifier: Apache-2.0
"""Interpreter: a Graph on many frames, bit-packed, on all cores."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np

from hwbnn.ir.dtype import IntArray
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
)
from hwbnn.sim import convolution, layers
from hwbnn.sim.layers import Layer, Value
from hwbnn.sim.reference import checked

BATCH_BYTES, ALL_BYTES = 1 << 25, 1 << 28  # of the values alive, in one batch and in all threads
ELEMENT_BYTES = 8  # unpacked
MOST_FRAMES = 4096  # in a batch


@dataclass(frozen=True, eq=False)
class _Step:
    """A layer, the value that it gives and those that it reads."""

    name: str
    sources: tuple[str, ...]
    layer: Layer
    spent: tuple[str, ...] = ()  # values that nobody reads afterwards


class Interpreter:
    """A Graph made ready to run; exact for every operator."""

    def __init__(self, graph: Graph, *, threads: int | None = None) -> None:
        """threads: as many as cores if None."""
        self.graph = graph
        self.threads = threads or os.cpu_count() or 1
        self._steps = _with_spent(_steps(graph), graph.output)
        room = min(BATCH_BYTES, ALL_BYTES // self.threads)
        self._batch = max(1, min(MOST_FRAMES, room // _bytes_alive(graph, self._steps)))

    def run(self, frames: IntArray) -> IntArray:
        """Frames (count, elements), uint8 or any integers, to int64 (count, elements)."""
        frames = checked(self.graph, frames)
        out = np.empty((len(frames), self.graph[self.graph.output].elements), np.int64)
        share = max(1, -(-len(frames) // self.threads))
        batch = min(self._batch, share)
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
        values = {
            source.name: Value(source.dtype, source.elements, source.vectors, integers=frames)
        }
        for step in self._steps:
            values[step.name] = step.layer(*(values[name] for name in step.sources))
            for name in step.spent:
                del values[name]
        return values[self.graph.output].as_integers()


def _steps(graph: Graph) -> list[_Step]:
    """Return the layers in order; a product takes the staircase behind it along."""
    steps = []
    taken = set()
    for op in graph.ops:
        if isinstance(op, Input) or op.name in taken:
            continue
        follower = _follower(graph, op)
        if follower is not None:
            taken.add(follower.name)
        name = op.name if follower is None else follower.name
        steps.append(_Step(name, op.sources, _layer(graph, op, follower)))
    return steps


def _layer(graph: Graph, op: Op, follower: Staircase | None) -> Layer:
    match op:
        case Dense() | Conv():
            return convolution.product(op, graph[op.source], follower)
        case Staircase():
            return layers.staircase(op)
        case Table():
            return layers.table(op)
        case MaxPool():
            return layers.max_pool(op)
        case SumPool():
            return layers.sum_pool(op)
        case Add() | Concat():
            return layers.join(op)
        case Permute():
            return layers.permute(op)
        case ArgMax():
            return layers.arg_max(op.dtype)
        case Input():
            raise AssertionError("an Input has no source")
        case _:
            assert_never(op)


def _follower(graph: Graph, op: Op) -> Staircase | None:
    """Return the staircase that is all that sees a product, if it can be joined to it."""
    readers = graph.readers(op.name)
    if not isinstance(op, Dense | Conv) or len(readers) != 1 or op.name == graph.output:
        return None
    (reader,) = readers
    return reader if isinstance(reader, Staircase) and convolution.fuses(op, reader) else None


def _with_spent(steps: Sequence[_Step], output: str) -> tuple[_Step, ...]:
    """Mark after each step the values that are not read again."""
    last = {}
    for step in steps:
        last.update(dict.fromkeys((step.name, *step.sources), step.name))
    last.pop(output, None)
    return tuple(
        replace(step, spent=tuple(name for name, reader in last.items() if reader == step.name))
        for step in steps
    )


def _bytes_alive(graph: Graph, steps: Sequence[_Step]) -> int:
    """Return the most bytes a frame of the values that stand side by side, none of them packed."""
    elements = {op.name: op.elements for op in graph.ops}
    alive = {graph.input.name}
    most = graph.input.elements
    for step in steps:
        alive.add(step.name)
        most = max(most, sum(elements[name] for name in alive))
        alive -= set(step.spent)
    return most * ELEMENT_BYTES
