# SPDX-License-Identifier: Apache-2.0
"""Chip: what every board's top has in common: core, shell sources, frame formats, build hash."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from hwbnn.board import Board
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure, emit_library, emit_memories, emit_top
from hwbnn.emit.transfer import Transfer
from hwbnn.emit.weight_images import WeightImage, load_image, weight_images
from hwbnn.ir.design import Design
from hwbnn.resources import Room, names_under, read_text

MONITORED_FIFOS = 192  # registers that HIGH_WATER has room for


@dataclass(frozen=True, eq=False)
class Core:
    """A design as the core of a chip.

    files: the core's top (module `<design>_core`), library, memories, and the shell's modules, all
    in one folder. fifos: edges in the order of HIGH_WATER. build_hash: 16 bytes. weights: what must
    lie in memory, by the source whose words the core takes from outside; loaded: what must be
    written into it once, if anything must. Neither is part of the hash.
    """

    name: str
    module: str
    files: FileSet
    frames: Transfer
    results: Transfer
    fifos: tuple[str, ...]
    build_hash: bytes
    weights: Mapping[str, WeightImage] = field(default_factory=dict)
    loaded: WeightImage | None = None

    @property
    def hash_parameter(self) -> str:
        """The hash as SystemVerilog: the first byte is the least significant."""
        return f"128'h{self.build_hash[::-1].hex()}"


def emit_core(design: Design, board: Board, *, structure: Structure) -> Core:
    """Return a design's core for a board, of what its synthesis (or a simulator) wants.

    The build hash is that of the board's own structure, whatever `structure` is.
    """
    module = f"{design.name}_core"
    monitored = len(design.edges) <= MONITORED_FIFOS
    emit = partial(emit_top, design, name=module, monitored=monitored, external_weights=True)
    weights, loaded = weight_images(design), load_image(design)
    shell = shell_sources("shell")
    if weights or loaded:
        shell |= shell_sources("shell/weights")
    library = emit_library(design, external_weights=True)
    same = library | emit_memories(design, external_weights=True) | shell
    # The structure changes how the core is built, not what it does.
    hashed = same | emit(structure=Structure.BEHAVIOURAL)
    return Core(
        name=design.name,
        module=module,
        files=same | emit(structure=structure),
        frames=Transfer(design.input.stream, board.word_bytes),
        results=Transfer(design.output.stream, board.word_bytes),
        fifos=tuple(edge.name for edge in design.edges) if monitored else (),
        build_hash=hashed.digest(board.id)[:16],
        weights=weights,
        loaded=loaded,
    )


def shell_sources(folder: str) -> FileSet:
    """Return the modules that stand directly in a folder of rtl/."""
    names = names_under(Room.RTL, folder)
    return FileSet.of({name: read_text(Room.RTL, f"{folder}/{name}") for name in names})
