# SPDX-License-Identifier: Apache-2.0
"""The engine's inner loops: max-plus firing times over the tables of a Schedule.

A slot of a channel holds one cycle: while the slot is taken, the first cycle in which its word can
be read; while it is free, the first cycle in which it can be reserved.
"""

from hwbnn.ir.dtype import IntArray
from hwbnn.sim.compiled import compiled
from hwbnn.sim.native import first_item

# Columns of a row. An "address" is the position of a row's first column in its flat table.
# A phase's row holds what it does to its actor's first input and output; further ones are listed.
PHASE_WIDTH = 8
(GAP, OFFSET, RELEASE, WRITES, MORE_READS, READS_END, MORE_WRITES, WRITES_END) = range(PHASE_WIDTH)
READ_WIDTH = 3
READ_CHANNEL, READ_OFFSET, READ_RELEASE = range(READ_WIDTH)
ACTOR_WIDTH = 16
(FIRST, END, PHASE, LEFT, TIME, LAST, STARVED, BLOCKED) = range(8)
(INPUT, OUTPUT, MANY, GATED, SEED, FINE, COARSE, LOG_FIRINGS) = range(8, 16)
CHANNEL_WIDTH = 12
(BASE, LIMIT, HEAD, TAIL, COUNT, DEPTH, LATE, PRODUCER, CONSUMER) = range(9)
(LOG_WRITES, LOG_POPS) = range(9, 11)
# Of the actor that writes a channel: in a pass of its table PASS_WORDS words, in the cycles that
# stand from WRITTEN_AT on, counted from its first firing.
WRITER_WIDTH = 4
(WRITER_LATENCY, PASS_CYCLES, PASS_WORDS, WRITTEN_AT) = range(WRITER_WIDTH)

_MASK = 0xFFFFFFFF


@compiled(forceinline=True)
def _mix(value: int, seed: int) -> int:
    """The hash of hwbnn.sim.gate."""
    x = (value * 0x9E3779B1 + seed) & _MASK
    x = ((x ^ (x >> 15)) * 0x85EBCA6B) & _MASK
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & _MASK
    return x ^ (x >> 16)


@compiled()
def first_on(cycle: int, seed: int, fine: int, coarse: int) -> int:
    """Return the first cycle at or after `cycle` in which the gate is on."""
    while True:
        block = ((cycle & _MASK) >> 6) | (0x15 << 26)
        if (_mix(block, seed) >> 8) & 255 >= coarse:
            cycle = (cycle | 63) + 1
        elif (_mix(cycle & _MASK, seed) >> 8) & 255 >= fine:
            cycle += 1
        else:
            return cycle


@compiled()
def _more_words(
    phases: IntArray, reads: IntArray, channels: IntArray, slots: IntArray, p: int, cycle: int
) -> tuple[int, int]:
    """Return when a phase's further words are there, and the actor that it waits for, or -1."""
    for r in range(phases[p + MORE_READS], phases[p + READS_END], READ_WIDTH):
        c, offset = reads[r + READ_CHANNEL], reads[r + READ_OFFSET]
        if offset >= channels[c + COUNT]:
            return cycle, channels[c + PRODUCER]
        slot = channels[c + HEAD] + offset
        if slot >= channels[c + LIMIT]:
            slot -= channels[c + DEPTH]
        cycle = max(cycle, slots[slot])
    return cycle, -1


@compiled()
def _more_room(
    phases: IntArray, writes: IntArray, channels: IntArray, slots: IntArray, p: int, cycle: int
) -> tuple[int, int]:
    """Return when a phase's further outputs have room, and the actor that it waits for, or -1."""
    for w in range(phases[p + MORE_WRITES], phases[p + WRITES_END]):
        c = writes[w]
        if channels[c + COUNT] == channels[c + DEPTH]:
            return cycle, channels[c + CONSUMER]
        cycle = max(cycle, slots[channels[c + TAIL]])
    return cycle, -1


@compiled()
def _more_moves(
    phases: IntArray,
    reads: IntArray,
    writes: IntArray,
    channels: IntArray,
    slots: IntArray,
    log: IntArray,
    credit: int,
    p: int,
    cycle: int,
) -> None:
    """Write a phase's further outputs and release its further inputs."""
    for w in range(phases[p + MORE_WRITES], phases[p + WRITES_END]):
        c = writes[w]
        slots[channels[c + TAIL]] = cycle + channels[c + LATE]
        channels[c + TAIL] += 1
        if channels[c + TAIL] == channels[c + LIMIT]:
            channels[c + TAIL] = channels[c + BASE]
        channels[c + COUNT] += 1
        if channels[c + LOG_WRITES] >= 0:
            log[channels[c + LOG_WRITES]] = cycle
            channels[c + LOG_WRITES] += 1
    for r in range(phases[p + MORE_READS], phases[p + READS_END], READ_WIDTH):
        c = reads[r + READ_CHANNEL]
        for _ in range(reads[r + READ_RELEASE]):
            slots[channels[c + HEAD]] = cycle + credit
            channels[c + HEAD] += 1
            if channels[c + HEAD] == channels[c + LIMIT]:
                channels[c + HEAD] = channels[c + BASE]
            channels[c + COUNT] -= 1
            if channels[c + LOG_POPS] >= 0:
                log[channels[c + LOG_POPS]] = cycle
                channels[c + LOG_POPS] += 1


