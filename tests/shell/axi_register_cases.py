# SPDX-License-Identifier: Apache-2.0
"""cocotb cases of hwbnn_axi_registers: bursts of every shape, in every order, with every pause."""

import itertools
import random
from dataclasses import dataclass

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotbext.axi import AxiBus
from cocotbext.axi.axi_channels import AxiARSource, AxiAWSource, AxiBSink, AxiRSink, AxiWSource

from hwbnn.deploy.runtime import registers as r

FIXED, INCR, WRAP = range(3)
WRITABLE = {r.SCRATCH, r.IN_ADDRESS, r.IN_ADDRESS + 4, r.OUT_ADDRESS, r.OUT_ADDRESS + 4, r.FRAMES}
SHARE_OF_KNOWN_ADDRESSES = 0.9


@dataclass(frozen=True)
class Burst:
    """A burst as a master may send it."""

    address: int
    beats: int
    size: int
    kind: int
    identity: int

    @classmethod
    def random(cls):
        kind = random.choice([FIXED, INCR, INCR, WRAP])
        size = random.randrange(3)
        beats = random.choice([2, 4, 8, 16]) if kind == WRAP else random.choice([1, 1, 2, 5, 16])
        if kind == INCR and random.random() < 0.05:
            beats = 256
        known = random.random() < SHARE_OF_KNOWN_ADDRESSES
        address = random.randrange(0x100) if known else random.getrandbits(16)
        if kind == WRAP:
            address &= -(1 << size)
        high = random.getrandbits(16) << 16  # not decoded
        return cls(high | address, beats, size, kind, random.randrange(16))

    def lanes(self):
        """Address of the word and strobes of each beat (AMBA AXI, A3.4)."""
        width = 1 << self.size
        low = self.address & -(width * self.beats)
        address = self.address
        for _ in range(self.beats):
            stop = (address & -width) + width
            strobe = sum(1 << byte % 4 for byte in range(address, stop))
            yield address & 0xFFFC, strobe
            if self.kind != FIXED:
                address = stop
            if self.kind == WRAP and address == low + width * self.beats:
                address = low


class Ports:
    """The five channels, each with a queue of its own."""

    def __init__(self, dut):
        self.dut = dut
        bus = AxiBus.from_prefix(dut, "s_axi")
        self.aw = AxiAWSource(bus.write.aw, dut.clk)
        self.w = AxiWSource(bus.write.w, dut.clk)
        self.b = AxiBSink(bus.write.b, dut.clk)
        self.ar = AxiARSource(bus.read.ar, dut.clk)
        self.r = AxiRSink(bus.read.r, dut.clk)
        self.words = {}  # what is kept

    async def start(self):
        self.dut.done.value = self.dut.errors.value = 0
        self.dut.rst_n.value = 0
        cocotb.start_soon(Clock(self.dut.clk, 10, "ns").start())
        for _ in range(4):
            await RisingEdge(self.dut.clk)
        self.dut.rst_n.value = 1

    def stall(self, pace):
        for channel in (self.aw, self.w, self.b, self.ar, self.r):
            share = random.choice([pace, 1, pace / 3])
            channel.set_pause_generator(random.random() >= share for _ in itertools.count())

    async def send_address(self, burst):
        await self.aw.send(_ask(self.aw, burst, "aw"))

    async def send_data(self, burst):
        """Random data, and sometimes fewer strobes than there might be."""
        lanes = list(burst.lanes())
        for i, (address, strobe) in enumerate(lanes):
            data = random.getrandbits(32)
            if random.random() < 0.2:
                strobe &= random.randrange(16)
            beat = self.w._transaction_obj(wdata=data, wstrb=strobe, wlast=i == len(lanes) - 1)
            await self.w.send(beat)
            mask = sum(0xFF << 8 * byte for byte in range(4) if strobe >> byte & 1)
            if address == r.CONTROL and mask & 0xFF:
                self.words[address] = data & r.IRQ_ENABLE  # START and RESET do not last
            if address in WRITABLE:
                self.words[address] = self.words.get(address, 0) & ~mask | data & mask

    async def answered(self, burst):
        answer = await with_timeout(self.b.recv(), 200, "us")
        assert (int(answer.bid), int(answer.bresp)) == (burst.identity, 0)

    async def check(self, burst):
        """Ask for a read burst and compare each beat."""
        await self.ar.send(_ask(self.ar, burst, "ar"))
        for i, (address, _) in enumerate(burst.lanes()):
            beat = await with_timeout(self.r.recv(), 200, "us")
            found = (int(beat.rid), int(beat.rresp), int(beat.rlast))
            assert found == (burst.identity, 0, i == burst.beats - 1)
            assert int(beat.rdata) == self.expected(address), hex(address)

    def expected(self, address):
        constants = {r.ID: r.ID_VALUE, r.VERSION: r.VERSION_VALUE, r.WORD_BYTES: 8}
        constants |= {r.IN_BYTES: 8, r.OUT_BYTES: 8}
        hash_bytes = bytes(range(16))
        if r.BUILD_HASH <= address < r.BUILD_HASH + 16:
            first = address - r.BUILD_HASH
            return int.from_bytes(hash_bytes[first : first + 4], "little")
        return self.words.get(address, constants.get(address, 0))


