# SPDX-License-Identifier: Apache-2.0
"""For the cocotb cases of hwbnn_shell_axi: a host, its memory, and the model of the toy core."""

import logging
import random
from collections.abc import Iterator

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiMaster, AxiSlave

from hwbnn.deploy.runtime import registers as r

MASK = 0xFFFF_FFFF
ALWAYS = 255


class RefusedError(Exception):  # the memory answers SLVERR
    pass


class Memory:
    """Bytes by address.

    areas: where the shell may "read" and "write"; an access outside is its fault. left: how many
    words may still be read or written before the memory refuses one; None: all.
    """

    def __init__(self):
        self.bytes = {}
        self.faults = []
        self.areas = {"read": range(0), "write": range(0)}
        self.left = {"read": None, "write": None}

    async def read(self, address, length):
        self._account("read", address, length)
        return self.load(address, length)

    async def write(self, address, data):
        self._account("write", address, len(data))
        self.store(address, data)

    def _account(self, kind, address, length):
        area = self.areas[kind]
        if address not in area or address + length - 1 not in area:
            self.faults.append(f"{kind} {address:#x}")
        if self.left[kind] is not None:
            self.left[kind] -= 1
            if self.left[kind] < 0:
                self.left[kind] = None
                raise RefusedError

    def store(self, address, data):
        self.bytes.update(enumerate(data, address))

    def load(self, address, length):
        return bytes(self.bytes.get(address + i, 0xEE) for i in range(length))


