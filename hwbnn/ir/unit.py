# SPDX-License-Identifier: Apache-2.0
"""What every unit tells the compiler: streams, meaning, foldings, timing, cost, parameters."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import ClassVar, Self

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.stream import Stream


class Family(Enum):
    """FPGA families whose cost and popcount structures differ."""

    XC7 = "xc7"  # LUT6, BRAM36, CARRY4: Zynq-7000, and by the same counts UltraScale+
    ECP5 = "ecp5"  # LUT4, DP16KD, CCU2C
    ICE40 = "ice40"  # LUT4 with a carry each, EBR of 4 kbit, no distributed RAM

    @property
    def lut4(self) -> bool:
        """Whether its LUTs have four inputs, not six."""
        return self is not Family.XC7


class Side(Enum):
    """Where a channel of an actor stands, seen from its unit."""

    INPUT = "input"
    OUTPUT = "output"
    BUFFER = "buffer"


@dataclass(frozen=True)
class Port:
    """A channel that an actor touches: the unit's input, output or internal buffer `index`."""

    side: Side
    index: int = 0


@dataclass(frozen=True, eq=False)
class Read:
    """What the live phases of an actor take from one channel.

    offset: int32, one a phase: the phase needs word `offset` counted from the oldest word not yet
    released (0 = the head); -1 = the phase does not touch this channel.
    release: int32, one a phase: words released (popped) by the phase.
    """

    port: Port
    offset: IntArray
    release: IntArray


@dataclass(frozen=True, eq=False)
class Write:
    """What the live phases of an actor write: bool, one a phase (at most one word a phase)."""

    port: Port
    writes: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Actor:
    """A cyclo-static actor (DESIGN 3.4): a table of the firings that touch a channel.

    A frame is `repeats` passes of the table; a pass is `cycle` firings, of which only those in
    `at` (increasing, 0 <= at < cycle) touch a channel. `latency` is L >= 1: a word written by a
    firing in cycle t can be read in t + L (+ 1 through a block-RAM FIFO).
    """

    name: str
    at: IntArray
    cycle: int
    repeats: int
    latency: int
    reads: tuple[Read, ...]
    writes: tuple[Write, ...]

    @property
    def firings(self) -> int:
        """Firings a frame: the fewest cycles a frame can take here."""
        return self.cycle * self.repeats


