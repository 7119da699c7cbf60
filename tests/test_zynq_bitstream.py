# SPDX-License-Identifier: Apache-2.0
"""A Zynq board's build: a chip that Vivado can take, and with Vivado's stand-in a bitstream."""

from dataclasses import replace
from pathlib import Path

import pytest

from hwbnn.board import find_board
from hwbnn.errors import ToolError
from hwbnn.flow import BuildConfig, build
from hwbnn.outcome import files_of, report_of
from hwbnn.step import Step
from tests.tools.mock_vivado import install, need_tclsh


@pytest.fixture
def config(small_model: Path, monkeypatch: pytest.MonkeyPatch) -> BuildConfig:
    monkeypatch.setattr("hwbnn.tools.vivado._ROOTS", ())
    monkeypatch.delenv("XILINX_VIVADO", raising=False)
    board = find_board("pynq-z2")
    return BuildConfig(small_model, name="tiny", board=board, target_cycles=16)


@pytest.mark.parametrize("board", ["pynq-z2", "kv260"])
def test_every_zynq_build_holds_its_chip(config: BuildConfig, board: str) -> None:
    built = build(replace(config, board=find_board(board), until=Step.EMIT))
    assert built.files is not None
    files = built.files.files
    assert {f"chip/{name}" for name in ("chip.sv", "build.tcl", "README.md")} <= files.keys()
    assert not any(path.endswith(".bit") for path in files)
    assert built.config.last is Step.EMIT


def test_only_a_zynq_build_does(config: BuildConfig) -> None:
    built = build(replace(config, board=find_board("ulx3s-85f"), until=Step.EMIT))
    assert built.files is not None
    assert "chip/build.tcl" not in built.files.files


@need_tclsh
def test_bitstream(config: BuildConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vivado = install(tmp_path)
    monkeypatch.setenv("PATH", f"{vivado.parent}:/usr/bin:/bin")
    said: list[str] = []
    built = build(replace(config, until=Step.BITSTREAM), say=said.append)
    assert "Vivado: routing" in said
    files = files_of(built).files
    assert files["chip/tiny.bit"] == b"a bitstream\n"
    assert "chip/out/timing.rpt" in files
    routed = report_of(built)["routed"]
    assert routed["bitstream"] == {"file": "chip/tiny.bit", "bytes": 12}
    assert routed["clock_mhz"]["value"] == 100
    assert {cell["kind"] for cell in routed["cells"]} == {"LUT", "FF", "BRAM36", "DSP"}


@need_tclsh
def test_what_is_missing_is_said_before_the_work(
    config: BuildConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vivado = install(tmp_path, "set parts {}")
    monkeypatch.setenv("PATH", f"{vivado.parent}:/usr/bin:/bin")
    steps: list[Step] = []
    with pytest.raises(ToolError, match="vivado: must have part xc7z020clg400-1, not lack it"):
        build(replace(config, until=Step.BITSTREAM), watch=steps.append)
    assert steps == []
