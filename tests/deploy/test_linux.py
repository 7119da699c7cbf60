# SPDX-License-Identifier: Apache-2.0
"""The Linux back end on trees of plain files in the place of /sys, /dev and /lib/firmware."""

import os
import struct
import threading
import time

import numpy as np
import pytest

from hwbnn.deploy.runtime import Accelerator, BoardFault, PackageFault, registers
from hwbnn.deploy.runtime.bit_file import parse_bit
from hwbnn.deploy.runtime.linux import LinuxBackEnd, Mapped, Places, UdmaBuffers
from hwbnn.deploy.runtime.target import Target
from hwbnn.deploy.runtime.uio import Device, Interrupt, find_uio
from hwbnn.deploy.runtime.weights import Image, Weights, reader
from tests.deploy.packages import BITSTREAM, small

BASE = 0x4000_0000
IO_PLL, CLOCK, AFI = 0xF8000108, 0xF8000170, 0xF8008000
BUFFER, BUFFER_BYTES = 0x1F00_0000, 1 << 16
IMAGES = np.random.default_rng(5).integers(0, 256, (40, 24)).astype(np.uint8)


class Tree:
    """A board's trees."""

    def __init__(self, root):
        self.places = Places(root / "sys", root / "dev", root / "firmware")
        self.manager = root / "sys/class/fpga_manager/fpga0"
        self.udmabuf = root / "sys/class/u-dma-buf/udmabuf0"
        self.uio = root / "sys/class/uio/uio1"
        self.put(self.manager / "flags", "")
        self.put(self.manager / "firmware", "")
        self.put(self.manager / "state", "operating\n")
        for name, text in {"size": f"{BUFFER_BYTES}\n", "phys_addr": f"{BUFFER:#018x}\n"}.items():
            self.put(self.udmabuf / name, text)
        self.put(root / "sys/class/uio/uio0/name", "audio\n")
        self.put(self.uio / "name", "fabric\n")
        self.put(self.uio / "maps/map0/addr", f"{BASE:#x}\n")
        self.put(self.uio / "maps/map0/size", "0x10000\n")
        for name, size in {"mem": 1 << 32, "udmabuf0": BUFFER_BYTES, "uio1": 1 << 16}.items():
            self.put(root / "dev" / name, "")
            os.truncate(root / "dev" / name, size)
        (root / "firmware").mkdir()
        self.poke(IO_PLL, 20 << 12)

    @staticmethod
    def put(file, text):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def poke(self, address, value, name="mem"):
        with (self.places.dev / name).open("r+b") as file:
            file.seek(address)
            file.write(struct.pack("<I", value))

    def peek(self, address, name="mem"):
        with (self.places.dev / name).open("rb") as file:
            file.seek(address)
            return struct.unpack("<I", file.read(4))[0]


@pytest.fixture
def tree(tmp_path) -> Tree:
    return Tree(tmp_path)


def target(**changes) -> Target:
    core = small().contents.core
    return Target(
        "pynq-z2", "zynq7000", core.build_hash.hex(), 100.0, 8, core.fifos,
        ps_clk_mhz=50.0, control_base=BASE, data_port="S_AXI_HP0", address_bits=32,
        buffer_bytes=1 << 20, uio="fabric",
    )._replace(**changes)  # fmt: skip


def test_configures_the_fabric(tree, monkeypatch):
    written = []

    def write_bytes(file, data):
        written.append((file, data))
        file.write_text("")

    monkeypatch.setattr(type(tree.manager), "write_bytes", write_bytes)
    back_end = LinuxBackEnd(target(), places=tree.places)
    back_end.load(BITSTREAM)
    name = f"hwbnn_{small().contents.core.build_hash.hex()}.bin"
    assert written == [(tree.places.firmware / name, parse_bit(BITSTREAM).firmware)]
    assert (tree.manager / "firmware").read_text() == name
    assert (tree.manager / "flags").read_text() == "0"
    assert list(tree.places.firmware.iterdir()) == [], "nothing is left behind"
    assert tree.peek(CLOCK) == 1 << 8 | 10 << 20 and back_end.clock_mhz == 100.0
    assert tree.peek(AFI + 0x14) == 0xF00
    back_end.close()
    back_end.close()


