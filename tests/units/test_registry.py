# SPDX-License-Identifier: Apache-2.0
"""Every unit of the registry: RTL = run, and RTL = timing engine, cycle by cycle."""

import random
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product, repeat

import pytest

from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.unit import Folding, Style, Unit
from hwbnn.sim.schedule import Rules
from hwbnn.tools.cosim import Job
from hwbnn.tools.proof import Comparison, compare_many
from hwbnn.units import UNITS, Concat, Mvu, SlidingWindow, WidthConverter
from tests.units.single import given, joined, random_frames, random_gate, random_job, single

SAMPLE = 2  # variants of a unit outside the full sweep: those of all units fill one program
BENCH = 64  # designs in one program
STYLES = (Style.DISTRIBUTED, Style.BLOCK)


def odd_foldings(unit: Unit) -> Iterator[Folding]:
    """Lanes that do not divide the elements: the last beat is padded."""
    if isinstance(unit, SlidingWindow | Concat):
        return  # their lanes divide the channels
    legal = list(unit.foldings())
    pes = {folding.pe for folding in legal}
    simds = {folding.simd for folding in legal}
    odd_pe = [n for n in range(2, max(pes)) if n not in pes][-2:]
    odd_simd = [n for n in range(2, max(simds)) if n not in simds][-2:]
    yield from (Folding(pe, 1) for pe in odd_pe)
    yield from (Folding(max(pes), simd) for simd in odd_simd)
    yield from (Folding(pe, simd) for pe, simd in product(odd_pe, odd_simd))


def variants(kind: type[Unit]) -> Iterator[Unit]:
    """Every example at every divisor folding and some others, with the knobs of the Mvu."""
    for example in kind.examples():
        foldings = (*example.foldings(), *odd_foldings(example))
        if isinstance(example, Mvu):
            yield from with_knobs(example, foldings)
        else:
            yield from map(example.fold, foldings)


def with_knobs(example: Mvu, foldings: Iterable[Folding]) -> Iterator[Unit]:
    """Every folding with both weight styles, and every PE and every SIMD with all stages.

    Stages are registers in a lane's tree, which is as deep as SIMD asks, and a delay of what
    counts the folds: nothing knows stages, PE and SIMD at once. Words are as many and as wide as
    PE and SIMD say, in either style.
    """
    own = example.weight_style
    styles = (own,) if own in (Style.STREAM, Style.ULTRA) else STYLES
    foldings = tuple(dict.fromkeys(foldings))
    knobs = tuple(product(foldings, styles, range(3)))
    missing = {pair for one in knobs for pair in _pairs(*one)}
    for folding, style in product(foldings, styles):
        gains = [len(missing & _pairs(folding, style, stages)) for stages in range(3)]
        chosen = gains.index(max(gains))
        yield replace(example.fold(folding), stages=chosen, weight_style=style)
        missing -= _pairs(folding, style, chosen)
    for folding, style, stages in knobs:
        if missing & _pairs(folding, style, stages):
            yield replace(example.fold(folding), stages=stages, weight_style=style)
            missing -= _pairs(folding, style, stages)


def _pairs(folding: Folding, style: Style, stages: int) -> set[tuple[str, object, int]]:
    return {("pe", folding.pe, stages), ("simd", folding.simd, stages), ("", style, stages)}


def fifo_jobs(rng: random.Random) -> Iterator[Job]:
    """Every storage at every depth from 1 to 5, before and after a unit that only waits."""
    unit = WidthConverter.examples()[0]
    for storage, depth in product(Storage, range(1, 6)):
        before = Fifo(unit.inputs[0], depth, storage)
        after = Fifo(unit.outputs[0], 6 - depth, rng.choice(tuple(Storage)))
        design = single(unit, before=before, after=after)
        frames = random_frames(unit.inputs[0], 20, rng)
        yield Job(design, frames, random_gate(rng), random_gate(rng))


def prove(jobs: Iterable[Job]) -> None:
    """Compare in programs of BENCH designs; name every design that differs."""
    jobs = list(jobs)
    beats = events = 0
    wrong = []
    for at in range(0, len(jobs), BENCH):
        for job, found in zip(jobs[at:], compare_many(jobs[at : at + BENCH]), strict=False):
            beats += found.beats
            events += found.events
            if not (found.equal and found.result.complete):
                wrong.append(describe(job, found))
    print(f"{len(jobs)} designs, {beats} beats, {events} FIFO events: {len(wrong)} differ")
    assert not wrong, "\n".join(wrong[:20])


def describe(job: Job, found: Comparison) -> str:
    unit = job.design["dut"]
    fifos = ", ".join(f"{e.fifo.storage.name} {e.fifo.depth}" for e in job.design.edges)
    first = found.differences[0] if found.differences else "it does not end"
    return f"{unit.module} {unit.parameters()} between {fifos}: {first}"


def seeded(name: str) -> random.Random:
    seed = zlib.crc32(name.encode())
    print(f"seed {seed} ({name})")
    return random.Random(seed)


def test_samples_are_exact() -> None:
    rng = seeded("samples")
    units = []
    for kind in UNITS:
        known = list(variants(kind))
        units += rng.sample(known, min(SAMPLE, len(known)))
    prove(random_job(unit, rng) for unit in units)


@pytest.mark.slow
@pytest.mark.parametrize("kind", UNITS, ids=lambda kind: kind.__name__)
def test_every_folding_is_exact(kind: type[Unit]) -> None:
    rng = seeded(f"every {kind.__name__}")
    prove(random_job(unit, rng) for unit in variants(kind))


def test_every_fifo_is_exact() -> None:
    prove(fifo_jobs(seeded("Fifo")))


def test_comparison_sees_an_error_of_one_cycle() -> None:
    """The negative controls: wrong rules in the engine must be reported, on every design."""
    rng = seeded("controls")
    jobs = []
    for unit in rng.sample([u for kind in UNITS for u in kind.examples()], 24):
        # One slot a side, and no stalls that could hide a cycle: every rule binds.
        before, after = map(Fifo, unit.inputs, repeat(1)), map(Fifo, unit.outputs, repeat(1))
        jobs.append(Job(joined(unit, before, after), given(unit, 4, rng)))
    for rules in (Rules(credit_delay=0), Rules(extra_latency=1)):  # both with one program
        found = compare_many(jobs, rules=rules)
        missed = [describe(job, c) for job, c in zip(jobs, found, strict=True) if c.equal]
        assert not missed, f"{rules}: {len(missed)} of 24 not seen:\n" + "\n".join(missed)
        assert all(c.differences[0].event in ("reserve", "pop") for c in found)
