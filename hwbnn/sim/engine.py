# SPDX-License-Identifier: Apache-2.0
"""The timing engine: every cycle of a Design without simulating cycles (DESIGN 3.4)."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.sim.deadlock import Deadlock, deadlock
from hwbnn.sim.gate import ALWAYS, Gate
from hwbnn.sim.kernel import ACTOR_WIDTH, BLOCKED, LEFT, STARVED
from hwbnn.sim.record import Log, record
from hwbnn.sim.schedule import Rules, Schedule, State, advance, schedule
from hwbnn.sim.steady import settle


@dataclass(frozen=True, eq=False)
class Trace:
    """What happened, in cycles from the first after reset (0), for the given frames.

    input, output: the source's writes and the sink's pops, those of the first of several. reserves,
    pops: by edge, if logged.
    frame_ends: the pop of each frame's last beat. high_water: by edge, the most slots in use in a
    cycle, from a word's reservation to its pop, both included: a FIFO of that depth gives the
    same trace. Reserves and pops go on behind the last frame's as far as they need no other word
    of the source: the padding of the next one. starved, blocked: by instance, cycles in which a
    firing waits for a word, and in which only room is missing (the sum over the actors of a unit
    that has several).
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
    enter, leaves = design.inputs[0].name, {e.name: e.stream.beats for e in design.outputs}
    borders = {enter, *leaves}
    logs = {e.name: Log(e.fifo.depth, keep=log or e.name in borders) for e in design.edges}
    channels = {plan.edges[name]: kept for name, kept in logs.items()}
    actors, stopped = record(plan, channels, frames, rules)
    reserves = {name: np.concatenate(kept.reserves) for name, kept in logs.items()}
    pops = {name: np.concatenate(kept.pops) for name, kept in logs.items()}
    taken = [pops[name][: frames * beats] for name, beats in leaves.items()]
    ends = [one[n - 1 :: n] for one, n in zip(taken, leaves.values(), strict=True)]
    whole = min(map(len, ends))
    return Trace(
        input=reserves[enter],
        output=taken[0],
        reserves=reserves if log else {},
        pops=pops if log else {},
        frame_ends=np.max([one[:whole] for one in ends], axis=0),
        high_water={name: kept.high_water for name, kept in logs.items()},
        starved=_by_instance(plan, actors[STARVED::ACTOR_WIDTH]),
        blocked=_by_instance(plan, actors[BLOCKED::ACTOR_WIDTH]),
        deadlock=stopped,
    )


def performance(design: Design, *, frames: int = 1000) -> Performance:
    """Return speed and the time of every frame; exact, by simulating until the state repeats."""
    _check(frames, ALWAYS, ALWAYS)
    plan = schedule(design)
    state = State.of(plan)
    found = settle(plan, state, frames=frames)
    if found is None:
        circle = _stopped(plan, state)
        raise ConfigError(
            f"{design.name}: FIFOs must let every frame through, not stop for ever; "
            f"deepen {' or '.join(circle.too_short)} ({circle})"
        )
    # A source of weights at full pace is as busy as its reader, and not to blame.
    reads = [bool(item.reads) or row < plan.sources for row, item in enumerate(plan.placed)]
    busiest = plan.owners[int((2 * plan.cycles + reads).argmax())]
    return Performance(
        period=found.period,
        first_frame=int(found.frame_ends[0]),
        frame_ends=found.frame_ends[:frames],
        transient=found.transient,
        simulated_frames=found.simulated_frames,
        bottleneck={"source": design.input.name, "sink": design.output.name}.get(busiest, busiest),
    )


def _stopped(plan: Schedule, state: State) -> Deadlock:
    """Let enter what still can after a deadlock of one frame, and return what stands then."""
    state.actors[LEFT::ACTOR_WIDTH] += plan.firings * plan.slots
    advance(plan, state)
    return deadlock(plan, state)


def _check(frames: int, *gates: Gate) -> None:
    if frames < 1:
        raise ConfigError(f"simulation: frames must be at least 1, not {frames}")
    for gate in gates:
        if gate.fine < 1 or gate.coarse < 1:
            raise ConfigError(
                f"gate: fine and coarse must be at least 1, not {gate.fine} and {gate.coarse}; "
                "a gate that is never on ends no simulation"
            )


def _by_instance(plan: Schedule, cycles: IntArray) -> dict[str, int]:
    total: dict[str, int] = {}
    for item, count in zip(plan.placed, cycles, strict=True):
        if item.actor.name not in ("source", "sink"):
            total[item.owner] = total.get(item.owner, 0) + int(count)
    return total
