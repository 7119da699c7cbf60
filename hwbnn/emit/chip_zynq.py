# SPDX-License-Identifier: Apache-2.0
"""Zynq chips: module `chip` around the processing system, for Zynq-7000 and Zynq UltraScale+."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from hwbnn.board import AxiLink, Board, Device
from hwbnn.emit.chip import Core, emit_core, shell_sources
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.hls import emit_sources
from hwbnn.emit.rtl import Structure, emit_library
from hwbnn.emit.template import render
from hwbnn.emit.transfer import Transfer
from hwbnn.emit.vivado import Floor, Project, emit_project
from hwbnn.emit.weight_ports import weight_ports
from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.resources import Room

CHIP = "chip"  # folder of a result
FLOOR = 0.5  # least share of the core's modelled cost that Vivado must find

# Ports of the primitives (UG585, UG1085) and of their AXI channels
_ZYNQ7000 = {"control_port": "M_AXI_GP0", "version": 3, "control_id_bits": 12}
_ZYNQMP = {"control_port": "M_AXI_HPM0_FPD", "version": 4, "control_id_bits": 16}
_DATA_BITS = {Device.ZYNQ7000: 64, Device.ZYNQMP: 128}
_ADDRESS_BITS = {Device.ZYNQ7000: 32, Device.ZYNQMP: 49}  # most that the data port has

# Of the registers' AXI, what the shell and the weight readers each have their own of
_SPLIT = (
    *("awvalid", "awready", "wvalid", "wready", "bid", "bvalid", "bready"),
    *("arvalid", "arready", "rid", "rdata", "rlast", "rvalid", "rready"),
)

_PADS = (
    *(("MIO", "MIO", 54), ("PS_CLK", "PSCLK", 1), ("PS_PORB", "PSPORB", 1)),
    *(("PS_SRSTB", "PSSRSTB", 1), ("DDR_Addr", "DDRA", 15), ("DDR_BankAddr", "DDRBA", 3)),
    *(("DDR_CAS_n", "DDRCASB", 1), ("DDR_CKE", "DDRCKE", 1), ("DDR_Clk_n", "DDRCKN", 1)),
    *(("DDR_Clk", "DDRCKP", 1), ("DDR_CS_n", "DDRCSB", 1), ("DDR_DM", "DDRDM", 4)),
    *(("DDR_DQ", "DDRDQ", 32), ("DDR_DQS_n", "DDRDQSN", 4), ("DDR_DQS", "DDRDQSP", 4)),
    *(("DDR_DRSTB", "DDRDRSTB", 1), ("DDR_ODT", "DDRODT", 1), ("DDR_RAS_n", "DDRRASB", 1)),
    *(("DDR_VRN", "DDRVRN", 1), ("DDR_VRP", "DDRVRP", 1), ("DDR_WEB", "DDRWEB", 1)),
)


class BackEnd(Enum):
    """What the core is made of."""

    RTL = "rtl"
    HLS = "hls"


@dataclass(frozen=True)
class Signal:
    """A signal of AXI4. forward: from the master to the slave."""

    name: str
    bits: int
    forward: bool

    @property
    def range(self) -> str:
        """Its width as SystemVerilog, with a space behind."""
        return _range(self.bits)

    @property
    def axi3_bits(self) -> int:
        """Its width at a port of Zynq-7000."""
        match self.name[2:]:
            case "len":
                return 4
            case "size":
                return 2
            case _:
                return self.bits

    @property
    def axi3_range(self) -> str:
        """That width as SystemVerilog."""
        return _range(self.axi3_bits)


@dataclass(frozen=True)
class Pad:
    """A pin of the processing system: name of the chip's port and of the primitive's."""

    name: str
    pin: str
    range: str


@dataclass(frozen=True, eq=False)
class ZynqChip:
    """A chip to build with Vivado.

    files: all sources, constraints, Tcl, `Makefile` and `README.md`, in one folder, where Vivado
    runs `build.tcl`. bitstream: what it makes there.
    """

    core: Core
    clock_mhz: float
    files: FileSet
    bitstream: str


def is_zynq(board: Board) -> bool:
    """Return whether a board has a Zynq, whose bitstream Vivado makes."""
    return board.family in _DATA_BITS


def emit_zynq_chip(
    design: Design,
    board: Board,
    *,
    clock_mhz: float,
    back_end: BackEnd = BackEnd.RTL,
    pads: bool = False,
) -> ZynqChip:
    """Return a design as the chip of a Zynq board, at a clock that the board can make.

    An HLS core is read from the project in the chip's sibling folder hls/, where it was exported.
    pads: the chip of a Zynq-7000 names the processing system's own pins as ports, too.
    """
    _link(board)
    core = _core(design, board, back_end)
    sources = core.files | emit_zynq_top(core, board, pads=pads)
    cost = design.resources(board.cost_family)
    project = Project(
        name=design.name,
        board=board,
        clock_mhz=clock_mhz,
        floor=Floor(FLOOR * cost.lut, FLOOR * cost.ff, FLOOR * cost.bram)
        if back_end is BackEnd.RTL
        else Floor(0, 0, 0),  # the model is not one of HLS's cores
        sources=tuple(sorted(path for path in sources.files if path.endswith(".sv"))),
        memories=tuple(sorted(path for path in sources.files if path.endswith(".hex"))),
        hls_ip=f"../hls/{design.name}_prj/solution1/impl/ip" if back_end is BackEnd.HLS else "",
        weights=weight_ports(core, board),
    )
    return ZynqChip(core, clock_mhz, sources | emit_project(project), project.bitstream)


def emit_zynq_top(core: Core, board: Board, *, pads: bool = False) -> FileSet:
    """Return module `chip` around a core, and the module between: shell and core behind AXI4."""
    link = _link(board)
    control = _signals(address_bits=32, data_bits=32, id_bits=link.control_id_bits)
    data = tuple(_signals(address_bits=link.address_bits, data_bits=board.data.bits))
    holes = {"core": core, "board": board, "control": tuple(control), "data": data}
    weights = weight_ports(core, board)
    holes |= {
        "weights": weights,
        "loads": any(port.loads for port in weights),
        "reads": tuple(signal for signal in data if signal.name.startswith(("ar", "r"))),
        "split": _SPLIT,
    }
    named = tuple(Pad(name, pin, _range(bits)) for name, pin, bits in _PADS) if pads else ()
    chip = render(Room.RTL, f"templates/chip_{board.family.value}.sv.j2", pads=named, **holes)
    accelerator = render(Room.RTL, "templates/accelerator.sv.j2", **holes)
    return FileSet.of({"chip.sv": chip, "accelerator.sv": accelerator})


def _core(design: Design, board: Board, back_end: BackEnd) -> Core:
    match back_end:
        case BackEnd.RTL:  # UltraScale+ has LUT6_2, and CARRY4 as half a CARRY8 (UG974)
            return emit_core(design, board, structure=Structure.XC7)
        case BackEnd.HLS:
            return _emit_hls_core(design, board)
        case _:
            assert_never(back_end)


def _emit_hls_core(design: Design, board: Board) -> Core:
    """Return the module around the IP that HLS exports; the hash is that of its C++."""
    module = f"{design.name}_core"
    text = render(
        Room.RTL,
        "templates/hls_core.sv.j2",
        design=design,
        module=module,
        ip=f"{design.name}_hls",
        in_bits=-(-design.input.stream.bits // 8) * 8,
        out_bits=-(-design.output.stream.bits // 8) * 8,
    )
    shell = shell_sources("shell")
    queues = emit_library(replace(design, instances=()))  # those of the shell
    files = shell | queues | FileSet.of({f"{module}.sv": text})
    hashed = files | emit_sources(design)
    return Core(
        name=design.name,
        module=module,
        files=files,
        frames=Transfer(design.input.stream, board.word_bytes),
        results=Transfer(design.output.stream, board.word_bytes),
        fifos=(),
        build_hash=hashed.digest(board.id)[:16],
    )


def _signals(*, address_bits: int, data_bits: int, id_bits: int = 0) -> Iterator[Signal]:
    """AXI4's signals without those that the shell has not; no ids and no cache: of the slave."""
    for channel in ("ar", "aw"):
        yield Signal(f"{channel}addr", address_bits, forward=True)
        for name, bits in (("len", 8), ("size", 3), ("burst", 2)):
            yield Signal(f"{channel}{name}", bits, forward=True)
        if id_bits:
            yield Signal(f"{channel}id", id_bits, forward=True)
        else:
            yield Signal(f"{channel}cache", 4, forward=True)
            yield Signal(f"{channel}prot", 3, forward=True)
        yield from _handshake(channel, forward=True)
    for name, bits in (("wdata", data_bits), ("wstrb", data_bits // 8), ("wlast", 1)):
        yield Signal(name, bits, forward=True)
    yield from _handshake("w", forward=True)
    for name, bits in (("rdata", data_bits), ("rresp", 2), ("rlast", 1), ("bresp", 2)):
        yield Signal(name, bits, forward=False)
    if id_bits:
        yield Signal("rid", id_bits, forward=False)
        yield Signal("bid", id_bits, forward=False)
    yield from _handshake("r", forward=False)
    yield from _handshake("b", forward=False)


def _handshake(channel: str, *, forward: bool) -> Iterator[Signal]:
    yield Signal(f"{channel}valid", 1, forward=forward)
    yield Signal(f"{channel}ready", 1, forward=not forward)


def _range(bits: int) -> str:
    return f"[{bits - 1}:0] " if bits > 1 else ""


def _link(board: Board) -> AxiLink:
    if not is_zynq(board):
        raise ConfigError(
            f"{board.id}: board must have a Zynq for this chip, not {board.family.value}; "
            "choose another with `hwbnn boards`"
        )
    link = board.link
    if not isinstance(link, AxiLink):
        raise ConfigError(f"{board.id}: link.kind must be axi for a Zynq, not {link.kind}; mend it")
    expected = _ZYNQ7000 if board.family is Device.ZYNQ7000 else _ZYNQMP
    problems = [
        f"{board.id}: link.{key} must be {value} for {board.family.value}, not "
        f"{getattr(link, key)}; mend the board file"
        for key, value in expected.items()
        if getattr(link, key) != value
    ]
    if board.data.bits != _DATA_BITS[board.family]:
        problems.append(
            f"{board.id}: data.bits must be {_DATA_BITS[board.family]} for {board.family.value}, "
            f"not {board.data.bits}; mend the board file"
        )
    if not 32 <= link.address_bits <= _ADDRESS_BITS[board.family]:
        problems.append(
            f"{board.id}: link.address_bits must be 32 to {_ADDRESS_BITS[board.family]} for "
            f"{board.family.value}, not {link.address_bits}; mend the board file"
        )
    if problems:
        raise ConfigError(problems)
    return link
