# SPDX-License-Identifier: Apache-2.0
"""Vivado and Vitis through stand-ins: how they are found, launched, watched, and how they fail."""

import shutil
from pathlib import Path

import pytest

from hwbnn.board import find_board
from hwbnn.emit.chip_zynq import BackEnd
from hwbnn.emit.report_routed import Use
from hwbnn.errors import ToolError
from hwbnn.tools import vivado
from hwbnn.tools.follow import follow
from hwbnn.tools.output import write
from hwbnn.tools.vivado import (
    ask,
    build,
    check_part,
    find_vitis,
    find_vivado,
    hls_command,
    make_bitstream,
    run_hls,
)
from tests.tools.chips import chip
from tests.tools.mock_vivado import executable, install, need_tclsh

PART = "xc7z020clg400-1"

VITIS = """#!/bin/sh
echo "$@" > arguments
cat steps.tcl
{end}
"""


@pytest.fixture(autouse=True)
def _no_vivado_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XILINX_VIVADO", "XILINX_VITIS", "XILINX_HLS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(vivado, "_ROOTS", ())
    (tmp_path / "empty").mkdir()


# ---- finding ----------------------------------------------------------------------------------


def program(path: Path) -> Path:
    return executable(path, "#!/bin/sh\n")


def test_found_in_this_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = program(tmp_path / "Xilinx/Vivado/2021.1/bin/vivado")
    newest = program(tmp_path / "Xilinx/2025.2/Vivado/bin/vivado")
    roots = (str(tmp_path / "nowhere"), str(tmp_path / "Xilinx"))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert find_vivado(roots=roots) == newest
    on_path = program(tmp_path / "path/vivado")
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert find_vivado(roots=roots) == on_path
    monkeypatch.setenv("XILINX_VIVADO", str(tmp_path / "gone"))
    assert find_vivado(roots=roots) == on_path
    monkeypatch.setenv("XILINX_VIVADO", str(old.parents[1]))
    assert find_vivado(roots=roots) == old
    assert find_vivado(newest, roots=roots) == newest
    assert find_vivado(newest.parents[1], roots=roots) == newest


def test_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(ToolError, match="vivado: must be installed, not missing; install Vivado"):
        find_vivado(roots=())
    with pytest.raises(ToolError, match="vivado: must be .*empty or below it, not missing"):
        find_vivado(tmp_path / "empty")
    with pytest.raises(ToolError, match="vitis-run: must be installed, not missing; install Vitis"):
        find_vitis(roots=())


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["Vitis_HLS/2022.2/bin/vitis_hls"], "Vitis_HLS/2022.2/bin/vitis_hls"),
        (["Vitis/2024.2/bin/vitis-run"], "Vitis/2024.2/bin/vitis-run"),
        (["2025.1/Vitis/bin/vitis-run"], "2025.1/Vitis/bin/vitis-run"),
        (
            ["Vitis/2023.2/bin/vitis-run", "Vitis/2023.2/bin/vitis_hls"],
            "Vitis/2023.2/bin/vitis_hls",
        ),
        (["Vitis/2023.2/bin/vitis-run"], "Vitis/2023.2/bin/vitis-run"),
        (
            ["Vitis_HLS/2022.2/bin/vitis_hls", "Vitis/2024.2/bin/vitis-run"],
            "Vitis/2024.2/bin/vitis-run",
        ),
    ],
)
def test_vitis_by_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: list[str], expected: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    for path in paths:
        program(tmp_path / path)
    assert find_vitis(roots=(str(tmp_path),)) == tmp_path / expected


def test_command_of_hls() -> None:
    run = Path("/x/Vitis/2024.2/bin/vitis-run")
    assert hls_command(run, "a.tcl") == (str(run), "--mode", "hls", "--tcl", "a.tcl")
    older = Path("/x/Vitis_HLS/2022.2/bin/vitis_hls")
    assert hls_command(older, "a.tcl") == (str(older), "-f", "a.tcl")


