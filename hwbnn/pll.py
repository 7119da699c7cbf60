# SPDX-License-Identifier: Apache-2.0
"""Phase-locked loops of open devices: the frequencies that they make, and by which dividers."""

from dataclasses import dataclass
from functools import cache

# Ranges in MHz. ECP5: Lattice FPGA-DS-02012, sysCLOCK PLL timing; dividers 1 to 128.
_EHXPLLL_INPUT = 8.0, 400.0
_EHXPLLL_DETECTOR = 3.125, 400.0
_EHXPLLL_OSCILLATOR = 400.0, 800.0
_EHXPLLL_OUTPUT = 3.125, 400.0
# iCE40: Lattice FPGA-TN-02052, feedback path SIMPLE, whose DIVF has all of its seven bits.
_PLL40_INPUT = 10.0, 133.0
_PLL40_DETECTOR = 10.0, 133.0
_PLL40_OSCILLATOR = 533.0, 1066.0
_PLL40_OUTPUT = 16.0, 275.0
_PLL40_FILTERS = ((17.0, 1), (26.0, 2), (44.0, 3), (66.0, 4), (101.0, 5))  # else 6


@dataclass(frozen=True)
class Ehxplll:
    """ECP5's PLL with feedback from CLKOP: output = source * feedback / input."""

    input_divider: int  # CLKI_DIV
    feedback_divider: int  # CLKFB_DIV
    output_divider: int  # CLKOP_DIV

    def clock_mhz(self, source_mhz: float) -> float:
        """Return the frequency of CLKOP."""
        return source_mhz * self.feedback_divider / self.input_divider

    def detector_mhz(self, source_mhz: float) -> float:
        """Return the frequency at which the phases are compared."""
        return source_mhz / self.input_divider

    def oscillator_mhz(self, source_mhz: float) -> float:
        """Return the frequency of the oscillator."""
        return self.clock_mhz(source_mhz) * self.output_divider


@dataclass(frozen=True)
class Pll40:
    """iCE40's PLL: output = source * (divf + 1) / (divr + 1) / 2^divq."""

    divr: int
    divf: int
    divq: int
    filter_range: int

    def clock_mhz(self, source_mhz: float) -> float:
        """Return the frequency of PLLOUT."""
        return source_mhz * (self.divf + 1) / ((self.divr + 1) << self.divq)

    def detector_mhz(self, source_mhz: float) -> float:
        """Return the frequency at which the phases are compared."""
        return source_mhz / (self.divr + 1)

    def oscillator_mhz(self, source_mhz: float) -> float:
        """Return the frequency of the oscillator."""
        return self.clock_mhz(source_mhz) * (1 << self.divq)


@cache
def ehxplll(source_mhz: float) -> dict[float, Ehxplll]:
    """Return the settings of every frequency in MHz that an ECP5 makes of an oscillator.

    Of several settings that with the smallest input divider (least jitter), then the oscillator
    nearest to the middle of its range.
    """
    found: dict[float, Ehxplll] = {}
    if not _within(source_mhz, _EHXPLLL_INPUT):
        return found
    for input_divider in range(1, 129):
        if not _within(source_mhz / input_divider, _EHXPLLL_DETECTOR):
            continue
        for feedback in range(1, 129):
            clock = source_mhz * feedback / input_divider
            output = min(range(1, 129), key=lambda n: abs(n * clock - sum(_EHXPLLL_OSCILLATOR) / 2))
            if _within(clock, _EHXPLLL_OUTPUT) and _within(clock * output, _EHXPLLL_OSCILLATOR):
                found.setdefault(clock, Ehxplll(input_divider, feedback, output))
    return found


@cache
def pll40(source_mhz: float) -> dict[float, Pll40]:
    """Return the settings of every frequency in MHz that an iCE40 makes of an oscillator.

    Of several settings that with the smallest DIVR (least jitter), then the slowest oscillator.
    """
    found: dict[float, Pll40] = {}
    if not _within(source_mhz, _PLL40_INPUT):
        return found
    for divr in range(16):
        detector = source_mhz / (divr + 1)
        if not _within(detector, _PLL40_DETECTOR):
            continue
        filter_range = next((n for below, n in _PLL40_FILTERS if detector < below), 6)
        for divf in range(128):
            if not _within(detector * (divf + 1), _PLL40_OSCILLATOR):
                continue
            for divq in range(1, 7):
                settings = Pll40(divr, divf, divq, filter_range)
                clock = settings.clock_mhz(source_mhz)
                if _within(clock, _PLL40_OUTPUT):
                    found.setdefault(clock, settings)
    return found


def _within(mhz: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= mhz <= limits[1]
