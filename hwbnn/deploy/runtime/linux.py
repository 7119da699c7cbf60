# SPDX-License-Identifier: Apache-2.0
"""LinuxBackEnd: a Zynq board through the kernel alone: FPGA manager, UIO or /dev/mem, u-dma-buf."""

from __future__ import annotations

import mmap
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, NamedTuple

import numpy as np

from . import zynq
from .bit_file import parse_bit
from .dma import Dma
from .errors import BoardFault
from .target import Target
from .uio import Interrupt, find_uio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .back_end import Bytes
    from .tally import Tally

SPAN = 0x1000
TO_DEVICE, FROM_DEVICE = "1", "2"  # the kernel's enum dma_data_direction
UDMABUF = ("class/u-dma-buf", "class/udmabuf")  # since version 2, and before
ALIGNMENT = 4096


class Places(NamedTuple):
    """Where the kernel's trees are."""

    system: Path = Path("/sys")
    dev: Path = Path("/dev")
    firmware: Path = Path("/lib/firmware")


USUAL = Places()


class Mapped:
    """32-bit words of a mapped file."""

    def __init__(self, file: Path, offset: int, size: int) -> None:
        with _in_our_words(file, "must be readable and writable"):
            descriptor = os.open(str(file), os.O_RDWR | os.O_SYNC)
            try:
                mapped = mmap.mmap(descriptor, size, offset=offset)
            finally:
                os.close(descriptor)
        self._words: NDArray[np.uint32] = np.frombuffer(mapped, np.uint32)

    def read(self, offset: int) -> int:
        """Return the word at a byte offset."""
        return int(self._words[offset >> 2])

    def write(self, offset: int, value: int) -> None:
        """Write the word at a byte offset."""
        self._words[offset >> 2] = value

    def close(self) -> None:
        """Unmap."""
        self._words = np.empty(0, np.uint32)  # the last one who looks at the map closes it


