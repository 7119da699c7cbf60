# SPDX-License-Identifier: Apache-2.0
"""cocotb cases of hwbnn_shell_axi with the toy core: batches, good ones and others."""

import random

import cocotb
from cocotb.triggers import RisingEdge, with_timeout

from hwbnn.deploy.runtime import registers as r
from tests.shell.axi_driver import ALWAYS, Host

# How often a channel of the memory works, and frames of the batches then.
PACES = ((1, (1, 2, 9)), (0.9, (3, 25)), (0.5, (1, 4, 30)), (0.2, (2, 7)), (1, (40,)))


@cocotb.test()
async def batches(dut):
    """One after another, of all sizes, with every channel stalled at random, or none."""
    host = Host(dut)
    await host.start()
    for pace, sizes in PACES:
        dut.in_pace.value = dut.out_pace.value = random.choice([ALWAYS, 200, 40])
        host.delay(random.choice([0, 0, 7]), random.choice([0, 20]))
        host.stall_memory(pace)
        host.stall_slave((1 + pace) / 2)
        for size in sizes:
            await host.run([host.frame.random() for _ in range(size)])


@cocotb.test()
async def slow_core_and_slow_memory(dut):
    """Each side waits for the other without losing a beat."""
    host = Host(dut)
    await host.start()
    for in_pace, out_pace, pace in ((15, ALWAYS, 1), (ALWAYS, 10, 1), (ALWAYS, ALWAYS, 0.1)):
        dut.in_pace.value, dut.out_pace.value = in_pace, out_pace
        host.stall_memory(pace)
        await host.run([host.frame.random() for _ in range(8)])


@cocotb.test()
async def steady_memory(dut):
    """A memory that only answers late: no stall behind the first beat, whatever the addresses."""
    host = Host(dut)
    await host.start(latency=40)
    wide = host.frame.bits > 8 * host.word_bytes or host.result.bits > 8 * host.word_bytes
    assert not wide, "a beat of more than a word has to wait"
    for size in (1, 2, 3, 5, 17, 24):
        await host.run([host.frame.random() for _ in range(size)])
        assert await host.read(r.OUT_STALL) == 0
        if host.frame.bytes // host.word_bytes <= host.frame.beats:
            assert await host.read(r.IN_STALL) == 0
            # The toy core gives a result's first beat two cycles behind the frame's last.
            beats = size * host.frame.beats
            assert host.frame.beats >= host.result.beats
            assert await host.read(r.CYCLES) == beats + 1 + host.result.beats


@cocotb.test()
async def late_answers(dut):
    """Bursts wait for the answers of those before, or too many would be under way."""
    host = Host(dut)
    await host.start()
    for read, write in ((0, 150), (150, 0)):
        host.delay(read, write)
        count = 120 * host.word_bytes // min(host.frame.bytes, host.result.bytes)
        await host.run([host.frame.random() for _ in range(count)])


