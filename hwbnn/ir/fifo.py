# SPDX-License-Identifier: Apache-2.0
"""Fifo: the queue on every stream. Not an actor: a channel of the timing contract."""

from dataclasses import dataclass
from enum import Enum

from hwbnn.errors import ConfigError
from hwbnn.ir.ram import ram, ram_blocks, register_choice, ultra_ram, written
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Family, Resources


class Storage(Enum):
    """What a FIFO is built of; the value is parameter `Storage` of hwbnn_fifo."""

    SRL = 0  # shift registers: 32 words a LUT6 on xc7
    LUTRAM = 1  # distributed RAM, asynchronous read
    BLOCK = 2  # block RAM: a word is visible one cycle later
    ULTRA = 3  # UltraRAM: timing as in block RAM

    @property
    def extra_latency(self) -> int:
        """X of the timing contract: cycles that the storage adds to the unit's latency."""
        return int(self in (Storage.BLOCK, Storage.ULTRA))


@dataclass(frozen=True)
class Fifo:
    """`depth` beats of a stream (timing.md rules 1 to 4): module hwbnn_fifo."""

    stream: Stream
    depth: int = 2
    storage: Storage = Storage.LUTRAM

    module = "hwbnn_fifo"

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ConfigError(f"FIFO: depth must be at least 1, not {self.depth}")

    @property
    def extra_latency(self) -> int:
        """X of the timing contract: cycles that the storage adds to the unit's latency."""
        return self.storage.extra_latency

    @property
    def bits(self) -> int:
        """Storage bits."""
        return self.depth * self.stream.bits

    def parameters(self) -> dict[str, int]:
        """SystemVerilog parameters."""
        return {"Width": self.stream.bits, "Depth": self.depth, "Storage": self.storage.value}

    def resources(self, family: Family) -> Resources:
        """Counters, pointers and storage. Counters: fitted to Yosys; carry cells on ECP5."""
        width, log = self.stream.bits, (self.depth - 1).bit_length()
        if self.storage is Storage.SRL:
            return self._shifted(family, width, log)
        wraps = self.depth != 1 << log
        ff = 4 * log + 2 + (log if wraps and self.storage is Storage.LUTRAM else 0)
        if self.storage.extra_latency:
            if family is Family.ECP5:
                lut = 10 * log - 4 + 21 * wraps
            elif family is Family.ICE40:
                lut = (8 + wraps) * log + 2
            else:
                lut = 4 * log + 1 if wraps else 2 * log + 3
            control = Resources(lut=lut, ff=ff + 1)
            if self.storage is Storage.ULTRA:
                return control + ultra_ram(self.depth, width)
            return control + Resources(bram=ram_blocks(self.depth, width, family))
        if family is Family.ICE40:
            return self._without_distributed_ram(Resources(lut=(8 + wraps) * log + 2, ff=ff))
        if family is Family.XC7:
            lut = 5 * log - 3 if wraps else 2 * log + 4
        else:
            lut = 4 * log + 7 if log < 4 else 11 * log + 4 + 2 * log * wraps
        return Resources(lut=lut + ram(self.depth, width, family), ff=ff)

    def _without_distributed_ram(self, control: Resources) -> Resources:
        # A word that is read as it is written goes round the block RAM.
        width, log = self.stream.bits, (self.depth - 1).bit_length()
        words = written(self.depth, width, Family.ICE40)
        around = Resources(lut=width + 2 * log, ff=width + 1) if words.bram else Resources()
        return control + words + around

    def _shifted(self, family: Family, width: int, log: int) -> Resources:
        # No shift registers in LUTs but on xc7: flip-flops, and a multiplexer of them all a bit.
        if family is Family.XC7:
            held = self.depth * width if self.depth <= 2 else 0  # too short for a shift register
            # MUXF7 and MUXF8 join four SRLC32E; a LUT6 chooses between four of those.
            groups = -(-self.depth // 128) - 1
            cells = (-(-self.depth // 32) + -(-groups // 3)) * width if self.depth > 1 else 0
            return Resources(lut=2 * log + 2 + cells, ff=2 * log + 2 + held)
        if family is Family.ICE40:
            control = 6 * log + 2
        else:
            control = 3 * log + 6 if log < 4 else 6 * log + 14
        lut = control + register_choice(self.depth) * width
        return Resources(lut=lut, ff=2 * log + 2 + self.depth * width)