@cocotb.test()
async def every_shape(dut):
    """Bursts of all types, lengths and sizes, unaligned too; data may come before the address."""
    ports = Ports(dut)
    await ports.start()
    for _ in range(12):
        ports.stall(random.choice([1, 0.8, 0.4]))
        bursts = [Burst.random() for _ in range(random.randrange(1, 8))]
        for burst in bursts:
            both = [ports.send_address, ports.send_data]
            random.shuffle(both)
            for send in both:
                await send(burst)
        for burst in bursts:
            await ports.answered(burst)
        for _ in range(6):
            await ports.check(Burst.random())


@cocotb.test()
async def reads_and_writes_at_once(dut):
    """Neither waits for the other, and each is answered in its order."""
    ports = Ports(dut)
    await ports.start()
    ports.stall(0.7)

    async def write(bursts):
        for burst in bursts:
            await ports.send_data(burst)
            await ports.send_address(burst)
            await ports.answered(burst)

    words = [Burst(r.OUT_ADDRESS, random.choice([1, 2, 3]), 2, INCR, i) for i in range(16)]
    writing = cocotb.start_soon(write(words))
    for i in range(16):
        await ports.check(Burst(r.ID, random.choice([1, 7]), 2, INCR, i))
    await with_timeout(writing, 200, "us")
    await ports.check(Burst(r.OUT_ADDRESS, 3, 2, INCR, 0))


@cocotb.test()
async def nothing_waits_for_the_other_side(dut):
    """Half a write does not stop a read; a read or answer not taken does not stop a write."""
    ports = Ports(dut)
    await ports.start()
    one, two = Burst(r.SCRATCH, 1, 2, INCR, 1), Burst(r.FRAMES, 1, 2, INCR, 2)
    known = Burst(r.ID, 4, 2, INCR, 3)
    await ports.send_address(one)
    await ports.check(known)  # address without data
    await ports.send_data(one)
    await ports.answered(one)
    await ports.send_data(two)
    await ports.check(known)  # data without address
    ports.b.pause = True
    await ports.send_address(two)
    await ports.check(known)  # answer not taken
    ports.b.pause = False
    await ports.answered(two)
    ports.r.pause = True
    reading = cocotb.start_soon(ports.check(known))
    for burst in (one, two):
        await ports.send_address(burst)
        await ports.send_data(burst)
        await ports.answered(burst)
    assert not reading.done()
    ports.r.pause = False
    await with_timeout(reading, 200, "us")
    for burst in (one, two):
        await ports.check(burst)


@cocotb.test()
async def bytes_of_status(dut):
    """A byte of it that is not written clears nothing."""
    ports = Ports(dut)
    await ports.start()

    async def write_byte(offset, value):
        burst = Burst(offset, 1, 0, INCR, 0)
        await ports.send_address(burst)
        lane = offset % 4
        beat = {"wdata": value << 8 * lane, "wstrb": 1 << lane, "wlast": 1}
        await ports.w.send(ports.w._transaction_obj(**beat))
        await ports.answered(burst)

    for first, second in ((0, 1), (1, 0)):
        dut.done.value, dut.errors.value = 1, 0b111111
        await RisingEdge(dut.clk)
        dut.done.value = dut.errors.value = 0
        await RisingEdge(dut.clk)
        status = r.DONE | sum(r.ERRORS)
        for lane in (first, second):
            ports.words[r.STATUS] = status
            await ports.check(Burst(r.STATUS, 1, 2, INCR, 0))
            await write_byte(r.STATUS + lane, 0xFF)
            status &= ~(0xFF << 8 * lane)
        ports.words[r.STATUS] = 0
        await ports.check(Burst(r.STATUS, 1, 2, INCR, 0))
    await write_byte(r.CONTROL, r.IRQ_ENABLE)
    await write_byte(r.CONTROL + 1, 0xFF)  # the other byte stays
    ports.words[r.CONTROL] = r.IRQ_ENABLE
    await ports.check(Burst(r.CONTROL, 1, 2, INCR, 0))


def _ask(channel, burst, prefix):
    fields = {"id": burst.identity, "addr": burst.address, "len": burst.beats - 1}
    fields |= {"size": burst.size, "burst": burst.kind}
    return channel._transaction_obj(**{prefix + name: value for name, value in fields.items()})
