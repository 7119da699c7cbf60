# SPDX-License-Identifier: Apache-2.0
"""cocotb cases of hwbnn_weight_control: two slaves in one, whichever way they are asked."""

import logging
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Combine, RisingEdge
from cocotbext.axi import AxiBus, AxiMaster

from hwbnn.deploy.runtime import registers as r
from hwbnn.deploy.runtime.weights import reader
from tests.shell.axi_driver import _channels, _pauses

SHELL_BYTES = 0x400  # below the readers' registers; bursts stay inside
KEPT = {r.WEIGHT_ADDRESS: ~0, r.WEIGHT_ADDRESS + 4: ~0, r.WEIGHT_LENGTH: ~0, r.WEIGHT_CONTROL: 1}


class Host:
    """The processor's side."""

    def __init__(self, dut):
        self.dut = dut
        logging.getLogger("cocotb.weight_control_bench").setLevel(logging.WARNING)
        self.master = AxiMaster(AxiBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst_n, False)

    async def start(self, pace):
        dut = self.dut
        dut.error.value = dut.bad.value = dut.loaded.value = dut.rst_n.value = 0
        cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
        await self.idle(20)
        dut.rst_n.value = 1
        await self.idle(2)
        read, write = self.master.read_if, self.master.write_if
        for channel in (read.ar_channel, read.r_channel, *_channels(write)):
            channel.set_pause_generator(_pauses(pace) if pace < 1 else None)

    async def idle(self, cycles):
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)

    async def read(self, offset):
        return int.from_bytes((await self.master.read(offset, 4)).data, "little")

    async def write(self, offset, value):
        await self.master.write(offset, value.to_bytes(4, "little"))

    async def keep(self, place, number):
        """Write and read a place of the shell's or of the readers' registers, again and again."""
        for _ in range(20):
            words = random.randrange(1, 17) if place < 0x800 else 1
            data = random.randbytes(4 * words)
            start = place + 4 * random.randrange(64) if place < 0x800 else place
            await self.master.write(start, data)
            found = bytes((await self.master.read(start, 4 * words)).data)
            assert found == data, (number, hex(start))


@cocotb.test()
async def both_at_once(dut):
    """Many accesses under way to both: each has its own answer."""
    host = Host(dut)
    await host.start(random.choice([1, 0.5]))
    places = [0x000, 0x200, reader(0) + r.WEIGHT_LENGTH, reader(1) + r.WEIGHT_ADDRESS + 4]
    tasks = [cocotb.start_soon(host.keep(place, i)) for i, place in enumerate(places)]
    await Combine(*tasks)


@cocotb.test()
async def registers_of_readers(dut):
    host = Host(dut)
    await host.start(0.7)
    fixed = {r.WEIGHTS_ID: r.WEIGHTS_ID_VALUE, r.WEIGHTS_VERSION: r.WEIGHTS_VERSION_LOADER}
    fixed |= {r.WEIGHT_READERS: 2, reader(0) + r.WEIGHT_WORD_BITS: 27, 0x810: 0, 0xFFC: 0}
    fixed |= {reader(0) + r.WEIGHT_CONTAINER: 4, reader(1) + r.WEIGHT_WORD_BITS: 20}
    fixed |= {reader(1) + r.WEIGHT_CONTAINER: 8, reader(2) + r.WEIGHT_WORD_BITS: 0}
    for offset, value in fixed.items():
        await host.write(offset, random.getrandbits(32))
        assert await host.read(offset) == value, hex(offset)
    written = {}
    for _ in range(40):
        offset = reader(random.randrange(2)) + random.choice(list(KEPT))
        written[offset] = random.getrandbits(32)
        await host.write(offset, written[offset])
    for offset, value in written.items():
        assert await host.read(offset) == value & KEPT[offset % 0x20] & 0xFFFFFFFF
    for number, stall in ((0, r.WEIGHT_LENGTH), (1, r.WEIGHT_ADDRESS)):  # as the bench feeds it
        source = reader(0) + stall if number == 0 else reader(1) + stall
        assert await host.read(reader(number) + r.WEIGHT_STALLS) == await host.read(source)
        on = await host.read(reader(number) + r.WEIGHT_CONTROL)
        assert await host.read(reader(number) + r.WEIGHT_STATUS) == on * r.WEIGHT_BUSY
    dut.loaded.value = 1  # of the last one
    on = await host.read(reader(1) + r.WEIGHT_CONTROL)
    assert await host.read(reader(1) + r.WEIGHT_STATUS) == on * r.WEIGHT_BUSY | r.WEIGHT_LOADED
    assert not await host.read(reader(0) + r.WEIGHT_STATUS) & r.WEIGHT_LOADED


@cocotb.test()
async def errors_raise_the_interrupt(dut):
    host = Host(dut)
    await host.start(1)
    assert not dut.irq.value and await host.read(r.WEIGHT_ERRORS) == 0
    for signal, bit in ((dut.error, r.WEIGHT_READ_ERROR), (dut.bad, r.WEIGHT_BAD_SETTING)):
        signal.value = 0b10
        await host.idle(3)
        assert dut.irq.value and await host.read(r.WEIGHT_ERRORS) == 0b10
        assert await host.read(reader(1) + r.WEIGHT_STATUS) == bit
        signal.value = 0
        await host.idle(3)
        assert not dut.irq.value and await host.read(reader(1) + r.WEIGHT_STATUS) == 0
