# SPDX-License-Identifier: Apache-2.0
"""Packets of the UART link: their bytes, and what is found in a damaged stream of them."""

import binascii
import random

import pytest

from hwbnn.deploy.runtime import packets
from hwbnn.deploy.runtime.packets import Decoder, Packet, encode

LENGTHS = {packets.READ: 1, packets.WRITE: 5, packets.VALUE: 4, packets.WRITTEN: 0}
LENGTHS |= {packets.REFUSED: 1}


def some(rng: random.Random, count: int) -> list[Packet]:
    """Packets of all kinds, some full of what looks like the beginning of one."""
    kinds = [*LENGTHS, packets.FRAMES, packets.RESULTS]
    found = []
    for _ in range(count):
        kind = rng.choice(kinds)
        length = LENGTHS.get(kind, rng.choice((0, 1, 2, 30, 255)))
        payload = bytes(rng.choice((packets.MARK, kind, rng.getrandbits(8))) for _ in range(length))
        found.append(Packet(kind, rng.getrandbits(8), payload))
    return found


def cut(data: bytes, rng: random.Random) -> list[bytes]:
    """The same bytes in pieces, as a port gives them."""
    pieces = []
    while data:
        size = rng.choice((1, 1, 3, 64))
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def test_bytes_are_those_of_the_decision() -> None:
    assert encode(packets.READ, 7, b"\x12") == bytes.fromhex("c5 01 07 01 12") + (
        binascii.crc_hqx(bytes.fromhex("01 07 01 12"), 0xFFFF).to_bytes(2, "big")
    )
    assert packets.crc16(b"123456789") == 0x29B1  # the check value of this CRC
    assert encode(packets.WRITTEN, 256 + 9)[2] == 9
    with pytest.raises(ValueError, match="payload must be at most 255 bytes, not 256"):
        encode(packets.FRAMES, 0, bytes(256))


def test_what_was_encoded_is_found_in_any_pieces() -> None:
    rng = random.Random(1)
    sent, decoder, found = some(rng, 200), Decoder(), []
    for piece in cut(b"".join(encode(*packet) for packet in sent), rng):
        found += decoder.feed(piece)
    assert found == sent
    assert decoder.dropped == 0


def test_packets_between_garbage_are_found() -> None:
    rng = random.Random(2)
    sent, data, garbage = some(rng, 100), b"", 0
    for packet in sent:
        noise = bytes(rng.choice((0xC5, 0x83, 0xFF)) for _ in range(rng.randint(0, 9)))
        garbage += len(noise)
        data += noise + encode(*packet)
    decoder = Decoder()
    found = [packet for piece in cut(data, rng) for packet in decoder.feed(piece)]
    found += decoder.flush()
    assert found == sent
    assert decoder.dropped == garbage


def test_damage_costs_the_packet_and_no_other() -> None:
    """A bit, or a byte less: every other packet is found, and nothing that was not sent."""
    rng = random.Random(3)
    for _ in range(300):
        sent = some(rng, 5)
        parts = [bytearray(encode(*packet)) for packet in sent]
        victim = rng.randrange(len(parts))
        at = rng.randrange(len(parts[victim]))
        if rng.random() < 0.5:
            parts[victim][at] ^= 1 << rng.randrange(8)
        else:
            del parts[victim][at]
        decoder = Decoder()
        found = [packet for part in parts for packet in decoder.feed(bytes(part))]
        found += decoder.flush()
        assert found == sent[:victim] + sent[victim + 1 :]
        assert decoder.dropped == len(parts[victim])


def test_silence_frees_what_half_a_packet_holds() -> None:
    decoder = Decoder()
    answer = Packet(packets.VALUE, 3, b"abcd")
    assert decoder.feed(b"\xc5\x83\x00\xff") == []
    assert decoder.feed(encode(*answer)) == []  # may be the half packet's payload
    assert decoder.flush() == [answer]
    assert decoder.feed(encode(*answer)) == [answer]
    assert decoder.feed(b"\xc5") == decoder.flush() == []
    assert decoder.dropped == 5
