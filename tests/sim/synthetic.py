# SPDX-License-Identifier: Apache-2.0
"""Designs for the timing tests: random chains of real units, and invented forks, joins, windows."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np

from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR, IntArray, smallest, unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import (
    Actor,
    Buffer,
    Family,
    Folding,
    Port,
    Read,
    Resources,
    Side,
    Unit,
    Write,
    pops,
)
from hwbnn.units import ArgMax, Lookup, Mvu, Thresholds, WidthConverter


@dataclass(frozen=True, eq=False)
class Synthetic(Unit):
    """A unit that is nothing but a schedule."""

    beats_in: tuple[int, ...]
    beats_out: tuple[int, ...]
    schedule: tuple[Actor, ...]
    capacities: tuple[int, ...] = ()

    module = "none"

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return tuple(Stream(BIPOLAR, 1, beats) for beats in self.beats_in)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return tuple(Stream(BIPOLAR, 1, beats) for beats in self.beats_out)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        raise NotImplementedError

    def foldings(self) -> Iterator[Folding]:
        yield Folding()

    def fold(self, folding: Folding) -> Self:
        return self

    @property
    def folding(self) -> Folding:
        return Folding()

    def actors(self) -> tuple[Actor, ...]:
        return self.schedule

    def buffers(self) -> tuple[Buffer, ...]:
        return tuple(Buffer(capacity, 1, 1) for capacity in self.capacities)

    def with_buffers(self, capacities: tuple[int, ...]) -> Self:
        return replace(self, capacities=capacities)

    def resources(self, family: Family) -> Resources:
        return Resources()

    def parameters(self) -> dict[str, int]:
        return {}

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        return ()


def _all(count: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.ones(count, np.bool_)


def fork(beats: int, ways: int, latency: int) -> Synthetic:
    """One word in, the same to `ways` outputs at once."""
    writes = tuple(Write(Port(Side.OUTPUT, i), _all()) for i in range(ways))
    reads = (pops(Port(Side.INPUT), _all()),)
    actor = Actor("fork", np.zeros(1, np.int64), 1, beats, latency, reads, writes)
    return Synthetic((beats,), (beats,) * ways, (actor,))


def add(beats: int, ways: int, latency: int) -> Synthetic:
    """A word of each input at once, one out."""
    reads = tuple(pops(Port(Side.INPUT, i), _all()) for i in range(ways))
    writes = (Write(Port(Side.OUTPUT), _all()),)
    actor = Actor("add", np.zeros(1, np.int64), 1, beats, latency, reads, writes)
    return Synthetic((beats,) * ways, (beats,), (actor,))


def concat(beats: tuple[int, ...], latency: int) -> Synthetic:
    """All words of the first input, then all of the next."""
    turn = np.repeat(np.arange(len(beats)), beats)
    reads = tuple(pops(Port(Side.INPUT, i), turn == i) for i in range(len(beats)))
    writes = (Write(Port(Side.OUTPUT), _all(len(turn))),)
    actor = Actor("concat", np.arange(len(turn)), len(turn), 1, latency, reads, writes)
    return Synthetic(beats, (len(turn),), (actor,))


def rate(rng: np.random.Generator, beats: int, out: int, latency: int) -> Synthetic:
    """Read `beats` words and write `out` at random phases, with idle phases; starts late."""
    cycle = int(beats + out + rng.integers(1, 6))
    read, write = np.zeros(cycle, np.bool_), np.zeros(cycle, np.bool_)
    read[rng.choice(cycle, beats, replace=False)] = True
    write[rng.choice(cycle, out, replace=False)] = True
    at = np.flatnonzero(read | write)
    reads = (pops(Port(Side.INPUT), read[at]),)
    writes = (Write(Port(Side.OUTPUT), write[at]),)
    actor = Actor("rate", at, cycle, 1, latency, reads, writes)
    return Synthetic((beats,), (out,), (actor,))


def window(length: int, kernel: int, slack: int, latency: int) -> Synthetic:
    """One-dimensional sliding window: every `kernel` neighbours of `length` words; peeks."""
    outputs = length - kernel + 1
    fill = Actor(
        "fill",
        np.zeros(1, np.int64),
        1,
        length,
        1,
        (pops(Port(Side.INPUT), _all()),),
        (Write(Port(Side.BUFFER), _all()),),
    )
    offset = np.tile(np.arange(kernel), outputs)
    release = np.zeros_like(offset)
    release[kernel - 1 :: kernel] = 1
    release[-1] = kernel
    drain = Actor(
        "drain",
        np.arange(len(offset)),
        len(offset),
        1,
        latency,
        (Read(Port(Side.BUFFER), offset, release),),
        (Write(Port(Side.OUTPUT), _all(len(offset))),),
    )
    return Synthetic((length,), (len(offset),), (fill, drain), (kernel + slack,))


class Builder:
    """Collects instances and edges; a stream under construction is a producer's End, or None."""

    def __init__(self, rng: np.random.Generator, *, deepest: int = 8) -> None:
        self.rng, self.deepest = rng, deepest
        self.instances: list[Instance] = []
        self.edges: list[Edge] = []

    def edge(self, stream: Stream, producer: End | None, consumer: End | None) -> None:
        """Join two ends through a random FIFO."""
        storage = list(Storage)[self.rng.integers(3)]
        fifo = Fifo(stream, int(self.rng.integers(1, self.deepest + 1)), storage)
        self.edges.append(Edge(f"e{len(self.edges)}", fifo, producer, consumer))

    def unit(self, unit: Unit, *sources: End | None) -> str:
        """Add a unit behind producers, by port."""
        name = f"u{len(self.instances)}"
        self.instances.append(Instance(name, unit))
        for port, (source, stream) in enumerate(zip(sources, unit.inputs, strict=True)):
            self.edge(stream, source, End(name, port))
        return name

    def design(self, name: str) -> Design:
        """Close with the last instance's output as the design's."""
        last = self.instances[-1]
        self.edge(last.unit.outputs[0], End(last.name), None)
        return Design(name, tuple(self.instances), tuple(self.edges))


