# SPDX-License-Identifier: Apache-2.0
"""PynqBackEnd: a Zynq board through PYNQ 2.7 to 4.0, without a .hwh.

PYNQ is imported when a back end is made, on the board alone. What PYNQ would take from a .hwh is
done here: the fabric's clock, the width of the memory port, and the interrupt (by UIO).
"""

from __future__ import annotations

import asyncio
import importlib
import os
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator

import numpy as np

from . import registers, zynq
from .bit_file import parse_bit
from .dma import Dma, reset
from .errors import BoardFault, RuntimeFault
from .target import Target
from .uio import Interrupt, find_uio
from .weights import stop

if TYPE_CHECKING:
    from .back_end import Bytes
    from .tally import Tally

SPAN = 0x1000  # of the registers, and of a page of the processing system's
LEAST_BUFFER = 8192  # XRT 2.17 gives smaller ones addresses that do not fit 40 bits (PYNQ #1500)
OURS = "hwbnn_"  # how the names of our bitstreams begin
FAILURES = (OSError, RuntimeError, ValueError, TypeError, AttributeError, NameError, ImportError)
MEND = (
    "run it as root in PYNQ's environment (sudo -i, then source /etc/profile.d/pynq_venv.sh and "
    "xrt_setup.sh), or use the back end linux"
)


class PynqBuffer:
    """A Buffer of pynq.allocate."""

    def __init__(self, pynq: Any, size: int) -> None:
        size = max(size, LEAST_BUFFER)
        with _in_our_words(f"pynq.allocate of {size} bytes", "close other programs, or raise cma="):
            self._buffer = pynq.allocate(shape=(size,), dtype=np.uint8, cacheable=1)
        self.address = int(self._buffer.device_address)
        self.array: Bytes = np.asarray(self._buffer)

    def flush(self) -> None:
        """Write the caches back."""
        self._buffer.flush()

    def invalidate(self) -> None:
        """Drop what the caches hold."""
        self._buffer.invalidate()

    def free(self) -> None:
        """Give the memory back."""
        if self._buffer is not None:
            self.array = np.empty(0, np.uint8)
            self._buffer.freebuffer()
            self._buffer = None


class PynqBackEnd:
    """A board through PYNQ. system: where /sys is; dev: where /dev is."""

    def __init__(
        self, target: Target, *, system: Path = Path("/sys"), dev: Path = Path("/dev")
    ) -> None:
        self._target = target
        self.clock_mhz = target.clock_mhz
        self._pages: dict[int, Any] = {}
        self._registers: Any = None
        with _in_our_words("PYNQ"):
            self._pynq = importlib.import_module("pynq")
        self._interrupt = Interrupt(find_uio(target.uio, system=system, dev=dev))
        self._dma = Dma(
            self,
            self,
            capacity=target.frame_bytes,
            fifos=target.fifos,
            weights=target.weights,
        )

    def load(self, bitstream: bytes | None) -> None:
        """Set the clock, load the bitstream, set the memory port; None: it is loaded already."""
        _event_loop()
        with _in_our_words("the processing system's registers"):
            if bitstream is not None:
                parse_bit(bitstream)
                self._quiet()
            # The clock comes first: a fabric without one answers nothing, and the processor hangs.
            self.clock_mhz = zynq.set_clock(self, self._target)
        if bitstream is not None:
            self._download(bitstream)
        with _in_our_words("the processing system's registers"):
            zynq.set_port_width(self, self._target)
            self._registers = self._pynq.MMIO(self._target.control_base, SPAN)

    def read(self, offset: int) -> int:
        """Return the register at a byte offset."""
        return int(self._mapped.read(int(offset)))

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset."""
        self._mapped.write(int(offset), int(value))  # PYNQ takes no NumPy integers

    def run(self, frames: Bytes, timeout: float, tally: Tally | None = None) -> Bytes:
        """Return the results of frames, as BackEnd.run."""
        return self._dma.run(frames, timeout, tally)

    def allocate(self, size: int) -> PynqBuffer:
        """Return a cached buffer; its owner flushes and invalidates."""
        buffer = PynqBuffer(self._pynq, size)
        end = buffer.address + len(buffer.array)
        if end > 1 << self._target.address_bits:
            buffer.free()
            raise BoardFault(
                f"memory: a buffer must end below 2**{self._target.address_bits}, what the data "
                f"port reaches, not at {end:#x}; restart the board"
            )
        return buffer

    def wait(self, timeout: float) -> None:
        """Sleep until the interrupt comes, or soon."""
        self._interrupt.wait(timeout)

    def close(self) -> None:
        """Give back buffers and interrupt."""
        self._dma.close()
        self._interrupt.close()

    def peek(self, address: int) -> int:
        """Return a register of the processing system."""
        return int(self._page(address).read(address % SPAN))

    def poke(self, address: int, value: int) -> None:
        """Write a register of the processing system."""
        self._page(address).write(address % SPAN, int(value))

    @property
    def _mapped(self) -> Any:
        if self._registers is None:
            raise BoardFault("board: must be loaded before its registers are used; call load()")
        return self._registers

    def _page(self, address: int) -> Any:
        base = address - address % SPAN
        if base not in self._pages:
            self._pages[base] = self._pynq.MMIO(base, SPAN)
        return self._pages[base]

    def _quiet(self) -> None:
        """Stop what a killed driver may have left running: its bursts would stay in the port.

        Only a bitstream of ours is asked; another one might not answer, and hang the processor.
        """
        try:
            loaded = Path(str(self._pynq.PL.bitfile_name)).name
        except FAILURES:
            return  # PYNQ 2.7 asks a server that may not run
        if not loaded.startswith(OURS):
            return
        self._registers = self._pynq.MMIO(self._target.control_base, SPAN)
        if self.read(registers.ID) == registers.ID_VALUE:
            stop(self)
            reset(self)

    def _download(self, bitstream: bytes) -> None:
        """Load a bitstream through a file in a fresh folder, which also is the working directory.

        PYNQ takes a path as text alone, and 3.1 and 4.0 write a file into the working directory.
        """
        with tempfile.TemporaryDirectory(prefix=OURS) as folder, _working_in(folder):
            file = Path(folder) / f"{OURS}{self._target.build_hash}.bit"
            file.write_bytes(bitstream)
            with _in_our_words("the download of the bitstream"):
                self._pynq.Bitstream(str(file)).download()


@contextmanager
def _in_our_words(what: str, mend: str = MEND) -> Iterator[None]:
    """PYNQ raises many things; NameError, for one, where it finds no PYNQ image."""
    try:
        yield
    except RuntimeFault:
        raise
    except FAILURES as error:
        raise BoardFault(
            f"pynq: {what} must work, not fail with {type(error).__name__}: {error}; {mend}"
        ) from error


@contextmanager
def _working_in(folder: str) -> Iterator[None]:
    before = os.getcwd()  # noqa: PTH109 - Path.cwd() is the same
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _event_loop() -> None:
    """Make sure that this thread has an event loop, which PYNQ's XrtDevice asks for.

    Threads have none by themselves, and from Python 3.14 on the main one has none either.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            asyncio.get_event_loop()
        except RuntimeError:
            asyncio.set_event_loop(asyncio.new_event_loop())
