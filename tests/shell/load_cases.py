# SPDX-License-Identifier: Apache-2.0
"""cocotb cases of a core whose weights are loaded: their chain, and the integers behind it."""

import json
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

MASK = (1 << 72) - 1


class Core:
    """A core, the image that its weights come from, its frames, and its results."""

    def __init__(self, dut):
        self.dut = dut
        told = json.loads(Path("expected.json").read_text())
        self.frames, self.results = told["frames"], told["results"]  # beats
        data = Path("image.bin").read_bytes()
        words = [int.from_bytes(data[at : at + 16], "little") for at in range(0, len(data), 16)]
        assert not any(word >> 72 for word in words)
        self.columns = words

    async def start(self):
        """With both resets low."""
        dut = self.dut
        for name in ("rst_ni", "in_valid_i", "out_ready_i", "load_rst_ni", "load_valid_i"):
            getattr(dut, name).value = 0
        cocotb.start_soon(Clock(dut.clk_i, 10, "ns").start())
        await self.idle(4)

    async def idle(self, cycles):
        for _ in range(cycles):
            await FallingEdge(self.dut.clk_i)

    async def load(self, columns, *, pace=1.0):
        """Give columns, one in `pace` of the cycles; between them rubbish that is not valid."""
        dut = self.dut
        dut.load_rst_ni.value = 1
        for column in columns:
            while random.random() >= pace:
                dut.load_valid_i.value, dut.load_data_i.value = 0, random.getrandbits(72)
                await self.idle(1)
            assert dut.loaded_o.value == 0
            dut.load_valid_i.value, dut.load_data_i.value = 1, column
            await self.idle(1)
        dut.load_valid_i.value = 0

    async def forget(self):
        """Reset the chain."""
        self.dut.load_rst_ni.value = 0
        await self.idle(1)
        self.dut.load_rst_ni.value = 1
        assert self.dut.loaded_o.value == 0

    async def loaded(self):
        """Wait until all is there: as many cycles as there are memories, and one."""
        for _ in range(10):
            if self.dut.loaded_o.value == 1:
                return
            await self.idle(1)
        raise AssertionError("loaded_o does not rise")

    async def reset(self):
        self.dut.rst_ni.value = 0
        await self.idle(3)
        self.dut.rst_ni.value = 1

    async def run(self):
        """Send all frames and return the beats of the results."""
        sending = cocotb.start_soon(self._send())
        taken = []
        while len(taken) < len(self.results):
            self.dut.out_ready_i.value = random.random() < 0.7
            await RisingEdge(self.dut.clk_i)
            if self.dut.out_valid_o.value == 1 and self.dut.out_ready_i.value == 1:
                taken.append(int(self.dut.out_data_o.value))
            await self.idle(1)
        await sending
        return taken

    async def _send(self):
        for beat in self.frames:
            self.dut.in_valid_i.value, self.dut.in_data_i.value = 1, beat
            while True:
                await RisingEdge(self.dut.clk_i)
                taken = self.dut.in_ready_o.value == 1
                await self.idle(1)
                if taken:
                    break
        self.dut.in_valid_i.value = 0


@cocotb.test()
async def an_image_at_full_rate(dut):
    core = Core(dut)
    await core.start()
    await core.load(core.columns)
    await core.loaded()
    await core.reset()
    assert await core.run() == core.results


@cocotb.test()
async def gaps_and_a_second_beginning(dut):
    """Half of another image with gaps, then a reset of the chain, then all of ours."""
    core = Core(dut)
    await core.start()
    wrong = [column ^ MASK for column in core.columns]
    for part in (wrong[: len(wrong) // 2], wrong[:-1], wrong):
        await core.load(part, pace=0.6)
        await core.idle(12)
        assert dut.loaded_o.value == (len(part) == len(wrong))
        await core.forget()
    await core.load(core.columns, pace=0.5)
    await core.loaded()
    await core.reset()
    assert await core.run() == core.results


@cocotb.test()
async def what_is_loaded_stays(dut):
    """Behind resets of the core, in the middle of a frame too; more columns change nothing."""
    core = Core(dut)
    await core.start()
    await core.load(core.columns, pace=0.8)
    await core.loaded()
    dut.load_valid_i.value = 1
    for _ in range(2 * len(core.columns)):
        dut.load_data_i.value = random.getrandbits(72)
        await core.idle(1)
    for moment in (7, 60, 0):
        await core.reset()
        assert dut.loaded_o.value == 1
        sending = cocotb.start_soon(core._send())
        await core.idle(moment)
        sending.cancel()
        dut.in_valid_i.value = 0
    await core.reset()
    assert await core.run() == core.results


@cocotb.test()
async def other_weights_give_other_results(dut):
    core = Core(dut)
    await core.start()
    await core.load([column ^ MASK for column in core.columns])
    await core.loaded()
    await core.reset()
    assert await core.run() != core.results
