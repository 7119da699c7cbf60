# SPDX-License-Identifier: Apache-2.0
"""RTL back end: the library modules that a design uses, its generated top, and its memories."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

from hwbnn.emit import words
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.template import render
from hwbnn.ir.design import Design, Edge, Instance
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.ram import ULTRA_SHAPE, ultra_columns
from hwbnn.ir.unit import MemoryShape
from hwbnn.resources import Room, names, read_text

LOAD = "hwbnn_load"  # a link of the chain that fills UltraRAM


class Structure(Enum):
    """What popcounts are built of; the value is parameter `Structure` of a module that has one."""

    BEHAVIOURAL = 0  # for simulation, and for synthesis to any family
    XC7 = 1  # LUT6_2 full adders
    ECP5 = 2  # LUT4 and carry chains


@dataclass(frozen=True)
class Connection:
    """A port of an instance and the signal on it."""

    port: str
    signal: str


@dataclass(frozen=True)
class Parameter:
    """A parameter of an instance and its value, as SystemVerilog."""

    name: str
    value: str


@dataclass(frozen=True, eq=False)
class Cell:
    """An instance of a library module in the top."""

    module: str
    name: str
    parameters: tuple[Parameter, ...]
    connections: tuple[Connection, ...]


def emit_rtl(design: Design, *, structure: Structure, external_weights: bool = False) -> FileSet:
    """Emit a design as SystemVerilog.

    `<name>.sv`, the library, memories (`.hex`) and the file list `<name>.f`, all in one folder,
    from which the memories are read. external_weights: see `emit_top`.
    """
    external = external_weights
    top = emit_top(design, name=design.name, structure=structure, external_weights=external)
    sources = emit_library(design, external_weights=external) | top
    listed = "".join(f"{path}\n" for path in sorted(sources.files))
    memories = emit_memories(design, external_weights=external)
    return sources | memories | FileSet.of({f"{design.name}.f": listed})


def emit_library(design: Design, *, external_weights: bool = False) -> FileSet:
    """Library modules that a design uses, with the modules that those use."""
    inside = _inside(design, external_weights)
    wanted = {Fifo.module, *(instance.unit.module for instance in inside)}
    if external_weights and design.loaded:
        wanted.add(LOAD)
    found: set[str] = set()
    while wanted:
        module = wanted.pop()
        found.add(module)
        wanted |= _modules_named_in(module) - found
    return FileSet.of({f"{module}.sv": _source(module) for module in found})


def emit_top(
    design: Design,
    *,
    name: str,
    structure: Structure,
    folder: str = "",
    monitored: bool = False,
    external_weights: bool = False,
) -> FileSet:
    """Emit module `name`: units, FIFOs and a ready/valid shell; memories are read from `folder`.

    monitored: with port `high_water_o` (rtl/shell/hwbnn_high_water.sv). external_weights: without
    the sources of weights; each has ports `<instance>_valid_i`, `_ready_o` and `_data_i` instead.
    Weights in UltraRAM come through `load_rst_ni`, `load_valid_i` and `load_data_i` then, and
    `loaded_o` says that all are there (decision 12).
    """
    loaded = design.loaded if external_weights else ()
    text = render(
        Room.RTL,
        "templates/top.sv.j2",
        design=design,
        name=name,
        monitored=monitored,
        fifos=[(edge, _fifo_cell(edge)) for edge in design.edges],
        units=[
            (i, _unit_cell(design, i, structure, folder, loaded=i in loaded))
            for i in _inside(design, external_weights)
        ],
        links=[(i, _load_bits(i), cell) for i, cell in zip(loaded, _chain(loaded), strict=True)],
        weights=[(i.name, design.out_of(i.name)[0]) for i in design.sources if external_weights],
    )
    return FileSet.of({f"{name}.sv": text})


def _inside(design: Design, external_weights: bool) -> tuple[Instance, ...]:
    """Return the instances that stand in the top."""
    outside = design.sources if external_weights else ()
    return tuple(instance for instance in design.instances if instance not in outside)


def emit_memories(design: Design, *, external_weights: bool = False) -> FileSet:
    """Contents of the units' memories: `<instance>_<memory>.hex`, one word a line."""
    return FileSet.of(
        {
            f"{instance.name}_{memory.shape.name}.hex": words.hex_lines(
                memory.words, lane_bits=memory.shape.lane_bits
            )
            for instance in _inside(design, external_weights)
            for memory in instance.unit.memories()
            if not (external_weights and memory.shape == instance.unit.loaded_memory)
        }
    )