class UdmaBuffers:
    """Contiguous memory of one u-dma-buf device, cut into buffers one behind the other."""

    def __init__(self, places: Places) -> None:
        self._folder, self._device = _udmabuf(places)
        self.size = int(self._attribute("size"), 0)
        self.address = int(self._attribute("phys_addr"), 0)
        with _in_our_words(self._device, "must be readable and writable"):
            descriptor = os.open(str(self._device), os.O_RDWR)  # without O_SYNC: cached
            try:
                mapped = mmap.mmap(descriptor, self.size)
            finally:
                os.close(descriptor)
        self.array: Bytes = np.frombuffer(mapped, np.uint8)
        self._held: list[UdmaBuffer] = []

    def allocate(self, size: int) -> UdmaBuffer:
        """Return a buffer behind those that are held."""
        size = -(-size // ALIGNMENT) * ALIGNMENT
        start = max((buffer.end for buffer in self._held), default=0)
        if start + size > self.size:
            raise BoardFault(
                f"{self._device}: must have {size} bytes more, not {self.size - start}; load "
                "u-dma-buf with a larger udmabuf0"
            )
        buffer = UdmaBuffer(self, start, size)
        self._held.append(buffer)
        return buffer

    def release(self, buffer: UdmaBuffer) -> None:
        """Take a buffer back; once is enough."""
        self._held = [held for held in self._held if held is not buffer]

    def sync(self, start: int, size: int, *, direction: str, trigger: str) -> None:
        """Make a range visible to the other side."""
        values = {"sync_offset": start, "sync_size": size, "sync_direction": direction, trigger: 1}
        for name, value in values.items():
            with _in_our_words(self._folder / name, "must be writable"):
                (self._folder / name).write_text(str(value))

    def close(self) -> None:
        """Unmap."""
        self.array = np.empty(0, np.uint8)
        self._held.clear()

    def _attribute(self, name: str) -> str:
        with _in_our_words(self._folder / name, "must be readable"):
            return (self._folder / name).read_text().strip()


class UdmaBuffer:
    """A Buffer within a u-dma-buf device."""

    def __init__(self, memory: UdmaBuffers, start: int, size: int) -> None:
        self._memory = memory
        self._start = start
        self.end = start + size
        self.address = memory.address + start
        self.array: Bytes = memory.array[start : start + size]

    def flush(self) -> None:
        """Write the caches back."""
        self._sync(TO_DEVICE, "sync_for_device")

    def invalidate(self) -> None:
        """Drop what the caches hold."""
        self._sync(FROM_DEVICE, "sync_for_cpu")

    def free(self) -> None:
        """Give the memory back."""
        self.array = np.empty(0, np.uint8)
        self._memory.release(self)

    def _sync(self, direction: str, trigger: str) -> None:
        size = self.end - self._start
        self._memory.sync(self._start, size, direction=direction, trigger=trigger)


class LinuxBackEnd:
    """A board through Linux. It wants root, the kernel of the board's vendor, and u-dma-buf."""

    def __init__(self, target: Target, *, places: Places = USUAL) -> None:
        self._target = target
        self._places = places
        self.clock_mhz = target.clock_mhz
        self._pages: dict[int, Mapped] = {}
        self._registers: Mapped | None = None
        self._device = find_uio(target.uio, system=places.system, dev=places.dev)
        self._interrupt = Interrupt(self._device)
        self._memory: UdmaBuffers | None = None
        self._dma: Dma | None = None

    def load(self, bitstream: bytes | None) -> None:
        """Set the clock, load the bitstream, set the memory port; None: it is loaded already."""
        data = None if bitstream is None else parse_bit(bitstream).firmware
        # The clock comes first: a fabric without one answers nothing, and the processor hangs.
        self.clock_mhz = zynq.set_clock(self, self._target)
        if data is not None:
            self._configure(data)
        zynq.set_port_width(self, self._target)
        self._registers = self._map_registers()

    def read(self, offset: int) -> int:
        """Return the register at a byte offset."""
        return self._mapped.read(offset)

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset."""
        self._mapped.write(offset, value)

    def run(self, frames: Bytes, timeout: float, tally: Tally | None = None) -> Bytes:
        """Return the results of frames, as BackEnd.run."""
        if self._dma is None:
            self._memory = self._memory or UdmaBuffers(self._places)
            target = self._target
            self._dma = Dma(
                self,
                self,
                capacity=min(target.buffer_bytes, self._memory.size) - target.weight_bytes,
                fifos=target.fifos,
                weights=target.weights,
            )
        return self._dma.run(frames, timeout, tally)

    def allocate(self, size: int) -> UdmaBuffer:
        """Return a cached buffer; its owner flushes and invalidates."""
        if self._memory is None:
            self._memory = UdmaBuffers(self._places)
        return self._memory.allocate(size)

    def wait(self, timeout: float) -> None:
        """Sleep until the interrupt comes, or soon."""
        self._interrupt.wait(timeout)

    def close(self) -> None:
        """Give back buffers, mappings and interrupt."""
        if self._dma is not None:
            self._dma.close()
            self._dma = None
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        for page in (*self._pages.values(), *filter(None, [self._registers])):
            page.close()
        self._pages.clear()
        self._registers = None
        self._interrupt.close()

    def peek(self, address: int) -> int:
        """Return a register of the processing system."""
        return self._page(address).read(address % SPAN)

    def poke(self, address: int, value: int) -> None:
        """Write a register of the processing system."""
        self._page(address).write(address % SPAN, value)

    @property
    def _mapped(self) -> Mapped:
        if self._registers is None:
            raise BoardFault("board: must be loaded before its registers are used; call load()")
        return self._registers

    def _page(self, address: int) -> Mapped:
        base = address - address % SPAN
        if base not in self._pages:
            self._pages[base] = Mapped(self._places.dev / "mem", base, SPAN)
        return self._pages[base]

    def _map_registers(self) -> Mapped:
        """Map the registers through their UIO device if it has them, else through /dev/mem."""
        device, base = self._device, self._target.control_base
        if device is not None and device.address == base and device.size >= SPAN:
            return Mapped(device.file, 0, SPAN)
        return Mapped(self._places.dev / "mem", base, SPAN)

    def _configure(self, data: bytes) -> None:
        """Give the data to the FPGA manager, by way of the firmware folder."""
        manager = self._places.system / "class/fpga_manager/fpga0"
        name = f"hwbnn_{self._target.build_hash}.bin"
        if not (manager / "firmware").exists():
            raise BoardFault(
                f"{manager / 'firmware'}: must be there, not missing; boot a kernel of AMD's tree "
                "(the mainline one takes device tree overlays only)"
            )
        file = self._places.firmware / name
        with _in_our_words(file, "must be writable"):
            file.write_bytes(data)
        try:
            for attribute, text in (("flags", "0"), ("firmware", name)):
                with _in_our_words(manager / attribute, f"must take {text}"):
                    (manager / attribute).write_text(text)
        finally:
            file.unlink()
        state = (manager / "state").read_text().strip()
        if state != "operating":
            raise BoardFault(
                f"{manager / 'state'}: must be operating after the download, not {state}; see dmesg"
            )


def _udmabuf(places: Places) -> tuple[Path, Path]:
    """Return the folder in /sys and the file in /dev of the first u-dma-buf device."""
    for where in UDMABUF:
        for folder in sorted((places.system / where).glob("*")):
            if (places.dev / folder.name).exists():
                return folder, places.dev / folder.name
    raise BoardFault(
        f"{places.dev}/udmabuf0: must be there for frames and results, not missing; install the "
        "kernel module u-dma-buf, and load it: modprobe u-dma-buf udmabuf0=16777216"
    )


@contextmanager
def _in_our_words(file: Path, must: str) -> Iterator[None]:
    """Turn what the kernel refuses into a fault that names the file."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BoardFault(f"{file}: {must}, not fail: {reason}; run as root") from error
