# SPDX-License-Identifier: Apache-2.0
"""The timing engine: every cycle of a Design without simulating cycles (DESIGN 3.4)."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.sim import kernel
from hwbnn.sim.gate import ALWAYS, Gate
from hwbnn.sim.kernel import (
    ACTOR_WIDTH,
    BLOCKED,
    CHANNEL_WIDTH,
    CONSUMER,
    COUNT,
    DEPTH,
    INPUT,
    LEFT,
    LOG_POPS,
    LOG_WRITES,
    MORE_READS,
    MORE_WRITES,
    OFFSET,
    OUTPUT,
    PHASE,
    PHASE_WIDTH,
    PRODUCER,
    READ_CHANNEL,
    READ_OFFSET,
    READ_WIDTH,
    READS_END,
    STARVED,
    WRITES,
    WRITES_END,
)
from hwbnn.sim.schedule import Rules, Schedule, State, schedule
from hwbnn.sim.steady import settle

EVENTS = 1 << 18  # that `simulate` records at a time
_NONE: IntArray = np.empty(0, np.int64)


@dataclass(frozen=True)
class Wait:
    """An instance ("source", "sink" at the borders) waits for a word of an edge, or for room."""

    instance: str
    edge: str
    room: bool

    def __str__(self) -> str:
        return f"{self.instance} waits for {'room in' if self.room else 'a word of'} {self.edge}"


@dataclass(frozen=True)
class Deadlock:
    """Each instance waits for the next one, the last for the first."""

    waits: tuple[Wait, ...]

    @property
    def instances(self) -> tuple[str, ...]:
        """The instances of the circle."""
        return tuple(wait.instance for wait in self.waits)

    @property
    def edges(self) -> tuple[str, ...]:
        """The edges of the circle."""
        return tuple(wait.edge for wait in self.waits)

    def __str__(self) -> str:
        return "; ".join(str(wait) for wait in self.waits)


@dataclass(frozen=True, eq=False)
class Trace:
    """What happened, in cycles from the first after reset (0), for the given frames.

    input, output: the source's writes and the sink's pops. reserves, pops: by edge, if logged.
    frame_ends: the pop of each frame's last beat. high_water: by edge, the most slots in use in a
    cycle, from a word's reservation to its pop, both included: a FIFO of that depth gives the
    same trace. starved, blocked: by instance, cycles in which a firing waits for a word, and in
    which only room is missing (the sum over the actors of a unit that has several).
    """

    input: IntArray
    output: IntArray
    reserves: dict[str, IntArray]
    pops: dict[str, IntArray]
    frame_ends: IntArray
    high_water: dict[str, int]
    starved: dict[str, int]
    blocked: dict[str, int]
    deadlock: Deadlock | None


@dataclass(frozen=True, eq=False)
class Performance:
    """Speed of a design with a willing source and sink.

    period: cycles a frame in steady state. first_frame: cycles from the first beat written to the
    pop of the first frame's last. frame_ends: pop of each frame's last beat. transient: frames
    before the steady state, `simulated_frames` if there is none so soon (period is then the mean
    of the last half). bottleneck: the instance, or border's edge, with the most firings a frame.
    """

    period: Fraction
    first_frame: int
    frame_ends: IntArray
    transient: int
    simulated_frames: int
    bottleneck: str


def simulate(
    design: Design,
    *,
    frames: int,
    source: Gate = ALWAYS,
    sink: Gate = ALWAYS,
    log: bool = False,
    rules: Rules | None = None,
) -> Trace:
    """Run `frames` frames through a design; the source and sink work when their gates are on.

    log: record every edge, not only input and output.
    """
    _check(frames, source, sink)
    rules = rules or Rules()
    plan = schedule(design, source=source, sink=sink, rules=rules)
    state = State.of(plan)
    enter, leave = design.input.name, design.output.name
    logs = {e.name: _Log(e.fifo.depth, keep=log or e.name in (enter, leave)) for e in design.edges}
    chunk = min(frames, max(1, EVENTS // int(plan.words.sum())))
    done = _run(plan, state, logs, rules, chunk)
    if done:
        for begin in range(chunk, frames, chunk):
            _run(plan, state, logs, rules, min(chunk, frames - begin))
    else:  # a deadlock comes in the first frame or never; until it bites, more frames may enter
        _run(plan, state, logs, rules, min(frames - chunk, plan.slots))
    actors, channels = state.actors, state.channels
    reserves = {name: np.concatenate(kept.reserves) for name, kept in logs.items()}
    pops = {name: np.concatenate(kept.pops) for name, kept in logs.items()}
    beats = design.output.stream.beats
    return Trace(
        input=reserves[enter],
        output=pops[leave],
        reserves=reserves if log else {},
        pops=pops if log else {},
        frame_ends=pops[leave][beats - 1 :: beats],
        high_water={name: kept.high_water for name, kept in logs.items()},
        starved=_by_instance(plan, actors[STARVED::ACTOR_WIDTH]),
        blocked=_by_instance(plan, actors[BLOCKED::ACTOR_WIDTH]),
        deadlock=None if done else _deadlock(plan, actors, channels.reshape(-1, CHANNEL_WIDTH)),
    )


def performance(design: Design, *, frames: int = 1000) -> Performance:
    """Return speed and the time of every frame; exact, by simulating until the state repeats."""
    _check(frames, ALWAYS, ALWAYS)
    plan = schedule(design)
    state = State.of(plan)
    found = settle(plan, state, frames=frames)
    if found is None:
        ends = state.channels.reshape(-1, CHANNEL_WIDTH)
        deadlock = _deadlock(plan, state.actors, ends)
        deepen = ", ".join(wait.edge for wait in deadlock.waits if wait.room)
        raise ConfigError(
            f"{design.name}: FIFOs must let every frame through, not stop for ever; "
            f"deepen {deepen} ({deadlock})"
        )
    busiest = plan.owners[int(plan.cycles.argmax())]
    return Performance(
        period=found.period,
        first_frame=int(found.frame_ends[0]),
        frame_ends=found.frame_ends[:frames],
        transient=found.transient,
        simulated_frames=found.simulated_frames,
        bottleneck={"source": design.input.name, "sink": design.output.name}.get(busiest, busiest),
    )


def _check(frames: int, *gates: Gate) -> None:
    if frames < 1:
        raise ConfigError(f"simulation: frames must be at least 1, not {frames}")
    for gate in gates:
        if gate.fine < 1 or gate.coarse < 1:
            raise ConfigError(
                f"gate: fine and coarse must be at least 1, not {gate.fine} and {gate.coarse}; "
                "a gate that is never on ends no simulation"
            )


class _Log:
    """The events of an edge, part by part: all of them if kept, and always the high water."""

    def __init__(self, depth: int, *, keep: bool) -> None:
        self.depth, self.keep = depth, keep
        self.reserves, self.pops = [_NONE], [_NONE]
        self.high_water = 0
        self._latest = _NONE  # pops that can come after the next part's first reservation
        self._held = 0  # words that a deadlock leaves

    def add(self, reserves: IntArray, pops: IntArray) -> None:
        """Append the events of some whole frames, or of all that can happen."""
        near = np.concatenate([self._latest, pops])
        high = kernel.high_water(reserves, near, self._held + len(self._latest))
        self.high_water = max(self.high_water, int(high))
        self._latest = near[-self.depth :].copy()
        self._held += len(reserves) - len(pops)
        if self.keep:
            self.reserves.append(reserves)
            self.pops.append(pops)


def _run(plan: Schedule, state: State, logs: dict[str, _Log], rules: Rules, frames: int) -> bool:
    """Run frames more, or until nothing moves; return if all are done."""
    state.actors[LEFT::ACTOR_WIDTH] += plan.firings * frames
    most = int((state.actors[LEFT::ACTOR_WIDTH] // plan.firings).max()) + 1
    ends = np.cumsum(np.repeat(plan.words * most, 2))
    record = np.empty(int(ends[-1]), np.int64)
    begins = (ends - np.repeat(plan.words * most, 2)).reshape(-1, 2)
    positions = state.channels.reshape(-1, CHANNEL_WIDTH)
    positions[:-1, [LOG_WRITES, LOG_POPS]] = begins
    done = kernel.advance(
        plan.phases,
        plan.reads,
        plan.writes,
        state.actors,
        state.channels,
        state.slots,
        record,
        rules.credit_delay,
    )
    for name, edge in plan.edges.items():
        (written, popped), (write_end, pop_end) = (
            begins[edge],
            positions[edge, [LOG_WRITES, LOG_POPS]],
        )
        logs[name].add(record[written:write_end], record[popped:pop_end])
    return bool(done)


def _by_instance(plan: Schedule, cycles: IntArray) -> dict[str, int]:
    total: dict[str, int] = {}
    for owner, count in zip(plan.owners[1:-1], cycles[1:-1], strict=True):
        total[owner] = total.get(owner, 0) + int(count)
    return total


def _deadlock(plan: Schedule, actors: IntArray, channels: IntArray) -> Deadlock:
    """Follow what each actor waits for until one comes again (or one is done: a cut circle)."""
    names = {channel: name for name, channel in plan.edges.items()}
    stuck = np.flatnonzero(actors[LEFT::ACTOR_WIDTH])
    actor, path, waits = int(stuck[-1]), [], []
    while actor not in path and actors[actor * ACTOR_WIDTH + LEFT]:
        path.append(actor)
        channel, room = _missing(plan, actors, channels, actor)
        edge = names.get(channel, f"{plan.owners[actor]}'s buffer")
        waits.append(Wait(plan.owners[actor], edge, room))
        actor = int(channels[channel, CONSUMER if room else PRODUCER]) // ACTOR_WIDTH
    return Deadlock(tuple(waits[path.index(actor) :] if actor in path else waits))


def _missing(plan: Schedule, actors: IntArray, channels: IntArray, actor: int) -> tuple[int, bool]:
    """Return the channel that a blocked actor waits for, and if it waits for room."""
    row = actors[actor * ACTOR_WIDTH : (actor + 1) * ACTOR_WIDTH]
    phase = plan.phases[row[PHASE] : row[PHASE] + PHASE_WIDTH]
    more = plan.reads[phase[MORE_READS] : phase[READS_END]].reshape(-1, READ_WIDTH)
    needs = [(row[INPUT], phase[OFFSET]), *more[:, [READ_CHANNEL, READ_OFFSET]]]
    for address, offset in needs:
        if offset >= channels[address // CHANNEL_WIDTH, COUNT]:
            return int(address) // CHANNEL_WIDTH, False
    gives = [row[OUTPUT]] if phase[WRITES] else []
    for address in [*gives, *plan.writes[phase[MORE_WRITES] : phase[WRITES_END]]]:
        channel = int(address) // CHANNEL_WIDTH
        if channels[channel, COUNT] == channels[channel, DEPTH]:
            return channel, True
    raise AssertionError("a blocked actor waits for something")
