# SPDX-License-Identifier: Apache-2.0
"""Clocks: what makes the clock of the fabric, and the frequencies that it can make."""

from collections.abc import Iterator
from enum import Enum
from typing import assert_never

from hwbnn.pll import ehxplll, pll40

# The fabric's clock drives the AXI ports, too. MHz: DS187 (FCLK); DS925 (AXI of the PS).
_ZYNQ_MOST = 250.0
_ZYNQMP_MOST = 1000 / 3


class Generator(Enum):
    """What makes the clock of the fabric."""

    ZYNQ_FCLK = "zynq-fclk"
    ZYNQMP_PL = "zynqmp-pl"
    ECP5_EHXPLLL = "ecp5-ehxplll"
    ICE40_PLL = "ice40-pll"


def achievable(generator: Generator, source_mhz: float) -> tuple[float, ...]:
    """Return all frequencies in MHz that a generator makes of its source, increasing."""
    match generator:
        case Generator.ZYNQ_FCLK:
            return tuple(sorted(set(_divided(source_mhz, most=_ZYNQ_MOST))))
        case Generator.ZYNQMP_PL:
            return tuple(sorted(set(_divided(source_mhz, most=_ZYNQMP_MOST))))
        case Generator.ECP5_EHXPLLL:
            return tuple(sorted(ehxplll(source_mhz)))
        case Generator.ICE40_PLL:
            # The oscillator as it is, too: PLLOUT is from 16 MHz.
            return tuple(sorted({source_mhz, *pll40(source_mhz)}))
        case _:
            assert_never(generator)


def _divided(pll_mhz: float, *, most: float) -> Iterator[float]:
    """Clocks of a Zynq's processing system: two 6-bit dividers in a row (UG585, UG1085)."""
    for first in range(1, 64):
        for second in range(first, 64):
            if 1 <= pll_mhz / (first * second) <= most:
                yield pll_mhz / (first * second)
