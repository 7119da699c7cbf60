# SPDX-License-Identifier: Apache-2.0
"""Record: the events of channels while the engine runs, part by part, and the high water."""

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.sim import kernel
from hwbnn.sim.deadlock import Deadlock, deadlock
from hwbnn.sim.kernel import (
    ACTOR_WIDTH,
    CHANNEL_WIDTH,
    DEPTH,
    LEFT,
    LOG_POPS,
    LOG_WRITES,
)
from hwbnn.sim.schedule import Rules, Schedule, State, advance

EVENTS = 1 << 18  # recorded at a time
_NONE: IntArray = np.empty(0, np.int64)


class Log:
    """The events of a channel: all of them if kept, and always the high water."""

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


def record(
    plan: Schedule, logs: dict[int, Log], frames: int, rules: Rules
) -> tuple[IntArray, Deadlock | None]:
    """Run frames from reset and log channels; return the actors' rows after that, and a deadlock.

    Then everything but the source goes on as far as it can: a window's drain comes to the padding
    of the next frame before the first word of it. That is logged too.
    """
    state = State.of(plan)
    chunk = min(frames, max(1, EVENTS // int(plan.words.sum())))
    stopped = None
    if _part(plan, state, logs, plan.firings * chunk, rules):
        for begin in range(chunk, frames, chunk):
            _part(plan, state, logs, plan.firings * min(chunk, frames - begin), rules)
    else:  # a deadlock comes in the first frame or never; until it bites, more frames may enter
        _part(plan, state, logs, plan.firings * min(frames - chunk, plan.slots), rules)
        stopped = deadlock(plan, state)
    actors = state.actors.copy()
    _part(
        plan,
        state,
        logs,
        plan.firings * _frames_behind(plan),
        rules,
    )
    return actors, stopped


def _frames_behind(plan: Schedule) -> IntArray:
    """Return how many frames of each actor can begin behind the last.

    What reads nothing fills its FIFOs, however many frames they hold.
    """
    frames = np.ones(len(plan.placed), np.int64)
    frames[: plan.sources] = 0
    depths = plan.channels.reshape(-1, CHANNEL_WIDTH)[:, DEPTH]
    for row, item in enumerate(plan.placed):
        if frames[row] and not item.reads:
            frames[row] += max(depths[c] // plan.words[c] for c in item.writes)
    return frames


def _part(
    plan: Schedule, state: State, logs: dict[int, Log], firings: IntArray, rules: Rules
) -> bool:
    """Fire every actor so often more, or until nothing moves; return if all are done."""
    left = state.actors[LEFT::ACTOR_WIDTH]
    left += firings
    most = int((left // plan.firings).max()) + 1
    logged = np.array(list(logs))
    sizes = np.repeat(plan.words[logged] * most, 2)
    starts = (np.cumsum(sizes) - sizes).reshape(-1, 2)
    events = np.empty(int(sizes.sum()), np.int64)
    rows = state.channels.reshape(-1, CHANNEL_WIDTH)
    rows[logged[:, None], [LOG_WRITES, LOG_POPS]] = starts
    done = advance(plan, state, events, rules)
    for channel, (written, popped) in zip(logs, starts, strict=True):
        ends = rows[channel, [LOG_WRITES, LOG_POPS]]
        logs[channel].add(events[written : ends[0]], events[popped : ends[1]])
    return done