@compiled(forceinline=True)
def _run(
    a: int,
    phases: IntArray,
    reads: IntArray,
    writes: IntArray,
    actors: IntArray,
    channels: IntArray,
    slots: IntArray,
    log: IntArray,
    credit: int,
) -> int:
    """Fire an actor until it is done or blocked; return the actor that it waits for, or -1.

    The first input and output stand in local variables: most actors have no more.
    """
    left, p, time = actors[a + LEFT], actors[a + PHASE], actors[a + TIME]
    first, end, last = actors[a + FIRST], actors[a + END], actors[a + LAST]
    starved, blocked = actors[a + STARVED], actors[a + BLOCKED]
    many, gated, log_a = actors[a + MANY], actors[a + GATED], actors[a + LOG_FIRINGS]
    i, o = actors[a + INPUT], actors[a + OUTPUT]
    head, words, depth = channels[i + HEAD], channels[i + COUNT], channels[i + DEPTH]
    base_i, limit_i, log_i = channels[i + BASE], channels[i + LIMIT], channels[i + LOG_POPS]
    tail, room = channels[o + TAIL], channels[o + DEPTH] - channels[o + COUNT]
    base_o, limit_o, log_o = channels[o + BASE], channels[o + LIMIT], channels[o + LOG_WRITES]
    late = channels[o + LATE]
    waits = -1
    while left > 0:
        offset, release, gives = phases[p + OFFSET], phases[p + RELEASE], phases[p + WRITES]
        cycle = time
        if offset >= 0:
            if offset >= words:
                waits = channels[i + PRODUCER]
                break
            slot = head + offset
            cycle = max(cycle, slots[slot if slot < limit_i else slot - depth])
        if many:
            cycle, waits = _more_words(phases, reads, channels, slots, p, cycle)
            if waits >= 0:
                break
        ready = cycle
        if gives:
            if room == 0:
                waits = channels[o + CONSUMER]
                break
            cycle = max(cycle, slots[tail])
        if many:
            cycle, waits = _more_room(phases, writes, channels, slots, p, cycle)
            if waits >= 0:
                break
        starved += ready - time
        blocked += cycle - ready
        if gated:
            cycle = first_on(cycle, actors[a + SEED], actors[a + FINE], actors[a + COARSE])
        if gives:
            slots[tail] = cycle + late
            tail += 1
            if tail == limit_o:
                tail = base_o
            room -= 1
            if log_o >= 0:
                log[log_o] = cycle
                log_o += 1
        for _ in range(release):
            slots[head] = cycle + credit
            head += 1
            if head == limit_i:
                head = base_i
            if log_i >= 0:
                log[log_i] = cycle
                log_i += 1
        words -= release
        if many:
            _more_moves(phases, reads, writes, channels, slots, log, credit, p, cycle)
        if log_a >= 0:
            log[log_a] = cycle
            log_a += 1
        last = cycle
        time = cycle + phases[p + GAP]
        left -= 1
        p += PHASE_WIDTH
        if p == end:
            p = first
    actors[a + LEFT], actors[a + PHASE], actors[a + TIME] = left, p, time
    actors[a + LAST], actors[a + STARVED], actors[a + BLOCKED] = last, starved, blocked
    actors[a + LOG_FIRINGS] = log_a
    channels[i + HEAD], channels[i + COUNT], channels[i + LOG_POPS] = head, words, log_i
    channels[o + TAIL], channels[o + LOG_WRITES] = tail, log_o
    channels[o + COUNT] = channels[o + DEPTH] - room
    return waits


