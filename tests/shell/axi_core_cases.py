# SPDX-License-Identifier: Apache-2.0
"""cocotb cases of hwbnn_shell_axi with a design of the compiler: its results and its cycles."""

import json
from pathlib import Path

import cocotb

from hwbnn.deploy.runtime import registers as r
from tests.shell.axi_driver import Host


class Expected:
    """What the test wrote for the cases."""

    def __init__(self, host):
        told = json.loads(Path("expected.json").read_text())
        self.cycles = {int(frames): cycles for frames, cycles in told["cycles"].items()}
        self.high_water = {int(frames): most for frames, most in told["high_water"].items()}
        frames, results = Path("frames.bin").read_bytes(), Path("results.bin").read_bytes()
        size = host.frame.bytes
        self.frames = [frames[i : i + size] for i in range(0, len(frames), size)]
        size = host.result.bytes
        self.results = [results[i : i + size] for i in range(0, len(results), size)]


async def run(host, expected, count):
    """A batch after a reset: its cycles, its stalls, and the high-water marks."""
    await host.write(r.CONTROL, r.RESET)
    while await host.read(r.CONTROL) & r.RESET:
        pass
    await host.begin(expected.frames[:count])
    assert await host.finish() == 0
    found = host.memory.load(host.addresses[1], count * host.result.bytes)
    assert found == b"".join(expected.results[:count])
    low, high = await host.read(r.CYCLES, words=2)
    fifos = await host.read(r.FIFOS)
    most = [await host.read(r.HIGH_WATER + 4 * i) for i in range(fifos)]
    stalls = [await host.read(r.IN_STALL), await host.read(r.OUT_STALL)]
    return low | high << 32, stalls, most


@cocotb.test()
async def cycles_are_those_predicted(dut):
    """From a memory that answers late but gives a word a cycle."""
    host = Host(dut)
    await host.start(latency=40)
    expected = Expected(host)
    for count, cycles in expected.cycles.items():
        assert await run(host, expected, count) == (cycles, [0, 0], expected.high_water[count])


@cocotb.test()
async def stalls_explain_the_rest(dut):
    """From a memory that stalls, batches take longer, but no longer than the stalls counted."""
    host = Host(dut)
    await host.start()
    expected = Expected(host)
    for pace in (0.5, 0.25):
        host.stall_memory(pace)
        for count, cycles in expected.cycles.items():
            found, (in_stall, out_stall), most = await run(host, expected, count)
            assert cycles < found <= cycles + in_stall + out_stall
            assert len(most) == len(expected.high_water[count])


@cocotb.test()
async def reset_in_the_middle(dut):
    """The core is as new: the batch behind it takes the cycles of the first."""
    host = Host(dut)
    await host.start(latency=10)
    expected = Expected(host)
    count = max(expected.cycles)
    for moment in (30, 140, 333):
        await host.begin(expected.frames[:count])
        await host.idle(moment)
        found = await run(host, expected, count)
        assert found == (expected.cycles[count], [0, 0], expected.high_water[count])
