# SPDX-License-Identifier: Apache-2.0
"""Board: what a design must fit, how fast it may be clocked, and what feeds it."""

import difflib
from collections.abc import Iterator
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hwbnn.errors import ConfigError
from hwbnn.ir.unit import Family, Resources
from hwbnn.resources import Room, names, read_text
from hwbnn.schema import parse_toml, read_file

CLOCK_TOLERANCE = 0.001  # 111.1 MHz means 1000 / 9 MHz
SECTIONS = ("resources", "limits", "clocks", "memory", "data", "link", "toolchains")

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


class Generator(Enum):
    """What makes the clock of the fabric."""

    ZYNQ_FCLK = "zynq-fclk"
    ECP5_EHXPLLL = "ecp5-ehxplll"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Counts(_Table):
    """What the device has: LUTs (LUT6 or LUT4), flip-flops, block RAMs, multipliers."""

    lut: Count
    ff: Count
    bram: Count
    bram_kbit: Width
    dsp: Count


class Limits(_Table):
    """The share of each resource that a design may fill."""

    lut: Share
    ff: Share
    bram: Share
    dsp: Share


class Clocks(_Table):
    """How the fabric's clock is made."""

    generator: Generator
    source_mhz: Positive
    default_mhz: Positive

    @cached_property
    def achievable(self) -> tuple[float, ...]:
        """All frequencies in MHz, increasing."""
        match self.generator:
            case Generator.ZYNQ_FCLK:
                found = set(_zynq_fclk(self.source_mhz))
            case Generator.ECP5_EHXPLLL:
                found = set(_ecp5_ehxplll(self.source_mhz))
            case _:
                assert_never(self.generator)
        return tuple(sorted(found))


class Ram(_Table):
    """The memory outside the device."""

    kind: str
    size_mb: Count
    bus_bits: Count
    transfers_mhz: Positive


class DataPort(_Table):
    """What carries frames to the accelerator: bits a cycle, and megabytes a second at most."""

    port: str
    bits: Width
    peak_mb_s: Positive


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
    memory: Ram
    data: DataPort
    link: AxiLink | UartLink = Field(discriminator="kind")
    place: Place | None = None
    host: Host | None = None
    toolchains: dict[str, str]
    sources: dict[str, str]

    @model_validator(mode="after")
    def _every_section_has_its_source(self) -> "Board":
        missing = [name for name in SECTIONS if not self.sources.get(name)]
        extra = [name for name in self.sources if name not in SECTIONS]
        if missing or extra:
            raise ValueError(f"sources must name {', '.join(SECTIONS)}, each once")
        return self

    @property
    def word_bytes(self) -> int:
        """Bytes of the shell's words, to which frames are padded (decision 8)."""
        return self.data.bits // 8

    @property
    def cost_family(self) -> Family:
        """The family by which resources are modelled."""
        match self.family:
            case Device.ZYNQ7000 | Device.ZYNQMP:
                return Family.XC7  # LUT6 and BRAM36 alike
            case Device.ECP5 | Device.ICE40:
                return Family.ECP5

    @property
    def limit(self) -> Resources:
        """What a design may use."""
        return Resources(
            lut=self.resources.lut * self.limits.lut,
            ff=self.resources.ff * self.limits.ff,
            bram=self.resources.bram * self.limits.bram,
            dsp=self.resources.dsp * self.limits.dsp,
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

    def frames_per_second(self, frame_bits: int, *, clock_mhz: float) -> float:
        """Return how many frames the data port can bring."""
        bits_per_second = min(self.data.bits * clock_mhz, self.data.peak_mb_s * 8) * 1e6
        return bits_per_second / frame_bits


def _zynq_fclk(pll_mhz: float) -> Iterator[float]:
    """FCLK of Zynq-7000: two 6-bit dividers in a row, at most 250 MHz (UG585, DS187)."""
    for first in range(1, 64):
        for second in range(first, 64):
            if 1 <= pll_mhz / (first * second) <= 250:
                yield pll_mhz / (first * second)


def _ecp5_ehxplll(source_mhz: float) -> Iterator[float]:
    """CLKOP = source * CLKFB_DIV / CLKI_DIV, with the oscillator at CLKOP * CLKOP_DIV.

    Ranges in MHz: phase detector from 3.125, oscillator 400 to 800, output to 400 (FPGA-DS-02012).
    """
    for input_divider in range(1, 129):
        if source_mhz / input_divider < 3.125:
            return
        for feedback in range(1, 129):
            clock = source_mhz * feedback / input_divider
            if 3.125 <= clock <= 400 and any(400 <= clock * n <= 800 for n in range(1, 129)):
                yield clock


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