def test_registers_through_uio_or_mem(tree):
    back_end = LinuxBackEnd(target(), places=tree.places)
    back_end.load(None)
    tree.poke(registers.ID, registers.ID_VALUE, "uio1")
    back_end.write(registers.SCRATCH, 0xFFFFFFFE)
    assert back_end.read(registers.ID) == registers.ID_VALUE
    assert tree.peek(registers.SCRATCH, "uio1") == 0xFFFFFFFE
    assert (tree.manager / "firmware").read_text() == "", "loaded already"
    Tree.put(tree.uio / "maps/map0/addr", "0x43c00000\n")  # another device's memory
    other = LinuxBackEnd(target(), places=tree.places)
    other.load(None)
    other.write(registers.SCRATCH, 5)
    assert tree.peek(BASE + registers.SCRATCH) == 5
    with pytest.raises(BoardFault, match="board: must be loaded before its registers are used"):
        LinuxBackEnd(target(), places=tree.places).read(0)


def test_the_whole_driver(tree, tmp_path, monkeypatch):
    board = small().board()
    behind = np.memmap(tree.places.dev / "udmabuf0", np.uint8, "r+")
    synced = []

    class Memory:
        def at(self, address, size):
            synced.append([(tree.udmabuf / name).read_text() for name in names])
            start = address - BUFFER
            return behind[start : start + size] if 0 <= start <= BUFFER_BYTES - size else None

    names = ("sync_direction", "sync_offset", "sync_size", "sync_for_device")
    board.memory = Memory()
    board.close = lambda: None
    monkeypatch.setattr(LinuxBackEnd, "_map_registers", lambda self: board)
    back_end = LinuxBackEnd(target(), places=tree.places)
    with Accelerator.load(small().zip(tmp_path), back_end) as accelerator:
        wanted = small().contents.design.run(IMAGES)
        np.testing.assert_array_equal(accelerator.raw(IMAGES), wanted)
        images = np.tile(IMAGES, (100, 1))
        np.testing.assert_array_equal(accelerator.raw(images), np.tile(wanted, (100, 1)))
    batch = (BUFFER_BYTES - 2 * 4096) // 32
    assert board.batches == [3, 40, batch, batch, 4000 - 2 * batch]
    assert all(direction == "1" and offset == "0" for direction, offset, *_ in synced)
    last = [(tree.udmabuf / name).read_text() for name in ("sync_direction", "sync_for_cpu")]
    assert last == ["2", "1"], "results are made visible to the processor"


def test_buffers_share_the_device(tree):
    memory = UdmaBuffers(tree.places)
    first, second = memory.allocate(5000), memory.allocate(100)
    assert (first.address, len(first.array)) == (BUFFER, 8192)
    assert (second.address, len(second.array)) == (BUFFER + 8192, 4096)
    second.array[:] = 7
    with (tree.places.dev / "udmabuf0").open("rb") as file:
        file.seek(8192)
        assert file.read(4096) == bytes([7]) * 4096
    second.flush()
    names = ("sync_offset", "sync_size", "sync_direction", "sync_for_device")
    assert [(tree.udmabuf / name).read_text() for name in names] == ["8192", "4096", "1", "1"]
    with pytest.raises(BoardFault, match="udmabuf0: must have 57344 bytes more, not 53248"):
        memory.allocate(BUFFER_BYTES - 8192)
    first.free()
    second.free()
    second.free()
    assert memory.allocate(BUFFER_BYTES).address == BUFFER
    memory.close()


def test_weights_lie_before_the_frames(tree):
    image = Image("a_weights", "S_AXI_HP1", "weights/a.bin", 6, 9, 2)
    back_end = LinuxBackEnd(target(weights=(image,)), places=tree.places)
    back_end.load(None)
    weights = Weights(back_end, back_end, (image,))
    weights.load({"weights/a.bin": b"abcdef"})
    assert tree.peek(reader(0) + registers.WEIGHT_ADDRESS, "uio1") == BUFFER
    assert (tree.places.dev / "udmabuf0").read_bytes()[:4098] == b"abcdef" * 683
    assert (tree.udmabuf / "sync_for_device").read_text() == "1"
    tree.poke(registers.IN_BYTES, 8, "uio1")
    tree.poke(registers.OUT_BYTES, BUFFER_BYTES - image.room - 2 * 4096 - 7, "uio1")
    with pytest.raises(BoardFault, match=f"not {BUFFER_BYTES - image.room - 2 * 4096}; raise"):
        back_end.run(np.zeros((1, 8), np.uint8), 1.0)
    weights.close()
    back_end.close()


