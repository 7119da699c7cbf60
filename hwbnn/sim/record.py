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
            self.reserves.append(reserves.copy())
            self.pops.append(pops.copy())


def record(
    plan: Schedule, logs: dict[int, Log], frames: int, rules: Rules
) -> tuple[IntArray, Deadlock | None]:
    """Run frames from reset and log channels; return the actors' rows after that, and a deadlock.

    Then everything but the source goes on as far as it can: a window's drain comes to the padding
    of the next frame before the first word of it. That is logged too.
    """
    recorder = _Recorder(plan, logs, rules)
    chunk = min(frames, max(1, EVENTS // int(plan.words.sum())))
    stopped = None
    if recorder.run(plan.firings * chunk):
        for begin in range(chunk, frames, chunk):
            recorder.run(plan.firings * min(chunk, frames - begin))
    else:  # a deadlock comes in the first frame or never; until it bites, more frames may enter
        recorder.run(plan.firings * min(frames - chunk, plan.slots))
        stopped = deadlock(plan, recorder.state)
    actors = recorder.state.actors.copy()
    recorder.run(plan.firings * _frames_behind(plan))
    return actors, stopped


class _Recorder:
    """The engine's state, and the memory for the events of a part: every part takes the same."""

    def __init__(self, plan: Schedule, logs: dict[int, Log], rules: Rules) -> None:
        self.state = State.of(plan)
        self._plan, self._logs, self._rules = plan, logs, rules
        self._events = _NONE

    def run(self, firings: IntArray) -> bool:
        """Fire every actor so often more, or until nothing moves; return if all are done."""
        plan = self._plan
        left = self.state.actors[LEFT::ACTOR_WIDTH]
        left += firings
        most = int((left // plan.firings).max()) + 1
        logged = np.array(list(self._logs))
        sizes = np.repeat(plan.words[logged] * most, 2)
        starts = (np.cumsum(sizes) - sizes).reshape(-1, 2)
        if len(self._events) < sizes.sum():
            self._events = np.empty(int(sizes.sum()), np.int64)
        rows = self.state.channels.reshape(-1, CHANNEL_WIDTH)
        rows[logged[:, None], [LOG_WRITES, LOG_POPS]] = starts
        done = advance(plan, self.state, self._events, self._rules)
        for channel, (written, popped) in zip(self._logs, starts, strict=True):
            writes, pops = rows[channel, [LOG_WRITES, LOG_POPS]]
            self._logs[channel].add(self._events[written:writes], self._events[popped:pops])
        return done


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
