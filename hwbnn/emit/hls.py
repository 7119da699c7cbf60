# SPDX-License-Identifier: Apache-2.0
"""HLS back end: a Vitis HLS project of C++ units, constants, top function and test bench."""

import re
from dataclasses import dataclass
from itertools import groupby
from typing import assert_never

import numpy as np

from hwbnn.emit import words
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.template import render
from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Edge, Instance
from hwbnn.ir.fifo import Storage
from hwbnn.ir.unit import Memory, Style
from hwbnn.resources import Room, read_text

MAX_STREAM_BITS = 8191  # AP_INT_MAX_W of hwbnn.hpp
COMPILER_FLAGS = ("-std=c++14", "-O2")
INCLUDE_FOLDERS = ("csim", "src", "tb")  # for a C++ compiler, before that of ap_int.h
_PIECE_BITS = 64
_STEMS = (
    "weights",
    "thresholds",
    "starts",
    "descending",
    "fill",
    "minimum",
    "table",
    "multipliers",
    "offsets",
    "border_rows",
    "border_columns",
)

# Names that the top function cannot have: what the project declares itself, and C++'s keywords.
_RESERVED = frozenset(
    """
    bench hls hwbnn main std
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t
    class compl const const_cast constexpr continue decltype default delete do double dynamic_cast
    else enum explicit export extern false float for friend goto if inline int long mutable
    namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename union unsigned using virtual
    void volatile wchar_t while xor xor_eq
    """.split()
)


@dataclass(frozen=True)
class Rom:
    """A memory as a constant array: `depth` rows of `pieces` integers, and where it lives."""

    name: str
    depth: int
    pieces: int
    piece_bits: int
    impl: str
    rows: str


@dataclass(frozen=True)
class Fifo:
    """A stream between two units."""

    signal: str
    bits: int
    depth: int
    impl: str


@dataclass(frozen=True)
class Call:
    """A unit's function and the streams it is called with, inputs first."""

    name: str
    signals: tuple[str, ...]


