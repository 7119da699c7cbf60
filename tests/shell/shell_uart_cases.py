# SPDX-License-Identifier: Apache-2.0
"""cocotb cases of hwbnn_shell_uart: registers, frames and results over a good line."""

import random

import cocotb

from hwbnn.deploy.runtime import packets as p
from hwbnn.deploy.runtime import registers as r
from tests.shell.uart_host import Core, Host


async def host_of(dut) -> Host:
    """A host for the bench that the plusargs describe."""
    in_bits, in_beats, out_bits, out_beats, cycles256, room = (
        int(text) for text in cocotb.plusargs["bench"].split("-")
    )
    core = Core(in_bits, in_beats, out_bits, out_beats)
    host = Host(dut, core, cycles256=cycles256, room=room)
    await host.start()
    return host


def frames(host: Host, count: int) -> list[bytes]:
    """Random ones; the padding bits, too, which must not matter."""
    return [random.randbytes(host.core.in_bytes) for _ in range(count)]


def expected(host: Host, sent: list[bytes]) -> bytes:
    return b"".join(host.core.result(frame) for frame in sent)


@cocotb.test()
async def registers(dut):
    """Constants, a word that keeps what is written, and offsets that are none."""
    host = await host_of(dut)
    assert await host.read(r.ID) == r.ID_VALUE
    found = [await host.read(r.BUILD_HASH + 4 * i) for i in range(4)]
    assert b"".join(word.to_bytes(4, "little") for word in found) == bytes(range(1, 17))
    assert await host.read(r.WORD_BYTES) == 1
    assert await host.read(r.IN_BYTES) == host.core.in_bytes
    assert await host.read(r.OUT_BYTES) == host.core.out_bytes
    assert await host.read(r.IN_ROOM) == host.room
    assert await host.read(r.FIFOS) == 2
    assert await host.read(r.HIGH_WATER) == 0x0007
    assert await host.read(r.HIGH_WATER + 4) == 0xBEEF
    assert await host.read(0x3FC) == 0
    for value in (0, 0xFFFFFFFF, 0xC5C5C5C5, random.getrandbits(32)):
        await host.write(r.SCRATCH, value)
        assert await host.read(r.SCRATCH) == value
    assert await host.read(r.STATUS) == 0


