# SPDX-License-Identifier: Apache-2.0
"""hwbnn_shell_axi around a shipped model: bit-exact results, and the cycles that were predicted."""

import json

import pytest

from hwbnn import zoo
from hwbnn.board import find_board
from hwbnn.emit.chip import Core, emit_core
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure
from hwbnn.flow import BuildConfig, build, frames_of
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.sim.engine import simulate as predict
from hwbnn.step import Step
from tests.shell.test_shell_axi import BENCH, chip

COUNTS = (1, 2, 5)  # frames of a batch

WRAPPER = """
module bench_core #(
    parameter int unsigned InBits = 1, InBeats = 1, OutBits = 1, OutBeats = 1, Fifos = 1,
    parameter bit Early = 0
) (
    input  logic                clk_i, rst_ni,
    input  logic [         7:0] in_pace_i, out_pace_i,
    input  logic                in_valid_i,
    output logic                in_ready_o,
    input  logic [  InBits-1:0] in_data_i,
    output logic                out_valid_o,
    input  logic                out_ready_i,
    output logic [ OutBits-1:0] out_data_o,
    output logic [16*Fifos-1:0] high_water_o
);
  {core} i_core (.*);
endmodule
"""


def expectation(design: Design, core: Core, frames: IntArray) -> FileSet:
    """Frames and results as they lie in memory, and what the engine says of batches of them."""
    traces = {count: predict(design, frames=count) for count in COUNTS}
    told = {
        "cycles": {n: int(t.frame_ends[n - 1] - t.input[0]) + 1 for n, t in traces.items()},
        "high_water": {n: [t.high_water[fifo] for fifo in core.fifos] for n, t in traces.items()},
    }
    return FileSet.of(
        {
            "expected.json": json.dumps(told),
            "frames.bin": core.frames.pack(frames).tobytes(),
            "results.bin": core.results.pack(design.run(frames)).tobytes(),
        }
    )


@pytest.mark.slow
def test_shipped_model(simulate) -> None:
    board = find_board("pynq-z2")
    model = zoo.path("tfc-w1a1")
    made = build(BuildConfig(model, "tfc", board, target_cycles=128, until=Step.FIFO))
    design = made.design
    assert design is not None
    core = emit_core(design, board, structure=Structure.BEHAVIOURAL)
    into, out_of = design.input.stream, design.output.stream
    assert into.bits <= 64 and core.frames.words <= into.beats, "words must keep up with beats"
    sources = core.files | BENCH | expectation(design, core, frames_of(made)[: max(COUNTS)])
    wrapper = FileSet.of({"bench_core.sv": WRAPPER.format(core=core.module)})
    parameters = chip(64, 32, (into.bits, into.beats), (out_of.bits, out_of.beats))
    simulate(
        sources | wrapper,
        "axi_bench",
        "tests.shell.axi_core_cases",
        parameters=parameters | {"Fifos": len(core.fifos)},
    )
