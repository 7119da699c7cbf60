# SPDX-License-Identifier: Apache-2.0
"""Yosys: counts per instance, clear errors, and the netlist equals the integers."""

import random
import re
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit import bench
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import emit_rtl
from hwbnn.errors import ToolError
from hwbnn.flow import STRUCTURES
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import BIPOLAR, unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.unit import Family, Folding, Style
from hwbnn.ir.window import Window
from hwbnn.tools import cosim, yosys
from hwbnn.units.add import Add
from hwbnn.units.concat import Concat
from hwbnn.units.depthwise_mvu import DepthwiseMvu
from hwbnn.units.fork import Fork
from hwbnn.units.max_pool import MaxPool
from hwbnn.units.mvu import Mvu
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.width_converter import WidthConverter
from tests.units.single import joined, random_frames, single

need_yosys = pytest.mark.skipif(not yosys.available(), reason="needs pip install 'hwbnn[synth]'")


def small(style: Style = Style.DISTRIBUTED) -> Design:
    rng = np.random.default_rng(3)
    weights = rng.choice([-1, 1], (6, 40))
    thresholds = rng.integers(-8, 9, (6, 1))
    unit = Mvu(
        weights,
        BIPOLAR,
        BIPOLAR,
        BIPOLAR,
        thresholds,
        pe=3,
        simd=20,
        stages=2,
        weight_style=style,
    )
    fifo = Fifo(unit.inputs[0], 2, Storage.LUTRAM)
    return single(unit, before=fifo, after=Fifo(unit.outputs[0], 2, Storage.LUTRAM))


@pytest.mark.slow
@need_yosys
@pytest.mark.parametrize("family", list(Family))
def test_counts_each_instance(family: Family, tmp_path: Path) -> None:
    structure = STRUCTURES[family]
    design = small(Style.BLOCK)
    report = yosys.synthesise(
        emit_rtl(design, structure=structure), design.name, family, work=tmp_path
    )
    assert set(report.instances) == {"unit_dut", "fifo_before", "fifo_after"}
    unit = report.instances["unit_dut"]
    assert unit.bram > 0 and unit.ff > 0 and 60 < unit.lut < 300
    assert report.total.lut >= unit.lut + report.instances["fifo_before"].lut


