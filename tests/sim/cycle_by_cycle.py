# SPDX-License-Identifier: Apache-2.0
"""A literal simulator: every register of every FIFO, cycle by cycle, as timing.md's rules read.

It shares nothing with the engine but the actors' tables. Slow, and obvious.
"""

from dataclasses import dataclass, field

import numpy as np

from hwbnn.ir.design import Design
from hwbnn.ir.unit import Actor, Port, Side
from hwbnn.sim.gate import ALWAYS, Gate


@dataclass
class Channel:
    """Credits, visible words, and words on their way: cycle in which each becomes visible."""

    depth: int
    extra: int
    credit: int = 0
    visible: int = 0
    flying: list[int] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    reserves: list[int] = field(default_factory=list)
    pops: list[int] = field(default_factory=list)

    def begin(self, cycle: int) -> None:
        """Clock edge: words and credits that have arrived become visible."""
        self.visible += self.flying.count(cycle)
        self.flying = [when for when in self.flying if when != cycle]
        self.credit += self.returned.count(cycle)
        self.returned = [when for when in self.returned if when != cycle]

    @property
    def high_water(self) -> int:
        """Most slots in use in a cycle, those of words popped in that cycle included."""
        before = np.searchsorted(np.array(self.pops, int), self.reserves, side="left")
        return int((np.arange(1, len(self.reserves) + 1) - before).max(initial=0))


class Walker:
    """An actor walking through all its firings, those that touch no channel included.

    Behind the last frame it goes on with one more, which the source does not feed.
    """

    def __init__(self, owner: str, actor: Actor, channels: dict[Port, Channel], frames: int):
        self.owner, self.actor, self.channels = owner, actor, channels
        self.left = actor.firings * (frames + 1)
        self.position = 0
        self.rows = {int(at): row for row, at in enumerate(actor.at)}
        self.starved = self.blocked = 0

    @property
    def busy(self) -> bool:
        """It has not done all frames."""
        return self.left > self.actor.firings

    def step(self, cycle: int) -> list[tuple[Channel, int, int]] | None:
        """Return (channel, words written, words popped) of this cycle's firing, None if none."""
        if self.left == 0:
            return None
        row = self.rows.get(self.position)
        touched: list[tuple[Channel, int, int]] = []
        if row is not None:
            valid = room = True
            for read in self.actor.reads:
                channel, offset = self.channels[read.port], int(read.offset[row])
                if offset >= 0:
                    valid = valid and channel.visible > offset
                    touched.append((channel, 0, int(read.release[row])))
            for write in self.actor.writes:
                channel = self.channels[write.port]
                if write.writes[row]:
                    room = room and channel.credit > 0
                    touched.append((channel, 1, 0))
            self.starved += self.busy and not valid
            self.blocked += self.busy and valid and not room
            if not (valid and room):
                return None
        self.left -= 1
        self.position = (self.position + 1) % self.actor.cycle
        return touched


@dataclass
class Outcome:
    """What the engine must give too."""

    channels: dict[str, Channel]
    starved: dict[str, int]
    blocked: dict[str, int]
    finished: bool


def run(
    design: Design,
    *,
    frames: int,
    source: Gate = ALWAYS,
    sink: Gate = ALWAYS,
) -> Outcome:
    """Simulate until nothing moves any more."""
    edges = {e.name: Channel(e.fifo.depth, e.fifo.extra_latency) for e in design.edges}
    every = list(edges.values())
    walkers = []
    for instance in design.instances:
        ports: dict[Port, Channel] = {}
        for side, touching in (
            (Side.INPUT, design.into(instance.name)),
            (Side.OUTPUT, design.out_of(instance.name)),
        ):
            ports |= {Port(side, i): edges[edge.name] for i, edge in enumerate(touching)}
        for i, buffer in enumerate(instance.unit.buffers()):
            ports[Port(Side.BUFFER, i)] = Channel(buffer.capacity, 0)
            every.append(ports[Port(Side.BUFFER, i)])
        walkers += [Walker(instance.name, actor, ports, frames) for actor in instance.unit.actors()]
    for channel in every:
        channel.credit = channel.depth
    to_send = design.input.stream.beats * frames
    to_take = design.output.stream.beats * (frames + 1)
    enter, leave = edges[design.input.name], edges[design.output.name]
    cycle, moving = 0, True
    while moving:
        for channel in every:
            channel.begin(cycle)
        events = []
        moving = any(channel.flying or channel.returned for channel in every)
        for walker in walkers:
            touched = walker.step(cycle)
            moving = moving or touched is not None
            for channel, written, popped in touched or []:
                events.append((channel, written, popped, walker.actor.latency))
        now = np.array([cycle])
        if to_send and enter.credit:
            moving = True
            if source.on(now)[0]:
                to_send -= 1
                events.append((enter, 1, 0, 1))
        if to_take and leave.visible:
            moving = True
            if sink.on(now)[0]:
                to_take -= 1
                events.append((leave, 0, 1, 0))
        for channel, written, popped, late in events:
            if written:
                channel.credit -= 1
                channel.flying.append(cycle + late + channel.extra)
                channel.reserves.append(cycle)
            channel.visible -= popped
            channel.pops += [cycle] * popped
            channel.returned += [cycle + 1] * popped
        cycle += 1
    starved: dict[str, int] = {}
    blocked: dict[str, int] = {}
    for walker in walkers:
        starved[walker.owner] = starved.get(walker.owner, 0) + walker.starved
        blocked[walker.owner] = blocked.get(walker.owner, 0) + walker.blocked
    finished = to_take <= design.output.stream.beats and not any(w.busy for w in walkers)
    return Outcome(edges, starved, blocked, finished)
