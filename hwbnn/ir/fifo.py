# SPDX-License-Identifier: Apache-2.0
"""Fifo: the queue on every stream. Not an actor: a channel of the timing contract."""

from dataclasses import dataclass
from enum import Enum

from hwbnn.errors import ConfigError
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Family, Resources


class Storage(Enum):
    """What a FIFO is built of; the value is parameter `Storage` of hwbnn_fifo."""

    SRL = 0  # shift registers: 32 words a LUT6 on xc7
    LUTRAM = 1  # distributed RAM, asynchronous read
    BLOCK = 2  # block RAM: a word is visible one cycle later


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
        return 1 if self.storage is Storage.BLOCK else 0

    @property
    def bits(self) -> int:
        """Storage bits."""
        return self.depth * self.stream.bits

    def parameters(self) -> dict[str, int]:
        """SystemVerilog parameters."""
        return {"Width": self.stream.bits, "Depth": self.depth, "Storage": self.storage.value}

    def resources(self, family: Family) -> Resources:
        """Counters, pointers and storage: structural counts (UG474 for SRL32 and RAM32M)."""
        count_bits = self.depth.bit_length()
        control = 2 * count_bits + 4
        if self.storage is Storage.BLOCK:
            halves = -(-self.stream.bits // 36) * -(-self.depth // 512)
            blocks = halves / 2 if family is Family.XC7 else float(halves)
            return Resources(lut=control + 2 * count_bits, ff=4 * count_bits + 1, bram=blocks)
        if self.storage is Storage.SRL and family is Family.XC7:
            storage = -(-self.depth // 32) * self.stream.bits
            return Resources(lut=storage + control, ff=3 * count_bits)
        rows = 32 if family is Family.XC7 else 16
        per_lut = 2 if family is Family.XC7 else 1
        storage = (
            -(-self.depth // rows)
            * -(-self.stream.bits // per_lut)
            * (1 if family is Family.XC7 else 2)
        )
        return Resources(lut=storage + control + 2 * count_bits, ff=4 * count_bits)
