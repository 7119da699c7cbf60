# SPDX-License-Identifier: Apache-2.0
"""Doctor: a tool that does not start is not there, and every flow says what it lacks."""

from pathlib import Path

import pytest

from hwbnn.tools import doctor as tools_doctor
from hwbnn.tools import vivado
from hwbnn.tools.doctor import ZYNQ, Check, doctor, flows
from tests.tools.mock_vivado import executable, install, need_tclsh


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs of the vendor may be found."""
    for name in ("XILINX_VIVADO", "XILINX_VITIS", "XILINX_HLS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(vivado, "_ROOTS", ())
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def check(name: str, **options) -> Check:
    (found,) = [check for check in doctor(**options) if check.name == name]
    return found


def test_without_the_vendor(path: Path) -> None:
    assert not check("vivado").present
    assert check("vivado").mend == "install Vivado 2020.2 to 2025.2, or source its settings64.sh"
    assert check("vitis hls").mend == "install Vitis HLS, or source its settings64.sh"


def test_names_are_different_and_one_side_is_empty(path: Path) -> None:
    checks = doctor()
    assert len({check.name for check in checks}) == len(checks)
    assert all(bool(check.found) != bool(check.mend) for check in checks)
    wanted = {name for _, _, needs in tools_doctor._FLOWS for name in needs}
    assert wanted <= {check.name for check in checks}


@need_tclsh
def test_vivado_is_launched(tmp_path: Path, path: Path) -> None:
    (path / "vivado").symlink_to(install(tmp_path, version="2023.1"))
    assert check("vivado").found == f"{path / 'vivado'}, version 2023.1"


@need_tclsh
def test_vivado_without_a_licence_is_explained(tmp_path: Path, path: Path) -> None:
    scenario = "set starts {puts {ERROR: [Common 17-345] A valid license was not found}; exit 42}"
    (path / "vivado").symlink_to(install(tmp_path, scenario, version="2026.1"))
    found = check("vivado")
    assert not found.present
    assert "a licence must be found" in found.mend
    assert found.mend.endswith("that needs none for the boards' parts")


@need_tclsh
def test_vivado_that_hangs_is_given_up(tmp_path: Path, path: Path) -> None:
    (path / "vivado").symlink_to(install(tmp_path, "set starts {after 60000}"))
    assert "must end within 1 s, not run on" in check("vivado", timeout=1.0).mend


def test_vitis_is_launched(path: Path) -> None:
    program = executable(path / "vitis-run", '#!/bin/sh\ntest "$2" = hls && echo HWBNN-HLS\n')
    assert check("vitis hls").found == str(program)
    executable(program, "#!/bin/sh\necho 'ERROR: no licence for HLS'; exit 1\n")
    assert "must end with status 0, not 1: ERROR: no licence for HLS" in check("vitis hls").mend


def test_flows_say_what_is_missing() -> None:
    names = {name for _, _, needs in tools_doctor._FLOWS for name in needs}
    everything = tuple(Check(name, "-", "here") for name in sorted(names))
    assert all(flow.possible for flow in flows(everything))
    others = (check for check in everything if check.name != "vivado")
    without = (*others, Check("vivado", "-", "", "get"))
    broken = [flow for flow in flows(without) if not flow.possible]
    assert [(flow.boards, flow.what, flow.missing) for flow in broken] == [
        (ZYNQ, "bitstream", ("vivado",)),
        (ZYNQ, "bitstream with an HLS core", ("vivado",)),
    ]
    possible = [flow.what for flow in flows(()) if flow.possible]
    assert possible == ["build, simulate"]
