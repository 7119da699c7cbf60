# SPDX-License-Identifier: Apache-2.0
"""Benches: many designs in one Verilated program, and a self-checking one for any simulator."""

from collections.abc import Sequence
from dataclasses import dataclass

from hwbnn.emit import words
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure, emit_library, emit_memories, emit_top
from hwbnn.emit.template import render
from hwbnn.ir.design import Design, Edge
from hwbnn.ir.dtype import IntArray
from hwbnn.resources import Room, read_text

WORD_BITS = 32
_LEAST_WORDS = 3  # Verilator keeps a port as an array of words only above 64 bits


@dataclass(frozen=True)
class Border:
    """Where an input or output stands in the bench: handshake bit, first word, bits of a beat."""

    index: int
    word: int
    bits: int

    @property
    def words(self) -> int:
        """Words of a beat."""
        return -(-self.bits // WORD_BITS)


@dataclass(frozen=True)
class Slot:
    """Where a design stands in the bench: its borders, and its first word of events."""

    index: int
    module: str
    ins: tuple[Border, ...]
    outs: tuple[Border, ...]
    fifos: tuple[str, ...]
    event_word: int

    @property
    def instance(self) -> str:
        """Instance in the bench."""
        return f"design_{self.index}"

    @property
    def folder(self) -> str:
        """Folder of the design's memories, from where the bench is run."""
        return f"{self.index}/"

    @property
    def event_words(self) -> int:
        """Words of the FIFOs' events of a cycle."""
        return -(-2 * len(self.fifos) // WORD_BITS)


def slots(designs: Sequence[Design]) -> tuple[Slot, ...]:
    """Place designs in a bench, one after the other."""
    result: list[Slot] = []
    ins: list[Border] = []
    outs: list[Border] = []
    event_word = 0
    for index, design in enumerate(designs):
        slot = Slot(
            index,
            f"design_{index}_top",
            _place(ins, design.inputs),
            _place(outs, design.outputs),
            tuple(edge.name for edge in design.edges),
            event_word,
        )
        event_word += slot.event_words
        result.append(slot)
    return tuple(result)


def _place(placed: list[Border], edges: Sequence[Edge]) -> tuple[Border, ...]:
    """Append a design's inputs, or outputs, to those of the designs before it."""
    for edge in edges:
        placed.append(Border(len(placed), _words(placed), edge.stream.bits))
    return tuple(placed[-len(edges) :])


def _words(borders: Sequence[Border]) -> int:
    return borders[-1].word + borders[-1].words if borders else 0


def emit_bench(
    designs: Sequence[Design], *, structure: Structure = Structure.BEHAVIOURAL
) -> FileSet:
    """Return the sources of a bench: designs, module `bench` and its C++ harness; no memories."""
    placed = slots(designs)
    tops = [
        emit_top(design, name=slot.module, structure=structure, folder=slot.folder)
        for design, slot in zip(designs, placed, strict=True)
    ]
    ins = [border for slot in placed for border in slot.ins]
    outs = [border for slot in placed for border in slot.outs]
    bench = render(
        Room.RTL,
        "templates/bench.sv.j2",
        slots=placed,
        in_handshakes=_port_bits(-(-len(ins) // WORD_BITS)),
        out_handshakes=_port_bits(-(-len(outs) // WORD_BITS)),
        in_bits=_port_bits(_words(ins)),
        out_bits=_port_bits(_words(outs)),
        event_bits=_port_bits(sum(slot.event_words for slot in placed)),
    )
    own = FileSet.of({"bench.sv": bench, "harness.cpp": read_text(Room.RTL, "bench/harness.cpp")})
    return FileSet.union([*map(emit_library, designs), *tops, own])


def emit_bench_memories(designs: Sequence[Design]) -> FileSet:
    """Memories of a bench's designs, each in the folder of its slot."""
    folders = [slot.folder.rstrip("/") for slot in slots(designs)]
    return FileSet.union(
        emit_memories(design).under(folder) for design, folder in zip(designs, folders, strict=True)
    )


def quiet_cycles(design: Design) -> int:
    """Return more cycles than a design can work, its borders willing, without touching a FIFO."""
    actors = [actor for instance in design.instances for actor in instance.unit.actors()]
    return 64 + sum(actor.cycle + actor.latency for actor in actors)


def emit_testbench(design: Design, inputs: IntArray, outputs: IntArray) -> FileSet:
    """Self-checking bench of `emit_rtl`'s files, to run beside them in any simulator.

    inputs, outputs: frames (frames, elements); the outputs are what `Design.run` makes of them.
    """
    name, enter, leave = design.name, design.input, design.output
    holes = {
        "name": name,
        "frames": len(inputs),
        "in_beats": len(inputs) * enter.stream.beats,
        "out_beats": len(inputs) * leave.stream.beats,
        "in_bits": enter.stream.bits,
        "out_bits": leave.stream.bits,
        "quiet": 1000 + 256 * quiet_cycles(design),  # the borders may be on in 1 of 256 cycles
    }
    texts = {
        f"{name}_{suffix}": render(Room.RTL, f"templates/testbench.{template}.j2", **holes)
        for suffix, template in (("tb.sv", "sv"), ("tb.mk", "mk"), ("tb.md", "md"))
    }
    texts[f"{name}_input.hex"] = _beats(enter, inputs)
    texts[f"{name}_output.hex"] = _beats(leave, outputs)
    return FileSet.of(texts)


def _beats(edge: Edge, values: IntArray) -> str:
    return words.hex_lines(edge.stream.pack(values), lane_bits=edge.stream.dtype.bits)


def _port_bits(words: int) -> int:
    return WORD_BITS * max(words, _LEAST_WORDS)
