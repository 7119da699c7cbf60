# SPDX-License-Identifier: Apache-2.0
"""cocotb cases of hwbnn_shell_uart on a line that loses, changes and invents bytes."""

import random
from collections.abc import Awaitable, Callable

import cocotb

from hwbnn.deploy.runtime import packets as p
from hwbnn.deploy.runtime import registers as r
from tests.shell.shell_uart_cases import expected, frames, host_of
from tests.shell.uart_host import CLOCK, Host, wait

ERROR_OF = {p.CHECKSUM: r.BAD_CHECKSUM, p.SEQUENCE: r.BAD_SEQUENCE, p.ROOM: r.NO_ROOM, p.KIND: 0}
Damage = Callable[[Host, bytes], Awaitable[None]]


# ---- what may happen to a packet, and must be noticed -----------------------------------------


async def flipped_bit(host: Host, packet: bytes) -> None:
    data = bytearray(packet)
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    await host.send(bytes(data))


async def lost_byte(host: Host, packet: bytes) -> None:
    at = random.randrange(len(packet))
    await host.send(packet[:at] + packet[at + 1 :])


async def byte_twice(host: Host, packet: bytes) -> None:
    at = random.randrange(1, len(packet))
    await host.send(packet[: at + 1] + packet[at:])


async def cut_short(host: Host, packet: bytes) -> None:
    await host.send(packet[: random.randrange(len(packet))])


async def lost(host: Host, packet: bytes) -> None:
    await host.bits(20)


async def twice(host: Host, packet: bytes) -> None:
    await host.send(packet + packet)


async def wrong_sequence(host: Host, packet: bytes) -> None:
    await host.send(p.encode(p.FRAMES, packet[2] + random.randint(1, 255), packet[4:-2]))


async def unknown_kind(host: Host, packet: bytes) -> None:
    await host.send(p.encode(random.choice((0x00, 0x04, 0x43, 0x83)), packet[2], packet[4:-2]))


async def wrong_length(host: Host, packet: bytes) -> None:
    kind, length = random.choice(((p.READ, 0), (p.READ, 2), (p.WRITE, 4), (p.WRITE, 6)))
    await host.send(p.encode(kind, packet[2], bytes(length)))


async def no_stop_bit(host: Host, packet: bytes) -> None:
    at = random.randrange(len(packet))
    await host.send(packet[:at])
    await host.send(packet[at : at + 1], stop=0)
    await host.bits(1)
    await host.send(packet[at + 1 :])


async def line_break(host: Host, packet: bytes) -> None:
    at = random.randrange(len(packet))
    await host.send(packet[:at])
    host.dut.rx_i.value = 0
    await host.bits(random.randint(10, 40))
    host.dut.rx_i.value = 1
    await host.bits(2)
    await host.send(packet[at + 1 :])


async def long_pause(host: Host, packet: bytes) -> None:
    at = random.randrange(1, len(packet))
    await host.send(packet[:at])
    await host.bits(p.SILENT_BITS + 30)
    await host.send(packet[at:])


HARMS: tuple[Damage, ...] = (
    flipped_bit, lost_byte, byte_twice, cut_short, lost, twice, wrong_sequence, unknown_kind,
    wrong_length, no_stop_bit, line_break, long_pause,
)  # fmt: skip


# ---- what must not matter --------------------------------------------------------------------


async def garbage(host: Host, packet: bytes) -> None:
    noise = bytes(random.choice([b for b in range(256) if b != p.MARK]) for _ in range(5))
    await host.send(noise + packet)


async def marks(host: Host, packet: bytes) -> None:
    await host.send(random.randint(1, 2) * bytes((p.MARK,)) + packet)


async def pauses(host: Host, packet: bytes) -> None:
    at = random.randrange(1, len(packet))
    await host.send(packet[:at])
    await host.bits(p.SILENT_BITS - 30)
    await host.send(packet[at:])


async def glitches(host: Host, packet: bytes) -> None:
    for byte in packet:
        host.dut.rx_i.value = 0
        await wait(CLOCK)
        host.dut.rx_i.value = 1
        await host.bits(1.2)
        await host.send(bytes((byte,)))


async def break_between(host: Host, packet: bytes) -> None:
    host.dut.rx_i.value = 0
    await host.bits(random.randint(10, 40))
    host.dut.rx_i.value = 1
    await host.bits(2)
    await host.send(packet)


async def empty_packets(host: Host, packet: bytes) -> None:
    await host.send(p.encode(p.FRAMES, packet[2], b""))
    host.sequence = (host.sequence + 1) & 0xFF
    await host.send(p.encode(p.FRAMES, packet[2] + 1, packet[4:-2]))


HARMLESS: tuple[Damage, ...] = (
    garbage, marks, pauses, glitches, break_between, empty_packets,
)  # fmt: skip