def real_chain(seed: int) -> Design:
    """Threshold or table, one to three MVUs at random foldings, width converters, argmax."""
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in rng.integers(2, 14, rng.integers(2, 5))]
    pe = int(rng.integers(1, sizes[0] + 1))
    first: Unit
    if rng.random() < 0.5:
        first = Thresholds(
            np.array([[128]]), np.array([False]), unsigned(8), BIPOLAR, sizes[0], pe=pe
        )
    else:
        first = Lookup(rng.choice([-1, 1], (1, 256)), unsigned(8), BIPOLAR, sizes[0], pe=pe)
    build = Builder(rng)
    name, lanes = build.unit(first, None), pe
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        simd, pe = int(rng.integers(1, inputs + 1)), int(rng.integers(1, outputs + 1))
        if simd != lanes or rng.random() < 0.3:
            name = build.unit(WidthConverter(BIPOLAR, inputs, lanes, simd), End(name))
        last = index == len(sizes) - 2
        mvu = Mvu(
            rng.choice([-1, 1], (outputs, inputs)),
            BIPOLAR,
            BIPOLAR,
            smallest(-inputs, inputs) if last else BIPOLAR,
            None if last else rng.integers(-3, 4, (outputs, 1)),
            pe=pe,
            simd=simd,
            stages=int(rng.integers(0, 3)),
        )
        name, lanes = build.unit(mvu, End(name)), pe
    build.unit(ArgMax(mvu.output_dtype, sizes[-1], pe=lanes), End(name))
    return build.design(f"chain{seed}")


def invented(seed: int) -> Design:
    """Random sequence of rate changers, windows, and forks whose branches are joined again."""
    rng = np.random.default_rng(seed)
    build = Builder(rng, deepest=12)
    beats = int(rng.integers(3, 12))
    end: End | None = None
    for _ in range(rng.integers(2, 5)):
        latency = int(rng.integers(1, 8))
        match rng.integers(4):
            case 0:
                out = int(rng.integers(1, 12))
                end, beats = End(build.unit(rate(rng, beats, out, latency), end)), out
            case 1 if beats >= 3:
                unit = window(beats, int(rng.integers(1, 4)), int(rng.integers(0, 3)), latency)
                end, beats = End(build.unit(unit, end)), unit.beats_out[0]
            case _:
                end, beats = _branches(rng, build, end, beats)
    if not build.instances:
        build.unit(fork(beats, 1, 1), end)
    return build.design(f"invented{seed}")


def _branches(
    rng: np.random.Generator, build: Builder, end: End | None, beats: int
) -> tuple[End, int]:
    ways = int(rng.integers(2, 9))
    name = build.unit(fork(beats, ways, int(rng.integers(1, 4))), end)
    ends = [End(name, port) for port in range(ways)]
    joined = min(ways, int(rng.integers(2, 5)))
    while len(ends) > joined:  # at most four inputs a join here: pairs first
        ends.append(End(build.unit(add(beats, 2, 1), ends.pop(0), ends.pop(0))))
    for way, branch in enumerate(ends):
        if rng.random() < 0.5:
            ends[way] = End(build.unit(rate(rng, beats, beats, int(rng.integers(1, 6))), branch))
    latency = int(rng.integers(1, 5))
    if rng.random() < 0.6:
        return End(build.unit(add(beats, joined, latency), *ends)), beats
    return End(build.unit(concat((beats,) * joined, latency), *ends)), beats * joined
