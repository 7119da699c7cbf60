# SPDX-License-Identifier: Apache-2.0
"""Simulated boards: a Zynq's registers and memory, and a serial line, of a running simulation.

rtl/bench/axi_board.cpp and uart_board.cpp say what the programs understand.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from .dma import Dma
from .errors import BoardFault
from .program import Program
from .uart import UartBackEnd

if TYPE_CHECKING:
    from pathlib import Path

    from .back_end import Bytes
    from .tally import Tally
    from .target import Target

MEMORY_BASE = 0x10000000
SLICE_CYCLES = 20_000  # simulated without a look at the clock
PAGE = 4096
SLOWDOWN = 32  # of a simulated serial line, as the driver's time-outs see it
UART_ANSWER = 0.5  # seconds
UART_SILENCE = 3.0


class SimulatedBuffer:
    """A Buffer in a simulated memory; `array` is this process's own copy."""

    def __init__(self, board: SimulatedAxi, address: int, size: int) -> None:
        self._board = board
        self.address = address
        self.array: Bytes = np.zeros(size, np.uint8)

    def flush(self) -> None:
        """Write the copy to the memory."""
        self._board.write_memory(self.address, self.array.tobytes())

    def invalidate(self) -> None:
        """Read the copy from the memory."""
        data = self._board.read_memory(self.address, len(self.array))
        self.array[...] = np.frombuffer(data, np.uint8)

    def free(self) -> None:
        """Give the memory back."""
        self._board.release(self.address)
        self.array = np.empty(0, np.uint8)


class SimulatedAxi:
    """A Zynq board whose chip, memory and processor's ports are simulated.

    latency: cycles from an address to its first data; jitter: that they may come later still.
    stall: percent of the cycles in which a side of a port that the processor has is not ready.
    base, size: of the memory, in bytes.
    """

    def __init__(
        self,
        target: Target,
        program: Path,
        *,
        latency: int = 0,
        jitter: int = 0,
        stall: int = 0,
        seed: int = 1,
        base: int = MEMORY_BASE,
        size: int | None = None,
    ) -> None:
        self.clock_mhz = target.clock_mhz
        self._base = base
        self._size = size or target.buffer_bytes
        self._extents: dict[int, int] = {}  # address to size
        options = {"base": base, "memory": self._size, "latency": latency, "jitter": jitter}
        self._program = Program(program, {**options, "stall": stall, "seed": seed})
        self._dma = Dma(
            self,
            self,
            capacity=target.frame_bytes,
            fifos=target.fifos,
            weights=target.weights,
        )
        self._owed = 0  # bytes of an answer
        self._closed = False

    def load(self, bitstream: bytes | None) -> None:
        """Do nothing: the program is the configured board."""

    def read(self, offset: int) -> int:
        """Return the register at a byte offset."""
        return int.from_bytes(self._ask(struct.pack("<cI", b"r", offset), 4), "little")

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset."""
        self._ask(struct.pack("<cII", b"w", offset, value), 1)

    def run(self, frames: Bytes, timeout: float, tally: Tally | None = None) -> Bytes:
        """Return the results of frames, as BackEnd.run."""
        return self._dma.run(frames, timeout, tally)

    def allocate(self, size: int) -> SimulatedBuffer:
        """Return a buffer, in whole pages, in the first gap that holds it."""
        size = -(-size // PAGE) * PAGE
        at = self._base
        for address in sorted(self._extents):
            if address - at >= size:
                break
            at = address + self._extents[address]
        if at + size > self._base + self._size:
            raise BoardFault(
                f"memory: a simulated board of {self._size} bytes must have a gap of {size}, not "
                "less; give it more (size)"
            )
        self._extents[at] = size
        return SimulatedBuffer(self, at, size)

    def release(self, address: int) -> None:
        """Give a buffer's memory back."""
        self._extents.pop(address, None)

    def wait(self, timeout: float) -> None:  # noqa: ARG002 - it returns much sooner
        """Simulate until the interrupt comes, or for a while."""
        self.advance(SLICE_CYCLES)

    def advance(self, cycles: int) -> int:
        """Simulate until the interrupt is high, or for so many cycles; return how many."""
        return int.from_bytes(self._ask(struct.pack("<cQ", b"c", cycles), 8), "little")

    def write_memory(self, address: int, data: bytes) -> None:
        """Write bytes to the memory."""
        self._check(address, len(data))
        self._ask(struct.pack("<cQI", b"W", address, len(data)) + data, 1)

    def read_memory(self, address: int, count: int) -> bytes:
        """Read bytes from the memory."""
        self._check(address, count)
        return self._ask(struct.pack("<cQI", b"R", address, count), 1 + count)[1:]

    def close(self) -> None:
        """End the program."""
        if not self._closed:
            self._closed = True
            self._dma.close()
            self._program.close()

    def _check(self, address: int, count: int) -> None:
        if not self._base <= address <= address + count <= self._base + self._size:
            raise BoardFault(
                f"memory: {count} bytes at {address:#x} must lie in {self._base:#x} to "
                f"{self._base + self._size - 1:#x}, not outside; allocate them"
            )

    def _ask(self, request: bytes, count: int) -> bytes:
        """Return the answer to a request, of so many bytes."""
        self._program.receive(self._owed)  # what a caller that was interrupted did not wait for
        self._owed = 0
        self._program.send(request)
        self._owed = count
        answer = self._program.receive(count)
        self._owed = 0
        return answer


class SimulatedPort:
    """The Port of a simulated board with a serial line.

    drop_rate, flip_rate: shares of the bytes, in either direction, that are lost, or have a bit
    turned.
    """

    def __init__(
        self,
        target: Target,
        program: Path,
        *,
        drop_rate: float = 0.0,
        flip_rate: float = 0.0,
        seed: int = 1,
    ) -> None:
        bit_cycles = target.clock_mhz * 1e6 / target.baud
        rates = {"drop-rate": drop_rate, "flip-rate": flip_rate}
        self._program = Program(program, {"bit-cycles": bit_cycles, **rates, "seed": seed})
        self._closed = False

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have come, at least one; nothing if none comes in `timeout` s."""
        return self._program.receive_some(timeout)

    def write(self, data: bytes) -> None:
        """Send bytes, all of them."""
        self._program.send(data)

    def close(self) -> None:
        """End the program."""
        if not self._closed:
            self._closed = True
            self._program.close()


def simulated_uart(
    target: Target,
    program: Path,
    *,
    drop_rate: float = 0.0,
    flip_rate: float = 0.0,
    seed: int = 1,
) -> UartBackEnd:
    """Return the back end of a simulated board with a serial line, as patient as that needs."""
    port = SimulatedPort(target, program, drop_rate=drop_rate, flip_rate=flip_rate, seed=seed)
    slow = target._replace(baud=target.baud // SLOWDOWN)
    return UartBackEnd(slow, port, answer=UART_ANSWER, silence=UART_SILENCE)
