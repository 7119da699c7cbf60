# SPDX-License-Identifier: Apache-2.0
"""Critical circuits: which FIFOs and units a slow design waits for (timing.md, "FIFO sizing").

A firing's time is that of one of its predecessors plus a constant. Walk back from the last output
until an actor's phase comes again: if the time between is more than the frames allow, no design
with FIFOs as short as those whose room is waited for on the way is faster.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.sim.compiled import compiled
from hwbnn.sim.kernel import (
    ACTOR_WIDTH,
    CHANNEL_WIDTH,
    CONSUMER,
    DEPTH,
    FIRST,
    GAP,
    INPUT,
    LAST,
    LATE,
    LEFT,
    LOG_FIRINGS,
    MORE_READS,
    MORE_WRITES,
    OFFSET,
    OUTPUT,
    PHASE_WIDTH,
    PRODUCER,
    READ_CHANNEL,
    READ_OFFSET,
    READ_WIDTH,
    READS_END,
    WRITES,
    WRITES_END,
)
from hwbnn.sim.schedule import Schedule, State, advance

WALKED = (3, 8, 16, 32, 64)  # frames in which a slow circuit is looked for

# Columns of a channel's row in the table of words and phases. A pass is one of an actor's table.
# The phases that write, or release, a pass's words stand behind their number.
WORD_WIDTH = 6
(WRITTEN, WRITERS, POPPED, POPPERS, READ_BEFORE, WRITTEN_BEFORE) = range(6)


@dataclass(frozen=True)
class Step:
    """`actor` waits for a word of `channel`, or for room in it."""

    actor: int
    channel: int
    room: bool


@dataclass(frozen=True)
class Circuit:
    """What is waited for, in the order of the walk back; a frame takes `period` cycles at least."""

    steps: tuple[Step, ...]
    period: Fraction

    @property
    def full(self) -> frozenset[int]:
        """The channels whose room is waited for."""
        return frozenset(step.channel for step in self.steps if step.room)


@compiled()
def _firing(
    words: IntArray,
    order: IntArray,
    channels: IntArray,
    sizes: IntArray,
    c: int,
    word: int,
    end: int,
    count: int,
) -> tuple[int, int]:
    """Return the actor and its firing, counted from reset, that writes or releases a word.

    end and count: PRODUCER and WRITTEN, or CONSUMER and POPPED.
    """
    actor, row = channels[c * CHANNEL_WIDTH + end] // ACTOR_WIDTH, c * WORD_WIDTH + count
    phase = order[words[row + 1] + word % words[row]]
    return actor, word // words[row] * sizes[actor] + phase


@compiled()
def _late_word(
    phases: IntArray,
    reads: IntArray,
    actors: IntArray,
    channels: IntArray,
    words: IntArray,
    order: IntArray,
    sizes: IntArray,
    begins: IntArray,
    times: IntArray,
    a: int,
    k: int,
) -> tuple[int, int, int]:
    """Return (channel, actor, firing) whose word a firing waited for; channel -1: none."""
    turn, p = k // sizes[a], k % sizes[a]
    phase = actors[a * ACTOR_WIDTH + FIRST] + p * PHASE_WIDTH
    listed = phases[phase + MORE_READS]
    for r in range(listed - READ_WIDTH, phases[phase + READS_END], READ_WIDTH):
        if r < listed:
            c, offset = actors[a * ACTOR_WIDTH + INPUT] // CHANNEL_WIDTH, phases[phase + OFFSET]
        else:
            c, offset = reads[r + READ_CHANNEL] // CHANNEL_WIDTH, reads[r + READ_OFFSET]
        if offset >= 0:
            row = c * WORD_WIDTH
            word = turn * words[row + POPPED] + order[words[row + READ_BEFORE] + p] + offset
            other, firing = _firing(words, order, channels, sizes, c, word, PRODUCER, WRITTEN)
            late = channels[c * CHANNEL_WIDTH + LATE]
            if times[begins[other] + firing] + late == times[begins[a] + k]:
                return c, other, firing
    return -1, 0, 0


@compiled()
def _late_room(
    phases: IntArray,
    writes: IntArray,
    actors: IntArray,
    channels: IntArray,
    words: IntArray,
    order: IntArray,
    sizes: IntArray,
    begins: IntArray,
    times: IntArray,
    a: int,
    k: int,
) -> tuple[int, int, int]:
    """Return (channel, actor, firing) whose room a firing waited for; channel -1: none."""
    turn, p = k // sizes[a], k % sizes[a]
    phase = actors[a * ACTOR_WIDTH + FIRST] + p * PHASE_WIDTH
    listed = phases[phase + MORE_WRITES]
    for w in range(listed - 1 if phases[phase + WRITES] else listed, phases[phase + WRITES_END]):
        c = (actors[a * ACTOR_WIDTH + OUTPUT] if w < listed else writes[w]) // CHANNEL_WIDTH
        row = c * WORD_WIDTH
        word = turn * words[row + WRITTEN] + order[words[row + WRITTEN_BEFORE] + p]
        word -= channels[c * CHANNEL_WIDTH + DEPTH]
        if word >= 0:
            other, firing = _firing(words, order, channels, sizes, c, word, CONSUMER, POPPED)
            if times[begins[other] + firing] + 1 == times[begins[a] + k]:
                return c, other, firing
    return -1, 0, 0


@compiled()
def _walk(
    phases: IntArray,
    reads: IntArray,
    writes: IntArray,
    actors: IntArray,
    channels: IntArray,
    words: IntArray,
    order: IntArray,
    sizes: IntArray,
    firings: IntArray,
    begins: IntArray,
    times: IntArray,
    period: int,
    steps: IntArray,
) -> tuple[int, int, int, int]:
    """Return (first step, end) of a circuit in `steps`, its cycles and frames; frames 0: none.

    steps: rows of (actor, firing, channel, if for room), channel -1: the actor's own last firing.
    """
    a = len(sizes) - 1
    k = begins[a + 1] - begins[a] - 1
    frame = np.append(0, np.cumsum(firings))
    seen = np.full(frame[-1], -1)  # for each firing of a frame, the last step there
    for step in range(len(steps)):
        place = frame[a] + k % firings[a]
        if seen[place] >= 0:
            before = steps[seen[place], 1]
            frames = (before - k) // firings[a]
            cycles = times[begins[a] + before] - times[begins[a] + k]
            if cycles > frames * period:
                return seen[place], step, cycles, frames
        seen[place] = step
        steps[step, 0], steps[step, 1], steps[step, 2], steps[step, 3] = a, k, -1, 0
        last = actors[a * ACTOR_WIDTH + FIRST] + (k - 1) % sizes[a] * PHASE_WIDTH
        at = begins[a] + k
        if k > 0 and times[at - 1] + phases[last + GAP] == times[at]:
            k -= 1
            continue
        c, other, firing = _late_word(
            phases, reads, actors, channels, words, order, sizes, begins, times, a, k
        )
        if c < 0:
            steps[step, 3] = 1
            c, other, firing = _late_room(
                phases, writes, actors, channels, words, order, sizes, begins, times, a, k
            )
        if c < 0:
            break  # the walk is back at reset
        steps[step, 2] = c
        a, k = other, firing
    return 0, 0, 0, 0


class Walker:
    """Walks back through recorded firings; the tables are those of a schedule at any depths."""

    def __init__(self, plan: Schedule) -> None:
        self._sizes = np.array([len(item.actor.at) for item in plan.placed])
        words = np.zeros((len(plan.names) + 1, WORD_WIDTH), np.int64)
        order: list[IntArray] = []

        def keep(channel: int, column: int, values: IntArray) -> None:
            words[channel, column] = sum(map(len, order))
            order.append(values)

        for item in plan.placed:
            number = np.arange(len(item.actor.at))
            for channel, read in zip(item.reads, item.actor.reads, strict=True):
                words[channel, POPPED] = read.release.sum()
                keep(channel, POPPERS, np.repeat(number, read.release))
                keep(channel, READ_BEFORE, np.cumsum(read.release) - read.release)
            for channel, write in zip(item.writes, item.actor.writes, strict=True):
                words[channel, WRITTEN] = write.writes.sum()
                keep(channel, WRITERS, number[write.writes])
                keep(channel, WRITTEN_BEFORE, np.cumsum(write.writes) - write.writes)
        self._words, self._order = words.ravel(), np.concatenate(order).astype(np.int64)

    def circuit(self, plan: Schedule, *, frames: int, period: int) -> Circuit | None:
        """Return a circuit that takes more than `period` cycles a frame, if `frames` show one."""
        state = State.of(plan)
        begins = np.append(0, np.cumsum(plan.firings * frames))
        times = np.empty(begins[-1], np.int64)
        state.actors[LEFT::ACTOR_WIDTH] = plan.firings * frames
        state.actors[LOG_FIRINGS::ACTOR_WIDTH] = begins[:-1]
        if not advance(plan, state, times):
            return None
        cycles = int(state.actors[LAST::ACTOR_WIDTH].max())  # every step goes back one at least
        steps = np.empty((min(len(times), cycles) + 2, 4), np.int64)
        begin, end, span, count = _walk(
            plan.phases,
            plan.reads,
            plan.writes,
            plan.actors,
            plan.channels,
            self._words,
            self._order,
            self._sizes,
            plan.firings,
            begins,
            times,
            period,
            steps,
        )
        if count == 0:
            return None
        waits = steps[begin:end]
        waits = waits[waits[:, 2] >= 0]
        named = dict.fromkeys((int(a), int(c), bool(room)) for a, _, c, room in waits)
        return Circuit(tuple(Step(*step) for step in named), Fraction(int(span), int(count)))