def _unit_cell(
    design: Design, instance: Instance, structure: Structure, folder: str, *, loaded: bool
) -> Cell:
    unit, name = instance.unit, instance.name
    parameters = [Parameter(key, str(value)) for key, value in unit.parameters().items()]
    if _named(unit.module, "Structure"):
        parameters.append(Parameter("Structure", str(structure.value)))
    stems = dict.fromkeys(memory.name.rstrip("0123456789") for memory in unit.memory_shapes())
    for stem in stems:
        parameter = "".join(part.capitalize() for part in stem.split("_")) + "File"
        parameters.append(Parameter(parameter, f'"{folder}{name}_{stem}"'))
    ports = [Connection("clk_i", "clk_i"), Connection("rst_ni", "rst_ni")]
    if loaded:
        parameters.append(Parameter("LoadBits", str(_load_bits(instance))))
        ports.append(Connection("load_i", f"{name}_load"))
    elif _named(unit.module, "load_i"):
        ports.append(Connection("load_i", "1'b0"))
    into, out_of = design.into(name), design.out_of(name)
    ports += _packed(into, in_valid_i="valid", in_pop_o="pop", in_data_i="head")
    ports += _packed(
        out_of, out_room_i="room", out_reserve_o="reserve", out_push_o="push", out_data_o="word"
    )
    return Cell(unit.module, f"unit_{name}", tuple(parameters), tuple(ports))


def _chain(loaded: Sequence[Instance]) -> Iterator[Cell]:
    """Link the memories that are loaded: each hands on what comes when it is full."""
    valid, data = "load_valid_i", "load_data_i"
    for instance in loaded:
        name, shape = instance.name, _loaded_shape(instance)
        columns = ultra_columns(shape.width)
        ports = (
            Connection("clk_i", "clk_i"),
            Connection("rst_ni", "load_rst_ni"),
            Connection("valid_i", valid),
            Connection("data_i", data),
            Connection("valid_o", f"{name}_more"),
            Connection("data_o", f"{name}_rest"),
            Connection("full_o", f"{name}_full"),
            Connection("load_o", f"{name}_load"),
        )
        sizes = (Parameter("Depth", str(shape.depth)), Parameter("Columns", str(columns)))
        yield Cell(LOAD, f"load_{name}", sizes, ports)
        valid, data = f"{name}_more", f"{name}_rest"


def _load_bits(instance: Instance) -> int:
    """Bits of what writes a memory: write enables, address, column."""
    shape = _loaded_shape(instance)
    address = max(1, (shape.depth - 1).bit_length())
    return ultra_columns(shape.width) + address + ULTRA_SHAPE[1]


def _loaded_shape(instance: Instance) -> MemoryShape:
    shape = instance.unit.loaded_memory
    assert shape is not None, instance.name
    return shape


def _packed(edges: Sequence[Edge], **signals: str) -> Iterator[Connection]:
    """Connect ports to the signals of edges, side by side if several; the first edge's last."""
    if not edges:  # a source has no inputs
        return
    for port, signal in signals.items():
        names = [f"{edge.name}_{signal}" for edge in reversed(edges)]
        yield Connection(port, names[0] if len(names) == 1 else f"{{{', '.join(names)}}}")


def _fifo_cell(edge: Edge) -> Cell:
    fifo, name = edge.fifo, edge.name
    parameters = tuple(Parameter(key, str(value)) for key, value in fifo.parameters().items())
    ports = (
        Connection("clk_i", "clk_i"),
        Connection("rst_ni", "rst_ni"),
        Connection("room_o", f"{name}_room"),
        Connection("reserve_i", f"{name}_reserve"),
        Connection("push_i", f"{name}_push"),
        Connection("data_i", f"{name}_word"),
        Connection("valid_o", f"{name}_valid"),
        Connection("pop_i", f"{name}_pop"),
        Connection("data_o", f"{name}_head"),
    )
    return Cell(fifo.module, f"fifo_{name}", parameters, ports)


@cache
def _source(module: str) -> str:
    return read_text(Room.RTL, f"{module}.sv")


@cache
def _named(module: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", _source(module)) is not None


@cache
def _modules_named_in(module: str) -> frozenset[str]:
    library = {name.removesuffix(".sv") for name in names(Room.RTL) if name.endswith(".sv")}
    code = re.sub(r"//.*", "", _source(module))
    return frozenset(re.findall(r"\bhwbnn_\w+", code)) & library
