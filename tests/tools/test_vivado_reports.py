# SPDX-License-Identifier: Apache-2.0
"""Vivado's reports, reconstructed in two styles: text of 2022.2 and 2024.2, and XML."""

from pathlib import Path

import pytest

from hwbnn.emit.report_routed import CriticalPath
from hwbnn.errors import ToolError
from hwbnn.ir.unit import Resources
from hwbnn.tools.vivado_reports import (
    Timing,
    Utilisation,
    critical_path,
    read_timing,
    read_utilisation,
    timing,
    utilisation,
)
from tests.tools.mock_vivado import FOLDER

ZYNQ7020, ZU7EV = Resources(53200, 106400, 140, 220), Resources(230400, 460800, 312, 1728, 96)


@pytest.mark.parametrize(
    ("name", "used", "available"),
    [
        ("utilisation_2022_2.rpt", Resources(4213, 5120, 9.5, 2), ZYNQ7020),
        ("utilisation_2022_2.xml", Resources(4213, 5120, 9.5, 2), ZYNQ7020),
        ("utilisation_2024_2.rpt", Resources(3977, 5302, 12, 0), ZU7EV),
    ],
)
def test_utilisation(name: str, used: Resources, available: Resources) -> None:
    assert read_utilisation(FOLDER / name) == Utilisation(used, available)


def test_without_the_column_of_prohibited_sites() -> None:
    sites = ("Slice LUTs", "Slice Registers", "Block RAM Tile", "DSPs")
    table = "| Site Type | Used | Fixed | Available | Util% |\n"
    table += "".join(f"| {site} | {i} | 0 | 532{i} | 70.12 |\n" for i, site in enumerate(sites))
    found = utilisation(table, where="x")
    assert found.used == Resources(0, 1, 2, 3)
    assert found.available == Resources(5320, 5321, 5322, 5323)


def test_timing() -> None:
    met, path = read_timing(FOLDER / "timing_2022_2.rpt")
    assert met == Timing(0.521, 0.057, 0, 0)
    assert met.met
    assert met.fastest_mhz(100.0) == pytest.approx(105.5, abs=0.01)
    failed, _ = read_timing(FOLDER / "timing_2024_2.rpt")
    assert failed == Timing(-1.204, 0.011, 812, 0)
    assert not failed.met
    start, end = (
        f"accelerator/core/unit_fc0/{name}" for name in ("sum_q_reg[3]/C", "out_q_reg[0]/D")
    )
    assert path == CriticalPath(start, end, 2.526, 6.582)


def test_the_slowest_path_need_not_come_first() -> None:
    text = (FOLDER / "timing_2022_2.rpt").read_text().replace("0.833ns", "0.111ns")
    assert critical_path(text, where="x").start == "accelerator/shell/a_reg/C"
    assert critical_path(text, where="x").wires_ns == 7.666
    with pytest.raises(ToolError, match="x: report must show the slowest paths, and shows none"):
        critical_path(text.replace("Setup (Max", "Hold (Min"), where="x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x: report must have a row «Slice LUTs or CLB LUTs», and has none; make it with"),
        ("<RptDoc", "x: report must be XML, not fail: "),
        (
            "| Site Type | Used | Available |\n| Slice LUTs | n/a | 7 |\n",
            "x: row «Slice LUTs» must have numbers, not n/a and 7",
        ),
    ],
)
def test_utilisation_that_is_none(text: str, message: str) -> None:
    with pytest.raises(ToolError) as caught:
        utilisation(text, where="x")
    assert message in str(caught.value)


def test_timing_that_is_none() -> None:
    with pytest.raises(
        ToolError, match="x: report must have a Design Timing Summary, and has none"
    ):
        timing("nothing", where="x")
    text = (FOLDER / "timing_2022_2.rpt").read_text().replace("0.521", "NA")
    with pytest.raises(ToolError, match="must have slacks, not NA 0.000 0 14210 .*constrain the"):
        timing(text, where="x")


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="t.rpt: report must be readable, not fail: no such file"):
        read_timing(tmp_path / "t.rpt")
