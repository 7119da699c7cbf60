# SPDX-License-Identifier: Apache-2.0
"""Dma: frames through memory that the board reads and writes by itself, one START a batch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Sequence

import numpy as np

from . import registers
from .errors import BoardFault, InputFault, TimeoutFault, TransferFault
from .state import WRITE_ONE_TO_CLEAR, errors_in, read_double, state_text
from .tally import Tally
from .weights import errors_of_readers

if TYPE_CHECKING:
    from .back_end import Buffer, Bytes, Memory, Registers
    from .weights import Image

RESET_SECONDS = 1.0  # bursts under way end within microseconds
GRANULE = 4096  # buffers grow by pages

_ABANDONED: list[Buffer] = []  # of boards that could not be stopped: never given back


class Dma:
    """Runs frames over a board's registers and memory, and keeps its two buffers in between.

    capacity: bytes that both buffers may take together. fifos: names for messages. weights: what
    the board's readers bring, whose errors end a batch too.
    """

    def __init__(
        self,
        board: Registers,
        memory: Memory,
        *,
        capacity: int,
        fifos: Sequence[str] = (),
        weights: Sequence[Image] = (),
    ) -> None:
        self._board = board
        self._memory = memory
        self._capacity = capacity
        self._fifos = tuple(fifos)
        self._weights = tuple(weights)
        self._buffers: list[Buffer] = []

    def run(self, frames: Bytes, timeout: float, tally: Tally | None = None) -> Bytes:
        """Return the results of frames, as BackEnd.run."""
        tally = tally or Tally()
        in_bytes, out_bytes = self._frame_bytes(frames)
        batch = self._batch(in_bytes, out_bytes, len(frames))
        source, sink = self._allocate(batch * in_bytes, batch * out_bytes)
        results = np.empty((len(frames), out_bytes), np.uint8)
        deadline = time.monotonic() + timeout
        for first in range(0, len(frames), batch):
            part = frames[first : first + batch]
            count = len(part)
            with tally.stage("copy"):
                view = source.array[: count * in_bytes].reshape(count, in_bytes)
                view[...] = part
                source.flush()
            with tally.stage("execute"):
                self._execute(source, sink, count, deadline, timeout)
            tally.batch(count, read_double(self._board.read, registers.CYCLES))
            with tally.stage("copy"):
                sink.invalidate()
                view = sink.array[: count * out_bytes].reshape(count, out_bytes)
                results[first : first + count] = view
        return results

    def close(self) -> None:
        """Give the buffers back; the board must not be running."""
        while self._buffers:
            self._buffers.pop().free()

    def _frame_bytes(self, frames: Bytes) -> tuple[int, int]:
        """Return the bytes of a frame and of a result, by the board's own registers."""
        in_bytes = self._board.read(registers.IN_BYTES)
        if frames.dtype != np.uint8 or frames.ndim != 2 or not len(frames):
            raise InputFault(
                f"frames: must be uint8 (1 or more, {in_bytes}), not {frames.dtype} {frames.shape}"
            )
        if frames.shape[1] != in_bytes:
            raise BoardFault(
                f"board: IN_BYTES must be {frames.shape[1]}, not {in_bytes}; "
                "load the bitstream of this package"
            )
        return in_bytes, self._board.read(registers.OUT_BYTES)

    def _batch(self, in_bytes: int, out_bytes: int, frames: int) -> int:
        room = self._capacity - 2 * GRANULE  # what rounding up may take
        if room < in_bytes + out_bytes:
            raise BoardFault(
                f"memory: buffers must hold a frame and a result, {in_bytes + out_bytes} bytes, "
                f"not {max(room, 0)}; raise the board's contiguous memory (cma=) and its cma_mb"
            )
        return min(frames, room // (in_bytes + out_bytes))

    def _allocate(self, source: int, sink: int) -> tuple[Buffer, Buffer]:
        """Return two buffers of these sizes: those of the last run if they are large enough."""
        sizes = (_pages(source), _pages(sink))
        held = [len(buffer.array) for buffer in self._buffers]
        if len(held) != 2 or held[0] < sizes[0] or held[1] < sizes[1]:
            self.close()
            for size in sizes:
                self._buffers.append(self._memory.allocate(size))
        first, second = self._buffers
        return first, second

    def _execute(
        self, source: Buffer, sink: Buffer, frames: int, deadline: float, timeout: float
    ) -> None:
        try:
            self._start(source, sink, frames)
            self._await(frames, deadline, timeout)
        except BaseException:  # Ctrl-C too: the board must not write into memory given back
            self._stop()
            raise

    def _start(self, source: Buffer, sink: Buffer, frames: int) -> None:
        board = self._board
        board.write(registers.STATUS, WRITE_ONE_TO_CLEAR)
        _write_double(board, registers.IN_ADDRESS, source.address)
        _write_double(board, registers.OUT_ADDRESS, sink.address)
        board.write(registers.FRAMES, frames)
        board.write(registers.CONTROL, registers.START | registers.IRQ_ENABLE)

    def _await(self, frames: int, deadline: float, timeout: float) -> None:
        board = self._board
        status = board.read(registers.STATUS)
        while not status & registers.DONE:
            self._check_weights()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutFault(
                    f"board: {frames} frames must be done within {timeout:.3g} s, not still "
                    "running; give it more time, or run the self-test",
                    state=state_text(board, self._fifos, self._weights),
                )
            self._memory.wait(left)
            status = board.read(registers.STATUS)
        if errors_in(status):
            raise TransferFault(
                f"board: a batch of {frames} frames must end without an error, not with: "
                f"{errors_in(status)}; load the bitstream again, and run the self-test",
                state=state_text(board, self._fifos),
            )

    def _check_weights(self) -> None:
        """A reader that has failed gives no word any more: the batch would never end."""
        found = errors_of_readers(self._board, self._weights)
        if found:
            raise TransferFault(
                f"board: the weights must come from memory, not stop: {found}; load the package "
                "again",
                state=state_text(self._board, self._fifos, self._weights),
            )

    def _stop(self) -> None:
        """Reset; a board that does not even do that keeps the buffers: it may still write."""
        try:
            reset(self._board)
        except BaseException:
            _ABANDONED.extend(self._buffers)
            self._buffers.clear()
            raise


def reset(board: Registers, *, timeout: float = RESET_SECONDS) -> None:
    """Reset core, shell, counters and errors, and wait until bursts under way have ended."""
    board.write(registers.CONTROL, registers.RESET)
    deadline = time.monotonic() + timeout
    while board.read(registers.CONTROL) & registers.RESET:
        if time.monotonic() > deadline:
            raise TimeoutFault(
                f"board: a reset must end within {timeout:g} s, not hang: its memory does "
                "not answer; load the bitstream again, or restart the board",
                state=state_text(board),
            )
        time.sleep(0.0001)


def _write_double(board: Registers, offset: int, value: int) -> None:
    board.write(offset, value & 0xFFFFFFFF)
    board.write(offset + 4, value >> 32)


def _pages(size: int) -> int:
    return -(-size // GRANULE) * GRANULE
