# SPDX-License-Identifier: Apache-2.0
"""Chips with streamed weights: their ports, whole and without a warning, and what is refused."""

import re
from dataclasses import replace
from functools import cache

import pytest

from hwbnn.board import Board, find_board
from hwbnn.emit.chip_zynq import ZynqChip, emit_zynq_chip
from hwbnn.emit.file_set import FileSet
from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.passes import adapt, fold, lower
from hwbnn.tools import verilator
from tests.emit.test_chip_zynq import CELLS, HERE, models, need_yosys, vendor_ps7
from tests.test_streamed_weights import FOLDING, cnn, folded
from tests.tools.chips import BOARDS
from tests.tools.chips import chip as chip_without

NAMES = ("conv1_weights", "fc0_weights")
NEW = ("hwbnn_weight_reader.sv", "hwbnn_weight_control.sv", "hwbnn_axi_split.sv")


@cache
def design() -> Design:
    """Return a CNN of which two layers stream."""
    return adapt(folded())


@cache
def chip(board: str) -> ZynqChip:
    """Return its chip."""
    return emit_zynq_chip(design(), find_board(board), clock_mhz=find_board(board).clock(100.0))


def on(board: str, *ports: str) -> Board:
    """Return a board with other ports for weights."""
    found = find_board(board)
    data = found.data.model_copy(update={"weight_ports": ports})
    return found.model_copy(update={"data": data})


@pytest.mark.parametrize("board", BOARDS)
def test_files(board: str) -> None:
    files, core = chip(board).files.files, chip(board).core
    assert tuple(core.weights) == NAMES
    assert set(NEW) <= files.keys() and not set(NEW) & chip_without(board).files.files.keys()
    for path in ("hwbnn_weight_source.sv", *(f"{name}_weights.hex" for name in NAMES)):
        assert path not in files, "the words come from memory"
    config = chip(board).files.text("settings.tcl")
    if board == "pynq-z2":
        assert "CONFIG.PCW_USE_S_AXI_HP2 {1}" in config
        assert "CONFIG.PCW_S_AXI_HP1_DATA_WIDTH {64}" in config and "HP3" not in config
    else:
        assert "CONFIG.PSU__USE__S_AXI_GP3 {1}" in config
        assert "CONFIG.PSU__SAXIGP4__DATA_WIDTH {128}" in config and "GP5" not in config


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_chip_has_no_warning(board: str) -> None:
    verilator.lint(chip(board).files | models() | FileSet.of({"cells.sv": CELLS}), top="chip")


@pytest.mark.slow
def test_chip_with_coherent_ports_has_no_warning() -> None:
    board = on("zcu104", "S_AXI_HPC0_FPD", "S_AXI_HPC1_FPD")
    made = emit_zynq_chip(design(), board, clock_mhz=100.0)
    assert ".saxihpc1_fpd_aclk(clk)" in made.files.text("chip.sv")
    verilator.lint(made.files | models() | FileSet.of({"cells.sv": CELLS}), top="chip")


@pytest.mark.slow
@need_yosys
def test_ports_are_those_of_the_primitive() -> None:
    made = chip("pynq-z2").files
    verilator.lint(made | vendor_ps7(), top="chip")
    vendor = vendor_ps7().text("PS7.sv")
    inputs = set(re.findall(r"^ *input (?:\[\d+:0\] )?(\w+);", vendor, re.MULTILINE))
    reads = {name for name in inputs if re.match(r"SAXIHP[12](AR|R|ACLK)", name)}
    assert {"SAXIHP1ARADDR", "SAXIHP2RREADY", "SAXIHP2ACLK"} <= reads
    assert reads <= set(re.findall(r"\.([A-Z0-9]+)\(", made.text("chip.sv")))


@pytest.mark.slow
def test_ports_are_those_of_vivado_s_wrapper() -> None:
    """The wrapper's ports of HP1 and HP2 are named as those of HP0 are (PG201)."""
    wrapper = (HERE / "zynqmp_ps.sv").read_text()
    first = re.search(
        r" *input +logic +saxihp0_fpd_aclk.*?(?=\n *\w+ +logic (?!.*saxi))", wrapper, re.DOTALL
    )
    assert first is not None
    for number in (1, 2):
        more = first[0].replace("saxihp0", f"saxihp{number}").replace("gp2", f"gp{number + 2}")
        wrapper = wrapper.replace(first[0], f"{more}\n{first[0]}", 1)
    cells = FileSet.of({"zynqmp_ps.sv": wrapper, "cells.sv": CELLS})
    verilator.lint(chip("zcu104").files | cells, top="chip")
    connected = set(re.findall(r"\.([a-z0-9_]+)\(", chip("zcu104").files.text("chip.sv")))
    inputs = set(re.findall(r"input +logic +(?:\[ *\d+:0\] )? *(\w+)", wrapper))
    assert {"saxigp3_araddr", "saxigp4_wstrb", "saxihp2_fpd_aclk"} <= inputs <= connected


@pytest.mark.parametrize("board", BOARDS)
def test_block_design_joins_every_port(board: str) -> None:
    text = chip(board).files.text("block_design.tcl")
    assert "foreach name {control data w0_axi w1_axi} {" in text
    for number, port in enumerate(find_board(board).data.weight_ports[:2]):
        joined = f"[get_bd_intf_pins w{number}_axi/M00_AXI] [get_bd_intf_pins ps/{port}]"
        assert joined in text and f"[get_bd_pins w{number}_axi/aresetn]" in text
    assert "s_axi:m_axi:w0_axi:w1_axi," in chip(board).files.text("accelerator.sv")


@pytest.mark.parametrize(
    ("board", "message"),
    [
        (on("pynq-z2"), "must be 2 or more for the weights of conv1_weights, fc0_weights, not 0"),
        (on("pynq-z2", "S_AXI_HP1"), "data.weight_ports must be 2 or more"),
        (on("pynq-z2", "S_AXI_HP1", "S_AXI_ACP"), "must be of S_AXI_HP1, .*, not S_AXI_ACP; mend"),
        (on("zcu104", "S_AXI_HP1_FPD", "S_AXI_HP2"), "not S_AXI_HP2; mend the board file"),
    ],
)
def test_ports_that_are_none(board: Board, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        emit_zynq_chip(design(), board, clock_mhz=100.0)


def test_a_word_must_fit_a_port() -> None:
    knobs = FOLDING | {"conv1": replace(FOLDING["conv1"], pe=8)}
    wide = adapt(fold(lower(cnn()), foldings=knobs))
    with pytest.raises(
        ConfigError, match="conv1_weights: a word must fit the 64 bits .*not have 72"
    ):
        emit_zynq_chip(wide, find_board("pynq-z2"), clock_mhz=100.0)
