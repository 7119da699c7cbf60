# SPDX-License-Identifier: Apache-2.0
"""Schedule: the actors and channels of a Design as flat integer tables for the engine."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.unit import Actor, Port, Read, Side, Unit, Write, pops
from hwbnn.sim.gate import ALWAYS, Gate
from hwbnn.sim.kernel import (
    ACTOR_WIDTH,
    BASE,
    CHANNEL_WIDTH,
    COARSE,
    CONSUMER,
    DEPTH,
    END,
    FINE,
    FIRST,
    GAP,
    GATED,
    HEAD,
    INPUT,
    LAST,
    LATE,
    LIMIT,
    LOG_POPS,
    LOG_WRITES,
    MANY,
    MORE_READS,
    MORE_WRITES,
    OFFSET,
    OUTPUT,
    PHASE,
    PHASE_WIDTH,
    PRODUCER,
    READ_WIDTH,
    READS_END,
    RELEASE,
    SEED,
    TAIL,
    TIME,
    WRITES,
    WRITES_END,
)


@dataclass(frozen=True)
class Rules:
    """The two constants of the timing contract; others than these are for tests of the tests.

    credit_delay: cycles from a pop to the slot's next reservation. extra_latency: cycles added to
    every actor's latency.
    """

    credit_delay: int = 1
    extra_latency: int = 0


@dataclass(frozen=True, eq=False)
class Schedule:
    """What does not change while the engine runs, and the state it starts from.

    owners: instance (or "source", "sink") of each actor; the source is first, the sink last.
    edges: channel of each edge; channels of internal buffers come after those, and last one
    that nobody touches, for the source's input and the sink's output.
    clamp: for each slot, cycles from the producer's next firing to the earliest reservation.
    firings: live phases a frame, by actor; cycles: all phases. words: a frame, by channel.
    """

    owners: tuple[str, ...]
    edges: dict[str, int]
    phases: IntArray
    reads: IntArray
    writes: IntArray
    actors: IntArray
    channels: IntArray
    slots: int
    clamp: IntArray
    firings: IntArray
    cycles: IntArray
    words: IntArray


@dataclass(frozen=True, eq=False)
class State:
    """What changes while the engine runs: the actors' and channels' rows, and the slots."""

    actors: IntArray
    channels: IntArray
    slots: IntArray

    @classmethod
    def of(cls, plan: Schedule) -> Self:
        """Return the state after reset."""
        return cls(plan.actors.copy(), plan.channels.copy(), np.zeros(plan.slots, np.int64))


@dataclass(frozen=True, eq=False)
class _Placed:
    """An actor, its owner, and the channel of each read and write."""

    owner: str
    actor: Actor
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    gate: Gate = ALWAYS


def schedule(
    design: Design,
    *,
    source: Gate = ALWAYS,
    sink: Gate = ALWAYS,
    rules: Rules | None = None,
) -> Schedule:
    """Flatten a design, with a source at its input and a sink at its output."""
    rules = rules or Rules()
    edges = {edge.name: index for index, edge in enumerate(design.edges)}
    depths = [edge.fifo.depth for edge in design.edges]
    extra = [edge.fifo.extra_latency for edge in design.edges]
    enter, leave = design.input, design.output
    placed = [_border("source", enter.stream.beats, edges[enter.name], source, reads=False)]
    for instance in design.instances:
        name = instance.name
        ports = {Port(Side.INPUT, i): edges[e.name] for i, e in enumerate(design.into(name))}
        ports |= {Port(Side.OUTPUT, i): edges[e.name] for i, e in enumerate(design.out_of(name))}
        for i, buffer in enumerate(instance.unit.buffers()):
            ports[Port(Side.BUFFER, i)] = len(depths)
            depths.append(buffer.capacity)
            extra.append(0)
        placed += _place(name, instance.unit, ports)
    placed.append(_border("sink", leave.stream.beats, edges[leave.name], sink, reads=True))
    return _flatten(placed, edges, np.array(depths), np.array(extra), rules)


def _border(owner: str, beats: int, channel: int, gate: Gate, *, reads: bool) -> _Placed:
    one, always = np.zeros(1, np.int64), np.ones(1, np.bool_)
    port = Port(Side.INPUT)
    took: tuple[Read, ...] = (pops(port, always),) if reads else ()
    gave: tuple[Write, ...] = () if reads else (Write(port, always),)
    actor = Actor(owner, one, 1, beats, 1, took, gave)
    return _Placed(owner, actor, (channel,) * len(took), (channel,) * len(gave), gate)


def _place(owner: str, unit: Unit, ports: dict[Port, int]) -> Iterable[_Placed]:
    for actor in unit.actors():
        reads = tuple(ports[read.port] for read in actor.reads)
        writes = tuple(ports[write.port] for write in actor.writes)
        yield _Placed(owner, actor, reads, writes)


def _flatten(
    placed: list[_Placed],
    edges: dict[str, int],
    depths: IntArray,
    extra: IntArray,
    rules: Rules,
) -> Schedule:
    channels = _channel_rows(depths)
    clamp = np.zeros(int(depths.sum()), np.int64)
    actors = np.zeros((len(placed), ACTOR_WIDTH), np.int64)
    counts = np.zeros((2, len(depths)), np.int64)  # words written and popped a frame
    phases: list[IntArray] = []
    reads: list[IntArray] = [np.zeros((0, READ_WIDTH), np.int64)]
    writes: list[IntArray] = [np.zeros(0, np.int64)]
    for row, item in enumerate(placed):
        actor, latency = item.actor, item.actor.latency + rules.extra_latency
        took, read_ends = _read_table(item)
        gave, write_ends = _write_table(item)
        read_ends = sum(map(len, reads)) + np.append(0, read_ends)
        write_ends = sum(map(len, writes)) + np.append(0, write_ends)
        first = sum(map(len, phases)) * PHASE_WIDTH
        phases.append(_phase_table(actor, read_ends * READ_WIDTH, write_ends))
        reads.append(took)
        writes.append(gave)
        actors[row] = _actor_row(item, first, idle=len(depths))
        for channel, read in zip(item.reads, actor.reads, strict=True):
            channels[channel, CONSUMER] = row * ACTOR_WIDTH
            counts[1, channel] += int(read.release.sum()) * actor.repeats
        for channel, write in zip(item.writes, actor.writes, strict=True):
            channels[channel, PRODUCER] = row * ACTOR_WIDTH
            channels[channel, LATE] = latency + extra[channel]
            counts[0, channel] += int(write.writes.sum()) * actor.repeats
            base, end = channels[channel, BASE], channels[channel, LIMIT]
            clamp[base:end] = _earliest(actor, write, int(depths[channel]))
    assert (counts[0] == counts[1]).all(), "a stream is written and read at different rates"
    return Schedule(
        owners=tuple(item.owner for item in placed),
        edges=edges,
        phases=np.concatenate(phases).ravel(),
        reads=np.concatenate(reads).ravel(),
        writes=np.concatenate(writes),
        actors=actors.ravel(),
        channels=channels.ravel(),
        slots=len(clamp),
        clamp=clamp,
        firings=np.array([len(item.actor.at) * item.actor.repeats for item in placed]),
        cycles=np.array([item.actor.firings for item in placed]),
        words=counts[0],
    )


def _channel_rows(depths: IntArray) -> IntArray:
    rows = np.zeros((len(depths) + 1, CHANNEL_WIDTH), np.int64)
    ends = np.cumsum(depths)
    rows[:-1, LIMIT], rows[:-1, DEPTH] = ends, depths
    rows[:-1, BASE] = rows[:-1, HEAD] = rows[:-1, TAIL] = ends - depths
    rows[:, LOG_WRITES] = rows[:, LOG_POPS] = -1
    return rows


def _actor_row(item: _Placed, first: int, *, idle: int) -> IntArray:
    row = np.zeros(ACTOR_WIDTH, np.int64)
    row[FIRST] = row[PHASE] = first
    row[END] = first + len(item.actor.at) * PHASE_WIDTH
    row[TIME], row[LAST] = item.actor.at[0], -1
    row[INPUT] = (item.reads or (idle,))[0] * CHANNEL_WIDTH
    row[OUTPUT] = (item.writes or (idle,))[0] * CHANNEL_WIDTH
    row[MANY] = len(item.reads) > 1 or len(item.writes) > 1
    gate = item.gate
    row[[GATED, SEED, FINE, COARSE]] = (not gate.always, gate.seed, gate.fine, gate.coarse)
    return row


def _read_table(item: _Placed) -> tuple[IntArray, IntArray]:
    """Return rows (channel, offset, release) of all but the first read, and each phase's end."""
    owner = item.owner
    assert not set(item.reads) & set(item.writes), f"{owner}: reads what it writes"
    for read in item.actor.reads:
        assert (read.release <= read.offset + 1).all(), f"{owner}: releases what it did not read"
    reads = item.actor.reads[1:]
    if not reads:
        return np.zeros((0, READ_WIDTH), np.int64), np.zeros(len(item.actor.at), np.int64)
    offset = np.stack([read.offset for read in reads], axis=1)
    release = np.stack([read.release for read in reads], axis=1)
    channel = np.broadcast_to(np.array(item.reads[1:]) * CHANNEL_WIDTH, offset.shape)
    used = offset >= 0
    rows = np.stack([channel[used], offset[used], release[used]], axis=1)
    return rows.astype(np.int64), np.cumsum(used.sum(axis=1))


