# SPDX-License-Identifier: Apache-2.0
"""Pools and depthwise products: padded averages, sums at their ends, knobs, Yosys counts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, signed, smallest, unsigned
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import Input, SumPool, Table
from hwbnn.ir.ranges import pool_range
from hwbnn.ir.unit import Family, Folding, Knobs, Style, Unit
from hwbnn.ir.window import Window
from hwbnn.passes import lower
from hwbnn.sim.reference import reference
from hwbnn.tools import yosys
from hwbnn.tools.cosim import Job
from hwbnn.tools.proof import compare_many
from hwbnn.units.depthwise_mvu import DepthwiseMvu
from hwbnn.units.max_pool import MaxPool
from hwbnn.units.sum_pool import SumPool as SumPoolUnit
from tests.graphs import pixels
from tests.units.single import single

PADDED = Window(5, 4, (3, 3), (2, 1), padding=(1, 1, 0, 1))
INSIDE = Window(5, 4, (2, 2), (1, 1))


def average(data: DType, window: Window, channels: int = 3) -> Graph:
    """A sum over windows of random values of a type."""
    positions = window.height * window.width
    elements = positions * channels
    codes = np.random.default_rng(5).integers(0, 1 << data.bits, (1, 256))
    sums = smallest(*pool_range(window, data.min, data.max))
    ops = (
        Input("x", elements, unsigned(8), positions),
        Table("q", "x", elements, data.decode(codes), 0, data, positions),
        SumPool("sums", "q", window, channels, sums),
    )
    return Graph("average", ops, "sums", (channels, window.height, window.width), Preprocess())


@pytest.mark.parametrize("window", [PADDED, INSIDE], ids=["padded", "inside"])
@pytest.mark.parametrize("data", [BIPOLAR, unsigned(1), unsigned(2), signed(3)], ids=str)
def test_padding_of_an_average_adds_nothing(data: DType, window: Window) -> None:
    graph = average(data, window)
    design, frames = lower(graph), pixels(graph, 20)
    np.testing.assert_array_equal(design.run(frames), reference(graph, frames))
    widened = data is BIPOLAR and window is PADDED  # the only type without a 0
    assert ("sums_pad" in {i.name for i in design.instances}) == widened


# ---- depthwise products --------------------------------------------------------------------------


def ends(unit: DepthwiseMvu) -> IntArray:
    """Frames for the greatest and the least sum of every channel, in all windows."""
    data = unit.input_dtype
    up = np.where(unit.weights.T > 0, data.max, data.min)  # (taps, channels)
    down = np.where(unit.weights.T > 0, data.min, data.max)
    frames = [np.tile(taps, (unit.vectors, 1)).reshape(-1) for taps in (up, down, down, up)]
    return np.stack(frames)


def at_their_ends(limit: int) -> Iterator[DepthwiseMvu]:
    """Every example; thresholds the greatest sums, one more, the least sums, or one more."""
    for example in DepthwiseMvu.examples():
        assert isinstance(example, DepthwiseMvu)
        if example.thresholds is None:
            yield example
            continue
        raw = replace(example, thresholds=None, output_dtype=signed(32), border=None)
        (sums,) = raw.run(ends(raw))
        high, low = sums.reshape(4, -1, raw.channels)[:2, 0]
        rows = np.tile((high, high + 1, low, low + 1)[limit], example.classes)[:, None]
        yield replace(example, thresholds=np.repeat(rows, example.thresholds.shape[1], axis=1))


@pytest.mark.slow
def test_sums_reach_their_ends() -> None:
    wrong = []
    for limit in range(4):  # only memories differ: one program for the four
        jobs = []
        for unit in at_their_ends(limit):
            folded = unit.fold(Folding(max(1, unit.channels // 2)))
            before, after = Fifo(folded.inputs[0], 2), Fifo(folded.outputs[0], 2)
            jobs.append(Job(single(folded, before=before, after=after), ends(unit)))
        wrong += [
            f"{job.design['dut'].parameters()}, limit {limit}: {found.differences[0]}"
            for job, found in zip(jobs, compare_many(jobs), strict=True)
            if not found.equal
        ]
    assert not wrong, "\n".join(wrong)


def test_knobs_of_depthwise_layers() -> None:
    unit = DepthwiseMvu.examples()[0].named("dw1")
    folded = unit.with_knobs(Knobs(pe=3, weight_style=Style.BLOCK))
    assert folded.knobs == Knobs(3, 1, None, Style.BLOCK)
    assert folded.parameters()["BlockWeights"] == 1
    with pytest.raises(ConfigError, match="^dw1: depthwise layers have no stages; remove them$"):
        unit.with_knobs(Knobs(stages=1))
    with pytest.raises(ConfigError, match="dw1: simd must be 1"):
        unit.with_knobs(Knobs(simd=3))


def fewer_at_the_border(extent: int) -> IntArray:
    """Factors of a 2 x 2 mean of an odd image: its last row and column hold half the taps."""
    factors = np.ones((extent, extent), np.int64)
    factors[-1] *= 2
    factors[:, -1] *= 2
    return factors


def large(kind: type[Unit], *, factors: bool = False) -> Unit:
    """64 channels, 16 at a time."""
    if kind is MaxPool:
        return MaxPool(unsigned(4), 64, 9, np.zeros(1, np.bool_), 4, 16)
    if factors:
        return SumPoolUnit(signed(11), signed(13), 64, 4, 16, 16, fewer_at_the_border(4))
    if kind is SumPoolUnit:
        return SumPoolUnit(signed(8), signed(14), 64, 64, 4, 16)
    rng = np.random.default_rng(0)
    weights, rows = rng.choice([-1, 1], (64, 9)), rng.integers(-4, 5, (64, 1))
    return DepthwiseMvu(weights, BIPOLAR, BIPOLAR, BIPOLAR, rows, vectors=64, pe=16)


@pytest.mark.slow
@pytest.mark.skipif(not yosys.available(), reason="needs pip install 'hwbnn[synth]'")
@pytest.mark.parametrize("family", list(Family), ids=lambda family: family.value)
@pytest.mark.parametrize(
    "unit",
    [*map(large, (MaxPool, SumPoolUnit, DepthwiseMvu)), large(SumPoolUnit, factors=True)],
    ids=("MaxPool", "SumPool", "DepthwiseMvu", "factors"),
)
def test_cost_is_near_the_count_of_yosys(unit: Unit, family: Family, tmp_path: Path) -> None:
    design = single(unit, before=Fifo(unit.inputs[0], 2), after=Fifo(unit.outputs[0], 2))
    files = emit_rtl(design, structure=Structure.BEHAVIOURAL)
    counts = yosys.synthesise(files, "single", family, work=tmp_path).instances["unit_dut"]
    cost = unit.resources(family)
    near = 0.26 if family is Family.ICE40 else 0.1  # the formulas are those of ECP5
    assert cost.lut == pytest.approx(counts.lut, rel=near)
    assert cost.ff == pytest.approx(counts.ff, rel=0.1)
    assert cost.bram == counts.bram == 0


def test_flags_of_a_uniform_pool_need_no_memory() -> None:
    flags = np.array([False, True, True, False])
    assert not MaxPool(BIPOLAR, 4, 2, ~flags | flags).memories()
    (memory,) = MaxPool(BIPOLAR, 4, 2, flags, pe=3).memories()
    np.testing.assert_array_equal(memory.words, [[0, 1, 1], [0, 0, 0]])
