# SPDX-License-Identifier: Apache-2.0
"""The generated Tcl, run in tclsh against stand-ins of Vivado's commands: order, gates, exits."""

import re
from pathlib import Path

import pytest

from hwbnn.emit.chip_zynq import BackEnd
from hwbnn.tools.follow import Ended, follow
from hwbnn.tools.output import write
from tests.tools.chips import BOARDS, chip
from tests.tools.mock_vivado import install, need_tclsh

pytestmark = need_tclsh

GOOD_MP = "set clocks clk_pl_0\nset period 10.001"


def run(
    tmp_path: Path,
    scenario: str = "",
    *,
    board: str = "pynq-z2",
    back_end: BackEnd = BackEnd.RTL,
    script: str = "build.tcl",
) -> Ended:
    """Run a script of a chip; the folder is tmp_path/chip."""
    folder = tmp_path / "chip"
    write(chip(board, back_end).files, folder)
    vivado = install(tmp_path, scenario)
    argv = [vivado, "-mode", "batch", "-nojournal", "-notrace", "-log", "vivado.log"]
    return follow([*argv, "-source", folder / script], cwd=tmp_path, mend="-", timeout=60)


def calls(ended: Ended) -> list[str]:
    """Names of the commands that were called, without those that only look."""
    found = [line.split()[1] for line in ended.lines if line.startswith("CALL ")]
    return [name for name in found if not name.startswith(("get_", "check_", "set_param"))]


def said(ended: Ended) -> str:
    """The one line with which a gate refuses."""
    (line,) = [line for line in ended.lines if line.startswith("HWBNN-ERROR ")]
    return line.removeprefix("HWBNN-ERROR ")


def test_from_sources_to_bitstream(tmp_path: Path) -> None:
    ended = run(tmp_path)
    assert ended.status == 0, ended.output
    assert calls(ended) == [
        *("set_msg_config", "create_project", "read_verilog"),
        *["read_mem"] * sum(path.endswith(".hex") for path in chip().files.files),
        "read_xdc",
        *("synth_design", "report_utilization", "write_checkpoint"),
        *("opt_design", "place_design", "phys_opt_design", "route_design"),
        *("write_checkpoint", *["report_utilization"] * 3, "report_timing_summary"),
        *("report_route_status", "report_drc", "report_methodology", "report_power"),
        "write_bitstream",
    ]
    steps = [line.split(None, 1)[1] for line in ended.lines if line.startswith("HWBNN-STEP")]
    assert steps == [
        *("sources", "synthesis", "optimisation", "placement", "routing", "reports"),
        *("bitstream", "done"),
    ]
    assert 'HWBNN-JSON {"wns_ns": 0.521, "whs_ns": 0.057}' in ended.lines
    folder = tmp_path / "chip"
    assert (folder / "single.bit").read_text() == "a bitstream\n"
    assert {path.name for path in (folder / "out").iterdir()} == {
        *("utilisation.rpt", "utilisation.xml", "timing.rpt"),
        *("utilisation_by_instance.rpt", "synthesised_utilisation.rpt"),
    }


def test_every_source_is_read(tmp_path: Path) -> None:
    said = run(tmp_path).output
    files = chip().files.files
    (sources,) = re.findall(r"CALL read_verilog -sv (.*?)(?=\nCALL)", said, re.DOTALL)
    assert set(sources.strip("{} \n").split()) == {path for path in files if path.endswith(".sv")}
    memories = re.findall(r"CALL read_mem (\S+)", said)
    assert sorted(memories) == sorted(path for path in files if path.endswith(".hex"))


def test_a_memory_that_vivado_does_not_take_is_left_to_its_folder(tmp_path: Path) -> None:
    ended = run(tmp_path, "set fails {read_mem {{ERROR: [Made 1-1] which kind?}}}")
    assert ended.status == 0


def test_ultrascale_makes_the_processing_system_first(tmp_path: Path) -> None:
    ended = run(tmp_path, GOOD_MP, board="zcu104")
    assert ended.status == 0, ended.output
    names = calls(ended)
    first = names.index("create_ip")
    assert names[first : first + 5] == [
        *("create_ip", "set_property", "set_property", "generate_target", "synth_design")
    ]
    assert (
        "CALL set_property generate_synth_checkpoint false zynqmp_ps.xci" in ended.lines
    )  # else its PS8 would be seen too late for the gates
    assert any(
        line == "CALL create_ip -vendor xilinx.com -library ip -name zynq_ultra_ps_e "
        "-module_name zynqmp_ps -dir out/ip"
        for line in ended.lines
    )
    assert "CONFIG.PSU__SAXIGP2__DATA_WIDTH {128}" in ended.output
    assert "CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ {100.000000}" in ended.output


