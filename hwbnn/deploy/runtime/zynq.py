# SPDX-License-Identifier: Apache-2.0
"""Zynq: clock of the fabric and width of its memory ports, by the processing system's registers.

Without a .hwh nobody else sets them. Zynq-7000 by UG585 (appendix B: slcr, AFI), Zynq UltraScale+
by UG1087 (CRL_APB, AFIFM, FPD_SLCR).
"""

from __future__ import annotations

from typing import Iterator, NamedTuple, Protocol

from .errors import BoardFault
from .target import Target

ZYNQ7000, ZYNQMP = "zynq7000", "zynqmp"
TOLERANCE = 0.001  # above the clock that the bitstream was made for

_SLCR_UNLOCK, _SLCR_KEY = 0xF8000008, 0xDF0D
_FPGA0_CLK_CTRL, _IO_PLL_CTRL = 0xF8000170, 0xF8000108
_AFI_7000 = 0xF8008000  # of HP0; the next is 0x1000 further
_WRITE_CHANNEL = 0x14
_WRITE_THRESHOLD = 0xF00  # data beats that wait in the port; the value after reset

_PL0_REF_CTRL, _IOPLL_CTRL = 0xFF5E00C0, 0xFF5E0020
_CLKACT = 1 << 24
_AFIFM = 0xFD360000  # of S_AXI_HPC0_FPD; the next is 0x10000 further
_AFIFM_OF = {"HPC0": 0, "HPC1": 1, "HP0": 2, "HP1": 3, "HP2": 4, "HP3": 5}
_AXI_FS = 0xFD615000  # widths of M_AXI_HPM0_FPD in bits 9:8, of HPM1 in 11:10
_FABRIC_WIDTH = {4: 2, 8: 1, 16: 0}  # by bytes, in AFIFM
_CONTROL_32 = 0


class Peripherals(Protocol):
    """Reads and writes the processing system's own registers, by physical address."""

    def peek(self, address: int) -> int:
        """Return a 32-bit register."""

    def poke(self, address: int, value: int) -> None:
        """Write a 32-bit register."""


class _Clock(NamedTuple):
    """Control register of the fabric's first clock: places of two 6-bit dividers and the source."""

    control: int
    first: int
    second: int
    source: int  # bits; 0 is the IO PLL
    enable: int
    pll_mhz: float


def set_clock(system: Peripherals, target: Target) -> float:
    """Set the fabric's first clock to what the package wants, and return it in MHz, read back.

    It is made of the IO PLL, which stays as it is. If that cannot make the clock it becomes the
    next lower one: a design that meets its timing meets it there too.
    """
    clock = _clock(system, target)
    first, second = _dividers(clock.pll_mhz, target)
    if target.family == ZYNQ7000:
        system.poke(_SLCR_UNLOCK, _SLCR_KEY)
    old = system.peek(clock.control) & ~(0x3F << clock.first | 0x3F << clock.second | clock.source)
    system.poke(clock.control, old | first << clock.first | second << clock.second | clock.enable)
    actual = _actual_mhz(system, clock)
    if abs(actual - clock.pll_mhz / (first * second)) > TOLERANCE * actual:
        raise BoardFault(
            f"{target.board}: the fabric's clock must be {clock.pll_mhz / (first * second):.6g} "
            f"MHz, not {actual:.6g} after it was set; is something else setting it?"
        )
    return actual


def set_port_width(system: Peripherals, target: Target) -> None:
    """Set the memory ports to the width of the bitstream's words; after the download."""
    for name in (target.data_port, *(image.port for image in target.weights)):
        _set_width(system, target, name)
    if target.family == ZYNQMP:
        shift = 8 + 2 * _number(target.control_port.replace("_FPD", ""), "M_AXI_HPM", 2)
        system.poke(_AXI_FS, system.peek(_AXI_FS) & ~(3 << shift) | _CONTROL_32 << shift)


def _set_width(system: Peripherals, target: Target, name: str) -> None:
    width = target.word_bytes
    if target.family == ZYNQ7000:
        afi = _AFI_7000 + 0x1000 * _number(name, "S_AXI_HP", 4)
        if width not in (4, 8):
            raise BoardFault(f"{target.board}: {name} must have 4 or 8 bytes, not {width}")
        system.poke(afi, int(width == 4))
        system.poke(afi + _WRITE_CHANNEL, _WRITE_THRESHOLD | int(width == 4))
        return
    short = name.replace("S_AXI_", "").replace("_FPD", "")
    if short not in _AFIFM_OF or width not in _FABRIC_WIDTH:
        raise BoardFault(
            f"{target.board}: the data port must be one of {', '.join(_AFIFM_OF)}, of 4, 8 or 16 "
            f"bytes, not {name} of {width}"
        )
    afi = _AFIFM + 0x10000 * _AFIFM_OF[short]
    for channel in (afi, afi + _WRITE_CHANNEL):
        system.poke(channel, system.peek(channel) & ~3 | _FABRIC_WIDTH[width])


def _clock(system: Peripherals, target: Target) -> _Clock:
    if target.family == ZYNQ7000:
        feedback = system.peek(_IO_PLL_CTRL) >> 12 & 0x7F
        return _Clock(_FPGA0_CLK_CTRL, 8, 20, 3 << 4, 0, target.ps_clk_mhz * feedback)
    if target.family == ZYNQMP:
        pll = system.peek(_IOPLL_CTRL)
        feedback, half = pll >> 8 & 0x7F, 1 + (pll >> 16 & 1)
        return _Clock(_PL0_REF_CTRL, 8, 16, 7, _CLKACT, target.ps_clk_mhz * feedback / half)
    raise BoardFault(
        f"{target.board}: must be a Zynq for this back end, not {target.family}; use another"
    )


def _actual_mhz(system: Peripherals, clock: _Clock) -> float:
    control = system.peek(clock.control)
    dividers = (control >> clock.first & 0x3F) * (control >> clock.second & 0x3F)
    from_io_pll = not control & clock.source and control & clock.enable == clock.enable
    return clock.pll_mhz / dividers if dividers and from_io_pll else 0.0


def _dividers(pll_mhz: float, target: Target) -> tuple[int, int]:
    """Return the dividers of the fastest clock that is not above the wanted one."""
    most = target.clock_mhz * (1 + TOLERANCE)
    slow_enough = [pair for pair in _pairs() if pll_mhz / (pair[0] * pair[1]) <= most]
    if not slow_enough or pll_mhz <= 0:
        raise BoardFault(
            f"{target.board}: the PLL must be one that gives {target.clock_mhz:.6g} MHz, not "
            f"{pll_mhz:.6g} MHz; boot the board's usual image"
        )
    return min(slow_enough, key=lambda pair: (pair[0] * pair[1], pair[0]))


def _pairs() -> Iterator[tuple[int, int]]:
    for first in range(1, 64):
        for second in range(1, 64):
            yield first, second


def _number(name: str, prefix: str, count: int) -> int:
    digits = name[len(prefix) :]
    if name.startswith(prefix) and digits in [str(i) for i in range(count)]:
        return int(digits)
    raise BoardFault(f"port: must be {prefix}0 to {count - 1}, not {name}; mend the board file")
