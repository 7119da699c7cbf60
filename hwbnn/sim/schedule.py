# SPDX-License-Identifier: Apache-2.0
"""Schedule: the actors and channels of a Design as flat integer tables for the engine."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.ir.design import Design, Edge
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.unit import Actor, Port, Side, Unit, Write, pops
from hwbnn.sim import kernel
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
    LOG_FIRINGS,
    LOG_POPS,
    LOG_WRITES,
    MANY,
    MORE_READS,
    MORE_WRITES,
    OFFSET,
    OUTPUT,
    PASS_WORDS,
    PHASE,
    PHASE_WIDTH,
    PRODUCER,
    READ_WIDTH,
    READS_END,
    RELEASE,
    SEED,
    TAIL,
    TIME,
    WRITER_LATENCY,
    WRITER_WIDTH,
    WRITES,
    WRITES_END,
)

LEAST_PACE = 3  # cycles; so short frames fill every FIFO soon without one


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

    owners: instance (or "source", "sink") of each actor; the source is first, the sink last. A
    source held to a pace has an actor "pace" before the sink. Of several inputs or outputs each has
    its own, "source 1" behind "source". sources: how many there are.
    names: of the channels: edges, then internal buffers, then the pace's two. A last one without a
    name is touched by nobody: the source's input and the sink's output.
    edges: channel of each edge. placed: the actors that the tables were made of.
    writers: of each channel, rows of what writes it; written: the cycles that those point to.
    firings: live phases a frame, by actor; cycles: all phases. words: a frame, by channel.
    """

    owners: tuple[str, ...]
    sources: int
    names: tuple[str, ...]
    edges: dict[str, int]
    placed: tuple["Placed", ...]
    phases: IntArray
    reads: IntArray
    writes: IntArray
    actors: IntArray
    channels: IntArray
    slots: int
    writers: IntArray
    written: IntArray
    firings: IntArray
    cycles: IntArray
    words: IntArray

    def with_depths(self, depths: IntArray, extra: IntArray) -> "Schedule":
        """Return the schedule with other depths and extra latencies (X) of its named channels."""
        latency = self.writers.reshape(-1, WRITER_WIDTH)[:-1, WRITER_LATENCY]
        channels = _with_depths(self.channels, depths, latency + extra)
        return replace(self, channels=channels, slots=int(depths.sum()))


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


def advance(
    plan: Schedule, state: State, record: IntArray | None = None, rules: Rules = Rules()
) -> bool:
    """Fire every actor as often as LEFT says, or until nothing moves; return if all are done.

    record: where the rows' LOG columns point, if any does.
    """
    return bool(
        kernel.advance(
            plan.phases,
            plan.reads,
            plan.writes,
            state.actors,
            state.channels,
            state.slots,
            np.zeros(1, np.int64) if record is None else record,
            rules.credit_delay,
        )
    )


@dataclass(frozen=True, eq=False)
class Placed:
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
    pace: int | None = None,
) -> Schedule:
    """Flatten a design, with a source at its input and a sink at its output.

    pace, for a design of one input: hold the source to a frame every so many cycles (timing.md,
    "FIFO sizing").
    """
    rules = rules or Rules()
    edges = {edge.name: index for index, edge in enumerate(design.edges)}
    names = list(edges)
    depths = [edge.fifo.depth for edge in design.edges]
    extra = [edge.fifo.extra_latency for edge in design.edges]
    placed: list[Placed] = []
    for instance in design.instances:
        name = instance.name
        ports = {Port(Side.INPUT, i): edges[e.name] for i, e in enumerate(design.into(name))}
        ports |= {Port(Side.OUTPUT, i): edges[e.name] for i, e in enumerate(design.out_of(name))}
        buffers = instance.unit.buffers()
        for i, buffer in enumerate(buffers):
            ports[Port(Side.BUFFER, i)] = len(depths)
            names.append(f"{name}'s buffer" + (f" {i}" if len(buffers) > 1 else ""))
            depths.append(buffer.capacity)
            extra.append(0)
        placed += _place(name, instance.unit, ports)
    enter = [_source(e, edges[e.name], source.of(i), i) for i, e in enumerate(design.inputs)]
    leave = [_sink(e, edges[e.name], sink.of(i), i) for i, e in enumerate(design.outputs)]
    if pace is not None and pace >= LEAST_PACE:
        names += ["pace", "start"]
        go, start = len(depths), len(depths) + 1
        (first,) = enter
        enter = [_paced(first, go, start)]
        placed.append(_metronome(pace, go, start))
        depths += [1, 1]
        extra += [0, 0]
    placed = [*enter, *placed, *leave]
    late = [replace(p, actor=_later(p.actor, rules.extra_latency)) for p in placed]
    return _flatten(tuple(late), tuple(names), edges, np.array(depths), np.array(extra))