@pytest.mark.slow
@need_yosys
@pytest.mark.parametrize("family", list(Family))
def test_parts_equal_the_whole(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    structure = STRUCTURES[family]
    design = small()
    files = emit_rtl(design, structure=structure)
    monkeypatch.setattr(yosys, "SHARE", 1 << 30)
    whole = yosys.synthesise(files, design.name, family, work=tmp_path / "whole")
    assert not (tmp_path / "whole" / f"{design.name}_synth1.il").exists()
    monkeypatch.setattr(yosys, "SHARE", 1)
    parts = yosys.synthesise(files, design.name, family, work=tmp_path / "parts")
    assert (tmp_path / "parts" / f"{design.name}_synth2.il").exists()
    assert set(whole.instances) == {"unit_dut", "fifo_before", "fifo_after"}
    assert parts.instances == whole.instances
    assert parts.top == whole.top


def run_gates(
    design: Design, frames: np.ndarray, family: Family, work: Path, patch: pytest.MonkeyPatch
) -> FileSet:
    """Run a design whose unit is a netlist of Yosys and compare outputs; return the netlist."""
    structure = STRUCTURES[family]
    gates = yosys.netlist(emit_rtl(design, structure=structure), design.name, "unit_dut", work=work)

    def bench_with_gates(designs: list[Design]) -> FileSet:
        sources = bench.emit_bench(designs)
        (top,) = (slot.module for slot in bench.slots(designs))
        text = sources.text(f"{top}.sv")
        text, count = re.subn(
            r"hwbnn_\w+ #\([^;]*?\) unit_dut", "gates unit_dut", text, flags=re.DOTALL
        )
        assert count == 1
        return FileSet({**sources.files, **gates.files, f"{top}.sv": text.encode()})

    patch.setattr(cosim, "emit_bench", bench_with_gates)
    found = cosim.cosim(design, frames)
    assert found.complete
    np.testing.assert_array_equal(found.output, design.run(frames))
    return gates


@pytest.mark.slow
@need_yosys
def test_netlist_equals_the_integers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.random.default_rng(5).choice([-1, 1], (50, 40))
    gates = run_gates(small(), frames, Family.XC7, tmp_path, monkeypatch)
    assert "LUT6_2" in gates.text("gates.sv") and "CARRY4" in gates.text("gates.sv")


ZERO = np.zeros(1, np.int64)
PADDED = Window(7, 6, (3, 3), (2, 1), padding=(1, 1, 0, 1))
DSPS = next(unit for unit in Mvu.examples() if unit.parameters()["Dsp"])
UNITS = {
    "window": SlidingWindow(unsigned(2), 4, PADDED, ZERO, lanes=2),
    "window of columns": SlidingWindow(unsigned(2), 4, PADDED, ZERO, lanes=12),
    "window, long": SlidingWindow(BIPOLAR, 3, Window(20, 20, (3, 3)), -np.ones(1, np.int64)),
    "converter": WidthConverter(BIPOLAR, 39, 13, 9, vectors=3),
    "pool": MaxPool(unsigned(2), 6, 4, np.arange(6) % 2 == 1, 3, pe=2),
    "product on DSPs": DSPS.fold(Folding(pe=3, simd=2)),  # two lanes, and one
    "depthwise": DepthwiseMvu.examples()[0].fold(Folding(pe=2)),
    "fork": Fork(unsigned(2), 5, 3, 2, pe=3),
    "addition": Add.examples()[3].fold(Folding(pe=4)),
    "concatenation": Concat.examples()[2].fold(Folding(pe=4)),
}


@pytest.mark.slow
@need_yosys
@pytest.mark.parametrize("name", UNITS)
def test_netlist_of_a_unit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = UNITS[name]
    before, after = map(Fifo, unit.inputs, repeat(3)), map(Fifo, unit.outputs, repeat(4))
    design = joined(unit, before, after)
    frames = [random_frames(stream, 4, random.Random(i)) for i, stream in enumerate(unit.inputs)]
    run_gates(design, np.concatenate(frames, axis=1), Family.XC7, tmp_path, monkeypatch)


@need_yosys
def test_names_the_error(tmp_path: Path) -> None:
    broken = FileSet.of({"broken.sv": "module broken; assign x = ; endmodule\n"})
    with pytest.raises(ToolError, match=r"(?s)ERROR.*\.log"):
        yosys.synthesise(broken, "broken", Family.XC7, work=tmp_path)


@need_yosys
def test_names_the_error_of_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yosys, "synthesis", lambda _: ("synth_xilinx -no_such_option",))
    empty = FileSet.of({"empty.sv": "module empty; endmodule\n"})
    with pytest.raises(ToolError, match=r"must end with status 0, not 1: ERROR.*_synth\.log"):
        yosys.synthesise(empty, "empty", Family.XC7, work=tmp_path)


@need_yosys
def test_takes_no_longer_than_allowed(tmp_path: Path) -> None:
    empty = FileSet.of({"empty.sv": "module empty; endmodule\n"})
    with pytest.raises(ToolError, match=r"must end within 0\.01 s, not run on"):
        yosys.synthesise(empty, "empty", Family.XC7, work=tmp_path, timeout=0.01)


def test_missing_yosys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yosys, "_native", lambda: False)
    monkeypatch.setattr(yosys, "_yowasp", lambda: None)
    with pytest.raises(ToolError, match=r"yosys: must be installed, .*hwbnn\[synth\]"):
        yosys.synthesise(FileSet({}), "none", Family.XC7, work=tmp_path)
