# SPDX-License-Identifier: Apache-2.0
"""Error of the units' modelled resources against Yosys, by class of unit and family.

    python -m benchmarks cost_model

Every unit of the grid stands between two FIFOs, which are judged as well; all of them, side by
side in one top, are one run of the synthesis for each family.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import record
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.unit import Family, Folding, Multiplier, Resources, Style, Unit
from hwbnn.ir.window import Window
from hwbnn.tools.yosys import Counts, synthesise
from hwbnn.units.add import Add, sum_dtype
from hwbnn.units.arg_max import ArgMax
from hwbnn.units.concat import Concat, common_dtype
from hwbnn.units.depthwise_mvu import DepthwiseMvu
from hwbnn.units.fork import Fork
from hwbnn.units.lookup import Lookup
from hwbnn.units.max_pool import MaxPool
from hwbnn.units.mvu import Mvu
from hwbnn.units.rescale import Rescale
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
    units, rows = tuple(grid()), []
    for family in STRUCTURES:
        found = judge(units, family)
        rows += [_row(family, kind, found) for kind in sorted({one.kind for one in found})]
    record("cost_model", rows, command=COMMAND, note=NOTE)


def judge(units: Sequence[Unit], family: Family) -> list[Judged]:
    """Synthesise units, each between FIFOs; return the unit and its first ones of each."""
    designs = [_between_fifos(f"{i}", unit) for i, unit in enumerate(units)]
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as scratch:
        files = side_by_side(designs, STRUCTURES[family])
        report = synthesise(files, "every", family, work=Path(scratch))
    found = []
    for i, (unit, design) in enumerate(zip(units, designs, strict=True)):
        before, after = design.inputs[0].fifo, design.outputs[0].fifo
        counts = [
            report.instances[f"gen_{i}.{name}{i}"]
            for name in ("unit_dut", "fifo_before", "fifo_after")
        ]
        found += [
            Judged(type(unit).__name__, unit.resources(family), counts[0]),
            Judged("Fifo LUTRAM", before.resources(family), counts[1]),
            Judged("Fifo SRL", after.resources(family), counts[2]),
        ]
    return found


def _between_fifos(number: str, unit: Unit) -> Design:
    depth, name = 2 + unit.inputs[0].lanes % 40, f"dut{number}"  # any depth
    edges = []
    for port, stream in enumerate(unit.inputs):
        fifo = Fifo(stream, depth, Storage.LUTRAM)
        edges.append(Edge(f"before{_numbered(number, port)}", fifo, None, End(name, port)))
    for port, stream in enumerate(unit.outputs):
        fifo = Fifo(stream, depth, Storage.SRL)
        edges.append(Edge(f"after{_numbered(number, port)}", fifo, End(name, port), None))
    return Design(f"single{number}", (Instance(name, unit),), tuple(edges))


def _numbered(number: str, port: int) -> str:
    return f"{number}_{port}" if port else number


def side_by_side(designs: Sequence[Design], structure: Structure) -> FileSet:
    """Return module `every`, which holds the designs; their streams' names differ."""
    files: dict[str, bytes] = {}
    parts, ends = [], (0, 0, 0, 0)  # ports and bits of the inputs, and of the outputs, so far
    for i, design in enumerate(designs):
        emitted = dict(emit_rtl(design, structure=structure).files)
        top = emitted.pop(f"{design.name}.sv").decode()
        files |= emitted
        head, body = re.split(r"^\);\n", top, maxsplit=1, flags=re.MULTILINE)
        ports = re.findall(r"(?:input|output) +(logic .*?\b(?:in|out)_\w+),?\n", head)
        local = "".join(f"  {port};\n" for port in ports)
        starts, own = ends, []
        for edges in (design.inputs, design.outputs):
            own += [len(edges), sum(edge.stream.bits for edge in edges)]
        ends = tuple(map(sum, zip(starts, own, strict=True)))
        ins, words, outs, results = (
            f"[{end - 1}:{start}]" for start, end in zip(starts, ends, strict=True)
        )
        parts.append(
            f"if (1) begin : gen_{i}\n{local}"
            f"  assign in_valid_i = in_valids_i{ins};\n  assign in_readies_o{ins} = in_ready_o;\n"
            f"  assign in_data_i = in_words_i{words};\n"
            f"  assign out_valids_o{outs} = out_valid_o;\n"
            f"  assign out_ready_i = out_readies_i{outs};\n"
            f"  assign out_words_o{results} = out_data_o;\n"
            f"{body.replace('endmodule', 'end')}"
        )
    ins, words, outs, results = (f"[{end - 1}:0]" for end in ends)
    head = f"""\
module every (
    input logic clk_i, input logic rst_ni,
    input logic {ins} in_valids_i, output logic {ins} in_readies_o,
    input logic {words} in_words_i,
    output logic {outs} out_valids_o, input logic {outs} out_readies_i,
    output logic {results} out_words_o
);
"""
    return FileSet(files | {"every.sv": f"{head}{''.join(parts)}endmodule\n".encode()})


