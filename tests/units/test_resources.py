# SPDX-License-Identifier: Apache-2.0
"""Modelled resources of units and FIFOs against what Yosys makes of them."""

from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.unit import Family, Resources, Unit
from hwbnn.ir.window import Window
from hwbnn.tools import yosys
from hwbnn.units.add import Add
from hwbnn.units.arg_max import ArgMax
from hwbnn.units.concat import Concat
from hwbnn.units.fork import Fork
from hwbnn.units.lookup import Lookup
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.thresholds import Thresholds
from hwbnn.units.width_converter import WidthConverter
from tests.units.single import joined

VALUES = np.random.default_rng(1).integers(-128, 128, (1, 256))
STEPS = np.sort(np.random.default_rng(1).integers(-60, 60, (32, 3)), axis=1)
PADDED, MINUS = Window(14, 14, (3, 3), padding=(1, 1, 1, 1)), -np.ones(1, np.int64)
UNITS = {
    "even": WidthConverter(BIPOLAR, 144, 72, 48),
    "odd": WidthConverter(BIPOLAR, 576, 13, 64),
    "late last beat": WidthConverter(signed(8), 576, 3, 27),
    "window": SlidingWindow(BIPOLAR, 64, PADDED, MINUS, lanes=8),
    "columns": SlidingWindow(BIPOLAR, 16, Window(16, 16, (3, 3)), MINUS, lanes=48),
    "all at once": ArgMax(signed(11), 10, pe=10),
    "one by one": ArgMax(signed(11), 10),
    "staircase": Thresholds(STEPS, np.arange(32) % 3 == 0, signed(8), unsigned(2), 32, pe=4),
    "table": Lookup(VALUES, unsigned(8), signed(8), 3, 8),
    "nine ways": Fork(signed(8), 64, 9, pe=8),
    "residual": Add((unsigned(2), signed(8)), signed(9), 64, pe=8),
    "five terms": Add((signed(6),) * 5, signed(9), 60, pe=8),
    "padded bits": Add((BIPOLAR, signed(6)), signed(7), 16, pe=5),
    "dense": Concat((BIPOLAR, unsigned(3)), signed(4), (64, 64), pe=8),
    "seven inputs": Concat((unsigned(4),) * 7, unsigned(4), (32, *(16,) * 6), pe=16),
}
STRUCTURES = {Family.XC7: Structure.XC7, Family.ECP5: Structure.ECP5}


@pytest.mark.slow
@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("name", UNITS)
def test_model_is_within_a_quarter(name: str, family: Family, tmp_path: Path) -> None:
    unit: Unit = UNITS[name]
    before = [Fifo(stream, 20, Storage.LUTRAM) for stream in unit.inputs]
    after = [Fifo(stream, 20, Storage.SRL) for stream in unit.outputs]
    files = emit_rtl(joined(unit, before, after), structure=STRUCTURES[family])
    counted = yosys.synthesise(files, "single", family, work=tmp_path).instances
    modelled: dict[str, Resources] = {
        "unit_dut": unit.resources(family),
        "fifo_before": before[0].resources(family),
        "fifo_after": after[0].resources(family),
    }
    for instance, cost in modelled.items():
        assert cost.lut == pytest.approx(counted[instance].lut, rel=0.25), instance
        assert cost.ff == pytest.approx(counted[instance].ff, rel=0.25, abs=2), instance
        assert cost.bram == counted[instance].bram, instance
