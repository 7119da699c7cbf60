# SPDX-License-Identifier: Apache-2.0
"""cocotb cases of hwbnn_registers: every register and bit of the contract."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

from hwbnn.deploy.runtime import registers as r

INPUTS = "write_i index_i wdata_i read_i reset_done_i busy_i done_i errors_i cycles_i in_stall_i "
INPUTS += "out_stall_i frames_done_i high_water_i"
KEPT = {r.SCRATCH: 0, r.IN_ADDRESS: 0, r.IN_ADDRESS + 4: 0, r.OUT_ADDRESS: 0}
KEPT |= {r.OUT_ADDRESS + 4: 0, r.FRAMES: 0}
UNKNOWN = (0x060, 0x0FC, 0x400, 0x1024, 0x8024, 0xFFFC)


class Bus:
    """The simple bus, one access at a time."""

    def __init__(self, dut):
        self.dut = dut

    async def start(self):
        for name in INPUTS.split():
            getattr(self.dut, name).value = 0
        self.dut.rst_ni.value = 0
        cocotb.start_soon(Clock(self.dut.clk_i, 10, "ns").start())
        await self.idle(2)
        self.dut.rst_ni.value = 1
        await self.idle(1)

    async def idle(self, cycles):
        for _ in range(cycles):
            await RisingEdge(self.dut.clk_i)

    async def write(self, offset, value):
        self.dut.write_i.value = 1
        self.dut.index_i.value = offset // 4
        self.dut.wdata_i.value = value
        await RisingEdge(self.dut.clk_i)
        self.dut.write_i.value = 0
        self.dut.index_i.value = random.randrange(1 << 14)
        self.dut.wdata_i.value = random.getrandbits(32)

    async def read(self, offset):
        self.dut.read_i.value = 1
        self.dut.index_i.value = offset // 4
        await RisingEdge(self.dut.clk_i)
        self.dut.read_i.value = 0
        self.dut.index_i.value = random.randrange(1 << 14)
        await ReadOnly()
        value = int(self.dut.rdata_o.value)
        await RisingEdge(self.dut.clk_i)
        await ReadOnly()
        assert int(self.dut.rdata_o.value) == value  # stays until the next read
        await RisingEdge(self.dut.clk_i)
        return value

    async def pulse(self, name, value=1):
        getattr(self.dut, name).value = value
        await RisingEdge(self.dut.clk_i)
        getattr(self.dut, name).value = 0


def number(name: str) -> int:
    return int(cocotb.plusargs[name])


@cocotb.test()
async def constants(dut):
    bus = Bus(dut)
    await bus.start()
    assert await bus.read(r.ID) == r.ID_VALUE == int.from_bytes(b"HBNN", "little")
    assert await bus.read(r.VERSION) == r.VERSION_VALUE
    found = [await bus.read(r.BUILD_HASH + 4 * i) for i in range(4)]
    assert b"".join(word.to_bytes(4, "little") for word in found) == bytes(range(1, 17))
    assert await bus.read(r.WORD_BYTES) == number("word")
    assert await bus.read(r.FIFOS) == number("fifos")
    assert await bus.read(r.IN_BYTES) == number("in")
    assert await bus.read(r.OUT_BYTES) == number("out")
    assert await bus.read(r.IN_ROOM) == number("room")


@cocotb.test()
async def kept_words(dut):
    """What is written is read, by nobody else; other offsets read 0 and take nothing."""
    bus = Bus(dut)
    await bus.start()
    memory = number("address") > 0
    kept = dict(KEPT)
    read_only = [r.ID, r.BUILD_HASH, r.IN_BYTES, r.CYCLES, r.HIGH_WATER, *UNKNOWN]
    before = {offset: await bus.read(offset) for offset in read_only}
    for _ in range(60):
        offset = random.choice([*kept, *read_only])
        value = random.getrandbits(32)
        await bus.write(offset, value)
        if offset in kept and (memory or offset == r.SCRATCH):
            kept[offset] = value
        for each in random.sample([*kept], 3):
            assert await bus.read(each) == kept[each], hex(each)
        assert int(dut.frames_o.value) == kept[r.FRAMES]
        for port, low in (("in_address_o", r.IN_ADDRESS), ("out_address_o", r.OUT_ADDRESS)):
            assert int(getattr(dut, port).value) == kept[low] | kept[low + 4] << 32
    assert {offset: await bus.read(offset) for offset in read_only} == before
    unknown = [*UNKNOWN, r.HIGH_WATER + 4 * number("fifos")]
    assert [await bus.read(offset) for offset in unknown] == [0] * len(unknown)


@cocotb.test()
async def counters(dut):
    bus = Bus(dut)
    await bus.start()
    dut.cycles_i.value = 0x0123_4567_FFFF_FFFF
    assert await bus.read(r.CYCLES) == 0xFFFF_FFFF
    dut.cycles_i.value = 0x0123_4568_0000_0000
    assert await bus.read(r.CYCLES + 4) == 0x0123_4567  # held by the read of the low word
    assert await bus.read(r.CYCLES) == 0
    assert await bus.read(r.CYCLES + 4) == 0x0123_4568
    for offset, port in (
        (r.IN_STALL, "in_stall_i"),
        (r.OUT_STALL, "out_stall_i"),
        (r.FRAMES_DONE, "frames_done_i"),
    ):
        value = random.getrandbits(32)
        getattr(dut, port).value = value
        assert await bus.read(offset) == value
    most = [random.getrandbits(16) for _ in range(number("fifos"))]
    dut.high_water_i.value = sum(value << 16 * i for i, value in enumerate(most))
    assert [await bus.read(r.HIGH_WATER + 4 * i) for i in range(len(most))] == most


@cocotb.test()
async def errors_and_done(dut):
    """Pulses stay until a one is written; a pulse in the cycle of the clear is not lost."""
    bus = Bus(dut)
    await bus.start()
    bits = [r.READ_ERROR, r.WRITE_ERROR, r.BAD_BATCH, r.BAD_CHECKSUM, r.BAD_SEQUENCE, r.NO_ROOM]
    assert sorted(r.ERRORS) == bits
    for i, bit in enumerate(bits):
        await bus.pulse("errors_i", 1 << i)
        assert await bus.read(r.STATUS) == bit
        await bus.write(r.STATUS, ~bit & 0xFFFFFFFF)
        assert await bus.read(r.STATUS) == bit
        dut.errors_i.value = 1 << i
        await bus.write(r.STATUS, bit)
        dut.errors_i.value = 0
        assert await bus.read(r.STATUS) == bit
        await bus.write(r.STATUS, bit)
        assert await bus.read(r.STATUS) == 0
    dut.busy_i.value = 1
    assert await bus.read(r.STATUS) == r.BUSY
    dut.busy_i.value = 0
    await bus.pulse("done_i")
    assert await bus.read(r.STATUS) == r.DONE
    dut.done_i.value = 1
    await bus.write(r.STATUS, r.DONE)
    dut.done_i.value = 0
    assert await bus.read(r.STATUS) == r.DONE
    await bus.write(r.STATUS, r.DONE)
    assert await bus.read(r.STATUS) == 0


@cocotb.test()
async def interrupt(dut):
    """While DONE, if enabled."""
    bus = Bus(dut)
    await bus.start()
    await bus.pulse("done_i")
    await bus.idle(3)
    assert dut.irq_o.value == 0
    await bus.write(r.CONTROL, r.IRQ_ENABLE)
    assert await bus.read(r.CONTROL) == r.IRQ_ENABLE
    assert dut.irq_o.value == 1
    await bus.write(r.STATUS, r.DONE)
    await bus.idle(3)
    assert dut.irq_o.value == 0


@cocotb.test()
async def start_is_a_pulse(dut):
    bus = Bus(dut)
    await bus.start()
    for value in (r.START, r.START | r.IRQ_ENABLE):
        await bus.write(r.CONTROL, value)
        await ReadOnly()
        assert dut.start_o.value == 1
        await bus.idle(1)
        await ReadOnly()
        assert dut.start_o.value == 0
        await bus.idle(1)
        assert await bus.read(r.CONTROL) == value & r.IRQ_ENABLE  # START reads 0


@cocotb.test()
async def reset_is_held(dut):
    """Until it is done; it clears errors and DONE, keeps the rest, and hears no START."""
    bus = Bus(dut)
    await bus.start()
    await bus.write(r.SCRATCH, 77)
    await bus.pulse("errors_i", 0x3F)
    await bus.pulse("done_i")
    await bus.write(r.CONTROL, r.RESET | r.START | r.IRQ_ENABLE)
    for _ in range(5):
        await ReadOnly()
        assert dut.soft_reset_o.value == 1
        assert dut.start_o.value == 0
        await bus.idle(1)
    assert await bus.read(r.CONTROL) == r.RESET | r.IRQ_ENABLE
    await bus.write(r.CONTROL, r.START)  # neither starts nor ends the reset
    await ReadOnly()
    assert (dut.start_o.value, dut.soft_reset_o.value) == (0, 1)
    await bus.idle(1)
    assert await bus.read(r.CONTROL) == r.RESET
    dut.done_i.value = 1  # the batch that is given up
    await bus.pulse("reset_done_i")
    dut.done_i.value = 0
    await ReadOnly()
    assert dut.soft_reset_o.value == 0
    await bus.idle(1)
    assert await bus.read(r.CONTROL) == 0
    assert await bus.read(r.STATUS) == 0
    assert await bus.read(r.SCRATCH) == 77
