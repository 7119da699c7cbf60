# SPDX-License-Identifier: Apache-2.0
"""PLL settings: within the manuals' ranges at every frequency, and those that other tools find."""

import pytest

from hwbnn.board import Board, Device, boards
from hwbnn.pll import Pll40, ehxplll, pll40

OPEN = [board for board in boards().values() if board.place is not None]


def by_family(family: Device) -> list[Board]:
    return [board for board in OPEN if board.family is family]


@pytest.mark.parametrize("board", by_family(Device.ECP5), ids=lambda board: board.id)
def test_every_clock_of_ecp5_is_within_its_ranges(board: Board):
    source = board.clocks.source_mhz
    assert len(board.clocks.achievable) > 300
    for clock in board.clocks.achievable:
        found = ehxplll(source)[clock]
        assert found.clock_mhz(source) == clock
        assert 3.125 <= found.detector_mhz(source) <= 400
        assert 400 <= found.oscillator_mhz(source) <= 800
        dividers = found.input_divider, found.feedback_divider, found.output_divider
        assert all(1 <= divider <= 128 for divider in dividers)


@pytest.mark.parametrize("board", by_family(Device.ICE40), ids=lambda board: board.id)
def test_every_clock_of_ice40_is_within_its_ranges(board: Board):
    source = board.clocks.source_mhz
    assert len(board.clocks.achievable) > 100
    for clock in board.clocks.achievable:
        found = pll40(source).get(clock)
        if found is None:
            assert clock == source  # the oscillator as it is
            continue
        assert found.clock_mhz(source) == clock
        assert 16 <= clock <= 275
        assert 10 <= found.detector_mhz(source) <= 133
        assert 533 <= found.oscillator_mhz(source) <= 1066
        assert 0 <= found.divr < 16 and 0 <= found.divf < 128 and 1 <= found.divq <= 6


@pytest.mark.parametrize(
    ("source", "clock", "settings"),
    [  # what icepll prints
        (12.0, 30.0, Pll40(0, 79, 5, 1)),
        (12.0, 50.25, Pll40(0, 66, 4, 1)),
        (96.0, 20.0, Pll40(2, 19, 5, 3)),
        (100.0, 30.0, Pll40(4, 47, 5, 2)),
    ],
)
def test_ice40_as_icepll_finds(source: float, clock: float, settings: Pll40):
    assert pll40(source)[clock] == settings


@pytest.mark.parametrize(("source", "filter_range"), [(12, 1), (25, 2), (40, 3), (50, 4), (120, 6)])
def test_filter_follows_the_detector(source: int, filter_range: int):
    found = [pll for pll in pll40(float(source)).values() if pll.divr == 0]
    assert {pll.filter_range for pll in found} == {filter_range}


def test_settings_with_the_least_jitter_come_first():
    assert ehxplll(25.0)[50.0].input_divider == 1
    assert ehxplll(25.0)[50.0].oscillator_mhz(25.0) == 600
    assert ehxplll(25.0)[65.0].input_divider == 5


@pytest.mark.parametrize("source", [4.0, 7.9])
def test_sources_that_are_too_slow(source: float):
    assert ehxplll(source) == {}
    assert pll40(source) == {}
