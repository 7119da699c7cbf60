# SPDX-License-Identifier: Apache-2.0
"""Board: what a design must fit, how fast it may be clocked, and what feeds it."""

import difflib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hwbnn.clocks import Generator, achievable
from hwbnn.errors import ConfigError
from hwbnn.ir.unit import Family, Resources
from hwbnn.resources import Room, names, read_text
from hwbnn.schema import parse_toml, read_file

# Of a memory's peak. UG585 22.3.2: the controller is made for about 75 % at the most; 79 % measured
# with reads and writes in random order.
MEMORY_SHARE = 0.7
CLOCK_TOLERANCE = 0.001  # 111.1 MHz means 1000 / 9 MHz
SECTIONS = (
    "resources", "limits", "clocks", "memory", "data", "link", "host", "place", "toolchains",
)  # fmt: skip
PAGE = 0x10000  # bytes of registers, whose addresses the shell decodes (decision 8)
# Addresses at which a processor sees what hangs on a port: UG585 and UG1085, system addresses.
WINDOWS = {
    "M_AXI_GP0": range(0x4000_0000, 0x8000_0000),
    "M_AXI_GP1": range(0x8000_0000, 0xC000_0000),
    "M_AXI_HPM0_FPD": range(0xA000_0000, 0xB000_0000),
    "M_AXI_HPM1_FPD": range(0xB000_0000, 0xC000_0000),
    "M_AXI_HPM0_LPD": range(0x8000_0000, 0xA000_0000),
}
AXI_BITS = 64, 128
LINE_BITS = 10  # on the line for a byte: start, eight, stop
PACKET_BYTES, PAYLOAD_BYTES = 6, 255  # of a UART packet besides its payload, and at most in it

