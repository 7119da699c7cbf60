# SPDX-License-Identifier: Apache-2.0
"""UartBackEnd: a board behind a serial line that may lose and change bytes (decision 8)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from . import packets, registers
from .dma import reset
from .errors import BoardFault, InputFault, TimeoutFault, TransferFault
from .packets import Decoder, Packet
from .state import read_double, state_text
from .tally import Tally

if TYPE_CHECKING:
    from .back_end import Bytes
    from .serial_port import Port
    from .target import Target

TRIES = 10  # of a request, and of frames from the same one on
ANSWER_SECONDS = 0.1  # for a register: an operating system's latency, many times over
SILENCE_SECONDS = 0.5  # without a packet while results are due
QUIET_BITS = 4 * packets.SILENT_BITS  # after which the board has dropped half a packet


class UartBackEnd:
    """A board on a port.

    answer, silence: seconds after which a register's or the results' answer counts as lost; a
    simulated board wants more.
    """

    def __init__(
        self,
        target: Target,
        port: Port,
        *,
        answer: float = ANSWER_SECONDS,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self._target = target
        self._port = port
        self._answer = answer
        self._silence = silence
        self._sequence = 0
        self._decoder = Decoder()
        self._room = 0
        self.clock_mhz = target.clock_mhz
        self.restarts = 0  # how often frames were sent again

    def load(self, bitstream: bytes | None) -> None:  # noqa: ARG002 - not over this line
        """Find the board, and reset it. The bitstream must be there already: a UART loads none."""
        found = self.read(registers.ID)
        if found != registers.ID_VALUE:
            raise BoardFault(
                f"uart: register ID must be {registers.ID_VALUE:#x}, not {found:#x}; load the "
                "package's bitstream"
            )
        self._reset()
        self._room = self.read(registers.IN_ROOM)

    def read(self, offset: int) -> int:
        """Return the register at a byte offset."""
        answer = self._request(packets.READ, bytes((offset // 4,)), packets.VALUE)
        return int.from_bytes(answer.payload, "little")

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset."""
        payload = bytes((offset // 4,)) + value.to_bytes(4, "little")
        self._request(packets.WRITE, payload, packets.WRITTEN)

    def run(self, frames: Bytes, timeout: float, tally: Tally | None = None) -> Bytes:
        """Return the results of frames, as BackEnd.run.

        Whatever goes wrong, the board is reset, and all frames without a result are sent again.
        """
        tally = tally or Tally()
        out_bytes = self._check(frames)
        deadline = time.monotonic() + timeout
        results = bytearray()
        failures = done = 0
        with tally.stage("execute"):
            while done < len(frames):
                self._reset()
                # Less at once after failures: the more is in flight, the likelier some is damaged.
                room = max(frames.shape[1], self._room >> failures)
                attempt = _Attempt(frames[done:], out_bytes, room=room)
                reason = self._send(attempt, deadline)
                results += attempt.results[: attempt.done * out_bytes]
                done += attempt.done
                if reason:
                    failures = 0 if attempt.done else failures + 1
                    self._go_on(reason, failures, deadline, timeout)
                else:
                    tally.batch(attempt.done, read_double(self.read, registers.CYCLES))
        return np.frombuffer(bytes(results), np.uint8).reshape(len(frames), out_bytes)

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    def _check(self, frames: Bytes) -> int:
        """Return the bytes of a result."""
        in_bytes = self.read(registers.IN_BYTES)
        if frames.dtype != np.uint8 or frames.ndim != 2 or not len(frames):
            raise InputFault(
                f"frames: must be uint8 (1 or more, {in_bytes}), not {frames.dtype} {frames.shape}"
            )
        if frames.shape[1] != in_bytes:
            raise BoardFault(
                f"board: IN_BYTES must be {frames.shape[1]}, not {in_bytes}; "
                "load the bitstream of this package"
            )
        if in_bytes > self._room:
            raise BoardFault(
                f"board: must have room for a whole frame, {in_bytes} bytes, not {self._room}; "
                "build with --packed-input, or for a board with more (room_bytes)"
            )
        return self.read(registers.OUT_BYTES)

    def _send(self, attempt: _Attempt, deadline: float) -> str:
        """Send frames and collect results until all are there, or return what went wrong."""
        last, dropped = time.monotonic(), self._decoder.dropped
        while not attempt.complete:
            outgoing = attempt.outgoing()
            if outgoing:
                self._port.write(outgoing)
            for packet in self._receive(self._wire_seconds(self._room)):
                reason = attempt.take(packet)
                if reason:
                    return reason
                last = time.monotonic()
            if self._decoder.dropped > dropped:
                return "a packet of results was damaged"
            now = time.monotonic()
            patience = self._silence + self._wire_seconds(attempt.in_flight)
            if now > min(deadline, last + patience):
                return "the board fell silent"
        return ""

    def _go_on(self, reason: str, failures: int, deadline: float, timeout: float) -> None:
        """Raise if frames are not to be sent again."""
        self.restarts += 1
        if time.monotonic() > deadline:
            raise TimeoutFault(
                f"uart: all results must come within {timeout:.3g} s, not be late ({reason}); "
                "give it more time, or a better cable",
                state=state_text(self, self._target.fifos),
            )
        if failures >= TRIES:
            raise TransferFault(
                f"uart: a frame must come through in {TRIES} tries, not fail each time (the last: "
                f"{reason}); try another cable or a lower baud rate",
                state=state_text(self, self._target.fifos),
            )

    def _reset(self) -> None:
        """Reset the board, and forget what was on its way."""
        self._quiet()
        reset(self, timeout=10 * self._answer)
        self._decoder = Decoder()

    def _request(self, kind: int, payload: bytes, answer: int) -> Packet:
        for _ in range(TRIES):
            self._sequence = (self._sequence + 1) & 0xFF
            self._port.write(packets.encode(kind, self._sequence, payload))
            found = self._answer_to(answer)
            if found is not None:
                return found
            self._quiet()
        raise BoardFault(
            f"uart: the board must answer within {self._answer:g} s, not be silent {TRIES} times; "
            f"check that this is its port, that it runs at {self._target.baud} baud, and that the "
            f"package's bitstream is loaded{self._how()}"
        )

    def _how(self) -> str:
        loader = self._target.loader
        return f": openFPGALoader -b {loader} with the package's bitstream file" if loader else ""

    def _answer_to(self, kind: int) -> Packet | None:
        """Return the answer to the last request; None: it was lost, or the request was refused."""
        deadline, late = time.monotonic() + self._answer, False
        while not late:
            late = time.monotonic() > deadline
            found = self._decoder.flush() if late else self._receive(self._answer)
            for packet in found:
                if packet.kind == kind and packet.sequence == self._sequence:
                    return packet
                if packet.kind == packets.REFUSED:
                    return None
        return None

    def _receive(self, timeout: float) -> list[Packet]:
        return self._decoder.feed(self._port.read(timeout))

    def _quiet(self) -> None:
        """Let the line rest until neither side waits for the rest of a packet."""
        quiet = QUIET_BITS / self._target.baud
        deadline = time.monotonic() + self._answer
        time.sleep(quiet)
        while self._port.read(quiet) and time.monotonic() < deadline:
            pass
        self._decoder = Decoder()

    def _wire_seconds(self, count: int) -> float:
        """Return how long so many bytes take on the line, 10 bits each."""
        return 10 * count / self._target.baud


class _Attempt:
    """Frames that are sent after a reset, and the results that have come back.

    room: bytes that the board holds. A result says that its frame has left them; what was sent
    behind that frame may all be there still.
    """

    def __init__(self, frames: Bytes, out_bytes: int, *, room: int) -> None:
        self._data = np.ascontiguousarray(frames).tobytes()
        self._in_bytes = int(frames.shape[1])
        self._out_bytes = out_bytes
        self._total = len(frames) * out_bytes
        self._room = room
        self._sent = self._packets = self._expected = 0
        self.results = bytearray()

    @property
    def done(self) -> int:
        """Frames whose result is whole."""
        return len(self.results) // self._out_bytes

    @property
    def complete(self) -> bool:
        """All results are there."""
        return len(self.results) == self._total

    @property
    def in_flight(self) -> int:
        """Bytes that the board may hold, at most."""
        return self._sent - self.done * self._in_bytes

    def outgoing(self) -> bytes:
        """Return the packets that may be sent now."""
        found = bytearray()
        while self._sent < len(self._data) and self.in_flight < self._room:
            most = min(packets.MOST, self._room - self.in_flight)
            part = self._data[self._sent : self._sent + most]
            found += packets.encode(packets.FRAMES, self._packets & 0xFF, part)
            self._sent += len(part)
            self._packets += 1
        return bytes(found)

    def take(self, packet: Packet) -> str:
        """Take a packet of the board's; return what is wrong with it."""
        if packet.kind == packets.REFUSED:
            why = packets.REASONS.get(packet.payload[0], f"reason {packet.payload[0]}")
            return f"the board refused a packet: {why}"
        if packet.kind != packets.RESULTS:
            return ""  # a late answer to a request that was repeated
        if packet.sequence != self._expected & 0xFF:
            return f"a packet of results was lost, number {self._expected & 0xFF}"
        if len(self.results) + len(packet.payload) > self._total:
            return "more results came than there were frames"
        self._expected += 1
        self.results += packet.payload
        return ""
