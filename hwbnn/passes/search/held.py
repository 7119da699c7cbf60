# SPDX-License-Identifier: Apache-2.0
"""Held: what FIFOs will have to hold where branches meet, before and after they are sized.

Shares of a frame, by edge: a branch that begins to write late, because its windows must fill first,
makes the other ones wait. At an even pace that share is the same at every folding.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from hwbnn.ir.design import Design, Edge, End
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Actor, Family, Port, Side, Unit
from hwbnn.passes.fifos.steps import LUT_ROWS, cheapest_fifo

Held = Mapping[str, float]  # share of a frame by edge of a design that is not adapted


def reckoned(design: Design) -> Held:
    """Return what the edges of a design will hold by the firings that their readers wait for."""
    late: dict[str, float] = {edge.name: 0.0 for edge in design.inputs}  # of the first vector
    held: dict[str, float] = {}
    for instance in design.instances:
        into, unit = design.into(instance.name), instance.unit
        if len(into) > 1:
            last = max(late[edge.name] for edge in into)
            held |= {edge.name: last - late[edge.name] for edge in into if late[edge.name] < last}
        for edge in design.out_of(instance.name):
            port = Port(Side.OUTPUT, edge.producer.port if edge.producer else 0)
            read = _read_before(unit, port, edge.stream.beats // _vectors(design, edge))
            begun = (late[e.name] + read.get(i, 0.0) for i, e in enumerate(into))
            late[edge.name] = max(begun, default=0.0)
    return held


def found(sized: Design, design: Design, family: Family) -> Held:
    """Return what the edges of a design hold beyond their least in it, adapted and sized."""
    given = {instance.name for instance in design.instances}
    after = {edge.producer: edge for edge in sized.edges if edge.producer is not None}
    held = {}
    for edge in design.edges:
        if edge.producer is not None and edge.producer in after:
            parts = (_beyond(e, sized, family) for e in _chain(after, edge, given))
            held[edge.name] = sum(parts)
    return {name: share for name, share in held.items() if share > 0}


def fifo_that_holds(stream: Stream, share: float, *, latency: int, family: Family) -> Fifo:
    """Return the cheapest FIFO that takes a word a cycle and holds a share of a frame besides."""
    return cheapest_fifo(stream, latency + 1 + math.ceil(share * stream.beats), family)


def _vectors(design: Design, edge: Edge) -> int:
    """Return the vectors that the reader of an edge takes: a window's are each of many."""
    if edge.consumer is None:
        return edge.stream.vectors
    reader = design[edge.consumer.instance].inputs[edge.consumer.port]
    return min(edge.stream.vectors, reader.vectors)


def _chain(after: Mapping[End, Edge], edge: Edge, given: set[str]) -> Iterator[Edge]:
    """Yield what an edge has become: itself, and those behind converters."""
    assert edge.producer is not None, "what enters is read at its own pace"
    now = after[edge.producer]
    yield now
    while now.consumer is not None and now.consumer.instance not in given:
        now = after[End(now.consumer.instance)]
        yield now


def _beyond(edge: Edge, sized: Design, family: Family) -> float:
    """Return the share of a frame in a FIFO beyond what every FIFO has; 0 if it costs no more."""
    if edge.fifo.depth <= LUT_ROWS[family]:
        return 0.0
    latency = 1 if edge.producer is None else sized[edge.producer.instance].latency
    return max(0, edge.fifo.depth - latency - 1) / edge.stream.beats


# ---- what a unit reads before it writes ----------------------------------------------------------


def _read_before(unit: Unit, channel: Port, words: int) -> dict[int, float]:
    """Return the shares of frames, by input, without which some first words are not written."""
    actor = next(a for a in unit.actors() if any(w.port == channel for w in a.writes))
    writes = next(w.writes for w in actor.writes if w.port == channel)
    each = int(writes.sum())
    passes, place = divmod(words - 1, each)
    phase = int(np.flatnonzero(writes)[place])
    shares: dict[int, float] = {}
    for port, count in _words(actor, passes, phase).items():
        if port.side is Side.INPUT:
            inner = {port.index: count / unit.inputs[port.index].beats}
        else:
            inner = _read_before(unit, port, count)
        for index, share in inner.items():
            shares[index] = max(shares.get(index, 0.0), share)
    return shares


def _words(actor: Actor, passes: int, phase: int) -> dict[Port, int]:
    """Return the words, by channel, that an actor needs up to a phase of a pass."""
    needed = {}
    for read in actor.reads:
        released = np.cumsum(read.release) - read.release  # before each phase
        reach = np.where(read.offset >= 0, released + read.offset + 1, 0)[: phase + 1]
        count = passes * int(read.release.sum()) + int(reach.max())
        if count:
            needed[read.port] = count
    return needed
