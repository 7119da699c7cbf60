# SPDX-License-Identifier: Apache-2.0
"""Deadlock: the circle of instances that wait for one another, and when it closed."""

from dataclasses import dataclass

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.sim.kernel import (
    ACTOR_WIDTH,
    CHANNEL_WIDTH,
    CONSUMER,
    COUNT,
    DEPTH,
    INPUT,
    LAST,
    LEFT,
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
    WRITES,
    WRITES_END,
)
from hwbnn.sim.schedule import Schedule, State


@dataclass(frozen=True)
class Wait:
    """An instance ("source", "sink" at the borders) waits for a word of a FIFO, or for room.

    edge: the FIFO's edge, or "NAME's buffer" for what a sliding window holds.
    """

    instance: str
    edge: str
    room: bool

    def __str__(self) -> str:
        return f"{self.instance} waits for {'room in' if self.room else 'a word of'} {self.edge}"


@dataclass(frozen=True)
class Deadlock:
    """Each instance waits for the next one, the last for the first; nothing fires after `cycle`."""

    waits: tuple[Wait, ...]
    cycle: int

    @property
    def instances(self) -> tuple[str, ...]:
        """The instances of the circle."""
        return tuple(wait.instance for wait in self.waits)

    @property
    def edges(self) -> tuple[str, ...]:
        """The FIFOs of the circle."""
        return tuple(wait.edge for wait in self.waits)

    @property
    def too_short(self) -> tuple[str, ...]:
        """The FIFOs of the circle that are full: one of them must be deeper."""
        return tuple(dict.fromkeys(wait.edge for wait in self.waits if wait.room))

    def __str__(self) -> str:
        return f"{'; '.join(map(str, self.waits))}; last event in cycle {self.cycle}"


def deadlock(plan: Schedule, state: State) -> Deadlock:
    """Follow what each actor waits for until one comes again (or one is done: a cut circle)."""
    actors, channels = state.actors, state.channels.reshape(-1, CHANNEL_WIDTH)
    stuck = np.flatnonzero(actors[LEFT::ACTOR_WIDTH])
    actor, path, waits = int(stuck[-1]), [], []
    while actor not in path and actors[actor * ACTOR_WIDTH + LEFT]:
        path.append(actor)
        channel, room = _missing(plan, actors, channels, actor)
        waits.append(Wait(plan.owners[actor], plan.names[channel], room))
        actor = int(channels[channel, CONSUMER if room else PRODUCER]) // ACTOR_WIDTH
    circle = waits[path.index(actor) :] if actor in path else waits
    return Deadlock(tuple(circle), int(actors[LAST::ACTOR_WIDTH].max()))


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