# ---- launching --------------------------------------------------------------------------------


@need_tclsh
def test_asks_version_and_parts(tmp_path: Path) -> None:
    answer = ask(install(tmp_path, version="2024.2"), parts=(PART, "xc7z045ffg900-2"))
    assert answer.version == "2024.2"
    assert answer.parts == {PART}


@need_tclsh
def test_a_part_that_is_missing_is_told_before_the_work(tmp_path: Path) -> None:
    check_part(install(tmp_path), PART)
    with pytest.raises(ToolError) as caught:
        check_part(install(tmp_path, "set parts {}"), PART)
    assert (
        f"vivado: must have part {PART}, not lack it (version 2022.2); run AMD's installer"
        in str(caught.value)
    )


LICENCE = """set starts {
  puts "ERROR: Vivado Design Suite cannot be launched because a valid license was not found."
  exit 42
}"""


@need_tclsh
def test_no_licence_at_launch(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        ask(install(tmp_path, LICENCE, version="2026.1"))
    assert "a licence must be found, not «ERROR: Vivado Design Suite cannot" in str(caught.value)
    assert "use Vivado 2020.2 to 2025.2" in str(caught.value)


@need_tclsh
def test_launch_that_hangs(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="vivado: must end within 1 s, not run on; allow more time"):
        ask(install(tmp_path, "set starts {after 60000}"), timeout=1.0)


# ---- building ---------------------------------------------------------------------------------


def make(tmp_path: Path, scenario: str = "", **options) -> vivado.ZynqBitstream:
    home, board, work = install(tmp_path, scenario), find_board("pynq-z2"), tmp_path / "chip"
    work.mkdir(exist_ok=True)
    return make_bitstream(chip(), board, work=work, vivado=home, **options)


@need_tclsh
def test_bitstream(tmp_path: Path) -> None:
    steps: list[str] = []
    made = make(tmp_path, say=steps.append, timeout=60)
    assert made.data == b"a bitstream\n"
    routed = made.routed
    assert routed.clock_mhz == 100
    assert routed.fmax_mhz == pytest.approx(105.5, abs=0.01)
    assert routed.cells == {
        "LUT": Use(4213, 53200),
        "FF": Use(5120, 106400),
        "BRAM36": Use(10, 140),
        "DSP": Use(2, 220),
    }
    assert routed.critical.start == "accelerator/core/unit_fc0/sum_q_reg[3]/C"
    assert routed.load == ("openFPGALoader", "-b", "pynq_z2", "chip/single.bit")
    assert {"chip.sv", "build.tcl", "single.bit", "out/timing.rpt"} <= made.files.files.keys()
    assert steps[:3] == ["Vivado: sources", "Vivado: synthesis", "Vivado: optimisation"]
    assert steps[-1] == "Vivado: done"


@need_tclsh
def test_an_old_bitstream_is_not_a_result(tmp_path: Path) -> None:
    (tmp_path / "chip").mkdir()
    (tmp_path / "chip/single.bit").write_text("of yesterday")
    with pytest.raises(ToolError):
        make(tmp_path, "set slack_max -1.0")
    assert not (tmp_path / "chip/single.bit").exists()


FAILURES = {
    "hold": (
        "set slack_min -0.1",
        "timing: slack must be at least 0 ns, not 0.521 (setup) and -0.1 (hold); build again for a "
        "lower clock",
    ),
    "clock": ("set clocks {}", "clock: the processing system must give one"),
    "size": ("set cell_count 0", "size: the core must have at least"),
    "licence of a feature": (
        "set fails {synth_design {{ERROR: [Common 17-345] A valid license was not found for "
        "feature 'Synthesis' and/or device 'xc7z020'. Please run the Vivado License Manager}}}",
        "a licence must be found, not «ERROR: [Common 17-345]",
    ),
    "tier of a licence": (
        "set fails {create_project {{WARNING: [Device 21-9575] Your current selected license is "
        "ALVEO.} {ERROR: [Coretcl 2-106] Specified part could not be found.}}}",
        "the licence must cover the part, not «WARNING: [Device 21-9575]",
    ),
    "part, at its use": (
        "set fails {create_project {{ERROR: [Coretcl 2-106] Specified part could not be found.}}}",
        "the part must be installed, not «ERROR: [Coretcl 2-106]",
    ),
    "memory": (
        "set fails {place_design {{terminate called after throwing an instance of "
        "'std::bad_alloc'}}}",
        "there must be enough memory, not «terminate called",
    ),
    "disk": (
        "set fails {write_checkpoint {{ERROR: [Common 17-160] No space left on device}}}",
        "the disk must have room, not «ERROR:",
    ),
    "memory file": (
        "set fails {synth_design {{ERROR: [Synth 8-4445] could not open $readmem data file}}}",
        "all memories must be readable, not «ERROR: [Synth 8-4445]",
    ),
    "room": (
        "set fails {place_design {{ERROR: [Place 30-640] Place Check : This design requires more "
        "Slice LUTs cells than are available in the target device.}}}",
        "the design must fit the device, not «ERROR: [Place 30-640]",
    ),
    "rules": (
        "set fails {write_bitstream {{ERROR: [DRC NSTD-1] Unspecified I/O Standard} "
        "{ERROR: [Vivado 12-1345] Error(s) found during DRC. Bitgen not run.}}}",
        "the design must pass Vivado's rules, not «ERROR: [DRC NSTD-1]",
    ),
    "crash": (
        "set fails {route_design {{Abnormal program termination (11)} "
        "{Please check 'hs_err_pid77.log' for details}}}",
        "Vivado must not crash, not «Abnormal program termination (11)»; try again with threads 1",
    ),
    "a message that a command only names": (
        "set fails {place_design {{Command: set_msg_config -id {[Common 17-345]}} {ERROR: x}}}",
        "must end with status 0, not 1: ERROR: x",
    ),
    "unknown": (
        "set fails {route_design {{CRITICAL WARNING: a} {ERROR: [Strange 1-2] c}}}",
        "must end with status 0, not 1: ERROR: [Strange 1-2] c",
    ),
}


@need_tclsh
@pytest.mark.parametrize("name", FAILURES)
def test_failures_say_what_to_do(tmp_path: Path, name: str) -> None:
    scenario, message = FAILURES[name]
    with pytest.raises(ToolError) as caught:
        make(tmp_path, scenario, timeout=60)
    assert message in str(caught.value)
    assert str(caught.value).startswith("vivado: ")
    assert ";" in str(caught.value)
    assert (tmp_path / "chip/vivado.log").is_file()


@need_tclsh
def test_a_slow_path_names_the_clock_to_take(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        make(tmp_path, "set slack_max -1.0", timeout=60)
    assert str(caught.value) == (
        "single: clock must be at most 90.91 MHz by its slowest path (accelerator/core/unit_fc0/"
        "sum_q_reg[3]/C to accelerator/core/unit_fc0/out_q_reg[0]/D), not 100 MHz; choose "
        f"--clock-mhz 90.9091; see {tmp_path / 'chip/vivado.log'}"
    )


@need_tclsh
@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make(tmp_path: Path) -> None:
    program = install(tmp_path)
    write(chip().files, tmp_path / "chip")
    ended = follow(["make", f"VIVADO={program}"], cwd=tmp_path / "chip", mend="-", timeout=60)
    assert ended.status == 0, ended.output
    assert (tmp_path / "chip/single.bit").is_file()
    again = follow(["make", f"VIVADO={program}"], cwd=tmp_path / "chip", mend="-", timeout=60)
    assert "up to date" in again.output
    overlay = ["make", "overlay", f"VIVADO={program}"]
    assert follow(overlay, cwd=tmp_path / "chip", mend="-", timeout=60).status == 0
    assert (tmp_path / "chip/single_overlay.hwh").is_file()
    assert follow(["make", "clean"], cwd=tmp_path / "chip", mend="-", timeout=60).status == 0
    left = {
        path.relative_to(tmp_path / "chip").as_posix() for path in (tmp_path / "chip").iterdir()
    }
    assert left == chip().files.files.keys()


@need_tclsh
def test_bitstream_of_an_hls_core(tmp_path: Path) -> None:
    made = chip(back_end=BackEnd.HLS)
    write(made.files, tmp_path / "chip_hls")
    (tmp_path / "hls").mkdir()
    end = "mkdir -p single_prj/solution1/impl/ip"
    vitis = executable(tmp_path / "vitis-run", VITIS.format(end=end))
    run_hls(tmp_path / "hls", vitis=vitis, timeout=20)
    build(tmp_path / "chip_hls", bitstream=made.bitstream, program=install(tmp_path), timeout=60)
    assert (tmp_path / "chip_hls/single.bit").is_file()


@need_tclsh
def test_killed_by_the_system(tmp_path: Path) -> None:
    scenario = "proc answer_place_design {args} {exec kill -9 [pid]}"
    with pytest.raises(ToolError, match="there must be enough memory, not an end by the system"):
        make(tmp_path, scenario, timeout=60)


@need_tclsh
def test_hang_while_routing(tmp_path: Path) -> None:
    program = install(tmp_path, "proc answer_route_design {args} {after 60000}")
    write(chip().files, tmp_path / "chip")
    said: list[str] = []
    with pytest.raises(ToolError, match="vivado: must end within 2 s, not run on; allow more time"):
        build(
            tmp_path / "chip",
            bitstream="single.bit",
            program=program,
            timeout=2.0,
            say=said.append,
            heartbeat=0.3,
        )
    assert said[-1] == "Vivado: routing, 0 minutes since the start"


@need_tclsh
def test_success_without_a_bitstream(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="single.bit: bitstream must be there after status 0, not"):
        make(tmp_path, "proc answer_write_bitstream {args} {}")


def test_a_library_that_is_missing(tmp_path: Path) -> None:
    text = (
        "#!/bin/sh\necho 'vivado: error while loading shared libraries: libtinfo.so.5: cannot open "
        "shared object file: No such file or directory'\nexit 127\n"
    )
    broken = executable(tmp_path / "vivado", text)
    with pytest.raises(
        ToolError, match="Vivado's libraries must be there, not «.*install libtinfo5"
    ):
        ask(broken)


def test_a_program_that_is_none(tmp_path: Path) -> None:
    broken = executable(tmp_path / "vivado", "no program at all")
    with pytest.raises(
        ToolError, match=r"vivado: must (be a program that can run|end with status)"
    ):
        ask(broken)


# ---- Vitis HLS --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vitis-run", "vitis_hls"])
def test_steps_of_hls(tmp_path: Path, name: str) -> None:
    program = executable(tmp_path / "bin" / name, VITIS.format(end="exit 0"))
    ended = run_hls(tmp_path, steps=("csynth", "export"), vitis=program, timeout=20)
    assert "set steps {csynth export}" in ended.lines
    expected = "-f run_hls.tcl" if name == "vitis_hls" else "--mode hls --tcl run_hls.tcl"
    assert (tmp_path / "arguments").read_text().strip() == expected


def test_hls_that_fails(tmp_path: Path) -> None:
    end = "echo 'ERROR: [HLS 200-1715] Encountered problem during source synthesis'; exit 1"
    program = executable(tmp_path / "vitis-run", VITIS.format(end=end))
    with pytest.raises(
        ToolError, match=r"vitis-run: must end with status 0, not 1: ERROR: \[HLS 2"
    ):
        run_hls(tmp_path, vitis=program, timeout=20)
    assert "HLS 200-1715" in (tmp_path / "hls.log").read_text()