def _source(edge: Edge, channel: int, gate: Gate, index: int) -> Placed:
    one, always = np.zeros(1, np.int64), np.ones(1, np.bool_)
    writes = (Write(Port(Side.INPUT), always),)
    actor = Actor("source", one, 1, edge.stream.beats, 1, (), writes)
    return Placed(_border("source", index), actor, (), (channel,), gate)


def _sink(edge: Edge, channel: int, gate: Gate, index: int) -> Placed:
    one, always = np.zeros(1, np.int64), np.ones(1, np.bool_)
    reads = (pops(Port(Side.INPUT), always),)
    actor = Actor("sink", one, 1, edge.stream.beats, 1, reads, ())
    return Placed(_border("sink", index), actor, (channel,), (), gate)


def _border(name: str, index: int) -> str:
    return f"{name} {index}" if index else name


def _paced(source: Placed, go: int, start: int) -> Placed:
    """The source, which asks the metronome before a frame's first beat and tells it after."""
    beats = source.actor.repeats
    when = np.arange(beats)
    reads = (pops(Port(Side.BUFFER), when == 0),)
    every = Write(Port(Side.INPUT), np.ones(beats, np.bool_))
    writes = (every, Write(Port(Side.BUFFER), when == 0))
    actor = Actor("source", when, beats, 1, 1, reads, writes)
    return replace(source, actor=actor, reads=(go,), writes=(*source.writes, start))


def _metronome(pace: int, go: int, start: int) -> Placed:
    """Lets a frame start, sees it start, and lets the next one start `pace` cycles after it.

    Both words take a cycle on their way. What a frame has lost is not caught up, so that the
    state repeats soon.
    """
    turn = np.arange(2)
    reads, writes = (pops(Port(Side.BUFFER), turn == 1),), (Write(Port(Side.BUFFER), turn == 0),)
    return Placed("pace", Actor("pace", turn, pace - 1, 1, 1, reads, writes), (start,), (go,))


def _later(actor: Actor, cycles: int) -> Actor:
    return replace(actor, latency=actor.latency + cycles) if cycles else actor


def _place(owner: str, unit: Unit, ports: dict[Port, int]) -> Iterable[Placed]:
    for actor in unit.actors():
        reads = tuple(ports[read.port] for read in actor.reads)
        writes = tuple(ports[write.port] for write in actor.writes)
        yield Placed(owner, actor, reads, writes)


def _flatten(
    placed: tuple[Placed, ...],
    names: tuple[str, ...],
    edges: dict[str, int],
    depths: IntArray,
    extra: IntArray,
) -> Schedule:
    actors = np.zeros((len(placed), ACTOR_WIDTH), np.int64)
    phases: list[IntArray] = []
    reads: list[IntArray] = [np.zeros((0, READ_WIDTH), np.int64)]
    writes: list[IntArray] = [np.zeros(0, np.int64)]
    for row, item in enumerate(placed):
        took, read_ends = _read_table(item)
        gave, write_ends = _write_table(item)
        read_ends = sum(map(len, reads)) + np.append(0, read_ends)
        write_ends = sum(map(len, writes)) + np.append(0, write_ends)
        first = sum(map(len, phases)) * PHASE_WIDTH
        phases.append(_phase_table(item.actor, read_ends * READ_WIDTH, write_ends))
        reads.append(took)
        writes.append(gave)
        actors[row] = _actor_row(item, first, idle=len(depths))
    writers, written = _writer_rows(placed, len(depths))
    late = writers.reshape(-1, WRITER_WIDTH)[:-1, WRITER_LATENCY] + extra
    return Schedule(
        owners=tuple(item.owner for item in placed),
        sources=sum(item.actor.name == "source" for item in placed),
        names=names,
        edges=edges,
        placed=placed,
        phases=np.concatenate(phases).ravel(),
        reads=np.concatenate(reads).ravel(),
        writes=np.concatenate(writes),
        actors=actors.ravel(),
        channels=_with_depths(_channel_rows(placed, len(depths)), depths, late),
        slots=int(depths.sum()),
        writers=writers,
        written=written,
        firings=np.array([len(item.actor.at) * item.actor.repeats for item in placed]),
        cycles=np.array([item.actor.firings for item in placed]),
        words=_words(placed, len(depths)),
    )


