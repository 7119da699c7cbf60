# SPDX-License-Identifier: Apache-2.0
"""Error of the units' modelled resources against Yosys, by class of unit and family.

    python -m benchmarks cost_model

Every unit of the grid is synthesised alone between two FIFOs, which are judged as well.
"""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import record
from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.unit import Family, Folding, Resources, Style, Unit
from hwbnn.ir.window import Window
from hwbnn.tools.yosys import Counts, synthesise
from hwbnn.units.arg_max import ArgMax
from hwbnn.units.depthwise_mvu import DepthwiseMvu
from hwbnn.units.lookup import Lookup
from hwbnn.units.max_pool import MaxPool
from hwbnn.units.mvu import Mvu
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.sum_pool import SumPool
from hwbnn.units.thresholds import Thresholds
from hwbnn.units.width_converter import WidthConverter

COMMAND = "python -m benchmarks cost_model"
STRUCTURES = {Family.XC7: Structure.XC7, Family.ECP5: Structure.ECP5}
NOTE = (
    "Modelled over synthesised by Yosys (not placed), minus one. total: of the sums over the units "
    "of a class; median and worst: of single units' LUTs, without sign, worst of those with at "
    "least 50 LUTs."
)
LARGE = 50  # LUTs: below, a few more or fewer are a large share


@dataclass(frozen=True)
class Judged:
    """What a unit or FIFO was thought to cost, and what it was synthesised to."""

    kind: str
    modelled: Resources
    counted: Counts


