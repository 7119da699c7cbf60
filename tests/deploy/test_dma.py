# SPDX-License-Identifier: Apache-2.0
"""Dma: batches over registers and memory that the processor sees through a cache."""

import re

import numpy as np
import pytest

from hwbnn.deploy.runtime import dma as dma_module
from hwbnn.deploy.runtime import registers
from hwbnn.deploy.runtime.dma import GRANULE, Dma, reset
from hwbnn.deploy.runtime.errors import BoardFault, InputFault, TimeoutFault, TransferFault
from hwbnn.deploy.runtime.tally import Tally
from tests.deploy.packages import small

IN, OUT = 24, 8  # bytes of a frame and of a result


def frames(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, IN)).astype(np.uint8)


def wanted(sent: np.ndarray) -> np.ndarray:
    contents = small().contents
    values = contents.design.run(contents.core.frames.unpack(sent))
    return contents.core.results.pack(values)


def capacity(batch: int) -> int:
    return batch * (IN + OUT) + 2 * GRANULE


def test_results_are_the_designs():
    board = small().board()
    found = board.run(frames(50), 1.0)
    np.testing.assert_array_equal(found, wanted(frames(50)))
    assert found.flags.writeable and found.flags.owndata


@pytest.mark.parametrize(("count", "batches"), [(1, [1]), (7, [7]), (8, [7, 1]), (20, [7, 7, 6])])
def test_batches_are_as_large_as_memory_allows(count, batches):
    board = small().board(cycles=lambda n: 1000 + n)
    dma = Dma(board, board, capacity=capacity(7))
    tally = Tally()
    np.testing.assert_array_equal(dma.run(frames(count), 1.0, tally), wanted(frames(count)))
    assert board.batches == batches
    assert tally.batches == [(n, 1000 + n) for n in batches]
    assert tally.cycles == sum(1000 + n for n in batches)
    assert all(tally.seconds[stage] > 0 for stage in ("copy", "execute"))


def test_cycles_of_more_than_32_bits():
    board = small().board(cycles=lambda n: (3 << 32) + 5)
    tally = Tally()
    board.run(frames(2), 1.0, tally)
    assert tally.cycles == (3 << 32) + 5


def test_buffers_are_kept_and_grow():
    board = small().board()
    board.run(frames(3), 1.0)
    first = list(board.memory.held)
    board.run(frames(2), 1.0)
    assert board.memory.held == first
    board.run(frames(500), 1.0)
    assert len(board.memory.held) == 2 and board.memory.freed == 2
    assert all(len(buffer.array) % GRANULE == 0 for buffer in board.memory.held)
    board.close()
    board.close()
    assert not board.memory.held


def test_more_than_4_gigabytes_away():
    board = small().board()
    board.memory.next = 0x8_7654_3210 & ~15
    np.testing.assert_array_equal(board.run(frames(3), 1.0), wanted(frames(3)))
    assert board.values[registers.IN_ADDRESS + 4] == 8


def test_a_time_out_stops_the_board_and_says_how_it_stands():
    board = small().board(waits=None)
    with pytest.raises(TimeoutFault) as caught:
        board.run(frames(4), 0.01)
    text = str(caught.value)
    assert "board: 4 frames must be done within 0.01 s, not still running" in text
    assert "status 0x1 (busy)" in text
    assert "frames done 0, cycles 0, input stalled 7, output stalled 1" in text
    assert "high water: in 3, q_out 4, fc0_out 5, out 6" in text
    assert board.resets == 1
    board.waits = 2
    np.testing.assert_array_equal(board.run(frames(4), 1.0), wanted(frames(4)))


@pytest.mark.parametrize("bit", registers.ERRORS)
def test_errors_are_told_in_words(bit):
    board = small().board(error=bit)
    with pytest.raises(TransferFault) as caught:
        board.run(frames(2), 1.0)
    assert (
        f"a batch of 2 frames must end without an error, not with: {registers.ERRORS[bit]}"
        in str(caught.value)
    )
    assert f"status {bit | registers.DONE:#x} (done, {registers.ERRORS[bit]})" in caught.value.state
    board.error = 0
    np.testing.assert_array_equal(board.run(frames(2), 1.0), wanted(frames(2)))


def test_stopped_by_the_user():
    board = small().board(waits=None)
    board.dma._memory = type("Memory", (), {"allocate": board.allocate, "wait": interrupt})()
    with pytest.raises(KeyboardInterrupt):
        board.run(frames(2), 5.0)
    assert board.resets == 1


def interrupt(self, timeout):
    raise KeyboardInterrupt


def test_a_board_that_cannot_be_stopped_keeps_its_memory(monkeypatch):
    monkeypatch.setattr(dma_module, "RESET_SECONDS", 0.01)
    monkeypatch.setattr(dma_module, "_ABANDONED", [])
    board = small().board(waits=None, stuck=True)
    with pytest.raises(TimeoutFault, match="a reset must end within"):
        board.run(frames(2), 0.01)
    board.close()
    assert len(board.memory.held) == 2, "the board may still write there"
    assert board.memory.held == dma_module._ABANDONED


def test_reset_has_a_time_out():
    with pytest.raises(TimeoutFault, match="a reset must end within 0.01 s, not hang"):
        reset(small().board(stuck=True), timeout=0.01)


def test_no_room_for_a_frame():
    board = small().board()
    text = f"memory: buffers must hold a frame and a result, {IN + OUT} bytes, not {IN + OUT - 1}"
    with pytest.raises(BoardFault, match=re.escape(text)):
        Dma(board, board, capacity=capacity(1) - 1).run(frames(1), 1.0)


def test_memory_that_is_refused():
    board = small().board()
    board.memory.most = GRANULE
    with pytest.raises(BoardFault, match="memory: must have 4096 bytes more"):
        board.run(frames(2), 1.0)
    board.memory.most *= 2
    np.testing.assert_array_equal(board.run(frames(2), 1.0), wanted(frames(2)))


def test_another_designs_bitstream():
    board = small().board(dead={registers.IN_BYTES: 32})
    with pytest.raises(BoardFault, match="IN_BYTES must be 24, not 32; load the bitstream"):
        board.run(frames(2), 1.0)


@pytest.mark.parametrize(
    "given", [np.zeros((0, IN), np.uint8), np.zeros((2, IN)), np.zeros(IN, np.uint8)]
)
def test_other_frames_are_refused(given):
    with pytest.raises(InputFault, match=r"frames: must be uint8 \(1 or more, 24\), not"):
        small().board().run(given, 1.0)
