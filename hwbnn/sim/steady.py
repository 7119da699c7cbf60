# SPDX-License-Identifier: Apache-2.0
"""Steady state: simulate until the state repeats, and jump (timing.md, "Steady state and jump")."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.sim import kernel
from hwbnn.sim.schedule import Schedule, State

FRAMES = 64  # simulated at least, if need be, in search of the period
STATES = 1 << 22  # words of earlier states that are kept


@dataclass(frozen=True, eq=False)
class Steady:
    """When frames end, and from which frame on they do so periodically.

    period: cycles a frame. transient: frames before the steady state, `simulated_frames` if it
    was not reached; period is then the mean of the last half.
    """

    frame_ends: IntArray
    period: Fraction
    transient: int
    simulated_frames: int


def settle(plan: Schedule, state: State, *, frames: int) -> Steady | None:
    """Return the ends of `frames` frames or more; None: deadlock, and `state` is that of it.

    Exact, since max-plus systems with fixed tables are time-invariant: equal states, relative to
    the last output, have equal futures.
    """
    ends = np.zeros(max(frames, FRAMES), np.int64)
    simulated, repeat = until_repeat(plan, state, ends)
    if repeat < 0:
        return None
    if repeat == 0:
        half = simulated // 2
        period = Fraction(int(ends[-1] - ends[half - 1]), simulated - half)
        return Steady(ends, period, simulated, simulated)
    last = simulated - 1
    span = int(ends[last] - ends[last - repeat])
    later = np.arange(len(ends) - simulated)
    ends[simulated:] = ends[last - repeat + 1 + later % repeat] + (later // repeat + 1) * span
    return Steady(ends, Fraction(span, repeat), last - repeat, simulated)


def until_repeat(plan: Schedule, state: State, ends: IntArray) -> tuple[int, int]:
    """Fill in the ends of frames until the state repeats, all of `ends` at most.

    Return the frames simulated and those of the period: 0 if there is none yet, -1: deadlock.
    """
    width = len(plan.firings) + plan.words.size + 1 + plan.slots
    rows = max(2, min(len(ends), STATES // width))
    simulated, repeat = kernel.steady(
        plan.phases,
        plan.reads,
        plan.writes,
        state.actors,
        state.channels,
        state.slots,
        plan.writers,
        plan.written,
        plan.firings,
        ends,
        np.empty((rows, width), np.int64),
        np.empty(rows, np.int64),
    )
    return int(simulated), int(repeat)
