# SPDX-License-Identifier: Apache-2.0
"""Relief: the cheapest faster folding that fits, with its price in every kind of resource."""

import pytest

from hwbnn.board import find_board
from hwbnn.emit.report_relief import advice, relief
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Knobs, Resources, Style
from hwbnn.passes import adapt, fold, lower
from tests.graphs import binary_mlp

KV260 = find_board("kv260")
FOLDING = {"q": Knobs(16), "fc0": Knobs(1, 64, weight_style=Style.ULTRA), "fc1": Knobs(10, 16)}


@pytest.fixture(scope="module")
def design() -> Design:
    """The slowest layer takes 256 cycles, with its weights in one UltraRAM."""
    return adapt(fold(lower(binary_mlp((256, 64, 10))), foldings=FOLDING))


def told(design: Design, *, left: Resources) -> str:
    """What is said if so much of the board's limits is left."""
    used = KV260.limit.less(left)
    found = relief(design, "fc0", board=KV260, used=used, clock_mhz=100)
    return advice("fc0", design["fc0"], found, alike=0)


def test_the_price_names_what_changes(design: Design) -> None:
    room = Resources(lut=1000, ff=1000, uram=1)
    faster = (
        "PE 4, SIMD 32 instead of 1, 64 takes 128, for +44 LUTs, +1 UltraRAM: 781,250 frames/s."
    )
    assert told(design, left=room) == f"fc0 takes 256 cycles. {faster}"


def test_one_that_fits_is_preferred(design: Design) -> None:
    family = KV260.cost_family
    here, cheap, small = (
        design["fc0"].with_knobs(knobs).resources(family).ff
        for knobs in (Knobs(), Knobs(4, 32), Knobs(2, 64))
    )
    assert small < cheap
    text = told(design, left=Resources(lut=1000, ff=small - here, uram=1))
    assert "PE 2, SIMD 64 instead of 1, 64 takes 128" in text and text.endswith("frames/s.")


def test_what_does_not_fit_is_said(design: Design) -> None:
    text = told(design, left=Resources(lut=1000, ff=1000))
    assert text.endswith("for +44 LUTs, +1 UltraRAM: more than is left of the board's limits.")
