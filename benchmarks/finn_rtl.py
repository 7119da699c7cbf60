# SPDX-License-Identifier: Apache-2.0
"""FINN's SystemVerilog against our units, at one folding: cycles in Verilator, LUTs by Yosys."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.finn import config
from benchmarks.record import record
from hwbnn import flow
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.finn import emit_finn
from hwbnn.emit.finn_graph import Node
from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.errors import ToolError
from hwbnn.ir.design import Design
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.unit import Family, Unit
from hwbnn.passes.fifos.size_fifos import size
from hwbnn.sim.engine import performance
from hwbnn.step import Backend, Step
from hwbnn.tools.finn import ask, environment, sound
from hwbnn.tools.process import run
from hwbnn.tools.verilator import find_verilator
from hwbnn.tools.yosys import synthesise
from tests.units.single import single

NETWORKS = ("tfc-w1a1", "cnn-w1a1")
KINDS = ("Thresholding_rtl", "ConvolutionInputGenerator_rtl")
FRAMES, SETTLED = 8, 3
# A source that is always willing, and a sink; a line for each frame: the cycle of its last beat.
HARNESS = """\
#include "Vdut.h"
#include <cstdio>
int main() {
    VerilatedContext context;
    Vdut dut{&context};
    dut.ap_rst_n = 0;
    dut.in0_V_TVALID = 0;
    dut.out0_V_TREADY = 1;
    long beats = 0, first = -1;
    for (long cycle = 0; beats < FRAMES * BEATS && cycle < 10000000; ++cycle) {
        dut.ap_rst_n = cycle >= 16;
        dut.in0_V_TVALID = cycle >= 20;
        dut.ap_clk = 0;
        dut.eval();
        if (first < 0 && dut.in0_V_TVALID && dut.in0_V_TREADY) first = cycle;
        if (cycle >= 20 && dut.out0_V_TVALID && ++beats % BEATS == 0)
            std::printf("%ld\\n", cycle - first);
        dut.ap_clk = 1;
        dut.eval();
    }
}
"""


@dataclass(frozen=True)
class Measured:
    """Cycles a frame, from the first beat in to the last one out of frame 0, and LUT sites."""

    period: float
    latency: int
    luts: str


def theirs(generated: Mapping[str, Any], folder: Path, part_of: Family) -> Measured:
    """Run one of FINN's modules in Verilator and Yosys."""
    (folder / "main.cpp").write_text(HARNESS)
    verilator = find_verilator()
    defines = f"-DFRAMES={FRAMES} -DBEATS={generated['out_beats']}"
    argv: list[str | Path] = [verilator.program, "--cc", "--exe", "--build", "-Wno-fatal"]
    argv += ["-Wno-lint", "-Wno-style", "--no-timing", "--top-module", generated["top"]]
    argv += ["--prefix", "Vdut", "-CFLAGS", defines, "--Mdir", folder / "obj"]
    argv += [*generated["files"], folder / "main.cpp"]
    sources = Path(generated["files"][-1]).parent  # the thresholds lie there
    run(argv, cwd=folder, environment=verilator.environment)
    ran = run([folder / "obj" / "Vdut"], cwd=sources)
    ends = [int(line) for line in ran.output.split()]
    assert len(ends) == FRAMES, ends
    period = (ends[-1] - ends[SETTLED]) / (FRAMES - 1 - SETTLED)
    return Measured(period, ends[0], _luts_of_theirs(generated, folder, part_of))


def _luts_of_theirs(generated: Mapping[str, Any], folder: Path, family: Family) -> str:
    """Count LUTs, if Yosys reads the code."""
    files = {Path(name).name: Path(name).read_bytes() for name in generated["files"]}
    source = Path(generated["files"][-1]).parent
    files |= {path.name: path.read_bytes() for path in source.glob("*.dat")}
    work = folder / "yosys"
    work.mkdir()
    try:
        return f"{synthesise(FileSet(files), generated['top'], family, work=work).total.lut:,.0f}"
    except ToolError as error:
        return f"not read: {str(error).split('; see')[0].rsplit(': ', 1)[-1][:80]}"


def ours(unit: Unit, folder: Path, family: Family) -> Measured:
    """Return what the timing engine, which is Verilator to the cycle, and Yosys say of a unit."""
    design = alone(unit, family)
    speed = performance(design)
    files = emit_rtl(design, structure=Structure.XC7)
    work = folder / "ours"
    work.mkdir()
    counts = synthesise(files, design.name, family, work=work).instances["unit_dut"]
    return Measured(float(speed.period), speed.first_frame, f"{counts.lut:,.0f}")


def alone(unit: Unit, family: Family) -> Design:
    """Put a unit between FIFOs; they and its buffer are the least that its full speed needs."""
    before, after = Fifo(unit.inputs[0]), Fifo(unit.outputs[0])
    return size(single(unit, before=before, after=after), family=family).design


def rows_of(name: str, python: Path) -> Iterator[dict[str, Any]]:
    """Compare the modules of a network that FINN has in RTL."""
    built = flow.build(config(name, until=Step.FIFO, backends=(Backend.FINN,)))
    design, family = flow.design_of(built), built.config.board.cost_family
    graph = emit_finn(design)
    nodes = [node for node in graph.nodes if node.kind in KINDS and node.instance]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "model.onnx").write_bytes(graph.model.SerializeToString())
        answer = ask(
            python,
            "hdl",
            work=folder,
            model=str(folder / "model.onnx"),
            nodes=[node.name for node in nodes],
            part=built.config.board.part,
            clock_ns=10.0,
        )
        for node in nodes:
            place = folder / node.name
            place.mkdir()
            generated = sound(answer, "its code")["hdl"][node.name]
            yield _row(
                name,
                node,
                theirs(generated, place, family),
                ours(design[node.instance], place, family),
            )


def _row(name: str, node: Node, finn: Measured, hwbnn: Measured) -> dict[str, Any]:
    return {
        "network": name,
        "node": node.name,
        "unit": node.instance,
        "FINN cycles a frame": f"{finn.period:g}",
        "our cycles a frame": f"{hwbnn.period:g}",
        "FINN first frame": finn.latency,
        "our first frame": hwbnn.latency,
        "FINN LUTs": finn.luts,
        "our LUTs": hwbnn.luts,
    }


def main() -> None:
    """Record the table."""
    python = environment()
    record(
        "finn_rtl",
        [row for name in NETWORKS for row in rows_of(name, python)],
        command="python -m benchmarks finn_rtl",
        note="FINN's own SystemVerilog of finn-plus 1.6.1, as generated for the nodes of `hwbnn "
        "build --backend finn`, in Verilator with a willing source and sink; ours by the timing "
        "engine, equal to Verilator. Bits that FINN pads with 0 are two bits wide there, and "
        "FMPadding stands in front of its windows, not counted here; our windows pad themselves. "
        "LUT sites: Yosys, synth_xilinx, the same script, memories in LUTs included.",
    )


if __name__ == "__main__":
    main()
