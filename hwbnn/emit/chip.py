# SPDX-License-Identifier: Apache-2.0
"""Chip: what every board's top has in common: core, shell sources, frame formats, build hash."""

import hashlib
from dataclasses import dataclass

from hwbnn.board import Board
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure, emit_library, emit_memories, emit_top
from hwbnn.emit.transfer import Transfer
from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.resources import Room, names_under, read_text

MONITORED_FIFOS = 192  # registers that HIGH_WATER has room for


@dataclass(frozen=True, eq=False)
class Core:
    """A design as the core of a chip.

    files: the core's top (module `<design>_core`), library, memories, and the shell's modules, all
    in one folder. fifos: edges in the order of HIGH_WATER. build_hash: 16 bytes.
    """

    name: str
    module: str
    files: FileSet
    frames: Transfer
    results: Transfer
    fifos: tuple[str, ...]
    build_hash: bytes

    @property
    def hash_parameter(self) -> str:
        """The hash as SystemVerilog: the first byte is the least significant."""
        return f"128'h{self.build_hash[::-1].hex()}"


def emit_core(design: Design, board: Board, *, structure: Structure) -> Core:
    """Return a design's core for a board, of what its synthesis (or a simulator) wants.

    The build hash is that of the board's own structure, whatever `structure` is.
    """
    if design.sources:
        names = ", ".join(instance.unit.origin for instance in design.sources)
        raise ConfigError(
            f"{design.name}: a chip's weights must lie in the chip, not stream as "
            f"those of {names}; take the core alone (hwbnn build), or a larger board"
        )
    module = f"{design.name}_core"
    monitored = len(design.edges) <= MONITORED_FIFOS
    top = emit_top(design, name=module, structure=structure, monitored=monitored)
    shell = FileSet.of(
        {path: read_text(Room.RTL, f"shell/{path}") for path in names_under(Room.RTL, "shell")}
    )
    same = emit_library(design) | emit_memories(design) | shell
    # The structure changes how the core is built, not what it does.
    hashed = same | emit_top(
        design, name=module, structure=Structure.BEHAVIOURAL, monitored=monitored
    )
    digest = hashlib.sha256(board.id.encode())
    for path in sorted(hashed.files):
        digest.update(hashlib.sha256(path.encode() + b"\0" + hashed.files[path]).digest())
    return Core(
        name=design.name,
        module=module,
        files=same | top,
        frames=Transfer(design.input.stream, board.word_bytes),
        results=Transfer(design.output.stream, board.word_bytes),
        fifos=tuple(edge.name for edge in design.edges) if monitored else (),
        build_hash=digest.digest()[:16],
    )
