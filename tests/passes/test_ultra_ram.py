# SPDX-License-Identifier: Apache-2.0
"""UltraRAM: what goes there, on which boards, and that no cycle changes."""

from dataclasses import replace

import numpy as np

from hwbnn.board import find_board
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR, unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.unit import Family, Resources, Style
from hwbnn.ir.window import Window
from hwbnn.passes.ultra_ram import in_ultra_ram
from hwbnn.sim.engine import simulate
from hwbnn.units import SlidingWindow, WidthConverter

XC7 = Family.XC7
KV260, PYNQ = find_board("kv260").limit, find_board("pynq-z2").limit


def queues(*depths: int, bits: int = 72, storage: Storage = Storage.BLOCK) -> Design:
    """Units that only wait, with such FIFOs before, between and behind them."""
    unit = WidthConverter(BIPOLAR, bits, bits, bits, vectors=40)
    names = [f"wait{i}" for i in range(len(depths) - 1)]
    ends = [None, *(End(name) for name in names), None]
    fifos = [Fifo(unit.inputs[0], depth, storage) for depth in depths]
    edges = (Edge(f"q{i}", fifo, ends[i], ends[i + 1]) for i, fifo in enumerate(fifos))
    return Design("queues", tuple(Instance(name, unit) for name in names), tuple(edges))


def storages(design: Design) -> str:
    """B or U for block RAM and UltraRAM, by edge."""
    return "".join(edge.fifo.storage.name[0] for edge in design.edges)


def moved(design: Design, limit: Resources) -> str:
    return storages(in_ultra_ram(design, limit=limit, family=XC7))


def test_a_deep_wide_fifo_goes_there_where_the_board_has_any() -> None:
    design = queues(4096, 2, 600)  # 8, 1 and 2 block RAMs, of 115.2 to 51.2 UltraRAMs
    assert moved(design, KV260) == "UBB"
    assert moved(design, PYNQ) == "BBB"
    assert moved(queues(4096, 4096, storage=Storage.LUTRAM), KV260) == "LL"


def test_what_saves_most_comes_first_until_none_is_left() -> None:
    few, many = queues(3000, 4096), queues(3000, *(51 * [4096]))  # of 51.2
    assert moved(few, KV260) == "UU"
    assert moved(many, KV260) == "B" + 51 * "U"


def test_too_many_block_ram_are_a_reason_too() -> None:
    many, too_many = queues(*(57 * [600])), queues(*(60 * [600]))  # 2 block RAMs each, of 115.2
    assert moved(many, KV260) == 57 * "B"
    assert moved(too_many, KV260) == 3 * "U" + 57 * "B"


def test_nothing_goes_there_for_which_luts_are_missing() -> None:
    """Words of several UltraRAMs one above the other are chosen among by LUTs."""
    design = queues(9000, 2, bits=100)
    cost = design.resources(XC7)
    assert moved(design, KV260) == "UB"
    assert moved(design, replace(KV260, lut=cost.lut + 99, bram=20)) == "BU"
    assert moved(design, replace(KV260, lut=cost.lut + 101, bram=20)) == "UU"
    assert moved(queues(4096, 2), replace(KV260, lut=1.0)) == "UB"  # it takes no LUT more


def test_the_timing_stays() -> None:
    before = queues(4096, 3, 4096)
    after = in_ultra_ram(before, limit=KV260, family=XC7)
    old, new = (simulate(design, frames=3) for design in (before, after))
    assert storages(after) == "UBU"
    assert (old.frame_ends == new.frame_ends).all()
    assert after.resources(XC7).uram == 2


def test_window_buffers_go_there_too() -> None:
    zero = np.zeros(1, np.int64)
    unit = SlidingWindow(unsigned(8), 9, Window(8, 640, (3, 3)), zero, lanes=9)
    edges = (
        Edge("in", Fifo(unit.inputs[0]), None, End("window")),
        Edge("out", Fifo(unit.outputs[0]), End("window"), None),
    )
    design = Design("window", (Instance("window", unit),), edges)
    after = in_ultra_ram(design, limit=KV260, family=XC7)["window"]
    assert after.resources(XC7) == replace(unit.resources(XC7), bram=0, uram=1)
    assert unit.parameters() | {"Block": 2} == after.parameters()
    assert isinstance(after, SlidingWindow)
    assert after.style is Style.ULTRA
    assert in_ultra_ram(design, limit=PYNQ, family=XC7)["window"] is unit
