# SPDX-License-Identifier: Apache-2.0
"""Clock and port registers of Zynq, by the manuals' bit fields."""

import pytest

from hwbnn.deploy.runtime.errors import BoardFault
from hwbnn.deploy.runtime.target import Target
from hwbnn.deploy.runtime.weights import Image
from hwbnn.deploy.runtime.zynq import set_clock, set_port_width
from tests.deploy.fake_pynq import FakeSystem

IO_PLL, FCLK0, UNLOCK = 0xF8000108, 0xF8000170, 0xF8000008
IOPLL, PL0 = 0xFF5E0020, 0xFF5E00C0
AFIFM2, AXI_FS = 0xFD380000, 0xFD615000


def target(family: str, mhz: float, **more) -> Target:
    given = {"ps_clk_mhz": 50.0, "data_port": "S_AXI_HP0", "control_port": "M_AXI_GP0", **more}
    return Target("board", family, "00", mhz, given.pop("word_bytes", 8), **given)


def zynq7000(feedback: int = 20, control: int = 0x00400530) -> FakeSystem:
    return FakeSystem({IO_PLL: feedback << 12 | 8, FCLK0: control})


@pytest.mark.parametrize(
    ("mhz", "dividers"),
    [
        (100.0, (1, 10)),
        (250.0, (1, 4)),
        (1000 / 9, (1, 9)),
        (1000 / 121, (11, 11)),
        (50.0, (1, 20)),
    ],
)
def test_clock_of_zynq_7000(mhz, dividers):
    system = zynq7000()
    assert set_clock(system, target("zynq7000", mhz)) == pytest.approx(mhz)
    control = system.peek(FCLK0)
    assert (control >> 8 & 63, control >> 20 & 63) == dividers
    assert control >> 4 & 3 == 0, "of the IO PLL, whatever it was before"
    assert system.log == [UNLOCK, FCLK0] and system.peek(UNLOCK) == 0xDF0D


def test_clock_by_the_boards_own_oscillator():
    system = zynq7000(feedback=30)  # Zybo: 33.333 MHz x 30
    actual = set_clock(system, target("zynq7000", 100.0, ps_clk_mhz=33.333333))
    assert actual == pytest.approx(100.0, rel=1e-6)
    assert system.peek(FCLK0) >> 20 & 63 == 10


def test_a_clock_that_the_pll_cannot_make_becomes_the_next_lower_one():
    system = zynq7000(feedback=26)  # 1300 MHz
    assert set_clock(system, target("zynq7000", 125.0)) == pytest.approx(1300 / 11)


@pytest.mark.parametrize(("div2", "feedback"), [(1, 90), (0, 45)])
def test_clock_of_zynq_ultrascale(div2, feedback):
    system = FakeSystem({IOPLL: div2 << 16 | feedback << 8, PL0: 0x00010502})
    actual = set_clock(system, target("zynqmp", 100.0, ps_clk_mhz=33.333))
    assert actual == pytest.approx(100.0, rel=1e-4)
    control = system.peek(PL0)
    assert control & 7 == 0 and control >> 24 & 1
    assert (control >> 8 & 63) * (control >> 16 & 63) == 15
    assert system.log == [PL0]


@pytest.mark.parametrize(
    ("system", "wanted", "text"),
    [
        (zynq7000(feedback=0), target("zynq7000", 100.0), "the PLL must be one that gives 100 MHz"),
        (zynq7000(), target("zynq7000", 0.1), "the PLL must be one that gives 0.1 MHz, not 1000"),
        (zynq7000(), target("ecp5", 50.0), "must be a Zynq for this back end, not ecp5"),
    ],
)
def test_clocks_that_cannot_be(system, wanted, text):
    with pytest.raises(BoardFault, match=text):
        set_clock(system, wanted)


def test_a_clock_that_does_not_take():
    system = zynq7000()
    system.poke = lambda address, value: None
    with pytest.raises(BoardFault, match="clock must be 100 MHz, not 0 after it was set"):
        set_clock(system, target("zynq7000", 100.0))


@pytest.mark.parametrize(("port", "afi"), [("S_AXI_HP0", 0xF8008000), ("S_AXI_HP3", 0xF800B000)])
@pytest.mark.parametrize(("width", "narrow"), [(8, 0), (4, 1)])
def test_port_of_zynq_7000(port, afi, width, narrow):
    system = FakeSystem({afi: 1 - narrow})
    set_port_width(system, target("zynq7000", 100.0, data_port=port, word_bytes=width))
    assert system.values == {afi: narrow, afi + 0x14: 0xF00 | narrow}


@pytest.mark.parametrize(("width", "code"), [(16, 0), (8, 1), (4, 2)])
def test_port_of_zynq_ultrascale(width, code):
    system = FakeSystem({AFIFM2: 0x3B7, AFIFM2 + 0x14: 0x3B7, AXI_FS: 0xA00})
    ports = {"data_port": "S_AXI_HP0_FPD", "control_port": "M_AXI_HPM0_FPD"}
    set_port_width(system, target("zynqmp", 100.0, word_bytes=width, **ports))
    assert system.peek(AFIFM2) == system.peek(AFIFM2 + 0x14) == 0x3B4 | code
    assert system.peek(AXI_FS) == 0x800, "32 bits on HPM0, HPM1 as it was"


def test_ports_of_weights_are_as_wide():
    weights = tuple(Image(port, port, "", 8, 8, 1) for port in ("S_AXI_HP1", "S_AXI_HP3"))
    system = FakeSystem({})
    set_port_width(system, target("zynq7000", 100.0, weights=weights))
    assert sorted(system.values) == [
        0xF8008000 + i * 0x1000 + j for i in (0, 1, 3) for j in (0, 20)
    ]
    ports = {"data_port": "S_AXI_HP0_FPD", "control_port": "M_AXI_HPM0_FPD", "word_bytes": 16}
    afifm = [0xFD360000 + i * 0x10000 + j for i in (1, 2, 5) for j in (0, 20)]
    system = FakeSystem({**dict.fromkeys(afifm, 0x3B7), AXI_FS: 0xA00})
    weights = tuple(weights[0]._replace(port=f"S_AXI_{name}_FPD") for name in ("HP3", "HPC1"))
    set_port_width(system, target("zynqmp", 100.0, weights=weights, **ports))
    assert {system.peek(address) for address in afifm} == {0x3B4}


@pytest.mark.parametrize(
    ("family", "changes", "text"),
    [
        ("zynq7000", {"word_bytes": 16}, "S_AXI_HP0 must have 4 or 8 bytes, not 16"),
        ("zynq7000", {"data_port": "S_AXI_HP4"}, "port: must be S_AXI_HP0 to 3, not S_AXI_HP4"),
        (
            "zynqmp",
            {"data_port": "S_AXI_LPD"},
            "data port must be one of HPC0, .*not S_AXI_LPD of 8",
        ),
        (
            "zynqmp",
            {"data_port": "S_AXI_HP0_FPD", "control_port": "M_AXI_HPM0_LPD"},
            "port: must be M_AXI_HPM0 to 1, not M_AXI_HPM0_LPD",
        ),
    ],
)
def test_ports_that_cannot_be(family, changes, text):
    with pytest.raises(BoardFault, match=text):
        set_port_width(FakeSystem({}), target(family, 100.0, **changes))