def _words(placed: tuple[Placed, ...], size: int) -> IntArray:
    """Words a frame, by channel."""
    counts = np.zeros((2, size), np.int64)
    for item in placed:
        for channel, read in zip(item.reads, item.actor.reads, strict=True):
            counts[1, channel] += int(read.release.sum()) * item.actor.repeats
        for channel, write in zip(item.writes, item.actor.writes, strict=True):
            counts[0, channel] += int(write.writes.sum()) * item.actor.repeats
    assert (counts[0] == counts[1]).all(), "a stream is written and read at different rates"
    return np.asarray(counts[0])


def _channel_rows(placed: tuple[Placed, ...], size: int) -> IntArray:
    """Return the channels' rows, still without depths, and one of a channel that nobody touches."""
    rows = np.zeros((size + 1, CHANNEL_WIDTH), np.int64)
    rows[:, LOG_WRITES] = rows[:, LOG_POPS] = -1
    for index, item in enumerate(placed):
        rows[list(item.reads), CONSUMER] = rows[list(item.writes), PRODUCER] = index * ACTOR_WIDTH
    return rows.ravel()


def _with_depths(channels: IntArray, depths: IntArray, late: IntArray) -> IntArray:
    """Return the channels' rows at some depths, with some latencies, X included."""
    rows, ends = channels.copy().reshape(-1, CHANNEL_WIDTH), np.cumsum(depths)
    rows[:-1, LIMIT], rows[:-1, DEPTH], rows[:-1, LATE] = ends, depths, late
    rows[:-1, BASE] = rows[:-1, HEAD] = rows[:-1, TAIL] = ends - depths
    return rows.ravel()


def _writer_rows(placed: tuple[Placed, ...], size: int) -> tuple[IntArray, IntArray]:
    """Return what writes each channel, and the cycles of all writes from the first firing on."""
    rows, written = np.zeros((size + 1, WRITER_WIDTH), np.int64), [np.zeros(0, np.int64)]
    rows[:, PASS_WORDS] = 1
    begin = 0
    for item in placed:
        actor = item.actor
        for channel, write in zip(item.writes, actor.writes, strict=True):
            at = actor.at[write.writes] - actor.at[0]
            rows[channel] = actor.latency, actor.cycle, len(at), begin
            written.append(at)
            begin += len(at)
    return rows.ravel(), np.concatenate(written)


def _actor_row(item: Placed, first: int, *, idle: int) -> IntArray:
    row = np.zeros(ACTOR_WIDTH, np.int64)
    row[FIRST] = row[PHASE] = first
    row[END] = first + len(item.actor.at) * PHASE_WIDTH
    row[TIME], row[LAST], row[LOG_FIRINGS] = item.actor.at[0], -1, -1
    row[INPUT] = (item.reads or (idle,))[0] * CHANNEL_WIDTH
    row[OUTPUT] = (item.writes or (idle,))[0] * CHANNEL_WIDTH
    row[MANY] = len(item.reads) > 1 or len(item.writes) > 1
    gate = item.gate
    row[[GATED, SEED, FINE, COARSE]] = (not gate.always, gate.seed, gate.fine, gate.coarse)
    return row


def _read_table(item: Placed) -> tuple[IntArray, IntArray]:
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


def _write_table(item: Placed) -> tuple[IntArray, IntArray]:
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
