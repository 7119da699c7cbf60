# SPDX-License-Identifier: Apache-2.0
"""cocotb cases of hwbnn_weight_reader: an image's words, in order, over and over."""

import logging
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from cocotbext.axi import AxiReadBus, AxiSlaveRead

from tests.shell.axi_driver import Memory, _pauses

PARAMETERS = ("DataBits", "AddressBits", "WordBits", "ContainerBytes")


class Board:
    """A memory behind the reader, and a core that takes words and compares them."""

    def __init__(self, dut):
        self.dut, self.memory = dut, Memory()
        logging.getLogger("cocotb.weight_bench").setLevel(logging.WARNING)
        bus = AxiReadBus.from_prefix(dut, "m_axi")
        self.port = AxiSlaveRead(bus, dut.clk, dut.rst_n, self.memory, False)
        self.data_bits, self.address_bits, self.word_bits, self.container = (
            int(getattr(dut, name).value) for name in PARAMETERS
        )
        self.beat = self.data_bits // 8

    async def start(self):
        dut = self.dut
        for name in ("enable", "address", "length", "latency", "ready"):
            getattr(dut, name).value = 0
        dut.rst_n.value, dut.core_rst_n.value = 0, 0
        cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
        await self.idle(5)
        dut.rst_n.value = 1
        await self.idle(2)
        dut.core_rst_n.value = 1

    async def idle(self, cycles):
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)

    def stall(self, pace):
        for channel in (self.port.ar_channel, self.port.r_channel):
            channel.set_pause_generator(_pauses(pace) if pace < 1 else None)
            channel.pause = False

    def image(self, count):
        """Random words at a random place, often near a border of 4 KB."""
        self.words = [random.getrandbits(self.word_bits) for _ in range(count)]
        data = b"".join(word.to_bytes(self.container, "little") for word in self.words)
        reach = 1 << min(self.address_bits, 40)
        at = random.randrange(reach // 4096 // 2) * 4096
        at += random.choice([0, self.beat, 4096 - 3 * self.beat])
        beats = -(-len(data) // self.beat)
        self.memory.bytes.clear()
        self.memory.store(at, data)  # what fills the last beat is rubbish
        self.memory.areas["read"] = range(at, at + beats * self.beat)
        self.dut.address.value, self.dut.length.value = at, len(data)

    async def take(self, count, pace=1.0):
        """Take so many words, from the image's first on; return the cycles from the first one."""
        dut, cycles, number = self.dut, 0, 0
        for _ in range(40 * (count + 100)):
            if number == count:
                break
            dut.ready.value = int(random.random() < pace)
            await FallingEdge(dut.clk)
            if dut.valid.value and dut.ready.value:
                assert int(dut.data.value) == self.words[number % len(self.words)], number
                number += 1
            cycles += number > 0
            await RisingEdge(dut.clk)
        assert number == count, f"no word behind {number}"
        dut.ready.value = 0
        return cycles

    async def settle(self):
        """Wait until nothing is under way."""
        for _ in range(2000):
            await RisingEdge(self.dut.clk)
            if not int(self.dut.busy.value):
                break
        await FallingEdge(self.dut.clk)
        assert not int(self.dut.busy.value) and int(self.dut.reads.value) == 0
        self.check()

    def check(self):
        assert int(self.dut.broken.value) == 0, bin(int(self.dut.broken.value))
        assert not self.memory.faults, self.memory.faults


def counts(board):
    """Words of images: of one beat, of no whole beats, of no whole bursts, of many."""
    in_beat = board.beat // board.container
    return (1, 2, 3, in_beat, 5 * in_beat + in_beat // 2, 16 * in_beat, 100 * in_beat + 1)


@cocotb.test()
async def over_and_over(dut):
    """At every length, with every channel stalled at random, or none."""
    board = Board(dut)
    await board.start()
    for count in counts(board):
        pace = random.choice([1, 0.8, 0.3])
        board.stall(pace)
        dut.latency.value = random.choice([0, 9, 40])
        board.image(count)
        dut.enable.value = 1
        await board.take(max(2 * count + 2, 40), random.choice([1, 0.6, 0.1]))
        dut.enable.value = 0
        await board.settle()


@cocotb.test()
async def full_rate(dut):
    """A memory that is only late: a word a cycle, and no stall but before the first."""
    board = Board(dut)
    await board.start()
    in_beat = board.beat // board.container
    for latency in (0, 80):
        dut.latency.value = latency
        board.image(163 * in_beat - (in_beat > 1))
        dut.enable.value = 1
        count = 400 + 170 * (in_beat < 4)
        assert await board.take(count) == count
        waited = int(dut.stall.value)
        assert latency < waited < latency + 20, waited
        await board.idle(400)  # the core has no room: that is no stall
        assert int(dut.stall.value) == waited
        dut.enable.value = 0
        await board.settle()


@cocotb.test()
async def begins_again(dut):
    """A reset of the core, or a new start, at any moment: from the first word on, of any image."""
    board = Board(dut)
    await board.start()
    board.image(300)
    dut.enable.value = 1
    for turn in range(16):
        board.stall(random.choice([1, 0.7]))
        dut.latency.value = random.choice([1, 30])  # 0 would forget what is under way
        await board.take(random.randrange(1, 400), random.choice([1, 0.5]))
        await board.idle(random.randrange(30))
        if turn % 2:
            dut.enable.value = 0
            await board.settle()
            board.image(random.randrange(1, 200))
            dut.enable.value = 1
        else:
            dut.core_rst_n.value = 0
            await board.idle(random.choice([1, 2, 16]))
            dut.core_rst_n.value = 1
        await board.idle(1)
        board.check()


@cocotb.test()
async def refused(dut):
    """An error of the memory is told and ends it, until the core is reset."""
    board = Board(dut)
    await board.start()
    board.image(500)
    dut.enable.value = 1
    for turn in range(6):
        board.stall(random.choice([1, 0.7]))
        dut.latency.value = random.choice([1, 30])  # 0 would forget what is under way
        board.memory.left["read"] = random.randrange(200)
        dut.ready.value = 1
        for _ in range(3000):
            await RisingEdge(dut.clk)
            if int(dut.error.value):
                break
        assert int(dut.error.value) and not int(dut.bad.value)
        await board.settle()  # and it stays so
        await board.idle(50)
        assert int(dut.error.value) and not int(dut.valid.value) and int(dut.reads.value) == 0
        board.memory.left["read"] = None
        dut.ready.value = 0
        reset = dut.core_rst_n if turn % 2 else dut.enable
        reset.value = 0
        await board.idle(2)
        reset.value = 1
        await board.idle(1)
        await board.take(600)
        assert not int(dut.error.value)


@cocotb.test()
async def bad(dut):
    """No length, a part of a word, an address inside a beat or above the port: nothing is read."""
    board = Board(dut)
    await board.start()
    board.image(100)
    board.memory.areas["read"] = range(0)
    good = int(dut.address.value), int(dut.length.value)
    await board.idle(1)
    good = int(dut.address.value), int(dut.length.value)
    wrong = [(good[0], 0), (good[0] + 1, good[1]), (good[0] + board.beat // 2, good[1])]
    if board.container > 1:
        wrong.append((good[0], good[1] + 1))
    if board.address_bits < 64:
        wrong.append((good[0] | 1 << board.address_bits, good[1]))
    for address, length in wrong:
        dut.address.value, dut.length.value, dut.enable.value = address, length, 1
        await board.idle(60)
        assert int(dut.bad.value) and not int(dut.error.value), (address, length)
        assert not int(dut.busy.value) and not int(dut.valid.value)
        dut.enable.value = 0
        await board.idle(2)
        assert not int(dut.bad.value)
    board.check()