def emit_hls(design: Design, *, part: str, clock_ns: float) -> FileSet:
    """Vitis HLS project of a design, complete but for the golden vectors (`emit_golden`) in tb/.

    part: the device, as Vivado names it. clock_ns: target period in nanoseconds.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", part):
        raise ConfigError(f"{design.name}: part must be the name of a device, not {part!r}")
    if not 0 < clock_ns < 1e6:
        raise ConfigError(f"{design.name}: clock period must be above 0 ns, not {clock_ns:g}")
    holes = {"design": design, "part": part, "clock_ns": f"{clock_ns:.4g}"}
    tool_files = {
        "run_hls.tcl": _project("run_hls.tcl.j2", **holes),
        "steps.tcl": _static("project/steps.tcl"),
        "README.md": _project("README.md.j2", **holes),
    }
    return emit_program(design) | FileSet.of(tool_files)


def emit_program(design: Design) -> FileSet:
    """What a C++ compiler needs to simulate a design: sources, test bench, Makefile."""
    files = {
        "tb/testbench.cpp": _project("testbench.cpp.j2", design=design),
        "Makefile": _project(
            "Makefile.j2", design=design, flags=COMPILER_FLAGS, folders=INCLUDE_FOLDERS
        ),
    }
    return emit_sources(design) | emit_headers() | FileSet.of(files)


def emit_headers() -> FileSet:
    """What is the same for all test benches, and the queue that stands for hls::stream."""
    return FileSet.of(
        {
            "tb/bench.hpp": _static("project/bench.hpp"),
            "tb/beats.hpp": _static("project/beats.hpp"),
            "csim/hls_stream.h": _static("csim/hls_stream.h"),
        }
    )


def emit_sources(design: Design) -> FileSet:
    """The top function and its units, in src/."""
    _check(design)
    holes = {
        "design": design,
        "ports": [(edge, _signal(design, edge)) for edge in (*design.inputs, *design.outputs)],
        "calls": [_call(design, instance) for instance in design.instances],
        "fifos": [_fifo(design, edge) for edge in design.edges if edge.producer and edge.consumer],
    }
    files = {
        f"src/top_{design.name}.hpp": _project("top.hpp.j2", **holes),
        f"src/top_{design.name}.cpp": _project("top.cpp.j2", **holes),
        "src/hwbnn.hpp": _static("hwbnn.hpp"),
    }
    units = (_emit_unit(instance).under("src") for instance in design.instances)
    return FileSet.of(files) | FileSet.union(units)


def _check(design: Design) -> None:
    problems = [
        f"{edge.name}: a stream must have at most {MAX_STREAM_BITS} bits for HLS, not "
        f"{edge.stream.bits}; choose fewer lanes"
        for edge in design.edges
        if edge.stream.bits > MAX_STREAM_BITS
    ]
    problems += [
        f"{instance.name}: weights must lie in the chip for HLS, not come as a stream; build "
        "with --backend rtl alone, or for a larger board"
        for instance in design.instances
        if instance.unit.weight_source() is not None
    ]
    problems += [
        f"{instance.name}: weights must not be in UltraRAM for HLS, which does not load it; build "
        "with --backend rtl alone, or with other weights in the folding file"
        for instance in design.loaded
    ]
    if not re.fullmatch(r"[A-Za-z]\w*", design.name, re.ASCII) or design.name in _RESERVED:
        problems.append(
            f"{design.name}: design name must be a C++ identifier that is free, for its top "
            "function; rename the model"
        )
    if problems:
        raise ConfigError(problems)


def _emit_unit(instance: Instance) -> FileSet:
    unit, name = instance.unit, instance.name
    roms = [_rom(memory) for memory in unit.memories()]
    by_stem = {stem: tuple(group) for stem, group in groupby(roms, key=_stem)}
    text = render(
        Room.HLS_TEMPLATES,
        f"{unit.module.removeprefix('hwbnn_')}.hpp.j2",
        name=name,
        unit=unit,
        p=unit.parameters(),
        memory={stem: by_stem.get(stem, ()) for stem in _STEMS},
    )
    files = {f"unit_{name}.hpp": text}
    if roms:
        files[f"weights_{name}.hpp"] = _project("weights.hpp.j2", name=name, tables=roms)
    return FileSet.of(files)


def _stem(rom: Rom) -> str:
    return rom.name.rstrip("0123456789")


def _rom(memory: Memory) -> Rom:
    pieces = -(-memory.shape.width // _PIECE_BITS)
    packed = words.pack(memory.words, lane_bits=memory.shape.lane_bits)
    padded = np.zeros((memory.shape.depth, pieces * _PIECE_BITS // 8), np.uint8)
    padded[:, : packed.shape[1]] = packed
    rows = ",\n".join(
        f"{{{', '.join([f'0x{piece:x}' for piece in row])}}}" for row in padded.view("<u8").tolist()
    )
    piece_bits = min(memory.shape.width, _PIECE_BITS)
    return Rom(
        memory.shape.name,
        memory.shape.depth,
        pieces,
        piece_bits,
        _rom_impl(memory.shape.style),
        rows,
    )


def _rom_impl(style: Style) -> str:
    match style:
        case Style.AUTO:
            return "auto"
        case Style.DISTRIBUTED:
            return "lutram"
        case Style.BLOCK:
            return "bram"
        case Style.ULTRA:
            return "uram"
        case Style.STREAM:
            raise AssertionError("no unit has a memory of streamed weights")
        case _:
            assert_never(style)


def _fifo(design: Design, edge: Edge) -> Fifo:
    return Fifo(
        _signal(design, edge), edge.stream.bits, edge.fifo.depth, _fifo_impl(edge.fifo.storage)
    )


def _fifo_impl(storage: Storage) -> str:
    match storage:
        case Storage.SRL:
            return "srl"
        case Storage.LUTRAM:
            return "lutram"
        case Storage.BLOCK:
            return "bram"
        case Storage.ULTRA:
            return "uram"
        case _:
            assert_never(storage)


def _call(design: Design, instance: Instance) -> Call:
    edges = (*design.into(instance.name), *design.out_of(instance.name))
    return Call(instance.name, tuple(_signal(design, edge) for edge in edges))


def _signal(design: Design, edge: Edge) -> str:
    for name, borders in (("s_axis", design.inputs), ("m_axis", design.outputs)):
        if edge in borders:
            index = borders.index(edge)
            return f"{name}_{index}" if index else name
    return f"stream_{edge.name}"


def _project(template: str, /, **holes: object) -> str:
    return render(Room.HLS_TEMPLATES, f"project/{template}", **holes)


def _static(name: str) -> str:
    return read_text(Room.HLS_TEMPLATES, name)
