# SPDX-License-Identifier: Apache-2.0
"""Chips whose weights are loaded: the loader, whole and without a warning, and what is refused."""

from functools import cache
from pathlib import Path

import pytest

from hwbnn.board import Board, find_board
from hwbnn.emit.chip_open import emit_open_chip
from hwbnn.emit.chip_zynq import ZynqChip, emit_zynq_chip
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.shell import core_cost, shell_cost
from hwbnn.emit.weight_ports import weight_ports
from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Knobs, Style
from hwbnn.passes import adapt, fold, lower, size_fifos
from hwbnn.tools import verilator
from tests.emit.test_chip_zynq import CELLS, models, need_yosys, synthesised
from tests.emit.test_weight_ports import on
from tests.test_streamed_weights import FOLDING, cnn

BOARD = find_board("kv260")
ULTRA = Knobs(4, 27, weight_style=Style.ULTRA)
BOTH = FOLDING | {"conv1": ULTRA}  # the dense layer streams
ALONE = BOTH | {"fc0": Knobs(5, 4)}


@cache
def design(*, streams: bool = True) -> Design:
    """Return a CNN of which a convolution's weights are loaded."""
    return size_fifos(adapt(fold(lower(cnn()), foldings=BOTH if streams else ALONE)))


@cache
def chip(*, streams: bool = True) -> ZynqChip:
    """Return its chip."""
    return emit_zynq_chip(design(streams=streams), BOARD, clock_mhz=100.0)


def test_the_loader_is_the_last_of_the_readers() -> None:
    ports = weight_ports(chip().core, BOARD)
    assert [(port.name, port.port, port.loads) for port in ports] == [
        ("fc0_weights", "S_AXI_HP1_FPD", False),
        ("load", "S_AXI_HP2_FPD", True),
    ]
    files = chip().files
    assert "conv1_weights.hex" not in files.files and "conv0_weights.hex" in files.files
    assert "CONFIG.PSU__USE__S_AXI_GP4 {1}" in files.text("settings.tcl")
    assert "foreach name {control data w0_axi w1_axi} {" in files.text("block_design.tcl")
    text = files.text("accelerator.sv")
    assert ".Loader(1'b1)" in text and ".load_rst_ni(weight_enable[1])," in text


@pytest.mark.slow
@pytest.mark.parametrize("streams", [True, False])
def test_chip_has_no_warning(streams: bool) -> None:
    sources = chip(streams=streams).files | models() | FileSet.of({"cells.sv": CELLS})
    verilator.lint(sources, top="chip")


@need_yosys
@pytest.mark.slow
def test_yosys_makes_a_netlist(tmp_path: Path) -> None:
    """Of all but the processing system, which Yosys does not know."""
    made = design(streams=False)
    counts = synthesised(chip(streams=False).files, tmp_path, top="accelerator")
    core = made.resources(BOARD.cost_family)
    assert counts.cells["URAM288"] == core.uram == 2
    assert counts.bram == core.bram
    whole = core_cost(made, BOARD) + shell_cost(BOARD)
    assert counts.lut == pytest.approx(whole.lut, rel=0.15)
    assert counts.ff == pytest.approx(whole.ff, rel=0.15)


@pytest.mark.parametrize(
    ("board", "message"),
    [
        (
            on("kv260", "S_AXI_HP1_FPD"),
            "must be 2 or more for the weights of fc0_weights, UltraRAM, not 1",
        ),
        (find_board("pynq-z2"), "cnn: weights in UltraRAM must be loaded through a port of 128 b"),
    ],
)
def test_ports_that_are_none(board: Board, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        emit_zynq_chip(design(), board, clock_mhz=100.0)


def test_a_board_without_memory_cannot_load() -> None:
    with pytest.raises(ConfigError, match="not in UltraRAM as those of conv1; take another board"):
        emit_open_chip(design(streams=False), find_board("ulx3s-85f"), clock_mhz=50.0)