def test_timing_is_repaired_once_more_before_it_is_refused(tmp_path: Path) -> None:
    ended = run(tmp_path, "set slack_max -0.2")
    assert ended.status == 32
    assert calls(ended).count("phys_opt_design") == 2
    assert said(ended) == "timing: slack must be at least 0 ns, not -0.2 (setup) and 0.057 (hold)"
    assert "write_bitstream" not in calls(ended)
    assert (tmp_path / "chip/out/timing.rpt").exists()  # to find the path


@pytest.mark.parametrize(
    ("scenario", "status", "message"),
    [
        ("set slack_min -0.01", 32, "timing: slack must be at least 0 ns, not 0.521 (setup) and"),
        ("set slack_max none", 31, "clock: there must be timing paths, and Vivado sees none"),
        ("set clocks {}", 31, "clock: the processing system must give one, and Vivado sees none"),
        ("set period 20.0", 31, "clock: the period of clk_fpga_0 must be 10.000 ns, not 20.0"),
        ("set unclocked 7", 31, "all registers must be constrained, and no_clock finds 7 that"),
        ("set processor_count 0", 33, "size: the netlist must hold one PS7, not 0"),
        ("set cell_count 3", 33, "size: the core must have at least"),
    ],
)
def test_gates(tmp_path: Path, scenario: str, status: int, message: str) -> None:
    ended = run(tmp_path, scenario)
    assert ended.status == status, ended.output
    assert message in said(ended)
    assert not (tmp_path / "chip/single.bit").exists()
    if status != 32 and "none" not in scenario:
        assert "place_design" not in calls(ended)  # refused before the long part


def test_floor_is_half_of_the_model(tmp_path: Path) -> None:
    settings = chip().files.text("settings.tcl")
    (least,) = re.findall(r"set floor_ff (\d+)", settings)
    (luts,) = re.findall(r"set floor_lut (\d+)", settings)
    enough = max(int(least), int(luts), 1)
    assert run(tmp_path, f"set cell_count {enough}").status == 0
    few = run(tmp_path, f"set cell_count {enough - 1}")
    assert few.status == 33
    assert said(few).endswith(f"not {enough - 1}")


@pytest.mark.parametrize("command", ["synth_design", "route_design", "write_bitstream"])
def test_an_error_of_vivado_ends_it(tmp_path: Path, command: str) -> None:
    ended = run(tmp_path, f"set fails {{{command} {{{{ERROR: [Made 1-1] up}}}}}}")
    assert ended.status == 1
    assert "ERROR: [Made 1-1] up" in ended.lines
    assert calls(ended)[-1] == command


def test_an_hls_core_is_made_of_its_ip(tmp_path: Path) -> None:
    missing = run(tmp_path, back_end=BackEnd.HLS)
    assert missing.status == 1
    assert said(missing).startswith("HLS core: ../hls/single_prj/solution1/impl/ip must exist; run")
    (tmp_path / "hls/single_prj/solution1/impl/ip").mkdir(parents=True)
    ended = run(tmp_path, back_end=BackEnd.HLS)
    assert ended.status == 0, ended.output
    assert (
        "CALL create_ip -vendor hwbnn -library hls -name single -module_name single_hls -dir out/ip"
        in ended.lines
    )
    assert not any("read_mem" in line for line in ended.lines)


@pytest.mark.parametrize("board", BOARDS)
def test_block_design(tmp_path: Path, board: str) -> None:
    ended = run(tmp_path, GOOD_MP, board=board, script="block_design.tcl")
    assert ended.status == 0, ended.output
    assert (tmp_path / "chip/single_overlay.bit").exists()
    assert (tmp_path / "chip/single_overlay.hwh").read_text() == "<hwh/>\n"
    base = {"pynq-z2": "0x40000000", "zcu104": "0xa0000000"}[board]
    assert f"-offset {base} -range 64K" in ended.output
    names = calls(ended)
    order = ["create_bd_design", "validate_bd_design", "make_wrapper", "synth_design"]
    assert sorted(order, key=names.index) == order
    assert "CALL synth_design -top overlay_wrapper" in ended.output
    added = next(line for line in ended.lines if line.startswith("CALL add_files"))
    assert "accelerator.sv" in added and "chip.sv" not in added


def test_an_option_that_vivado_has_not_is_refused(tmp_path: Path) -> None:
    vivado = install(tmp_path)
    (tmp_path / "x.tcl").write_text("route_design -magic\n")
    argv = [vivado, "-mode", "batch", "-source", tmp_path / "x.tcl"]
    ended = follow(argv, cwd=tmp_path, mend="-", timeout=60)
    assert ended.status == 1
    assert "Unknown option '-magic' of route_design" in ended.output
