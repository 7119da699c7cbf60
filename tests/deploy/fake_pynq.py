# SPDX-License-Identifier: Apache-2.0
"""FakePynq: the package `pynq` as far as the driver uses it, with what each version is like.

Signatures and behaviour are those of bitstream.py, mmio.py, buffer.py, pl.py and xrt_device.py of
PYNQ 2.7.0 and 3.1, and of 4.0.0, which differs from 3.1 in the least size of buffers.
"""

import asyncio
import types
from pathlib import Path

import numpy as np

from tests.deploy.fake_board import FakeBoard

VERSIONS = ("2.7.0", "3.1.2", "4.0.0")


class FakeSystem:
    """The processing system's registers, and an order of what was done."""

    def __init__(self, values: dict[int, int]):
        self.values, self.log = dict(values), []

    def peek(self, address: int) -> int:
        return self.values.get(address, 0)

    def poke(self, address: int, value: int) -> None:
        self.values[address] = value
        self.log.append(address)


class PynqBuffer(np.ndarray):
    """Its slices must not be freed; freeing unmaps the memory (3.1)."""

    def close(self):
        raise AssertionError("no longer functional since 2.7")

    def flush(self):
        self.owner.flush()

    def invalidate(self):
        self.owner.invalidate()

    def freebuffer(self):
        assert not self.freed, "freed once"
        self.freed = True
        self.owner.free()


class FakePynq(types.ModuleType):
    """A module to put into sys.modules."""

    def __init__(self, version: str, board: FakeBoard, system: FakeSystem, *, base: int):
        super().__init__("pynq")
        self.__version__ = version
        self.board, self.system, self.base = board, system, base
        self.clock_ready = lambda: True
        self.loaded: list[str] = []
        self.contents: list[bytes] = []
        self.PL = types.SimpleNamespace(bitfile_name=None)
        self.on_target = True
        self.sizes: list[int] = []
        outer = self

        class Bitstream:
            def __init__(self, bitfile_name, dtbo=None, partial=False, device=None):
                outer.device()
                if not isinstance(bitfile_name, str):
                    raise TypeError("Bitstream name has to be a string.")
                if not Path(bitfile_name).exists():
                    raise OSError(f"Bitstream file {bitfile_name} does not exist.")
                self.bitfile_name = bitfile_name

            def download(self, parser=None):
                outer.download(self.bitfile_name)

        class MMIO:
            def __init__(self, base_addr, length=4, device=None, **kwargs):
                outer.device()
                assert type(base_addr) is int and type(length) is int
                self.base_addr, self.length = base_addr, length

            def read(self, offset=0, length=4, word_order="little"):
                return outer.access(self.base_addr, self.length, offset, None)

            def write(self, offset, data):
                if type(data) is not int:
                    raise ValueError("Data type must be int or bytes.")
                outer.access(self.base_addr, self.length, offset, data)

        self.Bitstream, self.MMIO = Bitstream, MMIO

    def device(self) -> None:
        """What Device.active_device does when it is asked for."""
        if not self.on_target:
            raise NameError("name 'pyxrt' is not defined")
        if not self.__version__.startswith("2.7"):
            asyncio.get_event_loop()

    def download(self, name: str) -> None:
        if not self.__version__.startswith("2.7"):
            Path("loaded.xclbin").write_bytes(b"xclbin2")  # in the working directory
        self.contents.append(Path(name).read_bytes())
        assert self.clock_ready(), "the clock comes before the bitstream"
        self.loaded.append(name)
        self.PL.bitfile_name = name
        self.system.log.append("download")

    def access(self, base: int, length: int, offset: int, value: int | None) -> int:
        assert 0 <= offset < length
        if offset % 4:
            raise MemoryError("Unaligned: offset must be multiple of 4.")
        if base == self.base:
            assert self.PL.bitfile_name is not None, "nobody answers: the processor hangs"
            if value is None:
                return self.board.read(offset)
            self.board.write(offset, value)
        elif value is None:
            return self.system.peek(base + offset)
        else:
            self.system.poke(base + offset, value)
        return 0

    def allocate(self, shape, dtype="u4", target=None, **kwargs):
        self.device()
        assert kwargs == {"cacheable": 1}, "uncached reads are slow"
        assert np.dtype(dtype) == np.uint8
        (size,) = shape
        self.sizes.append(size)
        owner = self.board.memory.allocate(size)
        if self.__version__.startswith("3.1") and size <= 4096:
            owner.address += 0xFFFF_0000_0000  # XRT 2.17
        buffer = owner.array.view(PynqBuffer)
        buffer.owner, buffer.freed = owner, False
        buffer.device_address = np.uint64(owner.address)
        return buffer
