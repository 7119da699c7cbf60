# SPDX-License-Identifier: Apache-2.0
"""Simulated board: the chip of a board, its primitives modelled, as a program for a driver."""

import shutil
import tempfile
from pathlib import Path
from typing import assert_never

from hwbnn.board import AxiLink, Board, UartLink
from hwbnn.emit.chip import emit_core
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.modules import used_by
from hwbnn.emit.rtl import Structure
from hwbnn.errors import ToolError
from hwbnn.ir.design import Design
from hwbnn.resources import Room, names_under, read_text
from hwbnn.tools import verilator

TOP = "chip"
_AXI_HARNESS = ("axi.hpp", "axi_memory.hpp", "axi_registers.hpp", "options.hpp", "pipes.hpp")


def behavioural(files: FileSet, design: Design, board: Board) -> FileSet:
    """Return the sources of a design's chip with a core that a simulator reads, and reads fast.

    The build hash is the same (emit/chip.py).
    """
    core = emit_core(design, board, structure=Structure.BEHAVIOURAL)
    return FileSet({**files.files, **core.files.files})


def build_simulated_board(files: FileSet, *, link: AxiLink | UartLink, cache: Path) -> Path:
    """Build a chip into a program; it must be started in its folder, which holds its memories.

    files: the chip's sources in one folder, its core of behavioural structure (not HLS's), without
    pads; what `chip` does not use is left out. Chips that differ in their memories alone are
    compiled once.
    rtl/bench/axi_board.cpp and uart_board.cpp say what the program reads and writes.
    """
    sources = _used(FileSet({**files.files, **_models().files}))
    program = verilator.build(sources | _harness(link), cache=cache, top=TOP)
    memories = _ending(".hex", files)
    placed = cache / memories.digest(program.parent.name).hex()[:32] / program.name
    if not placed.is_file():
        _place(program, memories, placed.parent)
        verilator.forget_old_programs(cache, top=TOP)
    placed.parent.touch()  # recently used
    return placed


def _models() -> FileSet:
    folder = "shell/models"
    names = names_under(Room.RTL, folder)
    return FileSet.of({name: read_text(Room.RTL, f"{folder}/{name}") for name in names})


def _used(files: FileSet) -> FileSet:
    sources = _ending(".sv", files)
    if f"{TOP}.sv" not in sources.files:
        modules = sorted(name.removesuffix(".sv") for name in sources.files)
        raise ToolError(f"chip: sources must hold {TOP}.sv, not {modules}; emit the chip")
    return used_by(TOP, sources)


def _ending(suffix: str, files: FileSet) -> FileSet:
    found = {name: data for name, data in files.files.items() if name.endswith(suffix)}
    return FileSet(found)


def _harness(link: AxiLink | UartLink) -> FileSet:
    match link:
        case AxiLink(version=3):
            renamed = {"harness.cpp": "axi_board.cpp", "family.hpp": "zynq7000.hpp"}
        case AxiLink():
            renamed = {"harness.cpp": "axi_board.cpp", "family.hpp": "zynqmp.hpp"}
        case UartLink():
            renamed = {"harness.cpp": "uart_board.cpp", "public.vlt": "uart_board.vlt"}
        case _:
            assert_never(link)
    headers = [name for name in names_under(Room.RTL, "bench") if name.endswith(".hpp")]
    renamed |= {name: name for name in headers}
    return FileSet.of({name: read_text(Room.RTL, f"bench/{of}") for name, of in renamed.items()})


def _place(program: Path, memories: FileSet, folder: Path) -> None:
    """Make a folder of program and memories, complete or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="build-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        shutil.copy2(program, made / program.name)
        for name, data in memories.files.items():
            (made / name).write_bytes(data)
        try:
            made.rename(folder)
        except OSError:
            if not (folder / program.name).is_file():  # else another process made it meanwhile
                raise
