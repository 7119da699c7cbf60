# SPDX-License-Identifier: Apache-2.0
"""cocotb cases of hwbnn_dma_bursts: every word of a batch once, in bursts that AXI3 allows."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

BLOCK = 16  # words
AHEAD = 32  # words that are counted in before the first burst


class Cutter:
    def __init__(self, dut):
        self.dut = dut
        self.word_bytes, self.frame_words = int(dut.WordBytes.value), int(dut.FrameWords.value)
        self.address_bits = int(dut.AddressBits.value)

    async def start(self):
        dut = self.dut
        for name in ("start_i", "address_i", "frames_i", "stop_i", "take_i", "rst_ni"):
            getattr(dut, name).value = 0
        cocotb.start_soon(Clock(dut.clk_i, 10, "ns").start())
        for _ in range(2):
            await FallingEdge(dut.clk_i)
        dut.rst_ni.value = 1

    async def begin(self, address, frames):
        self.dut.start_i.value = 1
        self.dut.address_i.value = address
        self.dut.frames_i.value = frames
        await FallingEdge(self.dut.clk_i)
        self.dut.start_i.value = 0
        self.dut.address_i.value = random.getrandbits(self.address_bits)
        self.dut.frames_i.value = random.getrandbits(32)

    async def cycle(self, willing):
        """Take the burst that is offered, if willing; return it after the cycle's end."""
        burst = int(self.dut.address_o.value), int(self.dut.words_o.value)
        taken = willing and bool(self.dut.valid_o.value)
        offered = not willing and bool(self.dut.valid_o.value)
        self.dut.take_i.value = int(taken)
        await FallingEdge(self.dut.clk_i)
        self.dut.take_i.value = 0
        if offered:  # and not taken: it stays, and may grow no more
            assert (int(self.dut.address_o.value), int(self.dut.words_o.value)) == burst
        return burst if taken else None

    def random_address(self, words):
        """Often a few words below a border of 4 KB."""
        top = (1 << self.address_bits) // self.word_bytes - words
        block = random.randrange(top * self.word_bytes // 4096) * 4096 // self.word_bytes
        return (block + random.choice([0, 1, 4096 // self.word_bytes - 3])) * self.word_bytes

    def check(self, bursts, address, frames):
        left = frames * self.frame_words
        for at, words in bursts:
            assert at == address
            room = BLOCK - address // self.word_bytes % BLOCK
            assert words == min(room, left)
            assert address // 4096 == (address + words * self.word_bytes - 1) // 4096
            address += words * self.word_bytes
            left -= words
        assert left == 0


@cocotb.test()
async def every_word_once(dut):
    cutter = Cutter(dut)
    await cutter.start()
    for _ in range(30):
        frames = random.choice([1, 2, 3, random.randrange(1, 60)])
        address = cutter.random_address(frames * cutter.frame_words)
        await cutter.begin(address, frames)
        willing = random.choice([1, 0.5, 0.05])
        bursts = []
        while dut.busy_o.value:
            taken = await cutter.cycle(random.random() < willing)
            bursts += [taken] if taken else []
        cutter.check(bursts, address, frames)


@cocotb.test()
async def never_behind(dut):
    """For a buffer of four bursts that a word leaves every cycle, only the first burst is late."""
    cutter = Cutter(dut)
    await cutter.start()
    for offset in range(BLOCK):
        frames = -(-150 // cutter.frame_words)
        left = frames * cutter.frame_words
        await cutter.begin(offset * cutter.word_bytes, frames)
        stock, waited = 0, 0
        while left:
            taken = await cutter.cycle(stock <= 3 * BLOCK)
            stock += taken[1] if taken else 0
            if stock:
                stock, left = stock - 1, left - 1
            else:
                waited += 1
                assert left == frames * cutter.frame_words, "a word was late"
        assert waited <= AHEAD + 1
        assert not dut.busy_o.value


@cocotb.test()
async def stop_forgets(dut):
    cutter = Cutter(dut)
    await cutter.start()
    for moment in range(0, 60, 7):
        await cutter.begin(cutter.random_address(500 * cutter.frame_words), 500)
        for _ in range(moment):
            await cutter.cycle(random.random() < 0.5)
        dut.stop_i.value = 1
        await FallingEdge(dut.clk_i)
        dut.stop_i.value = 0
        assert not dut.busy_o.value and not dut.valid_o.value
        await cutter.begin(0, 1)
        bursts = []
        while dut.busy_o.value:
            taken = await cutter.cycle(True)
            bursts += [taken] if taken else []
        cutter.check(bursts, 0, 1)