def _write_table(item: _Placed) -> tuple[IntArray, IntArray]:
    """Return the channels of all but the first write, phase after phase, and each phase's end."""
    writes = item.actor.writes[1:]
    if not writes:
        return np.zeros(0, np.int64), np.zeros(len(item.actor.at), np.int64)
    used = np.stack([write.writes for write in writes], axis=1)
    channel = np.broadcast_to(np.array(item.writes[1:]) * CHANNEL_WIDTH, used.shape)
    return channel[used].astype(np.int64), np.cumsum(used.sum(axis=1))


def _phase_table(actor: Actor, reads: IntArray, writes: IntArray) -> IntArray:
    """Firings without a port go into the gap of the phase before them (timing.md rule 3)."""
    table = np.zeros((len(actor.at), PHASE_WIDTH), np.int64)
    table[:, GAP] = np.diff(actor.at, append=actor.at[0] + actor.cycle)
    table[:, OFFSET] = actor.reads[0].offset if actor.reads else -1
    table[:, RELEASE] = actor.reads[0].release if actor.reads else 0
    table[:, WRITES] = actor.writes[0].writes if actor.writes else 0
    table[:, MORE_READS], table[:, READS_END] = reads[:-1], reads[1:]
    table[:, MORE_WRITES], table[:, WRITES_END] = writes[:-1], writes[1:]
    return table


def _earliest(actor: Actor, write: Write, depth: int) -> IntArray:
    """Cycles from the actor's first firing of a frame to each of its next `depth` writes."""
    at = actor.at[write.writes] - actor.at[0]
    index = np.arange(depth)
    return np.asarray(at[index % len(at)] + index // len(at) * actor.cycle)