@cocotb.test()
async def requests_in_a_row(dut):
    """WRITEs without a pause between them: each is carried out, and answered in turn."""
    host = await host_of(dut)
    values = [random.getrandbits(32) for _ in range(6)]
    index = bytes((r.SCRATCH // 4,))
    await host.send(
        b"".join(
            p.encode(p.WRITE, i, index + value.to_bytes(4, "little"))
            for i, value in enumerate(values)
        )
    )
    await host.bits(100)
    assert host.answers == [p.Packet(p.WRITTEN, i, b"") for i in range(len(values))]
    assert await host.read(r.SCRATCH) == values[-1]


@cocotb.test()
async def a_request_too_many(dut):
    """One is answered and one waits; more are refused for want of room, and never half done."""
    host = await host_of(dut)
    await host.send(b"".join(p.encode(p.READ, i, b"\0") for i in range(20)))
    await host.bits(300)
    value = r.ID_VALUE.to_bytes(4, "little")
    answered = [packet.sequence for packet in host.answers]
    assert host.answers == [p.Packet(p.VALUE, number, value) for number in answered]
    assert answered == sorted(set(answered))
    assert host.refused and set(host.refused) == {p.ROOM}
    host.answers.clear()
    assert await host.read(r.STATUS) == r.NO_ROOM


@cocotb.test()
async def batches(dut):
    """Frames in random packets at the line's full rate, batch after batch, and the counters."""
    host = await host_of(dut)
    for count in (1, 2, 40):
        await host.reset()
        assert [await host.read(o) for o in (r.CYCLES, r.FRAMES_DONE, r.STATUS)] == [0, 0, 0]
        sent = frames(host, count)
        await host.run(sent, random)
        assert bytes(host.results) == expected(host, sent)
        assert not host.refused
        assert await host.read(r.FRAMES_DONE) == count
        assert await host.read(r.STATUS) == 0
        cycles, stalled = await host.read(r.CYCLES), await host.read(r.IN_STALL)
        assert 0 < stalled < cycles  # the line is slower than the core
        assert await host.read(r.OUT_STALL) == 0


@cocotb.test()
async def bit_clock_is_off(dut):
    """By 2 % either way, byte behind byte."""
    host = await host_of(dut)
    for baud in (0.98, 1.02):
        host.sent_bit = host.bit / baud
        await host.write(r.SCRATCH, 0x55AA00FF)
        assert await host.read(r.SCRATCH) == 0x55AA00FF
        await host.reset()
        sent = frames(host, 12)
        await host.run(sent, random)
        assert bytes(host.results) == expected(host, sent)


@cocotb.test()
async def no_result_waits_for_a_later_frame(dut):
    """As soon as a frame is whole its result comes, though nothing follows."""
    host = await host_of(dut)
    await host.reset()
    sent = frames(host, 5)
    for i, frame in enumerate(sent):
        await host.send(host.packet(frame[:-1]))
        await host.bits(50)
        assert bytes(host.results) == expected(host, sent[:i])
        await host.send(host.packet(frame[-1:]))
        await host.bits(30 + 10 * (p.OVERHEAD + host.core.out_bytes))
        assert bytes(host.results) == expected(host, sent[: i + 1])


@cocotb.test()
async def sequences_go_round(dut):
    """More than 256 packets each way."""
    host = await host_of(dut)
    await host.reset()
    sent = frames(host, 300)
    for i, frame in enumerate(sent):
        await host.send(host.packet(frame))
        if i % 8 == 0:
            await host.bits(120)  # most results go one by one
    await host.bits(200)
    assert not host.refused
    assert bytes(host.results) == expected(host, sent)


@cocotb.test()
async def back_pressure(dut):
    """More results than the line takes: the core waits, requests do not, and no byte is lost.

    The room is filled at once; what comes beyond it is refused, and takes nothing with it.
    """
    host = await host_of(dut)
    await host.reset()
    sent = frames(host, host.room // host.core.in_bytes)
    data = b"".join(sent)
    half = len(data) // 2
    await host.send(host.packet(data[:half]) + host.packet(data[half:]))
    assert await host.read(r.STATUS) == r.BUSY
    assert await host.read(r.ID) == r.ID_VALUE  # while results are due
    assert len(host.results) < len(sent) * host.core.out_bytes
    # Some of it finds room: none may stay. Refusals wait for the line, and so do answers.
    for number in range(250, 254):
        await host.send(host.packet(bytes(host.room)) + p.encode(p.READ, number, b"\0"))
        await host.bits(310)
    while len(host.results) < len(sent) * host.core.out_bytes:
        before = len(host.results)
        await host.bits(1000)
        assert len(host.results) > before
    await host.bits(1000)
    assert bytes(host.results) == expected(host, sent)
    assert host.refused == [p.ROOM, p.SEQUENCE, p.SEQUENCE, p.SEQUENCE]
    value = r.ID_VALUE.to_bytes(4, "little")
    assert host.answers == [p.Packet(p.VALUE, number, value) for number in range(250, 254)]
    assert await host.read(r.OUT_STALL) > 0
    assert await host.read(r.FRAMES_DONE) == len(sent)
    assert await host.read(r.STATUS) == r.NO_ROOM | r.BAD_SEQUENCE
    await host.restart()
    again = frames(host, 3)
    await host.run(again, random)
    assert bytes(host.results) == expected(host, again)


@cocotb.test()
async def reset_while_results_are_due(dut):
    """RESET falls into no packet, and nothing old comes after its answer."""
    host = await host_of(dut)
    await host.reset()
    for _ in range(6):
        await host.send(host.packet(random.randbytes(random.randint(1, host.room))))
        await host.bits(random.randint(1, 900))
        await host.restart()
        assert await host.read(r.FRAMES_DONE) == 0
        sent = frames(host, random.randint(1, 3))
        await host.run(sent, random)
        assert bytes(host.results) == expected(host, sent)
        await host.bits(200)
        assert bytes(host.results) == expected(host, sent)


@cocotb.test()
async def frames_before_the_reset_is_answered(dut):
    """A host that does not wait: of what it sends too early all is taken, or nothing."""
    host = await host_of(dut)
    seen = set()
    for _ in range(40):
        await host.reset()
        await host.send(host.packet(random.randbytes(random.randint(1, 6))))
        await host.bits(random.randint(1, 40))
        await host.send(host.reset_packet())
        host.sequence = 0
        late = frames(host, 3)
        await host.bits(random.choice((1, 1, random.randint(1, 500))))
        await host.send(host.packet(b"".join(late)))
        await host.bits(1500)
        assert bytes(host.results) in (b"", expected(host, late))
        seen.add((bool(host.results), bool(host.refused)))
    assert seen == {(False, False), (False, True), (True, False)}
