# SPDX-License-Identifier: Apache-2.0
"""Roofline: each bound by hand, and the slowest part is named."""

import pytest

from hwbnn.board import find_board
from hwbnn.emit.roofline import Limit, Roofline, roofline
from hwbnn.ir.design import Design
from hwbnn.passes import adapt, lower
from tests.graphs import binary_mlp


@pytest.fixture(scope="module")
def design() -> Design:
    """64 pixels of 8 bits in; four sums of 16 bits, 0 to 16, out."""
    return adapt(lower(binary_mlp((64, 16, 4))))


def sizes(design: Design) -> tuple[int, int]:
    """Bits of a frame in and out."""
    ends = (edge.stream for edge in (design.input, design.output))
    taken, given = (stream.beats * stream.bits for stream in ends)
    return taken, given


@pytest.mark.parametrize(
    ("period", "limit"), [(1, Limit.PORT), (8, Limit.PORT), (9, Limit.ACCELERATOR)]
)
def test_memory_port(design: Design, period: int, limit: Limit) -> None:
    taken, given = sizes(design)
    assert taken == 512 and given < 64
    found = roofline(design, find_board("pynq-z2"), period=period, clock_mhz=100)
    assert found.accelerator == 100e6 / period
    assert found.port == found.board == 100e6 / 8  # 64 bytes, 8 a cycle
    assert found.link is None
    assert found.limit is limit


def test_peak_of_the_memory_counts_both_ways(design: Design) -> None:
    board = find_board("pynq-z2")
    slow = board.model_copy(update={"data": board.data.model_copy(update={"peak_mb_s": 36.0})})
    found = roofline(design, slow, period=1, clock_mhz=100)
    assert found.port == pytest.approx(36e6 / (64 + 8))  # 8: the result, padded to a word
    assert found.limit is Limit.PORT


@pytest.mark.parametrize("name", ["ulx3s-85f", "orangecrab-25f", "icebreaker"])
def test_serial_line(design: Design, name: str) -> None:
    found = roofline(design, find_board(name), period=1000, clock_mhz=48)
    assert found.accelerator == 48e3
    assert found.port == 48e6 / 64  # a byte a cycle
    assert found.link == found.board == pytest.approx(3e5 / (64 * 261 / 255))
    assert found.limit is Limit.LINK
    slow = roofline(design, find_board(name), period=100_000, clock_mhz=48)
    assert slow.limit is Limit.ACCELERATOR


@pytest.mark.parametrize(
    ("bounds", "limit"),
    [
        (Roofline(10, 11, None), Limit.ACCELERATOR),
        (Roofline(10, 10, None), Limit.PORT),  # more of the accelerator would not help
        (Roofline(10, 10.005, None), Limit.PORT),
        (Roofline(10, 9, 8), Limit.LINK),
        (Roofline(10, 8, 9), Limit.PORT),
        (Roofline(10, 99, 11), Limit.ACCELERATOR),
    ],
)
def test_the_slowest_part_is_the_limit(bounds: Roofline, limit: Limit) -> None:
    assert bounds.limit is limit