async def deliver(host: Host, sent: list[bytes], hits: list[Damage | None]) -> int:
    """Send frames until all results are there, as decision 8 says; return how often anew.

    hits: what happens to the packets, the next first; nothing to those after.
    """
    wanted, have, restarts = expected(host, sent), bytearray(), 0

    async def damage(packet: bytes) -> None:
        hit = hits.pop(0) if hits else None
        await (hit(host, packet) if hit else host.send(packet))

    while True:
        await host.reset()
        whole = len(have) // host.core.out_bytes
        del have[whole * host.core.out_bytes :]
        await host.run(sent[whole:], random, damage=damage)
        await host.bits(400)  # what still comes counts too
        have += host.results
        assert bytes(have) == wanted[: len(have)], "a wrong result, or one twice"
        refused, status = list(host.refused), await host.read(r.STATUS) & ~r.BUSY
        assert bool(refused) or len(have) == len(wanted) or restarts < 50
        for reason in refused:
            assert status & ERROR_OF[reason] == ERROR_OF[reason]
        if len(have) == len(wanted):
            return restarts
        restarts += 1


@cocotb.test()
async def every_harm(dut):
    """One packet among good ones, of each kind, in any place: sent again, all results are right."""
    host = await host_of(dut)
    for harm in HARMS:
        done = 0
        while done < 3:
            hits = [*[None] * random.randint(0, 3), harm]
            restarts = await deliver(host, frames(host, 8), hits)
            # What comes twice may do no harm; and there may have been too few packets.
            spared = bool(hits) or harm in (twice, byte_twice)
            assert restarts == 1 or (spared and restarts == 0), harm.__name__
            done += not hits


@cocotb.test()
async def every_nuisance(dut):
    """They cost nothing."""
    host = await host_of(dut)
    for nuisance in HARMLESS:
        assert await deliver(host, frames(host, 5), [nuisance] * 3) == 0, nuisance.__name__
        assert await host.read(r.STATUS) == 0, nuisance.__name__


@cocotb.test()
async def storm(dut):
    """A third of all packets is hit."""
    host = await host_of(dut)
    hits = [random.choice((None, None, random.choice(HARMS + HARMLESS))) for _ in range(40)]
    while hits:
        await deliver(host, frames(host, 12), hits)


@cocotb.test()
async def half_packets_are_dropped(dut):
    """After 1024 bit times of silence, wherever they stop; the next request is answered."""
    host = await host_of(dut)
    for packet in (
        p.encode(p.READ, 200, b"\0"),
        p.encode(p.WRITE, 201, bytes((r.SCRATCH // 4,)) + b"\xc5\xc5\xc5\xc5"),
        p.encode(p.FRAMES, 0, b"\xc5\x01"),
    ):
        for cut in range(1, len(packet)):
            await host.send(packet[:cut])
            await host.reset()
            assert await host.read(r.SCRATCH) == 0
            assert not host.refused and not host.answers
    await host.send(packet[:5])
    await host.bits(p.SILENT_BITS + 120)
    assert host.refused == [p.CHECKSUM]
    assert await host.read(r.STATUS) == r.BAD_CHECKSUM


@cocotb.test()
async def every_bit_is_checked(dut):
    """Of sequence, payload and checksum: no flipped one is answered."""
    host = await host_of(dut)
    good = p.encode(p.READ, 5, b"\0")
    places = [8 * at + bit for at in (2, 4, 5, 6) for bit in range(8)]
    for count, place in enumerate(places, 1):
        await host.send((int.from_bytes(good, "little") ^ 1 << place).to_bytes(7, "little"))
        await host.bits(100)
        assert host.refused == [p.CHECKSUM] * count
    assert not host.answers
    assert await host.read(r.STATUS) == r.BAD_CHECKSUM


@cocotb.test()
async def frames_are_refused_until_reset(dut):
    """Once one packet was, all are; requests are not."""
    host = await host_of(dut)
    await host.reset()
    sent = frames(host, 4)
    await host.send(p.encode(p.WRITE, 9, b"short"[:4]))
    await host.bits(100)
    assert host.refused == [p.KIND]
    assert await host.read(r.STATUS) == 0
    for i, frame in enumerate(sent):
        await host.send(host.packet(frame))
        await host.bits(100)
        assert host.refused == [p.KIND] + (i + 1) * [p.SEQUENCE]
    assert await host.read(r.STATUS) == r.BAD_SEQUENCE
    await host.write(r.SCRATCH, 5)
    assert await host.read(r.SCRATCH) == 5
    assert await host.read(r.FRAMES_DONE) == 0
    assert not host.results
    assert await deliver(host, sent, []) == 0
    assert await host.read(r.SCRATCH) == 5
