# SPDX-License-Identifier: Apache-2.0
"""Open chips: module `chip` for ECP5 and iCE40, its pins, and the commands for a bitstream."""

from collections.abc import Mapping
from dataclasses import dataclass

from hwbnn.board import Board, Device, Place, UartLink
from hwbnn.emit.chip import Core, emit_core
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.modules import used_by
from hwbnn.emit.rtl import Structure
from hwbnn.emit.template import render
from hwbnn.emit.yosys_script import emit_maps, synthesis
from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Family
from hwbnn.pll import Ehxplll, Pll40, ehxplll, pll40
from hwbnn.resources import Room

FOLDER = "chip"  # of the result, with sources and bitstream
SEED = 1
SCRIPT = "chip.ys"
REPORT = "chip_routed.json"
LEAST_BIT_CYCLES = 4  # fewer do not find the middle of a bit


@dataclass(frozen=True)
class Flow:
    """What differs between the open device families: cells, programs, files."""

    family: Family
    structure: Structure
    pins: str  # file that says where the ports are
    place: str
    place_pins: str  # option that takes the pins
    place_output: str  # option that takes what `pack` reads
    routed: str
    pack: tuple[str, ...]
    bitstream: str


FLOWS: Mapping[Device, Flow] = {
    Device.ECP5: Flow(
        Family.ECP5,
        Structure.ECP5,
        pins="chip.lpf",
        place="nextpnr-ecp5",
        place_pins="--lpf",
        place_output="--textcfg",
        routed="chip.config",
        pack=("ecppack", "--compress"),
        bitstream="chip.bit",
    ),
    Device.ICE40: Flow(
        Family.ICE40,
        Structure.BEHAVIOURAL,
        pins="chip.pcf",
        place="nextpnr-ice40",
        place_pins="--pcf",
        place_output="--asc",
        routed="chip.asc",
        pack=("icepack",),
        bitstream="chip.bin",
    ),
}


@dataclass(frozen=True, eq=False)
class OpenChip:
    """A chip to synthesise, place and route.

    files: all sources, `chip.ys`, pins and `Makefile`, in one folder, where the commands run.
    place, pack: commands, their programs by the names of the native tools. load: the command for
    the result folder.
    """

    core: Core
    clock_mhz: float
    family: Family
    files: FileSet
    place: tuple[str, ...]
    pack: tuple[str, ...]
    load: tuple[str, ...]
    bitstream: str


def is_open(board: Board) -> bool:
    """Return whether open tools make the board's bitstream."""
    return board.place is not None and board.family in FLOWS


def least_clock_mhz(board: Board) -> float:
    """Return the lowest clock that still times the serial line."""
    return LEAST_BIT_CYCLES * _link(board).baud / 1e6


def bit_cycles_256(board: Board, clock_mhz: float) -> int:
    """Return the cycles of a bit on the serial line, in 256ths; ConfigError if too few."""
    baud, least = _link(board).baud, least_clock_mhz(board)
    if clock_mhz < least:
        raise ConfigError(
            f"{board.id}: clock must be at least {least:g} MHz, {LEAST_BIT_CYCLES} cycles a bit of "
            f"the serial line ({baud} bits/s), not {clock_mhz:.6g} MHz; choose a higher clock, or "
            "a lower baud in the board file"
        )
    return round(256e6 * clock_mhz / baud)


def emit_open_chip(design: Design, board: Board, *, clock_mhz: float) -> OpenChip:
    """Return a design as the chip of an open board, at a clock that the board can make."""
    flow, place, link = FLOWS[board.family], _place(board), _link(board)
    core = emit_core(design, board, structure=flow.structure)
    if core.weights:
        raise ConfigError(
            f"{board.id}: weights must lie in the chip, for there is no memory beside it, not "
            f"stream as those of {', '.join(core.weights)}; take a Zynq board"
        )
    if core.loaded:
        names = ", ".join(instance.name for instance in design.loaded)
        raise ConfigError(
            f"{board.id}: weights must be in the bitstream, for there is no memory beside the chip "
            f"to load them from, not in UltraRAM as those of {names}; take another board"
        )
    chip = FileSet.of({"chip.sv": _emit_top(core, board, link, clock_mhz)})
    sources = used_by("chip", core.files | chip)
    files = sources | emit_maps(flow.family)
    files |= FileSet.of({SCRIPT: _script(sources, flow), flow.pins: _pins(board, place, flow)})
    commands = (
        (
            flow.place,
            *place.device,
            *("--json", "chip.json", flow.place_pins, flow.pins, flow.place_output, flow.routed),
            *("--report", REPORT, "--freq", f"{clock_mhz:.6f}", "--seed", str(SEED)),
            "--timing-allow-fail",
        ),
        (*flow.pack, flow.routed, flow.bitstream),
        _load(board, flow),
    )
    makefile = render(
        Room.RTL,
        "templates/chip.mk.j2",
        target=flow.bitstream,
        routed=flow.routed,
        pins_file=flow.pins,
        **dict(zip(("place", "pack", "load"), commands, strict=True)),
    )
    return OpenChip(
        core,
        clock_mhz,
        flow.family,
        files | FileSet.of({"Makefile": makefile}),
        *commands,
        flow.bitstream,
    )


def _emit_top(core: Core, board: Board, link: UartLink, clock_mhz: float) -> str:
    return render(
        Room.RTL,
        f"templates/chip_{board.family.value}.sv.j2",
        core=core,
        frames=core.frames.stream,
        results=core.results.stream,
        board=board.name,
        clock_mhz=f"{clock_mhz:.6g}",
        source_mhz=board.clocks.source_mhz,
        pll=_pll(board, clock_mhz),
        baud=link.baud,
        bit_cycles_256=bit_cycles_256(board, clock_mhz),
        room_bytes=link.room_bytes,
    )


def _pll(board: Board, clock_mhz: float) -> Ehxplll | Pll40 | None:
    """Return the dividers of a clock; None: the oscillator's own."""
    source = board.clocks.source_mhz
    if clock_mhz == source:
        return None
    made: Mapping[float, Ehxplll | Pll40]
    made = ehxplll(source) if board.family is Device.ECP5 else pll40(source)
    assert clock_mhz in made, "Board.clock chooses among these"
    return made[clock_mhz]


def _script(sources: FileSet, flow: Flow) -> str:
    modules = sorted(path for path in sources.files if path.endswith(".sv"))
    lines = (
        # Deferred: a module's memory files are named by parameters.
        f"read_verilog -sv -defer {' '.join(modules)}",
        "hierarchy -top chip",
        *synthesis(flow.family, options="-top chip"),
        "write_json chip.json",
    )
    return "".join(f"{line}\n" for line in lines)


def _pins(board: Board, place: Place, flow: Flow) -> str:
    return render(
        Room.RTL,
        f"templates/{flow.pins}.j2",
        board=board.name,
        source_mhz=board.clocks.source_mhz,
        pins=(("clk_i", place.clock), ("rx_i", place.rx), ("tx_o", place.tx)),
        io=place.io,
    )


def _load(board: Board, flow: Flow) -> tuple[str, ...]:
    name = board.toolchains.get("openfpgaloader")
    return ("openFPGALoader", *(("-b", name) if name else ()), f"{FOLDER}/{flow.bitstream}")


def _place(board: Board) -> Place:
    assert board.place is not None, "asked of boards with an open flow"
    return board.place


def _link(board: Board) -> UartLink:
    assert isinstance(board.link, UartLink), "open boards talk over a serial line"
    return board.link
