# SPDX-License-Identifier: Apache-2.0
"""Open chips: module `chip`, its pins and commands, for every board with open tools."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from hwbnn.board import Board, UartLink, boards, find_board
from hwbnn.emit.chip_open import (
    FLOWS,
    OpenChip,
    bit_cycles_256,
    emit_open_chip,
    is_open,
    least_clock_mhz,
)
from hwbnn.emit.file_set import FileSet
from hwbnn.errors import ConfigError
from hwbnn.flow import BuildConfig, build, design_of
from hwbnn.ir.design import Design
from hwbnn.resources import Room, read_text
from hwbnn.step import Step
from hwbnn.tools import verilator
from hwbnn.tools.simulated_board import behavioural

OPEN = [board for board in boards().values() if is_open(board)]
MODELS = FileSet.of(
    {
        name: read_text(Room.RTL, f"shell/models/{name}")
        for name in ("EHXPLLL.sv", "SB_PLL40_PAD.sv")
    }
)

each_board = pytest.mark.parametrize("board", OPEN, ids=lambda board: board.id)


@pytest.fixture(scope="module")
def design(small_model: Path) -> Design:
    config = BuildConfig(
        small_model, "tiny", find_board("ulx3s-85f"), target_cycles=64, until=Step.FIFO
    )
    return design_of(build(config))


def chip(design: Design, board: Board, clock_mhz: float | None = None) -> OpenChip:
    return emit_open_chip(design, board, clock_mhz=board.clock(clock_mhz))


def test_boards_of_both_families_are_open():
    assert {"ulx3s-85f", "orangecrab-25f", "icebreaker"} <= {board.id for board in OPEN}
    assert {board.family for board in OPEN} == set(FLOWS)


@each_board
def test_verilator_has_no_warning(design: Design, board: Board):
    source = board.clocks.source_mhz
    clocks = {board.clocks.default_mhz, board.clocks.achievable[-1]}
    clocks |= {source} & set(board.clocks.achievable)
    for clock in clocks:
        files = behavioural(chip(design, board, clock).files, design, board)
        sources = {path: data for path, data in files.files.items() if path.endswith(".sv")}
        verilator.lint(FileSet(sources) | MODELS, top="chip")


@each_board
def test_clock_is_the_oscillator_or_a_pll(design: Design, board: Board):
    source = board.clocks.source_mhz
    for clock in board.clocks.achievable[:: len(board.clocks.achievable) // 7]:
        if clock < least_clock_mhz(board):
            continue
        text = chip(design, board, clock).files.text("chip.sv")
        assert ("assign locked = 1'b1;" in text) == (clock == source)
        assert ("EHXPLLL" in text or "SB_PLL40_PAD" in text) == (clock != source)


def test_dividers_stand_in_the_chip(design: Design):
    boards_by_id = {board.id: board for board in OPEN}
    ulx3s = chip(design, boards_by_id["ulx3s-85f"], 65.0).files.text("chip.sv")
    values = dict(re.findall(r"\.(CLK\w+_DIV)\((\d+)\)", ulx3s))
    assert values == {"CLKI_DIV": "5", "CLKFB_DIV": "13", "CLKOP_DIV": "9"}
    icebreaker = chip(design, boards_by_id["icebreaker"], 30.0).files.text("chip.sv")
    assert re.findall(r"\.(DIV\w|FILTER_RANGE)\(\d'd(\d+)\)", icebreaker) == [
        ("DIVR", "0"), ("DIVF", "79"), ("DIVQ", "5"), ("FILTER_RANGE", "1")
    ]  # fmt: skip


@each_board
def test_shell_knows_line_and_frames(design: Design, board: Board):
    made = chip(design, board)
    text = made.files.text("chip.sv")
    link = board.link
    assert isinstance(link, UartLink)
    values = dict(re.findall(r"\.([A-Z]\w+)\(([^)]*)\)", text[text.index("hwbnn_shell_uart") :]))
    assert int(values["BitCycles256"]) == round(made.clock_mhz * 256e6 / link.baud)
    assert int(values["RoomBytes"]) == link.room_bytes
    assert int(values["Fifos"]) == len(design.edges) == len(made.core.fifos)
    bits = [int(values[name]) for name in ("CoreInBits", "CoreInBeats", "CoreOutBits")]
    assert bits == [
        design.input.stream.bits, design.input.stream.beats, design.output.stream.bits
    ]  # fmt: skip
    assert values["BuildHash"] == f"128'h{made.core.build_hash[::-1].hex()}"


@each_board
def test_pins_are_the_boards(design: Design, board: Board):
    assert board.place is not None
    made = chip(design, board)
    pins = made.files.text(FLOWS[board.family].pins)
    for port, site in (
        ("clk_i", board.place.clock), ("rx_i", board.place.rx), ("tx_o", board.place.tx)
    ):  # fmt: skip
        assert re.search(rf'{port}"? (SITE )?"?{site}\b', pins)
    assert f"{board.clocks.source_mhz:g}" in pins
    ports = re.findall(r"(?:input |output) logic (\w+)", made.files.text("chip.sv"))
    assert set(ports) == {"clk_i", "rx_i", "tx_o"}


@each_board
def test_makefile_runs_the_commands(design: Design, board: Board):
    made = chip(design, board)
    makefile = made.files.text("Makefile")
    for command in (made.place, made.pack):
        variable = command[0].replace("-", "_").upper()
        assert f"{variable} := {command[0]}\n" in makefile
        assert f"\t$({variable}) {' '.join(command[1:])}\n" in makefile
    assert " ".join(made.load) in makefile
    assert made.place[:1] == (FLOWS[board.family].place,)
    assert "--timing-allow-fail" in made.place and "--seed" in made.place


@each_board
def test_every_file_is_used_and_there(design: Design, board: Board):
    files = chip(design, board).files
    script = files.text("chip.ys")
    read = script.splitlines()[0].split()[3:]
    assert sorted(read) == sorted(path for path in files.files if path.endswith(".sv"))
    assert "hwbnn_shell_axi.sv" not in read and "hwbnn_shell_uart.sv" in read
    maps = re.findall(r"-map (\S+)", script)
    assert maps == ["rom.v", f"rom_{board.family.value}.v"]
    assert set(maps) <= files.files.keys()
    assert not [line for line in script.split() if line.startswith("/")]


@each_board
def test_clock_must_time_the_line(board: Board):
    least = least_clock_mhz(board)
    assert bit_cycles_256(board, least) == 4 * 256
    with pytest.raises(ConfigError, match=rf"clock must be at least {least:g} MHz, 4 cycles a bit"):
        bit_cycles_256(board, least - 0.1)


def test_chip_depends_on_nothing_else(design: Design):
    first, second = (chip(design, OPEN[0]).files.files for _ in range(2))
    assert first == second
    renamed = replace(design, name="other")
    assert chip(renamed, OPEN[0]).files.files != first