@cocotb.test()
async def refused(dut):
    """An error of the memory ends the batch, with its bit; the next batch is whole."""
    host = Host(dut)
    await host.start()
    for turn in range(12):
        host.stall_memory(random.choice([1, 0.6]))
        host.delay(random.choice([0, 30]), random.choice([0, 30]))
        dut.in_pace.value, dut.out_pace.value = random.choice([(ALWAYS, ALWAYS), (100, 50)])
        frames = [host.frame.random() for _ in range(random.choice([1, 9, 20]))]
        kind = turn % 3  # the read, the write, both
        words = [len(frames) * one.bytes // host.word_bytes for one in (host.frame, host.result)]
        if kind != 1:
            host.memory.left["read"] = random.randrange(words[0])
        if kind != 0:
            host.memory.left["write"] = random.randrange(words[1])
        await host.begin(frames)
        status = await host.finish()
        if kind == 2:
            assert status in (r.READ_ERROR, r.WRITE_ERROR, r.READ_ERROR | r.WRITE_ERROR)
        else:
            assert status == (r.READ_ERROR, r.WRITE_ERROR)[kind]
        host.memory.left = {"read": None, "write": None}
        await host.run([host.frame.random() for _ in range(random.choice([1, 3]))])


@cocotb.test()
async def bad_batches(dut):
    """They end at once, touch no memory, and leave nothing behind."""
    host = Host(dut)
    await host.start()
    host.place(4)
    source, target = host.addresses
    wrong = [(source, target, 0)]
    for bit in (1, host.word_bytes // 2):
        wrong += [(source + bit, target, 4), (source, target + bit, 4)]
    if host.address_bits < 64:
        beyond = 1 << random.randrange(host.address_bits, 64)
        wrong += [(source | beyond, target, 4), (source, target | beyond, 4)]
    host.memory.areas = {"read": range(0), "write": range(0)}
    for in_address, out_address, frames in wrong:
        await host.write(r.IN_ADDRESS, in_address | out_address << 64, words=4)
        await host.write(r.FRAMES, frames)
        await host.write(r.CONTROL, r.START)
        await host.idle(4)
        assert await host.finish(cycles=100) == r.BAD_BATCH, (in_address, out_address, frames)
        await host.idle(100)
        host.check_idle()
    await host.run([host.frame.random() for _ in range(3)])


@cocotb.test()
async def start_while_busy(dut):
    """It is refused, whatever address and number are written for it; the batch goes on."""
    host = Host(dut)
    await host.start(in_pace=60, out_pace=60)
    frames = [host.frame.random() for _ in range(12)]
    await host.begin(frames)
    await host.write(r.IN_ADDRESS, random.getrandbits(128), words=4)
    await host.write(r.FRAMES, 3)
    for _ in range(3):
        assert await host.read(r.STATUS) == r.BUSY
        await host.write(r.CONTROL, r.START)
        await host.idle(3)
        assert await host.read(r.STATUS) == r.BUSY | r.BAD_BATCH
        await host.write(r.STATUS, r.BAD_BATCH)
    await host.write(r.CONTROL, r.START)
    assert await host.finish() == r.BAD_BATCH
    assert await host.read(r.FRAMES_DONE) == len(frames)
    host.check_results(frames)


@cocotb.test()
async def soft_reset(dut):
    """At any moment: what is under way ends, then a batch has its own results, all of them."""
    host = Host(dut)
    await host.start()
    muted = held = 0
    for turn in range(25):
        host.stall_memory(random.choice([1, 0.7, 0.3]))
        host.delay(random.choice([0, 25]), random.choice([0, 25]))
        dut.in_pace.value, dut.out_pace.value = random.choice([(ALWAYS, ALWAYS), (100, 50)])
        frames = [host.frame.random() for _ in range(random.choice([1, 10, 30]))]
        if turn % 5 == 4:
            host.memory.left["read"] = random.randrange(8)  # the batch fails at about the same time
        await host.begin(frames)
        await host.idle(random.randrange(150))
        before = int(dut.muted.value)
        await host.write(r.CONTROL, r.RESET | r.IRQ_ENABLE)
        polls = 0
        while (control := await host.read(r.CONTROL)) & r.RESET:
            polls += 1
            assert polls < 300
        assert control == r.IRQ_ENABLE
        held += polls > 1
        muted += int(dut.muted.value) > before
        host.check_idle()
        host.memory.left["read"] = None
        assert dut.irq.value == 0
        names = (r.STATUS, r.CYCLES, r.CYCLES + 4, r.IN_STALL, r.OUT_STALL, r.FRAMES_DONE)
        assert [await host.read(name) for name in names] == [0] * len(names)
        await host.run([host.frame.random() for _ in range(random.choice([1, 3]))])
    assert held, "no reset came while bursts were under way"
    assert muted, "no reset came while data were written"


@cocotb.test()
async def interrupt(dut):
    """It comes with DONE, for a good batch and for a bad one, and goes with it."""
    host = Host(dut)
    await host.start()
    for frames in (3, 1):
        await host.begin([host.frame.random() for _ in range(frames)], r.START | r.IRQ_ENABLE)
        assert dut.irq.value == 0
        await RisingEdge(dut.irq)
        assert await host.read(r.STATUS) == r.DONE
        assert await host.finish() == 0
        assert dut.irq.value == 0
    await host.write(r.FRAMES, 0)
    await host.write(r.CONTROL, r.START | r.IRQ_ENABLE)
    await host.idle(4)
    assert dut.irq.value == 1
    await host.write(r.CONTROL, 0)
    await host.idle(2)
    assert dut.irq.value == 0  # not enabled
    assert await host.read(r.STATUS) == r.DONE | r.BAD_BATCH


@cocotb.test()
async def core_reset(dut):
    """With the chip's reset and by RESET, not between good batches."""
    host = Host(dut)
    await host.start()
    assert dut.core_rst_n.value == 1
    watch = cocotb.start_soon(_falls(dut.core_rst_n))
    for _ in range(2):
        await host.run([host.frame.random()])
    assert not watch.done()
    await host.write(r.CONTROL, r.RESET)
    await with_timeout(watch, 500, "ns")


async def _falls(signal):
    while signal.value:
        await signal.value_change


@cocotb.test()
async def early_results(dut):
    """A batch has ended when the core has its last input too: nothing is left for the next."""
    host = Host(dut)
    assert host.early
    await host.start()
    for in_pace in (ALWAYS, 100, 20):
        dut.in_pace.value = in_pace
        for count in (1, 3):
            await host.run([host.frame.random() for _ in range(count)])
            assert dut.i_core.in_beat_q.value == 0
