# SPDX-License-Identifier: Apache-2.0
"""Packages of small designs for the tests of the driver."""

import json
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from hwbnn.board import find_board
from hwbnn.deploy.package import Contents, package, write_package
from hwbnn.emit.chip import emit_core
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure
from hwbnn.ir.graph import Graph
from hwbnn.sim.engine import performance
from tests.deploy.fake_board import FakeBoard
from tests.graphs import binary_mlp, finished


def bit_file(data: bytes) -> bytes:
    """A .bit file as Vivado writes it."""
    texts = {b"a": "chip;UserID=0XFFFFFFFF;Version=2022.2", b"b": "7z020clg400"}
    texts |= {b"c": "2026/11/21", b"d": "16:41:41"}
    fields = [
        key + struct.pack(">H", len(text) + 1) + text.encode() + b"\0"
        for key, text in texts.items()
    ]
    head = struct.pack(">H", 9) + bytes.fromhex("0ff00ff00ff00ff000") + struct.pack(">H", 1)
    return head + b"".join(fields) + b"e" + struct.pack(">I", len(data)) + data


BITSTREAM = bit_file(b"\xff" * 32 + b"\xaa\x99\x55\x66" + bytes(range(64)))
CHIP = FileSet.of({"chip.sv": "module chip; endmodule\n"})


@dataclass(frozen=True, eq=False)
class Made:
    """A package and what it was made of."""

    contents: Contents
    files: FileSet

    def zip(self, folder: Path) -> Path:
        """Write it as a ZIP."""
        target = folder / f"{self.contents.graph.name}.zip"
        write_package(self.files, target)
        return target

    def folder(self, folder: Path) -> Path:
        """Write it as files."""
        for path, data in self.files.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return folder

    def board(self, **behaviour) -> FakeBoard:
        """Return a board with the package's bitstream in it."""
        return FakeBoard(self.contents.design, self.contents.core, **behaviour)

    def changed(self, folder: Path, **keys) -> Path:
        """Write it as files with other keys in the manifest."""
        self.folder(folder)
        manifest = json.loads(self.files.text("manifest.json")) | keys
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder


def make(
    graph: Graph, *, board: str = "pynq-z2", frames: int = 3, bitstream: bytes | None = BITSTREAM
) -> Made:
    """Return the package of a graph on a board at its default clock."""
    design, found = finished(graph), find_board(board)
    core = emit_core(design, found, structure=Structure.BEHAVIOURAL)
    pixels = graph.on_pixels.input.elements
    contents = Contents(
        graph=graph,
        design=design,
        board=found,
        clock_mhz=found.clock(None),
        core=core,
        chip=CHIP,
        performance=performance(design, frames=64),
        images=np.random.default_rng(1).integers(0, 256, (frames, pixels)),
        bitstream=bitstream,
    )
    return Made(contents, package(contents))


@cache
def small() -> Made:
    """A package of a 24-16-10 network for a PYNQ-Z2."""
    return make(binary_mlp((24, 16, 10)))


@cache
def small_uart() -> Made:
    """The same for a ULX3S."""
    return make(binary_mlp((24, 16, 10)), board="ulx3s-85f")
