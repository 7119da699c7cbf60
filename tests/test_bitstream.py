# SPDX-License-Identifier: Apache-2.0
"""Bitstream: which clocks are tried, which is kept, and what a build makes of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hwbnn import bitstream
from hwbnn.bitstream import check, clock_choices, make_bitstream
from hwbnn.board import find_board
from hwbnn.emit.chip_open import OpenChip
from hwbnn.emit.report_routed import CriticalPath, Routed, Use
from hwbnn.errors import ConfigError, ToolError
from hwbnn.flow import BuildConfig, build, design_of
from hwbnn.ir.design import Design
from hwbnn.outcome import files_of, report_of
from hwbnn.step import Step
from hwbnn.tools.nextpnr import Bitstream

Router = Callable[..., Bitstream]
ULX3S = find_board("ulx3s-85f")
ICEBREAKER = find_board("icebreaker")


def router(*fmax: float) -> Router:
    """Stand in for nextpnr: each routing has the next Fmax."""
    left = list(fmax)

    def route(chip: OpenChip, *, work: Path) -> Bitstream:
        assert work.is_dir()
        routed = Routed(
            clock_mhz=chip.clock_mhz,
            fmax_mhz=left.pop(0),
            cells={"TRELLIS_COMB": Use(1234, 83640), "DP16KD": Use(0, 208)},
            critical=CriticalPath("a", "b", 5.5, 4.25),
            seconds=12.5,
            file=f"chip/{chip.bitstream}",
            size=3,
            load=chip.load,
        )
        return Bitstream(chip, routed, b"bit", b"{}")

    return route


@pytest.fixture(scope="module")
def config(small_model: Path) -> BuildConfig:
    return BuildConfig(small_model, "tiny", ULX3S, target_cycles=64)


@pytest.fixture(scope="module")
def design(config: BuildConfig) -> Design:
    return design_of(build(replace(config, until=Step.FIFO)))


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitstream, "check_tools", lambda *_: None)


@pytest.mark.parametrize(
    ("fmax", "tried", "kept"),
    [
        ([52.0], [50], 50),  # the next choice, 55, is above it
        ([79.6, 76.0], [50, 75], 75),  # 79 would be too near; 75 closes
        ([79.6, 90.0, 84.0], [50, 75, 85], 75),  # 85 does not: no fourth routing
        ([79.6, 90.0, 86.0], [50, 75, 85], 85),
        ([79.6, 74.0, 72.0], [50, 75, 70], 70),  # a step down
        ([79.6, 60.0, 54.0], [50, 75, 55], 50),
        ([44.0, 43.0], [50, 40], 40),
        ([44.0, 39.0, 38.0], [50, 40, 35], 35),
    ],
)
def test_highest_clock_that_closes(
    design: Design, monkeypatch: pytest.MonkeyPatch, fmax: list[float], tried: list[int], kept: int
):
    monkeypatch.setattr(bitstream, "route", router(*fmax))
    said: list[str] = []
    choices = clock_choices(ULX3S)
    found = make_bitstream(design, ULX3S, clock_mhz=50.0, choices=choices, say=said.append)
    assert found.routed.tried == tuple(zip(tried, fmax, strict=True))
    assert found.routed.clock_mhz == found.chip.clock_mhz == kept
    assert found.routed.fmax_mhz >= kept
    assert said[0] == "place and route at 50 MHz"
    assert len(said) == 2 * len(tried)


def test_a_given_clock_is_the_only_one(design: Design, monkeypatch: pytest.MonkeyPatch):
    def make(fmax: float) -> Bitstream:
        monkeypatch.setattr(bitstream, "route", router(fmax))
        return make_bitstream(design, ULX3S, clock_mhz=75.0, choices=(), say=lambda _: None)

    assert make(200.0).routed.tried == ((75.0, 200.0),)
    with pytest.raises(ToolError) as error:
        make(71.23)
    assert str(error.value) == (
        "tiny: clock must be at most the routed design's Fmax of 71.23 MHz, not 75 MHz; choose "
        "--clock-mhz 70.8333"
    )


def test_no_clock_that_closes(design: Design, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bitstream, "route", router(11.0))
    with pytest.raises(ToolError, match=r"Fmax of 11\.00 MHz, not 24 MHz; choose more cycles"):
        make_bitstream(
            design, ICEBREAKER, clock_mhz=24.0, choices=clock_choices(ICEBREAKER), say=print
        )


@pytest.mark.parametrize("board", [ULX3S, ICEBREAKER], ids=lambda board: board.id)
def test_choices_are_whole_and_time_the_line(board):
    choices = clock_choices(board)
    assert set(choices) <= set(board.clocks.achievable)
    assert board.clocks.default_mhz in choices
    assert all(clock % 1 == 0 and clock * 1e6 >= 4 * board.link.baud for clock in choices)
    assert min(clock_choices(board, least_mhz=100.0)) >= 100


# ---- in a build ----------------------------------------------------------------------------------


def test_build_ends_with_the_boards_own_step(config: BuildConfig):
    assert config.last is Step.BITSTREAM
    assert replace(config, board=find_board("pynq-z2")).last is Step.SIMULATE
    assert replace(config, until=Step.FIFO).last is Step.FIFO


@pytest.mark.usefixtures("tools")
def test_build_is_for_the_clock_that_closed(config: BuildConfig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bitstream, "route", router(79.6, 76.0))
    steps: list[Step] = []
    said: list[str] = []
    result = build(config, watch=steps.append, say=said.append)
    assert steps == list(Step)
    assert len(said) == 4
    assert result.clock_mhz == 75
    report = report_of(result)
    assert report["clock_mhz"] == 75
    cycles = report["performance"]["cycles_per_frame"]["value"]
    assert report["performance"]["frames_per_second"]["value"] == pytest.approx(75e6 / cycles)
    assert report["routed"] == {
        "clock_mhz": {"value": 75, "unit": "MHz", "origin": "routed"},
        "fmax_mhz": {"value": 76, "unit": "MHz", "origin": "routed"},
        "cells": [{"kind": "TRELLIS_COMB", "used": 1234, "available": 83640}],
        "critical_path": {"from": "a", "to": "b", "cells_ns": 5.5, "wires_ns": 4.25},
        "tried": [
            {"clock_mhz": 50, "fmax_mhz": 79.6},
            {"clock_mhz": 75, "fmax_mhz": 76},
        ],
        "seconds": 12.5,
        "bitstream": {"file": "chip/chip.bit", "bytes": 3},
        "load": "openFPGALoader -b ulx3s chip/chip.bit",
    }
    files = files_of(result)
    assert files.files["chip/chip.bit"] == b"bit"
    assert ".BitCycles256(6400)" in files.text("chip/chip.sv")  # 75 MHz / 3 MBaud
    assert "create_clock -period 13.3" in files.text("hls/run_hls.tcl")
    page = files.text("report.html")
    assert "TRELLIS_COMB" in page and "76 MHz" in page
    assert "openFPGALoader -b ulx3s chip/chip.bit" in page


@pytest.mark.usefixtures("tools")
def test_a_clock_or_a_rate_that_is_asked_for_is_kept(
    config: BuildConfig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bitstream, "route", router(200.0))
    assert build(replace(config, clock_mhz=62.5)).clock_mhz == 62.5
    by_rate = replace(config, target_cycles=None, target_fps=1e4)
    monkeypatch.setattr(bitstream, "route", router(79.6, 76.0))
    assert build(by_rate).clock_mhz == 75
    monkeypatch.setattr(bitstream, "route", router(44.0))
    with pytest.raises(ToolError, match="Fmax of 44"):
        build(by_rate)  # its folding is for 50 MHz


def test_what_stops_it_is_said_before_the_work(
    config: BuildConfig, monkeypatch: pytest.MonkeyPatch
):
    steps: list[Step] = []
    with pytest.raises(ConfigError, match="12 MHz, 4 cycles a bit of the serial line"):
        build(replace(config, clock_mhz=10.0), watch=steps.append)
    zynq = replace(config, board=find_board("pynq-z2"), until=Step.BITSTREAM)
    monkeypatch.setattr("hwbnn.tools.vivado._ROOTS", ())
    monkeypatch.delenv("XILINX_VIVADO", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match="vivado: must be installed, not missing; install Vivado"):
        build(zynq, watch=steps.append)
    monkeypatch.setattr("hwbnn.tools.nextpnr._program", lambda _: None)
    with pytest.raises(ToolError, match=r"stop before with --until simulate"):
        build(config, watch=steps.append)
    assert steps == []
    check_only = replace(config, clock_mhz=10.0, until=Step.FIFO)
    assert build(check_only).clock_mhz == 10


@pytest.mark.usefixtures("tools")
def test_command_shows_figures_and_how_to_load(
    hwbnn, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bitstream, "route", router(52.0))
    out = tmp_path / "out"
    ran = hwbnn("build", small_model, "-b", "ulx3s-85f", "--target-cycles", 64, "-o", out)
    assert ran.status == 0
    assert "Fmax 52.00 MHz" in ran.out and "TRELLIS_COMB" in ran.out
    assert "openFPGALoader -b ulx3s chip/chip.bit" in ran.err
    assert (out / "chip" / "chip.bit").read_bytes() == b"bit"
    assert (out / "chip" / "Makefile").is_file()


def test_check_passes_where_all_is_well(tools: None):
    check(ULX3S, clock_mhz=50.0)
