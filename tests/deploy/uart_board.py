# SPDX-License-Identifier: Apache-2.0
"""UartBoard: the board's end of decision 8's serial line, with a line that damages bytes.

Time is the tests' own: it passes when somebody sleeps, or reads and gets nothing.
"""

from dataclasses import dataclass, field

import numpy as np

from hwbnn.deploy.runtime import packets, registers
from hwbnn.emit.chip import Core
from hwbnn.ir.design import Design

BAUD = 3_000_000
STEP = 1e-6


@dataclass
class Clock:
    """Stands in for the module time."""

    now: float = 0.0

    def monotonic(self) -> float:
        self.now += STEP
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def perf_counter(self) -> float:
        return self.monotonic()


@dataclass(frozen=True)
class Faults:
    """Probability of each fault: per byte flip, drop and garbage; per write or read a cut."""

    flip: float = 0
    drop: float = 0
    garbage: float = 0
    cut: float = 0


class Line:
    """A Port: the host's end of a line to a board."""

    def __init__(self, board, clock: Clock, *, down=Faults(), up=Faults(), seed: int = 0):
        self.board, self.clock, self.down, self.up = board, clock, down, up
        self.rng = np.random.default_rng(seed)
        self.coming = bytearray()
        self.faults = 0
        self.closed = False

    def write(self, data: bytes) -> None:
        self.clock.sleep(10 * len(data) / BAUD)
        self.board.receive(self._through(data, self.down), self.clock.now)

    def read(self, timeout: float) -> bytes:
        self.coming += self._through(self.board.send(), self.up)
        if not self.coming:
            self.clock.sleep(timeout)
            return b""
        count = int(self.rng.integers(1, len(self.coming) + 1))
        given = bytes(self.coming[:count])
        del self.coming[:count]
        self.clock.sleep(10 * count / BAUD)
        return given

    def close(self) -> None:
        self.closed = True

    def _through(self, data: bytes, faults: Faults) -> bytes:
        result = bytearray()
        if data and self.rng.random() < faults.cut:
            self.faults += 1
            data = data[: int(self.rng.integers(len(data)))]
        odds = (faults.flip, faults.drop, faults.garbage)
        if not any(odds):
            return data
        chances = self.rng.random((len(data), 3)) < odds
        self.faults += int(chances.sum())
        for byte, (flip, drop, garbage) in zip(data, chances.tolist(), strict=True):
            if not drop:
                result.append(byte ^ (flip and 1 << int(self.rng.integers(8))))
            if garbage:
                result += self.rng.bytes(int(self.rng.integers(1, 4)))
        return bytes(result)


@dataclass
class UartBoard:
    """The board. pace: frames it computes each time it is asked for bytes; None: never."""

    design: Design
    core: Core
    room: int = 8192
    pace: int | None = 3
    dead: dict[int, int] = field(default_factory=dict)
    wrong: int = 0
    asleep: bool = False
    seed: int = 0

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        self.partial = bytearray()
        self.heard = 0.0
        self.outgoing = bytearray()
        self.values: dict[int, int] = {}
        self.resets = self.total = self.most_held = 0
        self._reset()

    def _reset(self):
        self.held = bytearray()
        self.pending = bytearray()
        self.expected = self.results = self.status = self.done = 0
        self.refusing = False

    # ---- what the line does ----------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        if self.asleep:
            return
        if now - self.heard > packets.SILENT_BITS / BAUD:
            self.partial.clear()
        self.heard = now
        for byte in data:
            self._byte(byte)

    def send(self) -> bytes:
        if self.asleep:
            return b""
        self._compute()
        data = bytes(self.outgoing)
        self.outgoing.clear()
        return data

    # ---- packets ---------------------------------------------------------------------------------

    def _byte(self, byte: int) -> None:
        if not self.partial and byte != packets.MARK:
            return
        self.partial.append(byte)
        lengths = {packets.READ: 1, packets.WRITE: 5}
        if len(self.partial) == 4:
            kind, _, length = self.partial[1:]
            if kind not in (*lengths, packets.FRAMES) or lengths.get(kind, length) != length:
                self._refuse(packets.KIND, 0)
        elif len(self.partial) > 4 and len(self.partial) == self.partial[3] + packets.OVERHEAD:
            body = bytes(self.partial[1:])
            self.partial.clear()
            if packets.crc16(body[:-2]).to_bytes(2, "big") != body[-2:]:
                self._refuse(packets.CHECKSUM, registers.BAD_CHECKSUM)
            else:
                self._packet(body[0], body[1], body[3:-2])

    def _packet(self, kind: int, sequence: int, payload: bytes) -> None:
        if kind == packets.READ:
            value = self._read(payload[0] * 4).to_bytes(4, "little")
            self.outgoing += packets.encode(packets.VALUE, sequence, value)
        elif kind == packets.WRITE:
            self._write(payload[0] * 4, int.from_bytes(payload[1:], "little"))
            self.outgoing += packets.encode(packets.WRITTEN, sequence)
        elif self.refusing:
            self._refuse(packets.SEQUENCE, 0)
        elif sequence != self.expected:
            self._refuse(packets.SEQUENCE, registers.BAD_SEQUENCE)
        elif len(self.held) + len(payload) > self.room:
            self._refuse(packets.ROOM, registers.NO_ROOM)
        else:
            self.expected = (self.expected + 1) & 0xFF
            self.held += payload
            self.most_held = max(self.most_held, len(self.held))

    def _refuse(self, reason: int, error: int) -> None:
        self.partial.clear()
        self.refusing = True
        self.status |= error
        self.outgoing += packets.encode(packets.REFUSED, 0, bytes((reason,)))

    def _compute(self) -> None:
        """Take some whole frames, and send the results in packets of any length."""
        size = self.core.frames.frame_bytes
        count = min(self.pace or 0, len(self.held) // size)
        if count:
            data = np.frombuffer(bytes(self.held[: count * size]), np.uint8).reshape(count, size)
            del self.held[: count * size]
            found = self.core.results.pack(self.design.run(self.core.frames.unpack(data)))
            self.pending += (found ^ self.wrong).tobytes()
            self.done += count
            self.total += count
        while self.pending:
            length = int(self.rng.integers(1, min(255, len(self.pending)) + 1))
            packet = packets.encode(packets.RESULTS, self.results, bytes(self.pending[:length]))
            self.outgoing += packet
            self.results = (self.results + 1) & 0xFF
            del self.pending[:length]

    # ---- registers -------------------------------------------------------------------------------

    def _read(self, offset: int) -> int:
        hashed = int.from_bytes(self.core.build_hash, "little")
        fixed = {
            registers.ID: registers.ID_VALUE,
            registers.VERSION: registers.VERSION_VALUE,
            **{registers.BUILD_HASH + 4 * i: hashed >> 32 * i & 0xFFFFFFFF for i in range(4)},
            registers.WORD_BYTES: 1,
            registers.FIFOS: len(self.core.fifos),
            registers.IN_BYTES: self.core.frames.frame_bytes,
            registers.OUT_BYTES: self.core.results.frame_bytes,
            registers.IN_ROOM: self.room,
            registers.FRAMES_DONE: self.done,
            registers.CYCLES: 100 * self.done,
            registers.STATUS: self.status,
            **self.dead,
        }
        return fixed.get(offset, self.values.get(offset, 0))

    def _write(self, offset: int, value: int) -> None:
        if offset == registers.CONTROL:
            if value & registers.RESET:
                self.resets += 1
                self._reset()
        elif offset == registers.STATUS:
            self.status &= ~value
        else:
            self.values[offset] = value
