# SPDX-License-Identifier: Apache-2.0
"""BackEnd: what a driver needs of a board, whatever carries its registers and frames.

A back end that moves frames through memory is a `Registers` and a `Memory`, and leaves `run` to
`dma.Dma`. Frames and results are bytes as decision 8 lays them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .tally import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]


class Registers(Protocol):
    """The 32-bit registers of registers.py."""

    def read(self, offset: int) -> int:
        """Return the register at a byte offset."""

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset."""


class BackEnd(Registers, Protocol):
    """A board, or a simulation of one. Every method ends, with a RuntimeFault at worst.

    clock_mhz: of the fabric; after `load` what was read back, where that can be done.
    """

    clock_mhz: float

    def load(self, bitstream: bytes | None) -> None:
        """Configure the board and make its registers readable; None: it is configured already."""

    def run(self, frames: Bytes, timeout: float, tally: Tally | None = None) -> Bytes:
        """Return the results (n, out_bytes) of frames (n, in_bytes), n at least 1.

        timeout: seconds for all of them. After a fault the board is reset, and may be run again.
        """

    def close(self) -> None:
        """Give back memory, files and ports; closing twice does nothing."""


class Buffer(Protocol):
    """Contiguous memory that the processor and the board both see."""

    @property
    def array(self) -> Bytes:
        """The memory as the processor sees it, one-dimensional, of at least the size asked for."""

    @property
    def address(self) -> int:
        """The first byte as the board sees it, a multiple of 16."""

    def flush(self) -> None:
        """Make what the processor wrote visible to the board."""

    def invalidate(self) -> None:
        """Make what the board wrote visible to the processor."""

    def free(self) -> None:
        """Give the memory back; `array` must not be used any more."""


class Memory(Protocol):
    """Where buffers come from, and what says that the board may be done."""

    def allocate(self, size: int) -> Buffer:
        """Return a buffer of at least `size` bytes; BoardFault: there is no room."""

    def wait(self, timeout: float) -> None:
        """Sleep until the interrupt comes; may return at any time, after `timeout` s at the latest.

        The caller reads STATUS then, so that a missed interrupt costs time and nothing else.
        """


class MemoryBackEnd(BackEnd, Memory, Protocol):
    """A back end that moves frames through memory."""
