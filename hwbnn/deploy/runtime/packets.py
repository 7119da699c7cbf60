# SPDX-License-Identifier: Apache-2.0
"""Packets of the UART link: to bytes, and out of a stream of bytes (decision 8)."""

from __future__ import annotations

from typing import NamedTuple

MARK = 0xC5  # the first byte of every packet
MOST = 255  # payload bytes of a packet, at most
OVERHEAD = 6  # bytes of a packet without its payload
SILENT_BITS = 1024  # bit times without a byte after which half a packet is dropped

# To the board.
READ = 0x01
WRITE = 0x02
FRAMES = 0x03
# From the board.
VALUE = 0x81
WRITTEN = 0x82
RESULTS = 0x83
REFUSED = 0x84

# Payload of REFUSED.
CHECKSUM = 1
SEQUENCE = 2
ROOM = 3
KIND = 4

REASONS = {
    CHECKSUM: "its checksum was wrong, or it stopped half-way",
    SEQUENCE: "a packet of frames before it was lost or refused",
    ROOM: "there was no room for it",
    KIND: "its kind or length is none that the board knows",
}

_LENGTHS = {READ: 1, WRITE: 5, VALUE: 4, WRITTEN: 0, REFUSED: 1}  # of FRAMES and RESULTS: any
_KINDS = frozenset(_LENGTHS) | {FRAMES, RESULTS}
_POLYNOMIAL, _START = 0x1021, 0xFFFF


class Packet(NamedTuple):
    """A packet whose checksum is right."""

    kind: int
    sequence: int
    payload: bytes


def crc16(data: bytes) -> int:
    """Return the packet's checksum: polynomial 1021, initial FFFF, not reflected."""
    crc = _START
    for byte in data:
        crc = (crc << 8) & 0xFFFF ^ _TABLE[crc >> 8 ^ byte]
    return crc


def encode(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    """Return the bytes of a packet; `sequence` counts modulo 256."""
    if len(payload) > MOST:
        raise ValueError(
            f"packet: payload must be at most {MOST} bytes, not {len(payload)}; cut it"
        )
    body = bytes((kind, sequence & 0xFF, len(payload))) + bytes(payload)
    return bytes((MARK,)) + body + crc16(body).to_bytes(2, "big")


class Decoder:
    """Find packets in a stream of bytes that may have lost or changed some.

    What looks like a packet and is none, for its kind, length or checksum, costs nothing but its
    first byte: the search goes on behind it.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self.dropped = 0  # bytes that were part of no packet

    def feed(self, data: bytes) -> list[Packet]:
        """Take the next bytes; return the packets that are complete now."""
        self._held += data
        return self._packets(ended=False)

    def flush(self) -> list[Packet]:
        """Give up half a packet, after silence on the line; return those found in its bytes."""
        return self._packets(ended=True)

    def _packets(self, *, ended: bool) -> list[Packet]:
        held, at = self._held, 0
        found: list[Packet] = []
        while True:
            mark = held.find(MARK, at)
            self.dropped += (len(held) if mark < 0 else mark) - at
            if mark < 0:
                at = len(held)
                break
            at = mark
            size = _size(held, at)
            if 0 < size <= len(held) - at:
                body = bytes(held[at + 1 : at + size])
                if crc16(body) == 0:  # over the checksum, too
                    found.append(Packet(body[0], body[1], body[3:-2]))
                    at += size
                    continue
            elif size > 0 and not ended:
                break
            self.dropped += 1
            at += 1
        del held[:at]
        return found


def _size(held: bytearray, at: int) -> int:
    # Bytes of the packet that begins there, as far as can be told; 0 if none can.
    if len(held) - at < 2:
        return 2
    kind = held[at + 1]
    if kind not in _KINDS:
        return 0
    if len(held) - at < 4:
        return 4
    length = held[at + 3]
    return length + OVERHEAD if length == _LENGTHS.get(kind, length) else 0


def _table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (_POLYNOMIAL if crc & 0x8000 else 0)
        table.append(crc & 0xFFFF)
    return table


_TABLE = _table()