def test_the_older_name_of_u_dma_buf(tree):
    (tree.udmabuf.parent).rename(tree.udmabuf.parent.with_name("udmabuf"))
    assert UdmaBuffers(tree.places).size == BUFFER_BYTES


def test_no_u_dma_buf(tree):
    (tree.places.dev / "udmabuf0").unlink()
    with pytest.raises(
        BoardFault, match="udmabuf0: must be there for frames and results, not missing"
    ):
        UdmaBuffers(tree.places)


@pytest.mark.parametrize("state", ["write error", "unknown"])
def test_a_bitstream_that_does_not_take(tree, state):
    Tree.put(tree.manager / "state", f"{state}\n")
    with pytest.raises(BoardFault, match=f"must be operating after the download, not {state}; see"):
        LinuxBackEnd(target(), places=tree.places).load(BITSTREAM)


def test_a_mainline_kernel(tree):
    (tree.manager / "firmware").unlink()
    with pytest.raises(
        BoardFault, match="firmware: must be there, not missing; boot a kernel of AMD"
    ):
        LinuxBackEnd(target(), places=tree.places).load(BITSTREAM)


def test_no_rights(tree):
    (tree.places.dev / "mem").unlink()
    with pytest.raises(
        BoardFault, match="mem: must be readable and writable, not fail: no such file"
    ):
        LinuxBackEnd(target(), places=tree.places).load(BITSTREAM)


def test_no_bit_file(tree):
    with pytest.raises(PackageFault, match="must be a .bit file"):
        LinuxBackEnd(target(), places=tree.places).load(b"")
    assert tree.peek(CLOCK) == 0, "before anything is touched"


def test_words_of_a_mapped_file(tree):
    words = Mapped(tree.places.dev / "mem", 0x1000, 0x1000)
    words.write(8, 0x80000001)
    assert tree.peek(0x1008) == words.read(8) == 0x80000001
    words.close()


# ---- interrupts --------------------------------------------------------------------------------


def test_finds_the_uio_device(tree):
    found = find_uio("fabric", system=tree.places.system, dev=tree.places.dev)
    assert found == Device(tree.places.dev / "uio1", BASE, 0x10000)
    assert find_uio("other", system=tree.places.system, dev=tree.places.dev) is None
    (tree.places.dev / "uio1").unlink()
    assert find_uio("fabric", system=tree.places.system, dev=tree.places.dev) is None


def test_interrupt_is_armed_and_awaited(tmp_path):
    """A pair of pipes' ends in the place of the device: what is written arms, a word wakes."""
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    interrupt = Interrupt(None)
    interrupt._file = os.dup(theirs)
    assert not interrupt.polling
    started = time.monotonic()
    interrupt.wait(0.02)
    assert time.monotonic() - started >= 0.015, "nothing came"
    assert os.read(ours, 4) == struct.pack("=I", 1), "armed"
    timer = threading.Timer(0.005, lambda: os.write(ours, b"abc\n"))
    timer.start()
    interrupt.wait(0.05)
    timer.join()
    interrupt.close()
    interrupt.close()
    os.close(ours), os.close(theirs)


def test_without_a_device_it_sleeps(tmp_path):
    for device in (None, Device(tmp_path / "gone", 0, 0)):
        interrupt = Interrupt(device)
        assert interrupt.polling
        started = time.monotonic()
        interrupt.wait(10.0)
        assert time.monotonic() - started < 1.0


def test_a_device_that_fails_is_given_up(tmp_path):
    (tmp_path / "uio0").write_bytes(b"")
    interrupt = Interrupt(Device(tmp_path / "uio0", 0, 0))
    os.close(interrupt._file)
    broken = os.open(tmp_path, os.O_RDONLY)
    interrupt._file = broken
    interrupt.wait(1.0)
    assert interrupt.polling
    interrupt.wait(0.001)


def test_a_board_that_is_no_zynq(tree):
    with pytest.raises(BoardFault, match="must be a Zynq for this back end, not ecp5; use another"):
        LinuxBackEnd(target(family="ecp5"), places=tree.places).load(None)
