# SPDX-License-Identifier: Apache-2.0
"""The PYNQ back end against each version's habits."""

import asyncio
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from hwbnn.deploy.runtime import Accelerator, BoardFault, PackageFault, registers
from hwbnn.deploy.runtime.pynq import LEAST_BUFFER, PynqBackEnd
from hwbnn.deploy.runtime.target import Target
from tests.deploy.fake_pynq import VERSIONS, FakePynq, FakeSystem
from tests.deploy.packages import BITSTREAM, small

BASE = 0x4000_0000
IO_PLL, CLOCK, UNLOCK = 0xF8000108, 0xF8000170, 0xF8000008
AFI = 0xF8008000
IMAGES = np.random.default_rng(5).integers(0, 256, (40, 24)).astype(np.uint8)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return small().zip(tmp_path_factory.mktemp("package"))


@pytest.fixture(params=VERSIONS)
def pynq(request, monkeypatch) -> FakePynq:
    system = FakeSystem({IO_PLL: 20 << 12, CLOCK: 0x00500800})  # 1000 MHz; another clock
    found = FakePynq(request.param, small().board(), system, base=BASE)
    found.clock_ready = lambda: system.peek(UNLOCK) == 0xDF0D and CLOCK in system.log
    monkeypatch.setitem(sys.modules, "pynq", found)
    return found


def target(**changes) -> Target:
    core = small().contents.core
    return Target(
        "pynq-z2", "zynq7000", core.build_hash.hex(), 100.0, 8, core.fifos,
        ps_clk_mhz=50.0, control_base=BASE, data_port="S_AXI_HP0", address_bits=32,
        buffer_bytes=1 << 20, uio="fabric",
    )._replace(**changes)  # fmt: skip


def test_the_whole_driver(pynq, package):
    with Accelerator.load(package, "pynq") as accelerator:
        wanted = small().contents.design.run(IMAGES)
        np.testing.assert_array_equal(accelerator.raw(IMAGES), wanted)
        assert accelerator.clock_mhz == pytest.approx(100.0)
    assert not pynq.board.memory.held, "buffers are given back"
    assert pynq.contents == [BITSTREAM]
    assert min(pynq.sizes) >= LEAST_BUFFER, "smaller ones have no usable address in 3.1"


def test_found_when_pynq_is_there(pynq, package, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "pynq")
    with Accelerator.load(package) as accelerator:
        assert isinstance(accelerator.back_end, PynqBackEnd)


def test_order_of_clock_bitstream_and_port(pynq):
    back_end = PynqBackEnd(target())
    back_end.load(BITSTREAM)
    log = pynq.system.log
    assert log.index(CLOCK) < log.index("download") < log.index(AFI)
    assert pynq.system.peek(CLOCK) == 1 << 8 | 10 << 20, "1000 MHz / 1 / 10"
    assert pynq.system.peek(AFI) == 0 and pynq.system.peek(AFI + 0x14) == 0xF00
    assert back_end.clock_mhz == 100.0


def test_the_working_directory_may_be_read_only(pynq, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PynqBackEnd(target()).load(BITSTREAM)
    assert list(tmp_path.iterdir()) == [], "PYNQ's own files are elsewhere"
    assert Path.cwd() == tmp_path
    assert not Path(pynq.loaded[0]).exists(), "nothing is left behind"


def test_in_a_thread_without_an_event_loop(pynq, package):
    found, failed = [], []

    def work():
        try:
            asyncio.set_event_loop(None)
            with Accelerator.load(package, "pynq") as accelerator:
                found.append(accelerator.predict(IMAGES))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failed and len(found) == 1


def test_numpy_integers_become_plain_ones(pynq):
    back_end = PynqBackEnd(target())
    back_end.load(BITSTREAM)
    back_end.write(np.int64(registers.SCRATCH), np.uint32(0xFFFFFFFF))
    assert back_end.read(np.int64(registers.SCRATCH)) == 0xFFFFFFFF
    assert type(back_end.read(registers.SCRATCH)) is int


def test_a_killed_drivers_batch_is_stopped_before_the_download(pynq):
    back_end = PynqBackEnd(target())
    back_end.load(BITSTREAM)
    pynq.board.waits = None
    pynq.board.write(registers.FRAMES, 1)
    pynq.board.write(registers.CONTROL, registers.START)  # and the driver is killed
    resets = pynq.board.resets
    PynqBackEnd(target()).load(BITSTREAM)
    assert pynq.board.resets == resets + 1
    assert not pynq.board.status & registers.BUSY


@pytest.mark.parametrize("name", ["/home/xilinx/base.bit", None])
def test_another_bitstream_is_not_asked(pynq, name):
    pynq.PL.bitfile_name = name
    pynq.board.read = lambda offset: pytest.fail("it might not answer, and hang the processor")
    PynqBackEnd(target()).load(BITSTREAM)


def test_pl_server_is_down(pynq):
    class Down:
        @property
        def bitfile_name(self):
            raise ConnectionRefusedError("server not started")

        @bitfile_name.setter
        def bitfile_name(self, name):
            """Nobody is told."""

    pynq.PL = Down()
    PynqBackEnd(target()).load(BITSTREAM)
    assert len(pynq.loaded) == 1


def test_not_root(pynq):
    def refuse(*arguments):
        raise OSError("Root permissions required.")

    pynq.access = refuse
    with pytest.raises(
        BoardFault, match="registers must work, not fail .*Root perm.*; run it as root"
    ):
        PynqBackEnd(target()).load(BITSTREAM)


def test_loaded_already(pynq):
    pynq.PL.bitfile_name = "hwbnn.bit"
    back_end = PynqBackEnd(target())
    back_end.load(None)
    assert pynq.loaded == [] and back_end.read(registers.ID) == registers.ID_VALUE
    assert pynq.system.peek(CLOCK) == 1 << 8 | 10 << 20


def test_registers_before_load(pynq):
    with pytest.raises(BoardFault, match="board: must be loaded before its registers are used"):
        PynqBackEnd(target()).read(0)


def test_no_bit_file(pynq):
    with pytest.raises(PackageFault, match="bitstream: must be a .bit file with a header"):
        PynqBackEnd(target()).load(b"\xff" * 100)
    assert not pynq.loaded


def test_not_a_pynq_image(pynq):
    pynq.on_target = False
    with pytest.raises(BoardFault) as caught:
        PynqBackEnd(target()).load(BITSTREAM)
    text = str(caught.value)
    assert "fail with NameError: name 'pyxrt' is not defined" in text
    assert "run it as root in PYNQ's environment" in text


def test_pynq_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(BoardFault, match="pynq: PYNQ must work, not fail with ModuleNotFoundError"):
        PynqBackEnd(target())


def test_buffers_beyond_what_the_port_reaches(pynq):
    back_end = PynqBackEnd(target())
    pynq.board.memory.next = (1 << 32) - 4096
    with pytest.raises(BoardFault, match=r"memory: a buffer must end below 2\*\*32"):
        back_end.allocate(100)
    assert not pynq.board.memory.held


def test_no_memory(pynq):
    def refuse(*args, **kwargs):
        raise RuntimeError("Failed to allocate Memory!")

    pynq.allocate = refuse
    with pytest.raises(BoardFault, match="allocate of 8192 bytes must work, not fail with Runtime"):
        PynqBackEnd(target()).allocate(100)


def test_a_buffer_is_freed_once(pynq):
    buffer = PynqBackEnd(target()).allocate(100)
    assert type(buffer.array) is np.ndarray, "slices of PYNQ's own class free the memory"
    buffer.free()
    buffer.free()
    assert not pynq.board.memory.held and len(buffer.array) == 0