Count = Annotated[int, Field(ge=0, strict=True)]
Width = Annotated[int, Field(ge=1, strict=True)]
Share = Annotated[float, Field(gt=0, le=1, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


class Device(Enum):
    """The device families of boards."""

    ZYNQ7000 = "zynq7000"
    ZYNQMP = "zynqmp"  # Zynq UltraScale+
    ECP5 = "ecp5"
    ICE40 = "ice40"


@dataclass(frozen=True)
class DeviceFacts:
    """What all boards of a device family have in common."""

    prefixes: tuple[str, ...]  # of a part's name
    generator: Generator
    link: Literal["axi", "uart"]
    cost: Family  # by which resources are modelled


DEVICES = {
    Device.ZYNQ7000: DeviceFacts(("xc7z",), Generator.ZYNQ_FCLK, "axi", Family.XC7),
    # LUT6 and BRAM36 alike; where a 7-series slice has a CARRY4 an UltraScale+ CLB has a CARRY8.
    Device.ZYNQMP: DeviceFacts(("xczu", "xck"), Generator.ZYNQMP_PL, "axi", Family.XC7),
    Device.ECP5: DeviceFacts(("LFE5U",), Generator.ECP5_EHXPLLL, "uart", Family.ECP5),
    Device.ICE40: DeviceFacts(("iCE40",), Generator.ICE40_PLL, "uart", Family.ICE40),
}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Counts(_Table):
    """What the device has: LUTs (LUT6 or LUT4), flip-flops, block RAMs, multipliers.

    uram: UltraRAMs of 288 kbit. spram: single-port RAMs of 256 kbit; no design uses them.
    """

    lut: Count
    ff: Count
    bram: Count
    bram_kbit: Width
    dsp: Count
    uram: Count = 0
    spram: Count = 0


class Limits(_Table):
    """The share of each resource that a design may fill."""

    lut: Share
    ff: Share
    bram: Share
    dsp: Share
    uram: Share = 0.80


class Clocks(_Table):
    """How the fabric's clock is made."""

    generator: Generator
    source_mhz: Positive
    default_mhz: Positive

    @cached_property
    def achievable(self) -> tuple[float, ...]:
        """All frequencies in MHz, increasing."""
        return achievable(self.generator, self.source_mhz)


class Ram(_Table):
    """The memory outside the device."""

    kind: str
    size_mb: Count
    bus_bits: Count
    transfers_mhz: Positive


class DataPort(_Table):
    """What carries frames to the accelerator and results back: bits a cycle each way.

    peak_mb_s: megabytes a second at most; of an axi link what the memory moves both ways together,
    of a uart link the bytes of the line, each way. weight_ports: of an axi link the further ports
    that weights may come through, each of `bits`.
    """

    port: str
    bits: Width
    peak_mb_s: Positive
    weight_ports: tuple[str, ...] = ()


class AxiLink(_Table):
    """The processing system's ports: registers on one, frames through memory on another."""

    kind: Literal["axi"]
    version: Literal[3, 4]
    control_port: str
    control_base: Count  # address of the registers, as the processor sees it
    control_id_bits: Width
    address_bits: Width  # of the data port
    irq: str
    uio: str  # name of the Linux UIO device that has registers and interrupt


class UartLink(_Table):
    """A serial line: bits a second, and the bytes of frames that the shell holds."""

    kind: Literal["uart"]
    baud: Width
    room_bytes: Width


class Place(_Table):
    """For open flows: nextpnr's words for the device, and the pins of the chip's ports."""

    device: tuple[str, ...]  # options that name device, package and speed grade
    clock: str
    rx: str
    tx: str
    io: str = ""  # I/O standard


class Host(_Table):
    """The computer on a Zynq board: what its usual image has."""

    pynq: str  # versions of PYNQ; empty: none
    python: str
    user: str
    hostname: str
    cma_mb: Width  # contiguous memory for buffers
    ps_clk_mhz: Positive


class Board(_Table):
    """A board file: every section has its source."""

    format: Literal[1] = Field(alias="schema")
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    name: str
    family: Device
    part: str
    resources: Counts
    limits: Limits
    clocks: Clocks
    memory: Ram | None = None
    data: DataPort
    link: AxiLink | UartLink = Field(discriminator="kind")
    place: Place | None = None
    host: Host | None = None
    toolchains: dict[str, str]
    sources: dict[str, str]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Board":
        if problems := list(self._problems()):
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        """Yield what does not agree."""
        present = [name for name in SECTIONS if getattr(self, name) is not None]
        if sorted(present) != sorted(name for name, text in self.sources.items() if text.strip()):
            yield f"sources must name {', '.join(present)}, each once"
        facts = DEVICES[self.family]
        family = self.family.value
        if not self.part.startswith(facts.prefixes):
            prefixes = " or ".join(facts.prefixes)
            yield f"part must begin with {prefixes} for family {family}, not {self.part}"
        if self.clocks.generator is not facts.generator:
            wanted, found = facts.generator.value, self.clocks.generator.value
            yield f"clocks.generator must be {wanted} for family {family}, not {found}"
        if self.link.kind != facts.link:
            yield f"link.kind must be {facts.link} for family {family}, not {self.link.kind}"
        elif isinstance(self.link, AxiLink):
            yield from self._problems_of_axi(self.link)
        else:
            yield from self._problems_of_uart(self.link)

    def _problems_of_axi(self, link: "AxiLink") -> Iterator[str]:
        if self.data.bits not in AXI_BITS:
            widths = " or ".join(map(str, AXI_BITS))
            yield f"data.bits must be {widths} with an axi link, not {self.data.bits}"
        ports = self.data.weight_ports
        if len({self.data.port, *ports}) <= len(ports):
            yield "data.weight_ports must be others than data.port, each once"
        if self.host is None:
            yield "host must be given with an axi link: who drives the board; add [host]"
        if self.memory is None:
            yield "memory must be given with an axi link: where frames lie; add [memory]"
        window = WINDOWS.get(link.control_port)
        if window is None:
            known = ", ".join(WINDOWS)
            yield f"link.control_port must be one of {known}, not {link.control_port}"
        elif link.control_base not in window or link.control_base % PAGE:
            yield (
                f"link.control_base must be a multiple of {PAGE:#x} from {window[0]:#x} to "
                f"{window[-1]:#x} on {link.control_port}, not {link.control_base:#x}"
            )

    def _problems_of_uart(self, link: "UartLink") -> Iterator[str]:
        if self.data.weight_ports:
            yield "data.weight_ports must be left out with a uart link: no memory is behind it"
        if self.data.bits != 8:
            yield f"data.bits must be 8 with a uart link, not {self.data.bits}"
        if self.place is None:
            yield "place must be given with a uart link: device and pins; add [place]"
        if not math.isclose(self.data.peak_mb_s * 1e6 * LINE_BITS, link.baud):
            peak = link.baud / LINE_BITS / 1e6
            yield f"data.peak_mb_s must be {peak:g}, link.baud / 10, not {self.data.peak_mb_s:g}"

    @property
    def word_bytes(self) -> int:
        """Bytes of the shell's words, to which frames are padded (decision 8)."""
        return self.data.bits // 8

    @property
    def cost_family(self) -> Family:
        """The family by which resources are modelled."""
        return DEVICES[self.family].cost

    @property
    def limit(self) -> Resources:
        """What a design may use."""
        return Resources(
            lut=self.resources.lut * self.limits.lut,
            ff=self.resources.ff * self.limits.ff,
            bram=self.resources.bram * self.limits.bram,
            dsp=self.resources.dsp * self.limits.dsp,
            uram=self.resources.uram * self.limits.uram,
        )

    def clock(self, mhz: float | None) -> float:
        """Return the clock in MHz: the board's default, or the achievable one that is meant."""
        wanted = self.clocks.default_mhz if mhz is None else mhz
        choices = self.clocks.achievable
        if not choices:
            raise ConfigError(
                f"{self.id}: clocks.source_mhz must be one of which {self.clocks.generator.value} "
                f"can make a clock, not {self.clocks.source_mhz:g}; see its manual"
            )
        nearest = min(choices, key=lambda choice: abs(choice - wanted))
        if abs(nearest - wanted) <= CLOCK_TOLERANCE * nearest:
            return nearest
        below = [choice for choice in choices if choice < wanted][-1:]
        above = [choice for choice in choices if choice > wanted][:1]
        near = " or ".join(f"{choice:.6g}" for choice in below + above or choices[-1:])
        raise ConfigError(
            f"{self.id}: clock must be a frequency that the board can make, not {wanted:g} MHz; "
            f"choose {near}"
        )

    @property
    def memory_mb_s(self) -> float:
        """Megabytes a second that frames, results and streamed weights may move together."""
        return MEMORY_SHARE * self.data.peak_mb_s

    def word_cycles(self, frame_bytes: int, result_bytes: int) -> int:
        """Return the cycles a frame for the shell's words, one a cycle each way."""
        return max(-(-size // self.word_bytes) for size in (frame_bytes, result_bytes))

    def port_cycles(self, frame_bytes: int, result_bytes: int, *, clock_mhz: float) -> float:
        """Return the cycles a frame that the port needs at the least, both ways at once.

        Left out: latencies, and what a memory loses to refresh, turn-round and other masters.
        """
        words = self.word_cycles(frame_bytes, result_bytes)
        peak = self.data.peak_mb_s / clock_mhz  # bytes a cycle
        if isinstance(self.link, AxiLink):
            return max(words, (frame_bytes + result_bytes) / peak)
        slowest = max(_on_the_line(size) for size in (frame_bytes, result_bytes))
        return max(words, slowest / peak)


def _on_the_line(size: int) -> float:
    """Return bytes on a UART's line for bytes of frames, in packets as long as can be."""
    return size * (PAYLOAD_BYTES + PACKET_BYTES) / PAYLOAD_BYTES


def boards(boards_dir: Path | None = None) -> dict[str, Board]:
    """Return the boards that come with hwbnn and the user's, by id; the user's win."""
    found = [
        parse_board(read_text(Room.BOARDS, name), where=name)
        for name in names(Room.BOARDS)
        if name.endswith(".toml")
    ]
    if boards_dir is not None:
        if not boards_dir.is_dir():
            raise ConfigError(f"{boards_dir}: boards folder must exist; create it")
        files = sorted(boards_dir.glob("*.toml"))
        found += [
            parse_board(read_file(file, what="board file"), where=str(file)) for file in files
        ]
    return {board.id: board for board in found}


def find_board(name: str, *, boards_dir: Path | None = None) -> Board:
    """Return a board by its id."""
    known = boards(boards_dir)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}?" if near else "see `hwbnn boards`"
    raise ConfigError(f"board: must be one of {', '.join(known)}, not {name}; {meant}")


def parse_board(text: str, *, where: str) -> Board:
    """Return the board of a TOML text; ConfigError names every wrong key."""
    return parse_toml(Board, text, where=where, what="board file")
