# SPDX-License-Identifier: Apache-2.0
"""FIFO sizing against FINN's rule: bits at full speed, the proved bound, and the time."""

import time
from dataclasses import replace
from typing import Any

from benchmarks.record import record
from hwbnn.ir.design import Design
from hwbnn.ir.graph import Graph
from hwbnn.ir.unit import Family, Knobs
from hwbnn.passes import adapt, fold, lower
from hwbnn.passes.fifos.size_fifos import Sizing, size
from hwbnn.passes.fifos.steps import fifo_steps
from hwbnn.sim.engine import performance, simulate
from tests.graphs import BNN_PYNQ_FOLDING, TFC_64_CYCLES, binary_mlp, cnv

FRAMES = 2  # that FINN sends through a convolutional network
RUNS = 3
FAMILIES = Family.XC7, Family.ECP5


def designs() -> dict[str, Design]:
    """The designs that are sized, by name."""
    return {
        "TFC, 64 cycles a frame": _folded(binary_mlp(), TFC_64_CYCLES),
        "CNV, folding of BNN-PYNQ": _folded(cnv(), BNN_PYNQ_FOLDING),
    }


def finn_rule(design: Design) -> Design:
    """FINN's depths: most words in a FIFO of a frame, with a free source; 2, 32, or as it is.

    https://github.com/Xilinx/finn, src/finn/transformation/fpgadataflow/set_fifo_depths.py
    """
    frame = {e.name: replace(e.fifo, depth=e.stream.beats) for e in design.edges}
    high = simulate(design.with_fifos(frame), frames=FRAMES).high_water
    depths = {name: next((d for d in (2, 32) if most <= d), most) for name, most in high.items()}
    return design.with_fifos({e.name: replace(e.fifo, depth=depths[e.name]) for e in design.edges})


def main() -> None:
    """Size each design for each family, and record bits, bound, time, and FINN's rule."""
    rows = [_row(name, d, family) for name, d in designs().items() for family in FAMILIES]
    record(
        "fifo_sizing",
        rows,
        command="python -m benchmarks fifo_sizing",
        note="Bits of the memories in whole steps (xc7: 32 words in LUTs, ECP5: 16; 512 in block "
        "RAM), window buffers apart; ours at a frame every `cycles a frame`, proved to need "
        f"`bound` at least. FINN's rule: a free source, {FRAMES} frames, depth = most words held, "
        "up to 2 taken as 2, up to 32 as 32, in the same steps; `words`: depth times width as it "
        "is set. Window buffers of FINN's rule are at the least that works. Seconds: least of "
        f"{RUNS} runs.",
    )


def _folded(graph: Graph, foldings: dict[str, Knobs]) -> Design:
    return adapt(fold(lower(graph), foldings=foldings))


def _row(name: str, design: Design, family: Family) -> dict[str, Any]:
    sizing, seconds = _timed(design, family)
    finn = finn_rule(design)
    ours, theirs = fifo_bits(sizing.design, family), fifo_bits(finn, family)
    windows = sizing.bits - ours
    return {
        "design": name,
        "family": family.value,
        "bits": sizing.bits,
        "bound": sizing.bound,
        "of which FIFOs": ours,
        "of which windows": windows,
        "cycles a frame": str(performance(sizing.design).period),
        "the folding's": design.bound,
        "simulations": sizing.simulations,
        "seconds": round(seconds, 2),
        "FINN FIFOs": theirs,
        "FINN cycles": str(performance(finn).period),
        "FINN / ours": round(theirs / ours, 1),
        "FINN / ours, with windows": round((theirs + windows) / sizing.bits, 1),
        "words x width, ours": _plain(sizing.design),
        "FINN": _plain(finn),
    }


def _timed(design: Design, family: Family) -> tuple[Sizing, float]:
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        sizing = size(design, family=family)
        times.append(time.perf_counter() - started)
    return sizing, min(times)


def fifo_bits(design: Design, family: Family) -> int:
    """Bits of the FIFOs' memories, in whole steps."""
    return sum(
        fifo_steps(edge.stream, family, enough=edge.fifo.depth)[-1].bits for edge in design.edges
    )


def _plain(design: Design) -> int:
    return sum(edge.fifo.bits for edge in design.edges)


if __name__ == "__main__":
    main()
