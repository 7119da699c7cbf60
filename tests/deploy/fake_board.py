# SPDX-License-Identifier: Apache-2.0
"""FakeBoard: registers and memory of an AXI board in Python, with a function inside.

What the processor writes reaches the board at a flush only, and what the board writes reaches the
processor at an invalidate only: a driver that forgets one of them computes nonsense.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hwbnn.deploy.runtime import registers
from hwbnn.deploy.runtime.dma import Dma
from hwbnn.deploy.runtime.errors import BoardFault
from hwbnn.emit.chip import Core
from hwbnn.ir.design import Design

BASE = 0x1000_0000
ERRORS = sum(registers.ERRORS)


class FakeBuffer:
    """Memory with a cache in front of it."""

    def __init__(self, memory: "FakeMemory", address: int, size: int):
        self.memory, self.address = memory, address
        self.array = np.full(size, 0x5A, np.uint8)
        self.behind = np.full(size, 0xA5, np.uint8)

    def flush(self):
        self.behind[:] = self.array

    def invalidate(self):
        self.array[:] = self.behind

    def free(self):
        self.memory.held.remove(self)
        self.memory.freed += 1


class FakeMemory:
    """Where buffers come from; most: bytes of all of them together."""

    def __init__(self, most: int = 1 << 30):
        self.most, self.held, self.next, self.freed = most, [], BASE, 0

    def allocate(self, size: int):
        if sum(len(buffer.array) for buffer in self.held) + size > self.most:
            raise BoardFault(f"memory: must have {size} bytes more, not less")
        self.held.append(FakeBuffer(self, self.next, size))
        self.next += size + 4096
        return self.held[-1]

    def at(self, address: int, size: int) -> np.ndarray | None:
        for buffer in self.held:
            start = address - buffer.address
            if start >= 0 and start + size <= len(buffer.behind):
                return buffer.behind[start : start + size]
        return None


@dataclass
class FakeBoard:
    """A board whose core is a Design, with every register of registers.py.

    waits: how often the driver sees BUSY until a batch is done; None: for ever. stuck: a reset does
    not end. error: bits of STATUS that each batch ends with. wrong: what is changed in results.
    """

    design: Design
    core: Core
    cycles: Callable[[int], int] = lambda frames: 10 * frames
    waits: int | None = 1
    stuck: bool = False
    error: int = 0
    wrong: int = 0
    dead: dict[int, int] = field(default_factory=dict)  # registers that always read so
    memory: FakeMemory = field(default_factory=FakeMemory)
    clock_mhz: float = 100.0

    def __post_init__(self):
        self.values: dict[int, int] = {}
        self.batches: list[int] = []
        self.left: int | None = None
        self.resets = self.loads = 0
        self.closed = False
        self.dma = Dma(self, self, capacity=1 << 20, fifos=self.core.fifos)
        self.high_water = [3 + i for i in range(len(self.core.fifos))]
        self.status = self.frames_done = self.cycle_count = 0

    # ---- a BackEnd -------------------------------------------------------------------------------

    def load(self, bitstream):
        self.loads += 1
        self.bitstream = bitstream

    def run(self, frames, timeout, tally=None):
        return self.dma.run(frames, timeout, tally)

    def close(self):
        self.dma.close()
        self.closed = True

    # ---- a Memory --------------------------------------------------------------------------------

    def allocate(self, size):
        return self.memory.allocate(size)

    def wait(self, timeout):
        assert timeout > 0

    # ---- Registers -------------------------------------------------------------------------------

    def read(self, offset):
        assert type(offset) is int and offset % 4 == 0
        if offset in self.dead:
            return self.dead[offset]
        if offset == registers.STATUS:
            self._advance()
        fixed = {
            registers.ID: registers.ID_VALUE,
            registers.VERSION: registers.VERSION_VALUE,
            registers.WORD_BYTES: self.core.frames.word_bytes,
            registers.FIFOS: len(self.core.fifos),
            registers.IN_BYTES: self.core.frames.frame_bytes,
            registers.OUT_BYTES: self.core.results.frame_bytes,
            registers.STATUS: self.status,
            registers.CONTROL: registers.RESET if self.stuck else 0,
            registers.CYCLES: self.cycle_count & 0xFFFFFFFF,
            registers.CYCLES + 4: self.cycle_count >> 32,
            registers.IN_STALL: 7,
            registers.OUT_STALL: 1,
            registers.FRAMES_DONE: self.frames_done,
            registers.IN_ROOM: 0,
        }
        if registers.BUILD_HASH <= offset < registers.BUILD_HASH + 16:
            start = offset - registers.BUILD_HASH
            return int.from_bytes(self.core.build_hash[start : start + 4], "little")
        if registers.HIGH_WATER <= offset < registers.HIGH_WATER + 4 * len(self.high_water):
            return self.high_water[(offset - registers.HIGH_WATER) // 4]
        return fixed.get(offset, self.values.get(offset, 0))

    def write(self, offset, value):
        assert type(offset) is int and type(value) is int and 0 <= value < 1 << 32
        if offset == registers.STATUS:
            self.status &= ~(value & (registers.DONE | ERRORS))
        elif offset == registers.CONTROL:
            self._control(value)
        else:
            self.values[offset] = value

    def _control(self, value):
        if value & registers.RESET:
            self.resets += 1
            self.left, self.status = None, 0
        elif value & registers.START:
            assert not self.status & (registers.DONE | registers.BUSY), "cleared before a START"
            self.status |= registers.BUSY
            self.left = self.waits

    def _advance(self):
        if not self.status & registers.BUSY or self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            self.status = registers.DONE | (self.error or self._batch())

    def _batch(self) -> int:
        """Run a batch; return the error bits."""
        count, word = self.values[registers.FRAMES], self.core.frames.word_bytes
        addresses = [
            self.values[offset] | self.values[offset + 4] << 32
            for offset in (registers.IN_ADDRESS, registers.OUT_ADDRESS)
        ]
        if not count or any(address % word for address in addresses):
            return registers.BAD_BATCH
        frames, results = self.core.frames, self.core.results
        source = self.memory.at(addresses[0], count * frames.frame_bytes)
        if source is None:
            return registers.READ_ERROR
        sink = self.memory.at(addresses[1], count * results.frame_bytes)
        if sink is None:
            return registers.WRITE_ERROR
        values = self.design.run(frames.unpack(source.reshape(count, -1)))
        sink[:] = results.pack(values).reshape(-1) ^ self.wrong
        self.batches.append(count)
        self.frames_done, self.cycle_count = count, self.cycles(count)
        return 0