class Format:
    """Beats of a frame, and the words that they are padded to (hwbnn/emit/transfer.py)."""

    def __init__(self, bits, beats, word_bytes):
        self.bits, self.beats = bits, beats
        self.bytes = -(-bits * beats // (8 * word_bytes)) * word_bytes

    def random(self):
        """A frame, with rubbish where the padding is: nobody may look at it."""
        return random.randbytes(self.bytes)

    def cut(self, data):
        whole = int.from_bytes(data, "little")
        return [whole >> self.bits * i & (1 << self.bits) - 1 for i in range(self.beats)]

    def join(self, beats):
        whole = sum(beat << self.bits * i for i, beat in enumerate(beats))
        return whole.to_bytes(self.bytes, "little")


class Host:
    """Registers through the slave, and memory behind the master."""

    def __init__(self, dut):
        self.dut = dut
        logging.getLogger("cocotb.axi_bench").setLevel(logging.WARNING)  # every access, else
        self.memory = Memory()
        self.slave = AxiMaster(AxiBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst_n, False)
        bus = AxiBus.from_prefix(dut, "m_axi")
        self.port = AxiSlave(bus, dut.clk, dut.rst_n, self.memory, False)
        number = {name: int(getattr(dut, name).value) for name in PARAMETERS}
        self.word_bytes = number["DataBits"] // 8
        self.address_bits = number["AddressBits"]
        self.frame = Format(number["CoreInBits"], number["CoreInBeats"], self.word_bytes)
        self.early = bool(number["Early"])
        self.result = Format(number["CoreOutBits"], number["CoreOutBeats"], self.word_bytes)

    async def start(self, *, latency=0, in_pace=ALWAYS, out_pace=ALWAYS):
        dut = self.dut
        self.delay(latency, latency)
        dut.in_pace.value, dut.out_pace.value = in_pace, out_pace
        dut.rst_n.value = 1
        cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
        await self.idle(1)
        dut.rst_n.value = 0
        await self.idle(20)
        dut.rst_n.value = 1
        await self.idle(1)

    def delay(self, read, write):
        """Cycles that the memory takes to answer."""
        self.dut.latency.value, self.dut.answer_latency.value = read, write

    async def idle(self, cycles):
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)

    async def read(self, offset, words=1):
        data = bytes((await self.slave.read(offset, 4 * words)).data)
        found = [int.from_bytes(data[i : i + 4], "little") for i in range(0, 4 * words, 4)]
        return found[0] if words == 1 else found

    async def write(self, offset, value, words=1):
        await self.slave.write(offset, value.to_bytes(4 * words, "little"))

    def stall_memory(self, pace):
        """Every channel of the memory works in a cycle with chance pace."""
        read, write = self.port.read_if, self.port.write_if
        for channel in (read.ar_channel, read.r_channel, *_channels(write)):
            channel.set_pause_generator(_pauses(pace) if pace < 1 else None)
            channel.pause = False

    def stall_slave(self, pace):
        """Every channel of the host's register port works in a cycle with chance pace."""
        read, write = self.slave.read_if, self.slave.write_if
        for channel in (read.ar_channel, read.r_channel, *_channels(write)):
            channel.set_pause_generator(_pauses(pace))

    def place(self, frames):
        """Random addresses, many near a border of 4 KB, and what may be read and written there."""
        reach = 1 << min(self.address_bits, 34)
        near = 4096 - self.word_bytes * random.randrange(20)
        low = random.randrange(reach // 4096 // 4) * 4096 + near
        high = (random.randrange(reach // 4096 // 4) + reach // 4096 // 2) * 4096
        high += self.word_bytes * random.randrange(512)
        self.addresses = (low, high) if random.random() < 0.5 else (high, low)
        source, target = self.addresses
        self.memory.bytes.clear()
        self.memory.areas["read"] = range(source, source + frames * self.frame.bytes)
        self.memory.areas["write"] = range(target, target + frames * self.result.bytes)

    async def begin(self, frames, control=r.START):
        """Store frames, and start their batch."""
        self.place(len(frames))
        source, target = self.addresses
        self.memory.store(source, b"".join(frames))
        await self.write(r.IN_ADDRESS, source | target << 64, words=4)
        await self.write(r.FRAMES, len(frames))
        await self.write(r.CONTROL, control)

    async def finish(self, *, cycles=20000):
        """Wait for DONE, clear the status and return it."""
        await with_timeout(self._done(), 10 * cycles, "ns")
        status = await self.read(r.STATUS)
        assert status & (r.DONE | r.BUSY) == r.DONE
        await self.write(r.STATUS, status)
        assert await self.read(r.STATUS) == 0
        self.check_idle()
        return status & ~r.DONE

    async def _done(self):
        while not await self.read(r.STATUS) & r.DONE:
            await self.idle(5)

    async def run(self, frames):
        """A good batch: every result must be there, and nothing behind them."""
        await self.begin(frames)
        assert await self.finish() == 0
        assert await self.read(r.FRAMES_DONE) == len(frames)
        self.check_results(frames)

    def check_results(self, frames):
        expected = b"".join(self.result.join(hashed(self, frame)) for frame in frames)
        assert self.memory.load(self.addresses[1], len(expected)) == expected

    def check_idle(self):
        """No rule broken, no access outside the buffers, nothing under way."""
        dut = self.dut
        assert int(dut.broken.value) == 0, bin(int(dut.broken.value))
        assert (int(dut.reads.value), int(dut.writes.value)) == (0, 0)
        assert not self.memory.faults, self.memory.faults


PARAMETERS = ("DataBits", "AddressBits", "CoreInBits", "CoreInBeats", "CoreOutBits", "CoreOutBeats")
PARAMETERS += ("Early",)


def hashed(host, frame):
    """The toy core (toy_core.sv)."""
    value = 1
    beats = host.frame.cut(frame)
    for beat in beats[:1] if host.early else beats:
        for i in range(0, host.frame.bits, 32):
            value = ((value ^ (beat >> i & MASK)) * 0x9E37_79B1 + 7) & MASK
    words = -(-host.result.bits // 32)
    found = []
    for beat in range(host.result.beats):
        numbers = [(value ^ (beat * words + i)) * 0x85EB_CA6B & MASK for i in range(words)]
        joined = sum(number << 32 * i for i, number in enumerate(numbers))
        found.append(joined & (1 << host.result.bits) - 1)
    return found


def _channels(write):
    return write.aw_channel, write.w_channel, write.b_channel


def _pauses(pace) -> Iterator[bool]:
    """Short and long ones."""
    while True:
        for _ in range(random.randrange(1, 30)):
            yield random.random() >= pace
        if random.random() < 0.1:
            yield from [True] * random.randrange(60)
