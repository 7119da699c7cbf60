# SPDX-License-Identifier: Apache-2.0
"""The timing engine against Verilator, on the same designs and the same cycles."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.record import record
from hwbnn.ir.design import Design
from hwbnn.ir.graph import Graph
from hwbnn.ir.unit import Knobs
from hwbnn.sim.engine import performance, simulate
from hwbnn.sim.schedule import State, schedule
from hwbnn.sim.steady import settle
from hwbnn.tools.cosim import CosimResult, cosim
from tests.graphs import (
    BNN_PYNQ_FOLDING,
    TFC,
    TFC_64_CYCLES,
    TFC_UNROLLED,
    binary_mlp,
    cnv,
    finished,
    pixels,
)

RUNS = 5
FRAMES = 1000
CYCLES = 300_000  # that Verilator simulates, at least
LFC = (784, 1024, 1024, 1024, 10)
DESIGNS: dict[str, tuple[Graph, dict[str, Knobs]]] = {
    "CNV, folding of BNN-PYNQ": (cnv(), BNN_PYNQ_FOLDING),
    "TFC, 64 cycles a frame": (binary_mlp(TFC), TFC_64_CYCLES),
    "TFC, unrolled": (binary_mlp(TFC), TFC_UNROLLED),
    "TFC, serial": (binary_mlp(TFC), {}),
    "LFC, 4096 cycles a frame": (
        binary_mlp(LFC),
        {
            "q": Knobs(1),
            "fc0": Knobs(32, 16),
            "fc1": Knobs(16, 16),
            "fc2": Knobs(16, 16),
            "fc3": Knobs(1, 8),
        },
    ),
}


def fastest(action: Callable[[], Any]) -> float:
    """Least seconds of some runs."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def verilator_speed(design: Design, few: np.ndarray, many: np.ndarray) -> float:
    """Cycles a second once the program runs: from the difference of two lengths."""
    results: dict[int, CosimResult] = {}

    def run(frames: np.ndarray) -> None:
        results[len(frames)] = cosim(design, frames)

    run(few)  # builds the program, or finds it
    seconds = fastest(lambda: run(many)) - fastest(lambda: run(few))
    return (results[len(many)].cycles - results[len(few)].cycles) / seconds


def main() -> None:
    """Measure each design, and record cycles a second and the time of 1000 frames."""
    rows = []
    for name, (graph, foldings) in DESIGNS.items():
        design = finished(graph, foldings)
        found = performance(design, frames=FRAMES)  # compiles the kernels
        count = max(20, int(CYCLES / found.period))
        frames = pixels(graph, count)
        verilator = verilator_speed(design, frames[: count // 10], frames)
        length = max(FRAMES, int(5e6 / found.period))
        trace = simulate(design, frames=length)
        engine = int(trace.output[-1]) / fastest(lambda d=design, n=length: simulate(d, frames=n))
        assert (trace.frame_ends[:FRAMES] == found.frame_ends).all()
        whole_call = fastest(lambda d=design: performance(d, frames=FRAMES))
        plan = schedule(design)
        jump = fastest(lambda p=plan: settle(p, State.of(p), frames=FRAMES))
        whole = int(found.frame_ends[-1]) / verilator
        rows.append(
            {
                "design": name,
                "cycles a frame": str(found.period),
                "Verilator Mcycles/s": round(verilator / 1e6, 3),
                "engine Mcycles/s": round(engine / 1e6, 1),
                "times faster": round(engine / verilator),
                f"{FRAMES} frames: Verilator s": round(whole, 3),
                "jump s": round(jump, 6),
                "times faster, jump": round(whole / jump),
                "with tables s": round(whole_call, 5),
                "times faster, with tables": round(whole / whole_call),
            }
        )
    record(
        "engine",
        rows,
        command="python -m benchmarks engine",
        note="Verilator: the cosimulation's own program (FIFO events hashed), its build and start "
        "left out. Engine: `simulate`, every FIFO's events and high water, from Design to Trace; "
        f"jump: `settle`, all {FRAMES} frame ends from a design's tables; with tables: "
        "`performance`, from the Design. One thread each; least of several runs.",
    )


if __name__ == "__main__":
    main()
