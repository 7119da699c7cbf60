# SPDX-License-Identifier: Apache-2.0
"""Nextpnr: real bitstreams of a small network, and what is said when there is none."""

import json
import re
from pathlib import Path

import pytest

from hwbnn.board import Board, Device, find_board
from hwbnn.emit.chip_open import REPORT, OpenChip, emit_open_chip
from hwbnn.errors import ToolError
from hwbnn.flow import BuildConfig, build, design_of
from hwbnn.ir.design import Design
from hwbnn.step import Step
from hwbnn.tools import nextpnr, yosys

KINDS = {
    Device.ECP5: {"TRELLIS_COMB", "TRELLIS_FF", "TRELLIS_IO", "EHXPLLL"},
    Device.ICE40: {"ICESTORM_LC", "ICESTORM_PLL", "SB_GB", "SB_IO"},
}
NATIVE = {Device.ECP5: ("nextpnr-ecp5", "ecppack"), Device.ICE40: ("nextpnr-ice40", "icepack")}


def needs_tools(family: Device) -> pytest.MarkDecorator:
    missing = [name for name in NATIVE[family] if nextpnr._program(name) is None]
    absent = bool(missing) or not yosys.available()
    return pytest.mark.skipif(absent, reason="needs pip install 'hwbnn[bitstream]'")


@pytest.fixture(scope="module")
def design(small_model: Path) -> Design:
    board = find_board("ulx3s-85f")
    config = BuildConfig(small_model, "tiny", board, target_cycles=64, until=Step.FIFO)
    return design_of(build(config))


def chip(design: Design, board: Board) -> OpenChip:
    return emit_open_chip(design, board, clock_mhz=board.clocks.default_mhz)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("ulx3s-85f", Device.ECP5), marks=needs_tools(Device.ECP5), id="ecp5"),
        pytest.param(
            ("icebreaker", Device.ICE40), marks=needs_tools(Device.ICE40), id="icebreaker"
        ),
    ],
)
def made(request, design: Design, tmp_path_factory) -> tuple[Board, nextpnr.Bitstream, Path]:
    board = find_board(request.param[0])
    work = tmp_path_factory.mktemp("chip")
    return board, nextpnr.route(chip(design, board), work=work), work


@pytest.mark.slow
def test_report_has_the_parts(made) -> None:
    board, found, _ = made
    cells = found.routed.cells
    assert cells.keys() >= KINDS[board.family]
    assert all(cells[kind].used > 0 for kind in KINDS[board.family])
    assert all(0 <= use.used <= use.available for use in cells.values())
    assert found.routed.fmax_mhz > board.clocks.default_mhz
    assert found.routed.clock_mhz == board.clocks.default_mhz
    path = found.routed.critical
    assert path.start != path.end
    assert path.cells_ns + path.wires_ns == pytest.approx(1000 / found.routed.fmax_mhz, rel=0.02)
    clocks = json.loads(found.report)["fmax"]
    constraints = [clock["constraint"] for clock in clocks.values()]
    assert constraints == [pytest.approx(board.clocks.default_mhz, rel=1e-3)]


@pytest.mark.slow
def test_device_is_what_the_board_file_says(made) -> None:
    board, found, _ = made
    cells, counts = found.routed.cells, board.resources
    if board.family is Device.ECP5:
        kinds = {"TRELLIS_COMB": counts.lut, "TRELLIS_FF": counts.ff, "DP16KD": counts.bram}
    else:
        kinds = {"ICESTORM_LC": counts.lut, "ICESTORM_RAM": counts.bram, "ICESTORM_DSP": counts.dsp}
    assert {kind: cells[kind].available for kind in kinds} == kinds


@pytest.mark.slow
def test_bits_have_the_devices_header(made) -> None:
    board, found, _ = made
    if board.family is Device.ECP5:
        part = board.part.removesuffix("C").replace("BG381", "CABGA381")
        assert found.data.startswith(b"\xff\x00Part: " + part.encode() + b"\x00")
        assert b"\xff\xff\xbd\xb3" in found.data[:64]  # preamble: FPGA-TN-02039
    else:
        assert b"\x7e\xaa\x99\x7e" in found.data[:64]  # synchronisation word: FPGA-TN-02001
    assert found.routed.size == len(found.data)
    assert found.files.files[found.chip.bitstream] == found.data
    assert found.files.files[REPORT] == found.report


@pytest.mark.slow
def test_same_netlist_gives_the_same_bits(made) -> None:
    _, found, work = made
    routed = found.chip.pack[-2]
    first = (work / routed).read_bytes()
    nextpnr._run(found.chip.place, work, None)
    assert (work / routed).read_bytes() == first


@pytest.mark.slow
@needs_tools(Device.ICE40)
def test_chip_that_does_not_fit(design: Design, tmp_path: Path) -> None:
    board = find_board("icebreaker")
    link = board.link.model_copy(update={"room_bytes": 1 << 17})
    with pytest.raises(ToolError) as error:
        nextpnr.route(chip(design, board.model_copy(update={"link": link})), work=tmp_path)
    assert re.fullmatch(
        r"chip: ICESTORM_RAM must be at most 30, all that the device has, not 6\d; choose a larger "
        "board, or more cycles a frame with --target-cycles",
        str(error.value),
    )


LOG = """\
Info: Device utilisation:
Info: \t          TRELLIS_IO:       3/    365     0%
Info: \t              DP16KD:     220/    208   105%
Info: \t        TRELLIS_COMB:   90000/  83640   107%
ERROR: Unable to place cell 'x'
"""


def test_every_resource_that_is_short_is_named(tmp_path: Path) -> None:
    log = tmp_path / "nextpnr-ecp5.log"
    log.write_text(LOG)
    assert [problem.split(",")[0] for problem in nextpnr._too_large(log)] == [
        "chip: DP16KD must be at most 208",
        "chip: TRELLIS_COMB must be at most 83640",
    ]
    log.write_text("ERROR: something else: 9/ 8 1%\n")
    assert nextpnr._too_large(log) == []


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nextpnr, "_program", lambda _: None)
    monkeypatch.setattr(yosys, "available", lambda: False)
    with pytest.raises(ToolError) as error:
        nextpnr.check_tools("nextpnr-ecp5", "ecppack")
    assert str(error.value) == (
        "bitstream: yosys and nextpnr-ecp5 and ecppack must be installed, not missing; pip install "
        "'hwbnn[bitstream]', or stop before with --until simulate"
    )


def test_a_wheels_program_goes_before_a_native_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {name: tmp_path / name for name in ("wheel", "native")}
    for name, folder in folders.items():
        folder.mkdir()
        program = folder / ("ecppack" if name == "native" else "yowasp-ecppack")
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folders["native"]))
    monkeypatch.setattr("sys.executable", str(folders["wheel"] / "python"))
    assert nextpnr._program("ecppack") == str(folders["wheel"] / "yowasp-ecppack")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert nextpnr._program("ecppack") == str(folders["native"] / "ecppack")
