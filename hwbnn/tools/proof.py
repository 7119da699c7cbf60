# SPDX-License-Identifier: Apache-2.0
"""Proof: the RTL against the integers and against the timing engine, event by event."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwbnn.ir.design import Design, Edge, parts
from hwbnn.ir.dtype import IntArray
from hwbnn.sim.engine import Trace, simulate
from hwbnn.sim.gate import ALWAYS, Gate
from hwbnn.sim.schedule import Rules
from hwbnn.tools.cosim import CosimResult, Events, Job, Taken, cosim_many


@dataclass(frozen=True)
class Difference:
    """The first event (or beat) of an edge in which the RTL is not what was predicted."""

    edge: str
    event: str  # "beat", "reserve" or "pop"
    number: int  # from 0
    expected: str
    actual: str
    cycle: int  # the earlier of both

    def __str__(self) -> str:
        return (
            f"{self.edge}: {self.event} {self.number} must be {self.expected}, "
            f"not {self.actual} (cycle {self.cycle})"
        )


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was compared, and each edge's first difference, the earliest cycle first.

    beats: output beats compared by value and cycle. events: reserves and pops of all FIFOs,
    compared by cycle. deadlock: RTL and engine agree that the design stops for ever.
    """

    beats: int
    events: int
    cycles: int
    deadlock: bool
    differences: tuple[Difference, ...]
    result: CosimResult

    @property
    def equal(self) -> bool:
        """No cycle and no bit of error."""
        return not self.differences


def compare(
    design: Design,
    frames: IntArray,
    *,
    source: Gate = ALWAYS,
    sink: Gate = ALWAYS,
    cache: Path | None = None,
    max_cycles: int | None = None,
) -> Comparison:
    """Run a design's RTL on frames and compare it with `Design.run` and the timing engine."""
    job = Job(design, frames, source, sink)
    (found,) = compare_many([job], cache=cache, max_cycles=max_cycles)
    return found


def compare_many(
    jobs: Sequence[Job],
    *,
    cache: Path | None = None,
    max_cycles: int | None = None,
    rules: Rules | None = None,
) -> tuple[Comparison, ...]:
    """Compare many designs, run in one program; `rules` other than None must be found wrong."""
    results = cosim_many(jobs, cache=cache, max_cycles=max_cycles)
    traces = [_trace(job, rules) for job in jobs]
    found = [
        _compare(job, result, trace, max_cycles)
        for job, result, trace in zip(jobs, results, traces, strict=True)
    ]
    if all(comparison.equal for comparison in found):
        return tuple(found)
    # Only hashes differ so far. The RTL does the same again: now keep every event.
    results = cosim_many(jobs, cache=cache, max_cycles=max_cycles, trace=True)
    return tuple(
        _compare(job, result, trace, max_cycles)
        for job, result, trace in zip(jobs, results, traces, strict=True)
    )


def _trace(job: Job, rules: Rules | None) -> Trace:
    return simulate(
        job.design,
        frames=len(job.frames),
        source=job.source,
        sink=job.sink,
        log=True,
        rules=rules,
    )


def _compare(job: Job, result: CosimResult, trace: Trace, max_cycles: int | None) -> Comparison:
    # An RTL that stopped early stopped for ever, unless the user cut it: nothing may be missing.
    cut = result.complete or result.cycles == max_cycles
    differences = _data_differences(job, result)
    events = 0
    for edge in job.design.edges:
        for kind, expected, actual, traced in (
            ("reserve", trace.reserves, result.reserves, result.reserve_cycles),
            ("pop", trace.pops, result.pops, result.pop_cycles),
        ):
            cycles = expected[edge.name]
            cycles = cycles[cycles < result.cycles] if cut else cycles
            events += actual[edge.name].count
            if Events.of(cycles) != actual[edge.name]:
                differences.append(_cycle_difference(edge.name, kind, cycles, traced[edge.name]))
    return Comparison(
        beats=sum(len(taken.codes) for taken in result.taken),
        events=events,
        cycles=result.cycles,
        deadlock=trace.deadlock is not None and not result.complete,
        differences=tuple(sorted((d for d in differences if d is not None), key=lambda d: d.cycle)),
        result=result,
    )


def _data_differences(job: Job, result: CosimResult) -> list[Difference | None]:
    edges = job.design.outputs
    values = parts(job.design.run(job.frames), edges)
    return [_data_difference(*each) for each in zip(edges, values, result.taken, strict=True)]


def _data_difference(edge: Edge, values: IntArray, taken: Taken) -> Difference | None:
    expected = edge.stream.pack(values)[: len(taken.codes)]
    wrong = np.flatnonzero((expected != taken.codes).any(axis=1))
    if not len(wrong):
        return None
    beat = int(wrong[0])
    lane = int(np.flatnonzero(expected[beat] != taken.codes[beat])[0])
    return Difference(
        edge.name,
        "beat",
        beat,
        f"code {expected[beat, lane]} in lane {lane}",
        f"{taken.codes[beat, lane]}",
        int(taken.cycles[beat]),
    )


def _cycle_difference(edge: str, kind: str, expected: IntArray, actual: IntArray) -> Difference:
    common = min(len(expected), len(actual))
    wrong = np.flatnonzero(expected[:common] != actual[:common])
    number = int(wrong[0]) if len(wrong) else common
    cycles = [int(c[number]) if number < len(c) else None for c in (expected, actual)]
    said = ["never" if cycle is None else f"in cycle {cycle}" for cycle in cycles]
    first = min((cycle for cycle in cycles if cycle is not None), default=0)
    return Difference(edge, kind, number, said[0], said[1], first)
