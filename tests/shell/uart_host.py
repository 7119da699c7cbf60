# SPDX-License-Identifier: Apache-2.0
"""A host on the bits of a UART line: bytes in and out, packets, registers, frames (decision 8)."""

from dataclasses import dataclass

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer
from cocotb.utils import get_sim_time

from hwbnn.deploy.runtime import packets as p
from hwbnn.deploy.runtime import registers as r

CLOCK = 1000  # ns


@dataclass(frozen=True)
class Core:
    """The stand-in core of uart_bench.sv."""

    in_bits: int
    in_beats: int
    out_bits: int
    out_beats: int

    @property
    def in_bytes(self) -> int:
        return -(-self.in_bits * self.in_beats // 8)

    @property
    def out_bytes(self) -> int:
        return -(-self.out_bits * self.out_beats // 8)

    def result(self, frame: bytes) -> bytes:
        """The bytes of a frame's result."""
        bits, value = int.from_bytes(frame, "little"), 0xFFFFFFFF
        for beat in range(self.in_beats):
            word = bits >> (self.in_bits * beat) & ((1 << self.in_bits) - 1)
            value = (_turned(value, 5) + word + 0x9E3779B9) & 0xFFFFFFFF
        found = 0
        for beat in range(self.out_beats):
            word = (value << 32 | value ^ 0xFFFFFFFF) & ((1 << self.out_bits) - 1)
            found |= word << (self.out_bits * beat)
            value = _turned(value, 7)
        return found.to_bytes(self.out_bytes, "little")


class Host:
    """One end of the line. `results`, `refused`: what came since the last reset, in order."""

    def __init__(self, dut, core: Core, *, cycles256: int, room: int) -> None:
        self.dut, self.core, self.room = dut, core, room
        self.bit = CLOCK * cycles256 / 256
        self.sent_bit = self.bit  # of the host's own clock
        self.answers: list[p.Packet] = []
        self.results = bytearray()
        self.refused: list[int] = []
        self.sequence = 0
        self._number = 0
        self._reset_number: int | None = None
        self._expected = 0
        self._decoder = p.Decoder()

    async def start(self) -> None:
        """Clock, reset, and a task that listens."""
        self.dut.rx_i.value = 1
        self.dut.rst_ni.value = 0
        cocotb.start_soon(Clock(self.dut.clk_i, CLOCK, "ns").start())
        await wait(5 * CLOCK)
        self.dut.rst_ni.value = 1
        await self.bits(20)
        cocotb.start_soon(self._listen())

    async def bits(self, count: float) -> None:
        """Wait so many bit times."""
        await wait(round(count * self.bit))

    # ---- bytes ------------------------------------------------------------------

    async def send(self, data: bytes, *, stop: int = 1) -> None:
        """Put bytes on the line, one behind the other; stop: the level of their stop bits."""
        begin, bits = now(), 0
        for byte in data:
            levels = [0, *(byte >> i & 1 for i in range(8)), stop]
            for i, level in enumerate(levels):
                if i == 0 or level != levels[i - 1]:
                    self.dut.rx_i.value = level
                bits += 1
                if i == 9 or level != levels[i + 1]:
                    until = begin + round(bits * self.sent_bit)
                    await wait(until - now())
        self.dut.rx_i.value = 1

    async def _listen(self) -> None:
        while True:
            await FallingEdge(self.dut.tx_o)
            begin, byte = now(), 0
            for i in range(10):
                await wait(begin + round((i + 0.5) * self.bit) - now())
                byte |= int(self.dut.tx_o.value) << i
            assert byte & 1 == 0 and byte >> 9 == 1, "a byte without start or stop bit"
            for packet in self._decoder.feed(bytes((byte >> 1 & 0xFF,))):
                self._take(packet)
            assert self._decoder.dropped == 0  # the board itself makes no mistakes

    def _take(self, packet: p.Packet) -> None:
        if packet.kind == p.RESULTS:
            assert packet.sequence == self._expected, "results are lost, or come twice"
            assert 0 < len(packet.payload) <= p.MOST
            self._expected = (self._expected + 1) & 0xFF
            self.results += packet.payload
        elif packet.kind == p.REFUSED:
            self.refused.append(packet.payload[0])
        elif (packet.kind, packet.sequence) == (p.WRITTEN, self._reset_number):
            self._reset_number = None
            self._expected = 0  # all that came before is old
            self.results.clear()
            self.refused.clear()
            self.answers.clear()
        else:
            self.answers.append(packet)

    # ---- requests ------------------------------------------------------------------

    async def request(self, kind: int, payload: bytes, *, patience: int = 3000) -> p.Packet:
        """The answer to a request; TimeoutError after so many bit times."""
        self._number = (self._number + 1) & 0xFF
        await self.send(p.encode(kind, self._number, payload))
        for _ in range(patience // 20):
            for packet in self.answers:
                if packet.sequence == self._number and packet.kind == kind + 0x80:
                    self.answers.remove(packet)
                    return packet
            await self.bits(20)
        raise TimeoutError(f"no answer to {kind:02x} {payload.hex()}")

    async def read(self, offset: int) -> int:
        answer = await self.request(p.READ, bytes((offset // 4,)))
        return int.from_bytes(answer.payload, "little")

    async def write(self, offset: int, value: int) -> None:
        await self.request(p.WRITE, bytes((offset // 4,)) + value.to_bytes(4, "little"))

    async def reset(self) -> None:
        """Let the line rest, so that no half packet is left, and begin anew."""
        await self.bits(p.SILENT_BITS + 20)
        await self.restart()

    async def restart(self) -> None:
        """Write RESET, and wait for the answer."""
        await self.send(self.reset_packet())
        self.sequence = 0
        for _ in range(60):
            if self._reset_number is None:
                return
            await self.bits(20)
        raise TimeoutError("no answer to RESET")

    def reset_packet(self) -> bytes:
        """A WRITE of RESET."""
        self._number = (self._number + 1) & 0xFF
        self._reset_number = self._number
        payload = bytes((r.CONTROL // 4,)) + r.RESET.to_bytes(4, "little")
        return p.encode(p.WRITE, self._number, payload)

    # ---- frames ------------------------------------------------------------------

    def packet(self, payload: bytes) -> bytes:
        """The next packet of frames."""
        data = p.encode(p.FRAMES, self.sequence, payload)
        self.sequence = (self.sequence + 1) & 0xFF
        return data

    def in_flight(self, sent: int) -> int:
        """Bytes of frames that may still take room, of so many sent."""
        return sent - len(self.results) // self.core.out_bytes * self.core.in_bytes

    async def run(self, frames: list[bytes], rng, *, damage=None) -> None:
        """Send frames in random packets; `damage` may change the bytes of each, and its end.

        Returns when all results are there, or when something was refused or nothing comes any more.
        """
        data, sent, last = b"".join(frames), 0, 0
        while sent < len(data) and not self.refused:
            free = self.room - self.in_flight(sent)
            size = min(rng.choice((1, 2, 7, 30, 255)), free, len(data) - sent)
            if size == 0:
                last = await self._wait(last)
                if last is None:
                    return
                continue
            packet = self.packet(data[sent : sent + size])
            sent += size
            if damage is None:
                await self.send(packet)
            else:
                await damage(packet)
        while len(self.results) < len(frames) * self.core.out_bytes and not self.refused:
            last = await self._wait(last)
            if last is None:
                return

    async def _wait(self, last: int) -> int | None:
        # Until more results than `last` are there, or something was refused; None: nothing comes.
        for _ in range(60):
            if len(self.results) > last or self.refused:
                return len(self.results)
            await self.bits(20)
        return None


def now() -> int:
    """Nanoseconds of simulation."""
    return round(get_sim_time("ns"))


async def wait(nanoseconds: int) -> None:
    """Wait."""
    await Timer(nanoseconds, "ns")


def _turned(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & 0xFFFFFFFF
