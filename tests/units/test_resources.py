# SPDX-License-Identifier: Apache-2.0
"""Modelled resources of units and FIFOs against what Yosys makes of them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Family, Resources, Style, Unit
from hwbnn.ir.window import Window
from hwbnn.resources import Room, read_text
from hwbnn.tools import yosys
from hwbnn.units.add import Add
from hwbnn.units.arg_max import ArgMax
from hwbnn.units.concat import Concat
from hwbnn.units.fork import Fork
from hwbnn.units.lookup import Lookup
from hwbnn.units.mvu import Mvu
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.thresholds import Thresholds
from hwbnn.units.width_converter import WidthConverter
from tests.units.single import joined

need_yosys = pytest.mark.skipif(not yosys.available(), reason="needs pip install 'hwbnn[synth]'")
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
STRUCTURES = {
    Family.XC7: Structure.XC7,
    Family.ECP5: Structure.ECP5,
    Family.ICE40: Structure.BEHAVIOURAL,
}
TOLERANCE = {Family.XC7: 0.25, Family.ECP5: 0.25, Family.ICE40: 0.35}  # of LUTs


def side_by_side(units: Iterable[Unit]) -> Design:
    """All units in one design, u0, u1, ..., each between FIFOs of its own."""
    instances, edges = [], []
    for i, unit in enumerate(units):
        name = f"u{i}"
        instances.append(Instance(name, unit))
        for port, stream in enumerate(unit.inputs):
            fifo = Fifo(stream, 20, Storage.LUTRAM)
            edges.append(Edge(f"{name}_before{port}", fifo, None, End(name, port)))
        for port, stream in enumerate(unit.outputs):
            fifo = Fifo(stream, 20, Storage.SRL)
            edges.append(Edge(f"{name}_after{port}", fifo, End(name, port), None))
    return Design("units", tuple(instances), tuple(edges))


@pytest.mark.slow
@need_yosys
@pytest.mark.parametrize("family", Family)
def test_model_is_close_to_the_count(family: Family, tmp_path: Path) -> None:
    design = side_by_side(UNITS.values())
    files = emit_rtl(design, structure=STRUCTURES[family])
    counted = yosys.synthesise(files, design.name, family, work=tmp_path).instances
    for name, instance in zip(UNITS, design.instances, strict=True):
        modelled: dict[str, Resources] = {
            f"unit_{instance.name}": instance.unit.resources(family),
            **{
                f"fifo_{edge.name}": edge.fifo.resources(family)
                for edge in (design.into(instance.name)[0], design.out_of(instance.name)[0])
            },
        }
        for cell, cost in modelled.items():
            found, where = counted[cell], f"{name}: {cell}"
            assert cost.lut == pytest.approx(found.lut, rel=TOLERANCE[family]), where
            assert cost.ff == pytest.approx(found.ff, rel=0.25, abs=2), where
            assert cost.bram == found.bram, where


def fifos_of(cases: list[tuple[int, int, Storage]]) -> FileSet:
    """A module `fifos` of FIFOs side by side: instances u0, u1, ..."""
    ports, body = [], []
    for i, (width, depth, storage) in enumerate(cases):
        ports.append(f"input logic [{width + 2}:0] i{i}, output logic [{width + 1}:0] o{i}")
        body.append(
            f"hwbnn_fifo #(.Width({width}), .Depth({depth}), .Storage({storage.value})) u{i} "
            f"(.clk_i, .rst_ni, .room_o(o{i}[{width}]), .reserve_i(i{i}[{width}]), "
            f".push_i(i{i}[{width + 1}]), .data_i(i{i}[{width - 1}:0]), "
            f".valid_o(o{i}[{width + 1}]), .pop_i(i{i}[{width + 2}]), "
            f".data_o(o{i}[{width - 1}:0]));"
        )
    head = "module fifos (input logic clk_i, input logic rst_ni,\n" + ",\n".join(ports) + ");"
    text = "\n".join([head, *body, "endmodule\n"])
    return FileSet.of({"fifos.sv": text, "hwbnn_fifo.sv": read_text(Room.RTL, "hwbnn_fifo.sv")})


@pytest.mark.slow
@need_yosys
def test_fifos_in_ultra_ram(tmp_path: Path) -> None:
    """Blocks of 4096 x 72 bits; Yosys packs deep words of half a row or less, which we do not."""
    cases = [(72, 4096, Storage.ULTRA), (100, 3000, Storage.ULTRA), (144, 9000, Storage.ULTRA)]
    counted = yosys.synthesise(fifos_of(cases), "fifos", Family.XC7, work=tmp_path).instances
    for i, (width, depth, storage) in enumerate(cases):
        cost = Fifo(Stream(BIPOLAR, width, width), depth, storage).resources(Family.XC7)
        found, case = counted[f"u{i}"], (width, depth, storage)
        assert (cost.uram, cost.bram) == (found.uram, found.bram), case
        assert cost.lut == pytest.approx(found.lut, rel=0.2, abs=4), case
        assert cost.ff == pytest.approx(found.ff, rel=0.05, abs=4), case
    assert [counted[f"u{i}"].uram for i in range(3)] == [1, 2, 6]


@pytest.mark.slow
@need_yosys
def test_fifos_of_ice40(tmp_path: Path) -> None:
    """Registers, block RAM that is asked for, and block RAM that Yosys takes by itself."""
    words = [(1, 2), (1, 8), (8, 3), (8, 12), (8, 64), (32, 4), (32, 8), (32, 64)]
    cases = [(w, d, s) for w, d in words for s in (Storage.SRL, Storage.LUTRAM)]
    cases += [(w, d, Storage.BLOCK) for w, d in ((8, 100), (8, 2048), (32, 300))]
    counted = yosys.synthesise(fifos_of(cases), "fifos", Family.ICE40, work=tmp_path).instances
    for i, (width, depth, storage) in enumerate(cases):
        cost = Fifo(Stream(BIPOLAR, width, width), depth, storage).resources(Family.ICE40)
        found, case = counted[f"u{i}"], (width, depth, storage)
        assert cost.lut == pytest.approx(found.lut, rel=0.13, abs=2), case
        assert cost.ff == pytest.approx(found.ff, rel=0.02, abs=4), case
        assert cost.bram == found.bram, case


@pytest.mark.slow
@need_yosys
@pytest.mark.parametrize(("shape", "folding"), [((64, 256), (4, 16)), ((64, 576), (2, 64))])
def test_mvus_with_streamed_weights(
    shape: tuple[int, int], folding: tuple[int, int], tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    weights, thresholds = rng.choice([-1, 1], shape), rng.integers(-8, 9, (shape[0], 1))
    pe, simd, stream = *folding, Style.STREAM
    unit = Mvu(
        weights, BIPOLAR, BIPOLAR, BIPOLAR, thresholds, pe=pe, simd=simd, weight_style=stream
    )
    before = [Fifo(each, 3, Storage.SRL) for each in unit.inputs]
    files = emit_rtl(
        joined(unit, before, [Fifo(unit.outputs[0], 3, Storage.SRL)]),
        structure=STRUCTURES[Family.XC7],
    )
    counted = yosys.synthesise(files, "single", Family.XC7, work=tmp_path).instances
    found, cost = counted["unit_dut"], unit.resources(Family.XC7)
    assert cost.lut == pytest.approx(found.lut, rel=0.15)
    assert cost.ff == pytest.approx(found.ff, rel=0.05)
    assert cost.bram == found.bram == 0


@pytest.mark.slow
@need_yosys
@pytest.mark.parametrize(
    ("shape", "folding", "rams"),
    [((64, 256), (4, 16), 1), ((64, 576), (2, 64), 2), ((64, 64), (64, 64), 57)],
)
def test_mvus_with_loaded_weights(
    shape: tuple[int, int], folding: tuple[int, int], rams: int, tmp_path: Path
) -> None:
    """The unit and the link that loads it, which both the unit's model counts."""
    rng = np.random.default_rng(3)
    weights, thresholds = rng.choice([-1, 1], shape), rng.integers(-8, 9, (shape[0], 1))
    pe, simd = folding
    ultra = Style.ULTRA
    unit = Mvu(weights, BIPOLAR, BIPOLAR, BIPOLAR, thresholds, pe=pe, simd=simd, weight_style=ultra)
    ends = [Fifo(unit.inputs[0], 3, Storage.SRL)], [Fifo(unit.outputs[0], 3, Storage.SRL)]
    files = emit_rtl(joined(unit, *ends), structure=Structure.XC7, external_weights=True)
    counted = yosys.synthesise(files, "single", Family.XC7, work=tmp_path).instances
    found, cost = counted["unit_dut"] + counted["load_dut"], unit.resources(Family.XC7)
    assert cost.lut == pytest.approx(found.lut, rel=0.2)
    assert cost.ff == pytest.approx(found.ff, rel=0.05)
    assert cost.bram == found.bram == 0
    assert cost.uram == found.uram == rams