@compiled()
def _advance(
    phases: IntArray,
    reads: IntArray,
    writes: IntArray,
    actors: IntArray,
    channels: IntArray,
    slots: IntArray,
    log: IntArray,
    credit: int,
    size: int,
) -> bool:
    """Fire every actor as often as LEFT says, or until nothing moves; return if all are done.

    The order of the actors does not change the times: go where the last one is blocked, and if
    that leads nowhere, round by round.
    """
    a = size - ACTOR_WIDTH  # the sink
    idle = 0
    while idle <= 2 * size:
        left = actors[a + LEFT]
        waits = _run(a, phases, reads, writes, actors, channels, slots, log, credit)
        idle = 0 if actors[a + LEFT] < left else idle + ACTOR_WIDTH
        if waits >= 0 and idle < size:
            a = waits
        else:
            a = a - ACTOR_WIDTH if a > 0 else size - ACTOR_WIDTH
    unfired = 0
    for a in range(0, size, ACTOR_WIDTH):
        unfired += actors[a + LEFT]
    return unfired == 0


@compiled()
def advance(
    phases: IntArray,
    reads: IntArray,
    writes: IntArray,
    actors: IntArray,
    channels: IntArray,
    slots: IntArray,
    log: IntArray,
    credit: int,
) -> bool:
    """Fire every actor as often as LEFT says, or until nothing moves; return if all are done."""
    return _advance(
        first_item(phases),
        first_item(reads),
        first_item(writes),
        first_item(actors),
        first_item(channels),
        first_item(slots),
        first_item(log),
        credit,
        len(actors),
    )


@compiled()
def _state(
    actors: IntArray,
    channels: IntArray,
    slots: IntArray,
    writers: IntArray,
    written: IntArray,
    state: IntArray,
) -> tuple[int, int]:
    """Fill in the state at a frame's end, relative to the last output; return its size and hash.

    Every channel is empty. A slot that is free before its producer can reach it counts as free
    in that very cycle: what cannot bind must not hide the period. Slots came free in the order in
    which they are written next: those of a channel are told from the last one back to the first
    that binds, behind their number.
    """
    now = actors[len(actors) - ACTOR_WIDTH + LAST]
    size, key = 0, 0
    for a in range(0, len(actors), ACTOR_WIDTH):
        state[size] = actors[a + TIME] - now
        size += 1
    for channel in range(len(channels) // CHANNEL_WIDTH):
        c, w = channel * CHANNEL_WIDTH, channel * WRITER_WIDTH
        time, slot = actors[channels[c + PRODUCER] + TIME], channels[c + TAIL]
        begin, end = size, size + 1
        size += 1
        for word in range(channels[c + DEPTH] - 1, -1, -1):
            slot = (slot if slot > channels[c + BASE] else channels[c + LIMIT]) - 1
            if slots[slot] <= time:
                break
            turn, index = word // writers[w + PASS_WORDS], word % writers[w + PASS_WORDS]
            first = time + turn * writers[w + PASS_CYCLES]
            first += written[writers[w + WRITTEN_AT] + index]
            state[end] = max(slots[slot], first) - now
            end += 1
            if slots[slot] > first:
                size = end
        state[begin] = size - begin
    for value in state[:size]:
        key = (key ^ value) * 0x100000001B3
    return size, key


@compiled()
def high_water(reserves: IntArray, pops: IntArray, held: int) -> int:
    """Return the most slots in use; the first `held` pops are of words reserved earlier."""
    high = gone = 0
    for word in range(len(reserves)):
        while gone < len(pops) and pops[gone] < reserves[word]:
            gone += 1
        high = max(high, held + word + 1 - gone)
    return high


@compiled()
def steady(
    phases: IntArray,
    reads: IntArray,
    writes: IntArray,
    actors: IntArray,
    channels: IntArray,
    slots: IntArray,
    writers: IntArray,
    written: IntArray,
    firings: IntArray,
    ends: IntArray,
    states: IntArray,
    keys: IntArray,
) -> tuple[int, int]:
    """Simulate frame after frame until the state repeats, or to the end of `ends`.

    Return (frames simulated, frames of the period); period 0: none found, -1: deadlock. states
    and keys hold the last states and their hashes.
    """
    rows = len(keys)
    pointers = (
        first_item(phases),
        first_item(reads),
        first_item(writes),
        first_item(actors),
        first_item(channels),
        first_item(slots),
        first_item(ends),  # no channel is logged
    )
    for frame in range(len(ends)):
        for i in range(len(firings)):
            actors[i * ACTOR_WIDTH + LEFT] = firings[i]
        if not _advance(*pointers, 1, len(actors)):
            return frame, -1
        ends[frame] = actors[len(actors) - ACTOR_WIDTH + LAST]
        row = frame % rows
        size, keys[row] = _state(actors, channels, slots, writers, written, states[row])
        for back in range(1, min(frame + 1, rows)):
            other = (frame - back) % rows
            if keys[other] == keys[row] and (states[other, :size] == states[row, :size]).all():
                return frame + 1, back
    return len(ends), 0
