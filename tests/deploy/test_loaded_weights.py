# SPDX-License-Identifier: Apache-2.0
"""Weights that are loaded once: package, driver, and the UltraRAM of a simulated board."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from hwbnn.deploy.place import Simulation as OnSimulation
from hwbnn.deploy.place import classify
from hwbnn.deploy.remote import read_archive
from hwbnn.deploy.runtime import Accelerator, registers
from hwbnn.deploy.runtime.errors import BoardFault, PackageFault, TimeoutFault
from hwbnn.deploy.runtime.package import open_package
from hwbnn.deploy.runtime.weights import (
    Image,
    Weights,
    check_readers,
    errors_of_readers,
    reader,
    stalls_of_readers,
)
from hwbnn.sim import engine
from hwbnn.sim.interpret import Interpreter
from tests.deploy.simulations import Simulation, loaded
from tests.deploy.test_simulated import check, frames_of
from tests.deploy.test_weights import LONG, SHORT, Readers

BOARD = "kv260"
NOWHERE = 0x7000_0000  # no memory is there


def begin(simulation: Simulation, folder: Path, **options) -> Accelerator:
    """Load the package on its simulated board."""
    return Accelerator.load(simulation.made.zip(folder), simulation.axi(**options), patience=100.0)


def status(board, number: int) -> int:
    return board.read(reader(number) + registers.WEIGHT_STATUS)


@pytest.mark.slow
def test_integers_and_cycles_are_those_of_the_design(tmp_path) -> None:
    """Batch after batch, after a reset, and after it was loaded again."""
    simulation = loaded(BOARD)
    predicted = engine.simulate(simulation.design, frames=12)
    with begin(simulation, tmp_path, latency=30, jitter=20) as accelerator:
        board = accelerator.back_end
        for seed in range(4):
            tally = check(simulation, board, 12, seed=seed)
            assert tally.batches == [(12, int(predicted.frame_ends[-1]) + 1)]
            assert status(board, 1) == registers.WEIGHT_LOADED, "it reads no more"
            if seed == 1:
                accelerator.reset()
            if seed == 2:
                accelerator.load_weights()
                accelerator.reset()
        assert [name for name, _ in accelerator.counters().weight_stalls] == ["fc0_weights"]
        assert len(board._extents) == 1 + 2, "the image's memory is given back"
    assert board._extents == {}


@pytest.mark.slow
def test_a_slow_memory_changes_no_result(tmp_path) -> None:
    simulation = loaded(BOARD)
    with begin(simulation, tmp_path, latency=90, jitter=60, stall=70, seed=3) as accelerator:
        check(simulation, accelerator.back_end, 4)


@pytest.mark.slow
def test_frames_wait_until_all_is_loaded() -> None:
    """The shell sees to it: frames that come too early are neither lost nor wrong."""
    simulation = loaded(BOARD)
    board, files = simulation.axi(latency=20), simulation.made.files.files
    weights = Weights(board, board, simulation.target.weights)
    early = simulation.made.contents.core.frames.pack(frames_of(simulation, 3))
    with pytest.raises(TimeoutFault, match="must be done within 0") as fault:
        board.run(early, 0.0001)
    assert "frames done 0, cycles 0" in str(fault.value)
    wait = board.wait

    def load_first(_: float) -> None:
        board.wait = wait
        board.advance(60)
        weights.load(files)

    board.wait = load_first
    check(simulation, board, 3)
    board.wait = load_first  # loaded anew in the midst of a batch, which is lost
    with pytest.raises(TimeoutFault, match="must be done within 1"):
        board.run(early, 1.0)
    check(simulation, board, 3)
    weights.close()
    assert not status(board, 1) & registers.WEIGHT_LOADED
    board.close()
    assert board._extents == {}


@pytest.mark.slow
def test_package_alone_is_enough(tmp_path) -> None:
    simulation = loaded(BOARD)
    graph = simulation.made.contents.graph
    pixels = np.random.default_rng(9).integers(0, 256, (2, 192))
    archive = read_archive(simulation.made.zip(tmp_path))
    labels = classify(archive, OnSimulation(), pixels, say=lambda _: None)
    assert labels == Interpreter(graph.on_pixels).run(pixels).argmax(axis=1).tolist()


class Astray:
    """A board whose first buffer, or the wait for it, goes wrong."""

    def __init__(self, board, *, interrupted: bool = False):
        self.read, self.write = board.read, board.write
        self.board, self.interrupted = board, interrupted

    def allocate(self, size):
        buffer = self.board.allocate(size)
        if not self.interrupted:
            buffer.address = NOWHERE
            buffer.flush = lambda: None
            buffer.free = self.board._extents.clear
        return buffer

    def wait(self, timeout):
        if self.interrupted:
            raise KeyboardInterrupt
        self.board.wait(timeout)


@pytest.mark.slow
def test_an_image_that_cannot_be_loaded_is_named_and_leaves_nothing() -> None:
    simulation = loaded(BOARD)
    board, files = simulation.axi(latency=20, jitter=9), simulation.made.files.files
    images = simulation.target.weights
    where = r"weights/load.bin must be loaded through S_AXI_HP2_FPD"
    for wrong, error, text in (
        (Astray(board), BoardFault, f"{where}, not stop: the memory refused a read; load the"),
        (Astray(board, interrupted=True), KeyboardInterrupt, None),
    ):
        with pytest.raises(error, match=text):
            Weights(wrong, wrong, images).load(files)
        assert board._extents == {} and status(board, 1) == 0
        weights = Weights(board, board, images)
        weights.load(files)
        check(simulation, board, 2)
        weights.close()
        board._dma.close()
    board.close()


# ---- the package, and the driver on registers in Python -----------------------------------------


@pytest.mark.slow
def test_package_says_what_is_loaded(tmp_path) -> None:
    made = loaded(BOARD).made
    manifest = json.loads(made.files.text("manifest.json"))
    assert manifest["schema"] == "hwbnn/package@3"
    streamed, last = manifest["weights"]
    assert streamed["name"] == "fc0_weights" and "loaded" not in streamed
    data, core = made.files.files["weights/load.bin"], made.contents.core
    assert core.loaded is not None and data == core.loaded.data
    assert last == {
        "name": "load",
        "port": "S_AXI_HP2_FPD",
        "file": "weights/load.bin",
        "bytes": len(data),
        "word_bits": 72,
        "container_bytes": 16,
        "loaded": True,
    }
    assert manifest["files"]["weights/load.bin"] == hashlib.sha256(data).hexdigest()
    folder = made.folder(tmp_path)
    open_package(folder)
    (folder / "weights/load.bin").write_bytes(data[:-1] + b"\1")
    with pytest.raises(PackageFault, match="weights/load.bin must have the SHA-256"):
        open_package(folder)


ONCE = Image("load", "S_AXI_HP3", "weights/load.bin", 48, 72, 16, loaded=True)


class Loader(Readers):
    """Readers of which the last is a loader. ends: once it is enabled."""

    def __init__(self, count: int = 3, *, ends: bool = True):
        super().__init__(count)
        self.values[registers.WEIGHTS_VERSION] = 2
        self.last, self.ends, self.enabled = reader(count - 1), ends, []

    def read(self, offset):
        if offset == self.last + registers.WEIGHT_STATUS:
            if not self.read(self.last + registers.WEIGHT_CONTROL):
                return 0
            return registers.WEIGHT_LOADED if self.ends else registers.WEIGHT_BUSY
        return super().read(offset)

    def write(self, offset, value):
        super().write(offset, value)
        if offset % 0x20 == registers.WEIGHT_CONTROL and value:
            self.enabled.append((offset - registers.WEIGHT_READER) // 0x20)

    def reads(self):
        busy = self.read(self.last + registers.WEIGHT_STATUS) & registers.WEIGHT_BUSY
        return busy or (self.last != reader(0) and super().reads())

    def wait(self, timeout):
        assert timeout > 0


FILES = {"weights/a.bin": b"abcdef", "weights/b.bin": bytes(5000), "weights/load.bin": bytes(48)}


def test_what_is_loaded_comes_first_and_its_memory_is_given_back() -> None:
    board = Loader()
    weights = Weights(board, board, (SHORT, LONG, ONCE))
    weights.load(FILES)
    assert board.enabled == [2, 0, 1] and len(board.held) == 2
    assert (ONCE.copies, ONCE.room) == (1, 4096)
    assert board.read(reader(2) + registers.WEIGHT_LENGTH) == 48
    weights.load(FILES)  # again
    assert board.enabled == 2 * [2, 0, 1] and len(board.held) == 2
    assert [name for name, _ in stalls_of_readers(board, (SHORT, LONG, ONCE))] == [
        "a_weights",
        "b_weights",
    ]
    weights.close()
    assert not board.held and not board.read(reader(2) + registers.WEIGHT_CONTROL)


def test_a_loader_alone_is_stopped_too() -> None:
    board = Loader(1)
    weights = Weights(board, board, (ONCE,))
    weights.load(FILES)
    assert not board.held and board.read(reader(0) + registers.WEIGHT_CONTROL)
    weights.close()
    assert not board.read(reader(0) + registers.WEIGHT_CONTROL)


def test_a_loader_that_hangs_is_a_fault() -> None:
    board = Loader(ends=False)
    with pytest.raises(
        TimeoutFault, match=r"load.bin must be loaded through S_AXI_HP3 within 0.01 s"
    ):
        Weights(board, board, (SHORT, LONG, ONCE)).load(FILES, timeout=0.01)
    assert not board.held and board.enabled == [2]


def test_a_board_without_the_loader_is_refused() -> None:
    board = Loader()
    for number, image in enumerate((SHORT, LONG, ONCE)):
        board.write(reader(number) + registers.WEIGHT_WORD_BITS, image.word_bits)
        board.write(reader(number) + registers.WEIGHT_CONTAINER, image.container_bytes)
    check_readers(board, (SHORT, LONG, ONCE))
    assert errors_of_readers(board, (SHORT, LONG, ONCE)) == ""
    with pytest.raises(BoardFault, match="WEIGHTS_VERSION must be 0x1, not 0x2"):
        check_readers(board, (SHORT, LONG, ONCE._replace(loaded=False)))
    board.values[registers.WEIGHTS_VERSION] = 1
    with pytest.raises(BoardFault, match="WEIGHTS_VERSION must be 0x2, not 0x1"):
        check_readers(board, (SHORT, LONG, ONCE))