def pops(port: Port, when: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Read:
    """Return the read of the head, popping it, in the phases of `when`."""
    return Read(port, np.where(when, 0, -1), when.astype(np.int64))


@dataclass(frozen=True)
class Packed:
    """Numbers of `bits` bits each in one parameter, the first least significant."""

    numbers: tuple[int, ...]
    bits: int

    def __str__(self) -> str:
        value = sum(number << self.bits * place for place, number in enumerate(self.numbers))
        return f"{self.bits * len(self.numbers)}'h{value:x}"


class Style(Enum):
    """Where a memory lives."""

    AUTO = "auto"
    DISTRIBUTED = "distributed"
    BLOCK = "block"
    ULTRA = "ultra"  # UltraRAM: no bitstream fills it, weights are loaded (decision 12)
    STREAM = "stream"  # not in the unit: the words come through a port (decision 11)


class Multiplier(Enum):
    """What products are multiplied in."""

    LUT = "lut"
    DSP = "dsp"  # DSP48E1 and DSP48E2; on other families, LUTs with the same timing


@dataclass(frozen=True)
class MemoryShape:
    """A read-only memory without its contents: what its cost depends on.

    One in UltraRAM is written once, before the first frame.
    """

    name: str
    depth: int
    lanes: int
    lane_bits: int
    style: Style = Style.DISTRIBUTED

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.lane_bits * self.lanes

    @property
    def bits(self) -> int:
        """Bits in all."""
        return self.depth * self.width


@dataclass(frozen=True, eq=False)
class Memory:
    """A read-only memory: `words` are lane codes, int64 (depth, lanes), lane 0 least significant.

    Word a is on line a of the file `<instance>_<name>.hex`.
    """

    shape: MemoryShape
    words: IntArray

    def __post_init__(self) -> None:
        assert self.words.shape == (self.shape.depth, self.shape.lanes), self.shape


@dataclass(frozen=True)
class Resources:
    """Modelled cost of a unit or design.

    LUTs (LUT6 or LUT4), flip-flops, BRAM36 (or EBR), DSPs, UltraRAMs (URAM288).
    """

    lut: float = 0.0
    ff: float = 0.0
    bram: float = 0.0
    dsp: float = 0.0
    uram: float = 0.0

    @property
    def amounts(self) -> tuple[float, ...]:
        """Of each kind, in the order of KINDS."""
        return self.lut, self.ff, self.bram, self.dsp, self.uram

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(
            self.lut + other.lut,
            self.ff + other.ff,
            self.bram + other.bram,
            self.dsp + other.dsp,
            self.uram + other.uram,
        )

    def less(self, other: "Resources") -> "Resources":
        """Return what is left without the other, at least nothing."""
        pairs = zip(self.amounts, other.amounts, strict=True)
        return Resources(*(max(0.0, amount - taken) for amount, taken in pairs))

    def within(self, limit: "Resources") -> bool:
        """Every figure is at most the limit's."""
        return (
            self.lut <= limit.lut
            and self.ff <= limit.ff
            and self.bram <= limit.bram
            and self.dsp <= limit.dsp
            and self.uram <= limit.uram
        )

    def share(self, limit: "Resources") -> float:
        """Sum of the shares of a limit; flip-flops, two to a LUT, count nothing."""
        pairs = zip(self.amounts, limit.amounts, KINDS, strict=True)
        return sum(amount / room for amount, room, kind in pairs if amount and kind != "ff")


KINDS = tuple(field.name for field in fields(Resources))


@dataclass(frozen=True)
class Folding:
    """Parallelism of a unit: PE output lanes, SIMD input lanes. Units without SIMD keep 1."""

    pe: int = 1
    simd: int = 1


@dataclass(frozen=True)
class Knobs:
    """What a user may set of a unit; None keeps the compiler's choice."""

    pe: int | None = None
    simd: int | None = None
    stages: int | None = None  # pipeline registers inside the adder tree
    weight_style: Style | None = None
    multipliers: Multiplier | None = None  # None of `Unit.knobs`: DSPs cannot be had


@dataclass(frozen=True)
class Buffer:
    """An internal channel of a unit: words that it holds, the fewest that work, bits of a word.

    line: words of each of the memories that it lies in; None: it lies in one.
    """

    capacity: int
    least: int
    bits: int
    line: int | None = None


def folding_of(now: Folding, knobs: Knobs) -> Folding:
    """Return the folding that knobs ask for, the present one where they do not."""
    pe = now.pe if knobs.pe is None else knobs.pe
    return Folding(pe, now.simd if knobs.simd is None else knobs.simd)


@dataclass(frozen=True, eq=False)
class Unit(ABC):
    """A piece of hardware with input and output streams. Subclasses are frozen dataclasses.

    `origin` is the name of the model's node it came from, for messages and reports.
    """

    module: ClassVar[str]  # SystemVerilog module, e.g. "hwbnn_mvu"
    finn_nodes: ClassVar[tuple[str, ...]] = ()  # kinds of FINN nodes with the same folding knobs
    foldable: ClassVar[bool] = True  # users fold it; otherwise its neighbours decide
    origin: str = field(default="", kw_only=True)

    @property
    @abstractmethod
    def inputs(self) -> tuple[Stream, ...]:
        """Streams read, by port."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[Stream, ...]:
        """Streams written, by port."""

    @abstractmethod
    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        """Integer meaning: arrays (frames, vectors * elements) in, by port, and out, by port."""

    @abstractmethod
    def foldings(self) -> Iterator[Folding]:
        """All legal divisor foldings, cheapest first; any 1 <= pe, simd in range is legal too."""

    @abstractmethod
    def fold(self, folding: Folding) -> Self:
        """Return this unit at another folding; ConfigError names the legal ones."""

    @property
    @abstractmethod
    def folding(self) -> Folding:
        """The present folding."""

    @abstractmethod
    def actors(self) -> tuple[Actor, ...]:
        """The unit's cyclo-static schedule."""

    @abstractmethod
    def resources(self, family: Family) -> Resources:
        """Modelled cost on a family."""

    @abstractmethod
    def parameters(self) -> Mapping[str, int | Packed]:
        """SystemVerilog parameters by name, without memory files."""

    def memory_shapes(self) -> tuple[MemoryShape, ...]:
        """Shapes of `memories()`, without the work of filling them."""
        return ()

    def memories(self) -> tuple[Memory, ...]:
        """Read-only memories; parameter `<Name>File` of the module names the hex file."""
        return ()

    @property
    def loaded_memory(self) -> MemoryShape | None:
        """The memory that is written before the first frame, if there is one (decision 12)."""
        return next((shape for shape in self.memory_shapes() if shape.style is Style.ULTRA), None)

    def worth_loading(self, folding: Folding) -> bool:
        """Whether the weights, at a folding, may well lie in UltraRAM."""
        del folding
        return False

    def buffers(self) -> tuple[Buffer, ...]:
        """Internal channels, by index (sliding window)."""
        return ()

    def with_buffers(self, capacities: tuple[int, ...]) -> Self:
        """Return this unit with other capacities, in words, of its internal channels."""
        assert not capacities, "this unit has no internal channels"
        return self

    def in_ultra_ram(self) -> Self:
        """Return this unit with its internal channels in UltraRAM; the timing is the same."""
        return self

    @property
    def knobs(self) -> Knobs:
        """The present settings, as a folding file says them."""
        return Knobs(self.folding.pe, self.folding.simd)

    def with_knobs(self, knobs: Knobs) -> Self:
        """Return this unit with other settings; ConfigError names the legal ones."""
        if (knobs.stages, knobs.weight_style, knobs.multipliers) != (None, None, None):
            raise ConfigError(
                f"{self.origin}: stages, weights and multipliers are knobs of layers with weights "
                "only; remove them"
            )
        return self.fold(folding_of(self.folding, knobs))

    def weight_source(self) -> "Unit | None":
        """Return the unit that feeds the last input, if that is the words of this one's weights."""
        return None

    @property
    def cycles(self) -> int:
        """Fewest cycles a frame: the busiest actor's firings."""
        return max(actor.firings for actor in self.actors())

    @property
    def latency(self) -> int:
        """Latency of the actor that writes the outputs."""
        return next(
            actor.latency
            for actor in self.actors()
            if any(write.port.side is Side.OUTPUT for write in actor.writes)
        )

    def named(self, origin: str) -> Self:
        """Return this unit with another origin."""
        return replace(self, origin=origin)

    @classmethod
    @abstractmethod
    def examples(cls) -> tuple["Unit", ...]:
        """Small instances that reach every mode, for the registry's tests."""
