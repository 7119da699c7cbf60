# SPDX-License-Identifier: Apache-2.0
"""Paced: are FIFOs deep enough for a frame every so many cycles? (timing.md, "FIFO sizing")."""

import numpy as np

from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.sim.critical import WALKED, Walker
from hwbnn.sim.deadlock import deadlock
from hwbnn.sim.kernel import ACTOR_WIDTH, LEFT
from hwbnn.sim.record import Log, record
from hwbnn.sim.schedule import Rules, Schedule, State, schedule
from hwbnn.sim.steady import until_repeat

FRAMES = (8, 64)  # simulated until the state repeats, at first and if need be
FIRINGS = 1 << 25  # of a simulation, but for the first frames


class Paced:
    """A design whose source sends a frame every `period` cycles, at any depths of its channels.

    Channels are edges first, then internal buffers. firings: simulated so far. simulations: depths
    asked about so far. frame: firings a frame.
    """

    def __init__(self, design: Design, period: int) -> None:
        plan = schedule(design, pace=period)
        buffers = sum(len(instance.unit.buffers()) for instance in design.instances)
        self.period, self._paces = period, len(plan.names) - len(design.edges) - buffers
        self.firings = self.simulations = 0
        self._plan, self._walker = plan, Walker(plan)
        self.frame = int(plan.firings.sum())
        self._index = {name: channel for channel, name in enumerate(plan.names)}
        self._fast: dict[bytes, bool | None] = {}
        self._cuts: dict[bytes, frozenset[int]] = {}

    def fast(self, depths: IntArray, extra: IntArray) -> bool | None:
        """Return whether every frame takes `period` cycles in the end; None: not found out.

        extra: X of each channel. A state that comes again, or a slow circuit, is a proof.
        """
        key = depths.tobytes() + extra.tobytes()
        if key not in self._fast:
            self.simulations += 1
            self._fast[key] = self._ask(self._at(depths, extra), key)
        return self._fast[key]

    def cut(self, depths: IntArray, extra: IntArray) -> frozenset[int]:
        """Return channels of which one must be deeper in any fast design with X no less.

        For depths that are not fast; all channels if no smaller set is found.
        """
        key = depths.tobytes() + extra.tobytes()
        if key not in self._cuts:
            self._cuts[key] = self._walk(self._at(depths, extra)) or frozenset(range(len(depths)))
        return self._cuts[key]

    def high_water(self, depths: IntArray, extra: IntArray) -> IntArray:
        """Return the most slots that each channel uses until the state repeats."""
        plan = self._at(depths, extra)
        frames, _ = until_repeat(plan, State.of(plan), np.zeros(FRAMES[-1], np.int64))
        logs = {channel: Log(int(depth), keep=False) for channel, depth in enumerate(depths)}
        record(plan, logs, frames, Rules())
        self.firings += 2 * frames * self.frame
        return np.array([log.high_water for log in logs.values()])

    def _at(self, depths: IntArray, extra: IntArray) -> Schedule:
        paces = np.ones(self._paces, np.int64)
        return self._plan.with_depths(np.append(depths, paces), np.append(extra, 0 * paces))

    def _ask(self, plan: Schedule, key: bytes) -> bool | None:
        for most in self._bounded(FRAMES):
            state, ends = State.of(plan), np.zeros(most, np.int64)
            frames, repeat = until_repeat(plan, state, ends)
            self.firings += self._fired(frames, repeat, state)
            if repeat < 0:
                short = deadlock(plan, state).too_short
                self._cuts[key] = frozenset(self._index[name] for name in short)
                return False
            if repeat > 0:
                span = int(ends[frames - 1] - ends[frames - 1 - repeat])
                return span == repeat * self.period
            cut = self._walk(plan)
            if cut:
                self._cuts[key] = cut
                return False
        return None

    def _fired(self, frames: int, repeat: int, state: State) -> int:
        """Firings of a simulation; of a deadlock at least what the question costs."""
        if repeat >= 0:
            return frames * self.frame
        left = int(state.actors[LEFT::ACTOR_WIDTH].sum())
        return max((frames + 1) * self.frame - left, self.frame // 16)

    def _walk(self, plan: Schedule) -> frozenset[int]:
        for frames in self._bounded(WALKED):
            self.firings += frames * self.frame
            circuit = self._walker.circuit(plan, frames=frames, period=self.period)
            if circuit is not None:
                return circuit.full
        return frozenset()

    def _bounded(self, frames: tuple[int, ...]) -> list[int]:
        """The first number of frames, and the others that memory and time allow."""
        return [n for n in frames if n == frames[0] or n * self.frame <= FIRINGS]