def _row(family: Family, kind: str, judged: list[Judged]) -> dict[str, Any]:
    mine = [one for one in judged if one.kind == kind]
    errors = [abs(one.modelled.lut / one.counted.lut - 1) for one in mine if one.counted.lut]
    large = [
        abs(one.modelled.lut / one.counted.lut - 1) for one in mine if one.counted.lut >= LARGE
    ]
    total = {
        name: sum(getattr(one.modelled, name) for one in mine) / counted - 1 if counted else None
        for name in ("lut", "ff", "bram", "dsp")
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
    yield from _windows()
    some = np.arange(64) % 3 == 0
    for pe in (1, 8):
        yield MaxPool(BIPOLAR, 64, 4, some, 64, pe)
        yield MaxPool(signed(4), 64, 4, some[:1], 64, pe)
        yield SumPool(signed(4), signed(8), 64, 9, 16, pe)
        for factors in (np.array([[1, 1, 1, 2]] * 4), np.array([[4, 6, 6, 9]] * 4)):
            yield SumPool(signed(4), signed(9), 64, 9, 16, pe, factors)
    yield from _tables()
    for given, wanted in ((64, 16), (8, 64), (13, 64), (64, 58), (22, 16)):
        yield WidthConverter(BIPOLAR, 64, given, wanted, 4)
    for pe in (1, 10):
        yield ArgMax(signed(11), 10, pe=pe)
    yield from _joins()


def _joins() -> Iterator[Unit]:
    for ways in (2, 3, 6, 9):
        yield Fork(signed(8), 64, ways, 4, pe=8)
    for dtypes, pe in (
        ((signed(8),) * 2, 1),
        ((signed(8),) * 2, 16),
        ((unsigned(2), signed(8)), 8),
        ((BIPOLAR, BIPOLAR, BIPOLAR), 16),
        ((signed(6),) * 5, 8),
        ((BIPOLAR, signed(6)), 5),
    ):
        yield Add(dtypes, sum_dtype(dtypes), 64, 4, pe=pe)
    for factors in ((3, 1), (5, 7)):
        two = (signed(8),) * 2
        yield Add(two, sum_dtype(two, factors), 64, 4, factors, pe=8)
    for dtypes, channels, pe in (
        ((BIPOLAR, BIPOLAR), (64, 64), 8),
        ((signed(8),) * 3, (64, 32, 16), 1),
        ((signed(8),) * 3, (64, 32, 16), 16),
        ((BIPOLAR, unsigned(3)), (64, 64), 8),
        ((signed(4),) * 5, (16,) * 5, 8),
        ((unsigned(4),) * 7, (32, *(16,) * 6), 16),
    ):
        yield Concat(dtypes, common_dtype(dtypes), channels, 4, pe)


def _windows() -> Iterator[Unit]:
    zero = np.zeros(1, np.int64)
    plain, pool = Window(16, 16, (3, 3)), Window(16, 16, (2, 2), (2, 2))
    padded = Window(14, 14, (3, 3), padding=(1, 1, 1, 1))
    yield SlidingWindow(signed(8), 3, Window(32, 32, (3, 3)), zero, lanes=3)
    for lanes in (1, 8):
        for window in (plain, pool, padded):
            yield SlidingWindow(BIPOLAR, 64, window, zero - 1, lanes=lanes)
    for image, lanes in ((30, 64), (14, 16), (12, 16), (5, 8)):  # those of CNV
        channels = 64 if image == 30 else 128 if image > 5 else 256
        yield SlidingWindow(BIPOLAR, channels, Window(image, image, (3, 3)), zero - 1, lanes=lanes)
    yield SlidingWindow(BIPOLAR, 64, Window(28, 28, (2, 2), (2, 2)), zero - 1, lanes=8)
    yield SlidingWindow(BIPOLAR, 128, Window(10, 10, (2, 2), (2, 2)), zero - 1, lanes=8)
    for window, channels in ((plain, 16), (pool, 16), (padded, 8), (Window(30, 30, (3, 3)), 64)):
        lanes = channels * window.kernel[0]  # a column of taps
        yield SlidingWindow(BIPOLAR, channels, window, zero - 1, lanes=lanes)
    yield SlidingWindow(signed(8), 3, Window(32, 32, (3, 3)), zero, lanes=9)


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
    yield from _products_on_dsps()
    filters = rng.choice([-1, 1], (64, 9))
    for pe in (1, 8):
        yield DepthwiseMvu(filters, BIPOLAR, BIPOLAR, BIPOLAR, rows // 8, vectors=16, pe=pe)
        yield DepthwiseMvu(filters, BIPOLAR, signed(4), signed(9), vectors=16, pe=pe)


def _products_on_dsps() -> Iterator[Unit]:
    rng = np.random.default_rng(2)
    weights = rng.integers(-128, 128, (64, 64))
    eight = Mvu(weights, signed(8), unsigned(8), signed(22), vectors=4, multipliers=Multiplier.DSP)
    four = replace(eight, weights=weights >> 4, weight_dtype=signed(4), input_dtype=unsigned(4))
    for pe, simd, stages in ((1, 4, 0), (4, 16, 1), (5, 8, 0)):
        yield replace(eight.fold(Folding(pe, simd)), stages=stages)
        yield replace(four.fold(Folding(pe, simd)), stages=stages, output_dtype=signed(14))


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
    scale, zero = np.array([21_845]), np.array([1 << 15])
    for pe in (1, 8):
        yield Rescale(scale, zero, 16, 255, False, signed(12), unsigned(8), 64, vectors=4, pe=pe)
    for pe in (1, 3):
        yield shared.fold(Folding(pe))
        yield own.fold(Folding(4 * pe))


if __name__ == "__main__":
    main()
