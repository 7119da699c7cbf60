# SPDX-License-Identifier: Apache-2.0
"""Shipped networks on boards: what they are modelled to cost, and what Yosys counts.

    python -m benchmarks synthesis

Each design is built as `hwbnn synth` does, with its FIFOs sized.
"""

import tempfile
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.record import record
from hwbnn import zoo
from hwbnn.board import find_board
from hwbnn.emit.rtl import emit_rtl
from hwbnn.flow import STRUCTURES, BuildConfig, build, design_of
from hwbnn.ir.unit import Resources
from hwbnn.sim.engine import performance
from hwbnn.step import Goal, Step
from hwbnn.tools.yosys import Counts, synthesise

COMMAND = "python -m benchmarks synthesis"
NOTE = (
    "Modelled, and synthesised by Yosys (not placed): LUT sites with memories and carry cells "
    "included, no two small LUTs in one; BRAM36 on xc7, DP16KD on ECP5. Kinds of units, FIFOs, "
    "the top's own logic, and the total beside the board's limit. fps: modelled at the board's "
    "clock. wall s: synthesis of the whole design, on a machine that others used meanwhile."
)
TOTAL, TOP, FIFO = "total", "top", "Fifo"


@dataclass(frozen=True)
class Task:
    """A network, a board and a folding: the fastest that fits unless target_cycles are given."""

    model: str
    board: str
    target_cycles: int | None = None

    @property
    def goal(self) -> str:
        """What the folding is for."""
        return "fastest" if self.target_cycles is None else f"{self.target_cycles} cycles"


TASKS = (
    Task("tfc-w1a1", "pynq-z2"),
    Task("tfc-w1a1", "ulx3s-85f"),
    Task("cnn-w1a1", "pynq-z2"),
    Task("cnn-w1a1", "ulx3s-85f"),
    Task("cnv-w1a1", "pynq-z2", 12_544),
    Task("cnv-w1a1", "pynq-z2", 8_100),
    Task("cnv-w1a1", "pynq-z2"),
)


@dataclass(frozen=True)
class Part:
    """A unit or FIFO as modelled, and as counted."""

    name: str
    kind: str
    modelled: Resources
    counted: Counts


@dataclass(frozen=True)
class Measured:
    """A design's parts, the top's own logic, its modelled rate, and seconds of synthesis."""

    parts: tuple[Part, ...]
    top: Counts
    fps: float
    seconds: float


def main() -> None:
    """Build and count every design, and record the table after each."""
    rows: list[dict[str, Any]] = []
    for task in TASKS:
        rows += table(task, measure(task))
        record("synthesis", rows, command=COMMAND, note=NOTE)


def measure(task: Task) -> Measured:
    """Build a design, and count it."""
    board = find_board(task.board)
    goal = Goal.FPS if task.target_cycles is None else None
    config = BuildConfig(
        zoo.path(task.model),
        task.model.replace("-", "_"),
        board,
        target_cycles=task.target_cycles,
        maximize=goal,
        until=Step.FIFO,
    )
    result = build(config)
    design, family = design_of(result), board.cost_family
    files = emit_rtl(design, structure=STRUCTURES[family])
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as scratch:
        found = synthesise(files, design.name, family, work=Path(scratch))
    seconds = time.perf_counter() - started
    units = [
        Part(
            i.name,
            type(i.unit).__name__,
            i.unit.resources(family),
            found.instances[f"unit_{i.name}"],
        )
        for i in design.instances
    ]
    fifos = [
        Part(e.name, FIFO, e.fifo.resources(family), found.instances[f"fifo_{e.name}"])
        for e in design.edges
    ]
    rate = result.clock_mhz * 1e6 / float(performance(design).period)
    return Measured((*units, *fifos), found.top, rate, seconds)


def table(task: Task, measured: Measured) -> list[dict[str, Any]]:
    """Rows of a design: one a kind, and the total."""
    limit = find_board(task.board).limit
    parts = sorted(measured.parts, key=lambda part: part.kind)
    rows = []
    for kind, group in groupby(parts, key=lambda part: part.kind):
        mine = list(group)
        rows.append(_row(task, kind, *_sums(mine)))
    rows.append(_row(task, TOP, Resources(), measured.top))
    modelled, counted = _sums(parts)
    total = _row(task, TOTAL, modelled, counted + measured.top)
    fits = all(
        getattr(counted + measured.top, name) <= getattr(limit, name)
        for name in ("lut", "ff", "bram", "dsp")
    )
    total |= {
        "limit lut": round(limit.lut),
        "fits by Yosys": "yes" if fits else "no",
        "fps": round(measured.fps),
        "wall s": round(measured.seconds, 1),
    }
    return [*rows, total]


def _sums(parts: list[Part]) -> tuple[Resources, Counts]:
    return (
        sum((part.modelled for part in parts), Resources()),
        sum((part.counted for part in parts), Counts()),
    )


def _row(task: Task, kind: str, modelled: Resources, counted: Counts) -> dict[str, Any]:
    return {
        "design": task.model,
        "board": task.board,
        "folding": task.goal,
        "kind": kind,
        "lut modelled": round(modelled.lut),
        "lut": round(counted.lut),
        "ff modelled": round(modelled.ff),
        "ff": counted.ff,
        "lutram": round(counted.lut_memory),
        "bram modelled": modelled.bram,
        "bram": counted.bram,
        "dsp modelled": modelled.dsp,
        "dsp": counted.dsp,
        "limit lut": "",
        "fits by Yosys": "",
        "fps": "",
        "wall s": "",
    }


if __name__ == "__main__":
    main()