@pytest.mark.slow
@need_yosys
@pytest.mark.parametrize(
    ("shape", "folding", "style"),
    [
        ((64, 256), (2, 32), Style.BLOCK),
        ((64, 784), (4, 8), Style.BLOCK),
        ((32, 32), (4, 32), Style.DISTRIBUTED),
        ((16, 32), (16, 32), Style.DISTRIBUTED),
        ((10, 64), (10, 64), Style.DISTRIBUTED),
    ],
)
def test_mvus_of_ice40(
    shape: tuple[int, int], folding: tuple[int, int], style: Style, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    weights, thresholds = rng.choice([-1, 1], shape), rng.integers(-8, 9, (shape[0], 1))
    pe, simd = folding
    unit = Mvu(weights, BIPOLAR, BIPOLAR, BIPOLAR, thresholds, pe=pe, simd=simd, weight_style=style)
    ends = [Fifo(unit.inputs[0], 3, Storage.SRL)], [Fifo(unit.outputs[0], 3, Storage.SRL)]
    files = emit_rtl(joined(unit, *ends), structure=STRUCTURES[Family.ICE40])
    found = yosys.synthesise(files, "single", Family.ICE40, work=tmp_path).instances["unit_dut"]
    cost = unit.resources(Family.ICE40)
    assert cost.lut == pytest.approx(found.lut, rel=0.15)
    assert cost.ff == pytest.approx(found.ff, rel=0.3)
    assert cost.bram == found.bram
