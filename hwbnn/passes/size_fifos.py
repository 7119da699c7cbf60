# SPDX-License-Identifier: Apache-2.0
"""Size FIFOs: a safe depth for full throughput in a chain, and the cheapest storage for it."""

from hwbnn.ir.design import Design, Edge
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.unit import Actor, Family, Port, Side


def size_fifos(design: Design, *, family: Family = Family.XC7) -> Design:
    """Return the design with every FIFO deep enough that it does not slow the design down.

    One word a cycle needs the slots reserved by words still in the writer's pipeline, L + X + 1.
    A reader that takes a vector in a burst and then stays away, while the writer goes on, needs
    room for one vector of beats besides. A reader that takes a word in every firing does not: it
    hands the words on as fast as they come.
    """
    return design.with_fifos({e.name: _sized(design, e, family) for e in design.edges})


def _sized(design: Design, edge: Edge, family: Family) -> Fifo:
    candidates = []
    for storage in Storage:
        fifo = Fifo(edge.stream, _depth(design, edge, extra=storage is Storage.BLOCK), storage)
        cost = fifo.resources(family)
        # a block RAM is worth about as many LUTs as the chip has of them: 53200 / 140 on 7z020
        candidates.append((cost.lut + 380 * cost.bram, cost.ff, storage.value, fifo))
    return min(candidates, key=lambda candidate: candidate[:3])[3]


def _depth(design: Design, edge: Edge, *, extra: bool) -> int:
    writer = _actor(design, edge, Side.OUTPUT)
    reader = _actor(design, edge, Side.INPUT)
    in_flight = (1 if writer is None else writer.latency) + int(extra) + 1
    if reader is None or _never_pauses(reader, edge):
        return in_flight
    return edge.stream.vector_beats + in_flight


def _actor(design: Design, edge: Edge, side: Side) -> Actor | None:
    """Return the actor at an end of an edge; None at a border of the design."""
    end = edge.producer if side is Side.OUTPUT else edge.consumer
    if end is None:
        return None
    for actor in design[end.instance].actors():
        ports = actor.writes if side is Side.OUTPUT else actor.reads
        if any(access.port.side is side and access.port.index == end.port for access in ports):
            return actor
    raise AssertionError(edge.name)


def _never_pauses(reader: Actor, edge: Edge) -> bool:
    """Return whether the actor takes a word of the edge in every firing."""
    assert edge.consumer is not None
    port = Port(Side.INPUT, edge.consumer.port)
    (read,) = (access for access in reader.reads if access.port == port)
    return reader.cycle == len(reader.at) and bool((read.release > 0).all())
