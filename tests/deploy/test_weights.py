# SPDX-License-Identifier: Apache-2.0
"""Weights in memory: the package's images, the driver, and the simulated boards that read them."""

from pathlib import Path

import numpy as np
import pytest

from hwbnn.deploy.place import Simulation as OnSimulation
from hwbnn.deploy.place import classify
from hwbnn.deploy.remote import read_archive
from hwbnn.deploy.runtime import Accelerator, registers
from hwbnn.deploy.runtime.errors import BoardFault, PackageFault, TimeoutFault, TransferFault
from hwbnn.deploy.runtime.weights import Image, Weights, check_readers, errors_of_readers, reader
from hwbnn.sim import engine
from hwbnn.sim.interpret import Interpreter
from tests.deploy.simulations import Simulation, streamed
from tests.deploy.test_simulated import check, frames_of

NAMES = ["conv1_weights", "fc0_weights"]
PATIENCE = 100.0


def loaded(simulation: Simulation, folder: Path, **options) -> Accelerator:
    """Load the package on its simulated board."""
    return Accelerator.load(
        simulation.made.zip(folder), simulation.axi(**options), patience=PATIENCE
    )


@pytest.mark.slow
@pytest.mark.parametrize("board", ["pynq-z2", "zcu104"])
def test_integers_and_cycles_are_those_of_the_design(board: str, tmp_path) -> None:
    simulation = streamed(board)
    predicted = engine.simulate(simulation.design, frames=12)
    with loaded(simulation, tmp_path, latency=30, jitter=20) as accelerator:
        board_of = accelerator.back_end
        for seed in (5, 6):  # the second batch begins with words that were read before it
            tally = check(simulation, board_of, 12, seed=seed)
            assert tally.batches == [(12, int(predicted.frame_ends[-1]) + 1)]
        state = accelerator.counters()
        assert [name for name, _ in state.weight_stalls] == NAMES
        assert "weights stalled: conv1_weights" in str(state)
    assert board_of._extents == {}, "all memory is given back"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{"latency": 90, "jitter": 60, "seed": 2}, {"stall": 70, "seed": 3}],
    ids=["late", "stalled"],
)
def test_a_slow_memory_changes_no_result(options: dict[str, int], tmp_path) -> None:
    simulation = streamed("pynq-z2")
    with loaded(simulation, tmp_path, **options) as accelerator:
        check(simulation, accelerator.back_end, 4)
        since_reset = dict(accelerator.counters().weight_stalls)
        assert list(since_reset) == NAMES
        assert all(count > options.get("latency", 0) for count in since_reset.values())
        found = accelerator.throughput(2).as_dict()  # what was read before hides the latency
        assert found["weight_stalls"] == dict.fromkeys(NAMES, 0)


@pytest.mark.slow
def test_a_batch_that_is_given_up_leaves_no_word_behind(tmp_path) -> None:
    """The next one begins with the first word of every image, whatever was read before."""
    simulation = streamed("pynq-z2")
    core = simulation.made.contents.core
    with loaded(simulation, tmp_path, latency=20) as accelerator:
        board = accelerator.back_end
        advance = board.advance
        for cycles in (0, 211, 1500):
            board.advance = lambda _, cycles=cycles: advance(cycles)
            with pytest.raises(TimeoutFault, match="must be done within 0"):
                board.run(core.frames.pack(frames_of(simulation, 50)), 0.0001)
            board.advance = advance
            check(simulation, board, 2)


@pytest.mark.slow
def test_a_reader_that_memory_refuses_is_named(tmp_path) -> None:
    simulation = streamed("pynq-z2")
    with loaded(simulation, tmp_path) as accelerator:
        board, at = accelerator.back_end, reader(1)
        for offset, value, what in (
            (registers.WEIGHT_ADDRESS, 0x70000000, "the memory refused a read"),
            (registers.WEIGHT_LENGTH, 0, "its address or length is none"),
        ):
            old = board.read(at + offset)
            board.write(at + registers.WEIGHT_CONTROL, 0)
            board.write(at + offset, value)
            board.write(at + registers.WEIGHT_CONTROL, registers.WEIGHT_ENABLE)
            accelerator.reset()
            with pytest.raises(TransferFault, match=f"fc0_weights on S_AXI_HP2: {what}"):
                check(simulation, board, 3)
            board.write(at + registers.WEIGHT_CONTROL, 0)
            board.write(at + offset, old)
            board.write(at + registers.WEIGHT_CONTROL, registers.WEIGHT_ENABLE)
            accelerator.reset()
            check(simulation, board, 3)


