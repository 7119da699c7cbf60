# SPDX-License-Identifier: Apache-2.0
"""Proving: run a tool on a built design, and keep what it found in the result."""

import time
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from hwbnn.emit.report import Check, Cosimulated, Synthesised
from hwbnn.emit.rtl import emit_rtl
from hwbnn.errors import MismatchError
from hwbnn.flow import STRUCTURES, BuildResult, design_of, frames_of, timed
from hwbnn.ir.unit import Resources
from hwbnn.step import Proof
from hwbnn.tools.cosim import CosimResult
from hwbnn.tools.csim import csim
from hwbnn.tools.proof import compare
from hwbnn.tools.yosys import Counts, synthesise


def prove(result: BuildResult, proof: Proof, *, work: Path) -> BuildResult:
    """Run a tool on a built design; `work` is an empty folder for its files."""
    started = time.perf_counter()
    match proof:
        case Proof.COSIM:
            proven = _cosim(result)
        case Proof.CSIM:
            proven = _csim(result, work)
        case Proof.SYNTH:
            proven = _synth(result, work)
        case _:
            assert_never(proof)
    return timed(proven, proof.value, started)


def _cosim(result: BuildResult) -> BuildResult:
    frames = frames_of(result)
    found = compare(design_of(result), frames)
    if not found.equal:
        raise MismatchError(str(difference) for difference in found.differences)
    detail = (
        f"{len(frames)} frames in {found.cycles:,} cycles: {found.beats:,} output beats and "
        f"{found.events:,} FIFO events equal, 0 bits and 0 cycles of error"
    )
    run = _cosimulated(found.result, beats=design_of(result).output.stream.beats)
    return _checked(replace(result, cosimulated=run), Check("RTL", "Verilator", detail))


def _cosimulated(run: CosimResult, *, beats: int) -> Cosimulated:
    """Return the figures of a run; the period is that of its second half."""
    ends = run.output_cycles[beats - 1 :: beats]
    half = (len(ends) - 1) // 2
    span, frames = int(ends[-1] - ends[half]), max(1, len(ends) - 1 - half)
    latency = int(ends[0] - run.input_cycles[0])
    return Cosimulated(len(ends), int(ends[-1]) + 1, latency, span / frames or float(latency))


def _csim(result: BuildResult, work: Path) -> BuildResult:
    design, frames = design_of(result), frames_of(result)
    found, expected = csim(design, frames, work=work), design.run(frames)
    if found.shape != expected.shape or (found != expected).any():
        frame = next(i for i in range(len(frames)) if (found[i : i + 1] != expected[i]).any())
        raise MismatchError(
            f"{design.name}: HLS output of frame {frame} must be {expected[frame].tolist()}, "
            f"not {found[frame : frame + 1].tolist()}"
        )
    detail = f"{len(frames)} frames: every output equal, test bench of the golden vectors passed"
    return _checked(result, Check("HLS", "C++", detail))


def _synth(result: BuildResult, work: Path) -> BuildResult:
    design, family = design_of(result), result.config.board.cost_family
    files = emit_rtl(design, structure=STRUCTURES[family], external_weights=True)
    counted = synthesise(files, design.name, family, work=work)
    counts = counted.instances
    none = Counts()  # of what stands outside, and of links to memories that are not loaded
    layers = {
        i.name: _resources(counts.get(f"unit_{i.name}", none) + counts.get(f"load_{i.name}", none))
        for i in design.instances
    }
    return replace(result, synthesised=Synthesised(_resources(counted.total), layers))


def _resources(counts: Counts) -> Resources:
    return Resources(counts.lut, counts.ff, counts.bram, counts.dsp, counts.uram)


def _checked(result: BuildResult, check: Check) -> BuildResult:
    return replace(result, checks=(*result.checks, check))