def main() -> None:
    """Synthesise the grid on both families, and record the errors."""
    jobs = [(unit, family) for family in Family for unit in grid()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        judged = list(pool.map(lambda job: judge(*job), jobs))
    rows = []
    for family in Family:
        found = [
            one for job, pair in zip(jobs, judged, strict=True) for one in pair if job[1] is family
        ]
        rows += [_row(family, kind, found) for kind in sorted({one.kind for one in found})]
    record("cost_model", rows, command=COMMAND, note=NOTE)


def judge(unit: Unit, family: Family) -> tuple[Judged, ...]:
    """Synthesise a unit between two FIFOs; return all three."""
    depth = 2 + unit.inputs[0].lanes % 40  # any depth
    before = Fifo(unit.inputs[0], depth, Storage.LUTRAM)
    after = Fifo(unit.outputs[0], depth, Storage.SRL)
    edges = (Edge("before", before, None, End("dut")), Edge("after", after, End("dut"), None))
    design = Design("single", (Instance("dut", unit),), edges)
    files = emit_rtl(design, structure=STRUCTURES[family])
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as scratch:
        report = synthesise(files, "single", family, work=Path(scratch))
    return (
        Judged(type(unit).__name__, unit.resources(family), report.instances["unit_dut"]),
        Judged("Fifo LUTRAM", before.resources(family), report.instances["fifo_before"]),
        Judged("Fifo SRL", after.resources(family), report.instances["fifo_after"]),
    )


def _row(family: Family, kind: str, judged: list[Judged]) -> dict[str, Any]:
    mine = [one for one in judged if one.kind == kind]
    errors = [abs(one.modelled.lut / one.counted.lut - 1) for one in mine if one.counted.lut]
    large = [
        abs(one.modelled.lut / one.counted.lut - 1) for one in mine if one.counted.lut >= LARGE
    ]
    total = {
        name: sum(getattr(one.modelled, name) for one in mine) / counted - 1 if counted else None
        for name in ("lut", "ff", "bram")
        for counted in [sum(getattr(one.counted, name) for one in mine)]
    }
    return {
        "family": family.value,
        "unit": kind,
        "units": len(mine),
        **{f"total {name}": _percent(error) for name, error in total.items()},
        "median lut": _percent(float(np.median(errors)) if errors else None),
        "worst lut": _percent(max(large, default=None)),
    }


def _percent(error: float | None) -> str:
    return "" if error is None else f"{error:+.0%}"


# ---- the grid ------------------------------------------------------------------------------------


def grid() -> Iterator[Unit]:
    """Units as networks have them, at several foldings each."""
    yield from _products()
    plain, pool = Window(16, 16, (3, 3)), Window(16, 16, (2, 2), (2, 2))
    padded, zero = Window(14, 14, (3, 3), padding=(1, 1, 1, 1)), np.zeros(1, np.int64)
    for lanes in (1, 8):
        for window in (plain, pool, padded):
            yield SlidingWindow(BIPOLAR, 64, window, zero - 1, lanes=lanes)
    yield SlidingWindow(signed(8), 3, Window(32, 32, (3, 3)), zero, lanes=3)
    some = np.arange(64) % 3 == 0
    for pe in (1, 8):
        yield MaxPool(BIPOLAR, 64, 4, some, 64, pe)
        yield MaxPool(signed(4), 64, 4, some[:1], 64, pe)
        yield SumPool(signed(4), signed(8), 64, 9, 16, pe)
    yield from _tables()
    for given, wanted in ((64, 16), (8, 64), (13, 64), (64, 58), (22, 16)):
        yield WidthConverter(BIPOLAR, 64, given, wanted, 4)
    for pe in (1, 10):
        yield ArgMax(signed(11), 10, pe=pe)


def _products() -> Iterator[Unit]:
    rng = np.random.default_rng(0)
    weights, rows = rng.choice([-1, 1], (64, 576)), rng.integers(-30, 30, (64, 1))
    binary = Mvu(weights, BIPOLAR, BIPOLAR, BIPOLAR, rows, vectors=4)
    for pe, simd in ((1, 1), (4, 32), (16, 36)):
        for style in (Style.DISTRIBUTED, Style.BLOCK):
            yield replace(binary.fold(Folding(pe, simd)), weight_style=style)
    first = Mvu(weights[:, :27], BIPOLAR, signed(8), BIPOLAR, 40 * rows, vectors=4)
    last = Mvu(weights[:10], BIPOLAR, BIPOLAR, signed(11))
    for pe, simd in ((1, 1), (8, 9), (16, 27)):
        yield first.fold(Folding(pe, simd))
        yield last.fold(Folding(min(pe, 10), simd))
    many = np.sort(rng.integers(-200, 200, (64, 3)), axis=1)
    small = rng.integers(-4, 4, (64, 576))
    yield replace(binary, thresholds=many, output_dtype=unsigned(2), pe=8, simd=32)
    yield Mvu(small, signed(3), unsigned(2), unsigned(2), 9 * many, pe=4, simd=16)
    filters = rng.choice([-1, 1], (64, 9))
    for pe in (1, 8):
        yield DepthwiseMvu(filters, BIPOLAR, BIPOLAR, BIPOLAR, rows // 8, vectors=16, pe=pe)
        yield DepthwiseMvu(filters, BIPOLAR, signed(4), signed(9), vectors=16, pe=pe)


def _tables() -> Iterator[Unit]:
    rng = np.random.default_rng(1)
    rows = np.sort(rng.integers(-60, 60, (32, 3)), axis=1)
    one = Thresholds(np.array([[128]]), np.array([False]), unsigned(8), BIPOLAR, 784)
    four = Thresholds(rows, np.arange(32) % 3 == 0, signed(8), unsigned(2), 32, vectors=4)
    shared = Lookup(rng.integers(-128, 128, (1, 256)), unsigned(8), signed(8), 3, 64)
    own = Lookup(rng.integers(-2, 2, (12, 64)), signed(6), signed(2), 12)
    for pe in (1, 8, 49):
        yield one.fold(Folding(pe))
    for pe in (1, 4, 32):
        yield four.fold(Folding(pe))
    for pe in (1, 3):
        yield shared.fold(Folding(pe))
        yield own.fold(Folding(4 * pe))


if __name__ == "__main__":
    main()
