# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for Vivado and Vitis: a folder as AMD's installer makes it, whose programs are ours."""

import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
TCLSH = shutil.which("tclsh")
need_tclsh = pytest.mark.skipif(TCLSH is None, reason="needs tclsh, to run Tcl without Vivado")


def install(home: Path, scenario: str = "", *, version: str = "2022.2") -> Path:
    """Make a Vivado that does what a scenario says (see commands.tcl); return its program."""
    program = home / "Vivado" / version / "bin" / "vivado"
    script = program.parent / "scenario.tcl"
    text = f'#!/bin/sh\nexec {TCLSH} "{FOLDER / "commands.tcl"}" "{script}" "$@"\n'
    executable(program, text)
    script.write_text(f"set version {version}\n{scenario}\n")
    return program


def executable(path: Path, text: str) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path