@pytest.mark.slow
def test_package_alone_is_enough(tmp_path) -> None:
    simulation = streamed("pynq-z2")
    graph = simulation.made.contents.graph
    pixels = np.random.default_rng(9).integers(0, 256, (2, 192))
    archive = read_archive(simulation.made.zip(tmp_path))
    labels = classify(archive, OnSimulation(), pixels, say=lambda _: None)
    assert labels == Interpreter(graph.on_pixels).run(pixels).argmax(axis=1).tolist()


# ---- the package, and the driver on registers in Python -----------------------------------------


class Readers:
    """Registers of readers, and memory; stuck: they never stop."""

    def __init__(self, count: int):
        self.values = {
            registers.WEIGHTS_ID: registers.WEIGHTS_ID_VALUE,
            registers.WEIGHTS_VERSION: 1,
            registers.WEIGHT_READERS: count,
        }
        self.stuck, self.held, self.flushed = False, [], 0

    def read(self, offset):
        if self.stuck and offset == reader(0) + registers.WEIGHT_STATUS:
            return registers.WEIGHT_BUSY
        return self.values.get(offset, 0)

    def write(self, offset, value):
        self.values[offset] = value

    def reads(self):
        return self.read(reader(0) + registers.WEIGHT_CONTROL)

    def allocate(self, size):
        board = self

        class Buffer:
            address, array = 0x1_2345_0000 + len(board.held) * 0x10000, np.zeros(size, np.uint8)

            def flush(self):
                board.flushed += 1

            def free(self):
                assert not board.reads(), "stopped before its memory is given back"
                board.held.remove(self)

        self.held.append(Buffer())
        return self.held[-1]


SHORT = Image("a_weights", "S_AXI_HP1", "weights/a.bin", 6, 9, 2)
LONG = Image("b_weights", "S_AXI_HP2", "weights/b.bin", 5000, 64, 8)


def test_images_are_put_into_memory_and_taken_out() -> None:
    board = Readers(2)
    weights = Weights(board, board, (SHORT, LONG))
    long = np.random.default_rng(1).integers(0, 256, 5000, np.uint8).tobytes()
    weights.load({"weights/a.bin": b"abcdef", "weights/b.bin": long})
    first, second = board.held
    length = board.read(reader(0) + registers.WEIGHT_LENGTH)
    assert length % 6 == 0 and length >= 4096 and len(first.array) == SHORT.room
    assert first.array[:length].tobytes() == b"abcdef" * (length // 6)
    assert second.array[:5000].tobytes() == long and len(second.array) == LONG.room == 8192
    assert board.read(reader(1) + registers.WEIGHT_LENGTH) == 5000
    assert board.read(reader(1) + registers.WEIGHT_ADDRESS) == 0x2346_0000
    assert board.read(reader(1) + registers.WEIGHT_ADDRESS + 4) == 1
    assert board.read(reader(1) + registers.WEIGHT_CONTROL) == registers.WEIGHT_ENABLE
    assert board.flushed == 2
    weights.close()
    weights.close()
    assert not board.held and not board.read(reader(1) + registers.WEIGHT_CONTROL)


def test_readers_that_do_not_stop_keep_their_memory(monkeypatch) -> None:
    monkeypatch.setattr("hwbnn.deploy.runtime.weights.STOP_SECONDS", 0.01)
    board = Readers(1)
    weights = Weights(board, board, (SHORT,))
    weights.load({"weights/a.bin": b"abcdef"})
    board.stuck = True
    with pytest.raises(TimeoutFault, match="reader 0 of weights must stop within"):
        weights.close()
    assert len(board.held) == 1


def test_what_does_not_fit_together_is_refused() -> None:
    board = Readers(1)
    with pytest.raises(PackageFault, match=r"a.bin: must have 6 bytes.*not 5"):
        Weights(board, board, (SHORT,)).load({"weights/a.bin": b"abcde"})
    with pytest.raises(BoardFault, match="WEIGHT_WORD_BITS 0 must be 0x9, not 0x0"):
        check_readers(board, (SHORT,))
    board.write(registers.WEIGHTS_VERSION, 2)
    with pytest.raises(BoardFault, match="WEIGHTS_VERSION must be 0x1, not 0x2"):
        check_readers(board, (SHORT,))
    with pytest.raises(BoardFault, match="WEIGHTS_ID must be 0x574e4248, not 0x0"):
        board.write(registers.WEIGHTS_ID, 0)
        check_readers(board, (SHORT,))


def test_errors_are_told_by_name() -> None:
    board = Readers(2)
    assert errors_of_readers(board, (SHORT, LONG)) == ""
    board.write(registers.WEIGHT_ERRORS, 2)
    board.write(reader(1) + registers.WEIGHT_STATUS, registers.WEIGHT_READ_ERROR)
    found = errors_of_readers(board, (SHORT, LONG))
    assert found == "b_weights on S_AXI_HP2: the memory refused a read"
