# SPDX-License-Identifier: Apache-2.0
"""SlidingWindow: schedule, capacities, padding made ahead, storage, refusals."""

import random
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.errors import ConfigError, HwbnnError, ModelError
from hwbnn.ir.dtype import BIPOLAR, IntArray, unsigned
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.unit import Family, Folding, Style
from hwbnn.ir.window import Window
from hwbnn.tools import yosys
from hwbnn.tools.cosim import Job
from hwbnn.tools.proof import compare_many
from hwbnn.units import SlidingWindow
from tests.sim.cycle_by_cycle import run
from tests.units.single import random_frames, random_gate, random_job, single
from tests.units.test_registry import prove, seeded

MINUS = -np.ones(1, np.int64)
STYLES = [style for style in Style if style is not Style.STREAM]  # which is of weights
PADDED = SlidingWindow(BIPOLAR, 4, Window(5, 6, (3, 3), padding=(2, 1, 1, 2)), MINUS, lanes=2)
EXAMPLES = [unit for unit in SlidingWindow.examples() if isinstance(unit, SlidingWindow)]


def random_window(rng: random.Random) -> SlidingWindow:
    """Any geometry that the unit takes."""
    while True:
        kernel, stride, dilation = ((rng.randint(1, 3), rng.randint(1, 4)) for _ in range(3))
        top, left, bottom, right = (rng.randint(0, 2) for _ in range(4))
        groups, own = rng.randint(1, 3), rng.choice((1, 2, 4))
        lanes = rng.choice([d for d in (1, 2, 4) if own % d == 0])
        if groups == 1 and kernel[0] > 1 and rng.random() < 0.7:
            lanes = kernel[0] * own
        fill = np.array([rng.choice((-1, 1)) for _ in range(groups * own)])
        try:
            image, padding = (rng.randint(1, 8), rng.randint(1, 8)), (top, left, bottom, right)
            window = Window(*image, kernel, stride, dilation, padding)
            return SlidingWindow(BIPOLAR, groups * own, window, fill, groups, lanes)
        except HwbnnError:
            continue


def kept_words(unit: SlidingWindow) -> IntArray:
    """What fill stores, by plain loops over the padded image: (words, word) of positions' numbers.

    Element l of fold f of the position (row, column) is the number of that element, -1 in
    the padding.
    """
    w, words = unit.window, []
    covered = [
        {at * stride + offset for at in range(out) for offset in range(span)}
        for out, stride, span in zip((w.out_height, w.out_width), w.stride, w.span, strict=True)
    ]
    for row in range(w.padded[0]):
        for column in range(w.padded[1]):
            y, x = row - w.padding[0], column - w.padding[1]
            inside = 0 <= y < w.height and 0 <= x < w.width
            first = (y * w.width + x) * unit.channels
            for fold in range(unit.folds):
                if row in covered[0] and column in covered[1]:
                    lanes = first + fold * unit.word + np.arange(unit.word)
                    words.append(lanes if inside else np.full(unit.word, -1))
    return np.array(words)


@pytest.mark.parametrize("seed", range(60))
def test_schedule_reads_what_run_says(seed: int) -> None:
    unit = random_window(random.Random(seed))
    numbered = replace(unit, dtype=unsigned(16), fill=MINUS)
    elements = np.arange(unit.inputs[0].elements * unit.inputs[0].vectors)
    (expected,) = numbered.run(elements[None])
    fill, drain = unit.actors()
    words = kept_words(unit)
    assert int(fill.writes[0].writes.sum()) == len(words)
    assert int(fill.reads[0].release.sum()) == unit.inputs[0].beats
    base, found, line, taps = 0, [], unit.kept[1], unit.window.kernel[0]
    for offset, release in zip(drain.reads[0].offset, drain.reads[0].release, strict=True):
        column = [offset]
        if unit.wide:  # the word is its last tap's, and all are in the buffer
            column = [offset - up * unit.window.dilation[0] * line for up in range(taps)][::-1]
        assert min(column) >= 0
        found += [words[base + at] for at in column]
        base += release
    assert base == len(words)
    np.testing.assert_array_equal(np.array(found).reshape(-1), expected[0])


@pytest.mark.slow
def test_random_windows_are_exact() -> None:
    rng = seeded("random windows")
    styles = (Style.AUTO, Style.BLOCK, Style.ULTRA)
    units = [replace(random_window(rng), style=rng.choice(styles)) for _ in range(48)]
    prove(random_job(unit, rng) for unit in units)


@pytest.mark.slow
def test_every_capacity_is_exact() -> None:
    """The least, one more, and many more, with and without stalls, in both storages."""
    rng = seeded("capacities")
    jobs = []
    for unit in (PADDED, *EXAMPLES):
        least = unit.buffers()[0].least
        for more in (0, 1, 3 * least + 5):
            deep = replace(unit.with_buffers((least + more,)), style=rng.choice(STYLES))
            before, after = (Fifo(s[0], 3) for s in (deep.inputs, deep.outputs))
            design = single(deep, before=before, after=after)
            jobs.append(Job(design, random_frames(deep.inputs[0], 4, rng)))
    prove(jobs)
    prove(replace(job, source=random_gate(rng), sink=random_gate(rng)) for job in jobs)


def test_addresses_turn_at_a_power_of_two_and_elsewhere() -> None:
    depths = [unit.parameters()["Depth"] for unit in EXAMPLES]
    assert {depth & (depth - 1) == 0 for depth in depths} == {True, False}


def test_padding_of_the_next_frame_leaves_at_once() -> None:
    """Behind the last frame, hardware, engine and literal simulator send the same words more."""
    design = single(PADDED, before=Fifo(PADDED.inputs[0]), after=Fifo(PADDED.outputs[0], 4))
    frames = random_frames(PADDED.inputs[0], 3, random.Random(1))
    (found,) = compare_many([Job(design, frames)])
    assert found.equal and found.result.complete
    beats = 3 * PADDED.outputs[0].beats
    assert len(run(design, frames=3).channels["after"].reserves) > beats
    assert found.result.reserves["after"].count > beats


def test_fill_is_one_word_unless_channels_differ() -> None:
    window = Window(4, 4, (3, 3), padding=(1, 1, 1, 1))
    ends = np.array([-1, 1, 1, 1])
    for fill, lanes, depth in ((MINUS, 1, 1), (ends, 1, 4), (ends, 2, 2), (ends, 4, 1)):
        unit = SlidingWindow(BIPOLAR, 4, window, fill, lanes=lanes)
        (memory,) = unit.memories()
        assert memory.shape.depth == unit.parameters()["FillFolds"] == depth
    assert not SlidingWindow(BIPOLAR, 4, Window(4, 4, (3, 3)), ends).memories()


def test_columns_lie_in_whole_lines() -> None:
    """The lines of a window at first; more capacity takes more memories of a line each."""
    unit = PADDED.fold(Folding(simd=12))
    (buffer,) = unit.buffers()
    assert (buffer.capacity, buffer.least, buffer.line) == (3 * 9, 2 * 9 + 3, 9)
    banks = [unit.with_buffers((n,)).parameters()["Banks"] for n in (21, 27, 28, 36, 37)]
    assert banks == [3, 3, 4, 4, 5]
    small, large = (unit.with_buffers((n,)).resources(Family.XC7) for n in (27, 28))
    assert small.lut < large.lut


def test_capacity_stays_at_the_same_lanes_only() -> None:
    unit = PADDED.with_buffers((100,))
    assert unit.buffers()[0].capacity == 100
    assert unit.fold(Folding(simd=2)).buffers()[0].capacity == 100
    other = unit.fold(Folding(simd=4)).buffers()[0]
    assert other.capacity == other.least


def test_refusals() -> None:
    least = PADDED.buffers()[0].least
    with pytest.raises(
        ConfigError, match=f"buffer must hold at least {least} words.*not {least - 1}"
    ):
        PADDED.with_buffers((least - 1,))
    with pytest.raises(ConfigError, match="or be 12, a column of taps, not 3; choose 1, 2, 4, 12"):
        PADDED.fold(Folding(simd=3))
    with pytest.raises(ConfigError, match="simd must divide 2 channels, not 12; choose 1, 2"):
        replace(PADDED, groups=2).fold(Folding(simd=12))
    with pytest.raises(ConfigError, match="pe must be 1, not 2"):
        PADDED.fold(Folding(pe=2))
    with pytest.raises(ModelError, match="padding must be less than the kernel's extent 2 x 2"):
        SlidingWindow(BIPOLAR, 1, Window(4, 4, (2, 2), padding=(2, 0, 0, 0)), MINUS)


@pytest.mark.slow
@pytest.mark.skipif(not yosys.available(), reason="needs pip install 'hwbnn[synth]'")
@pytest.mark.parametrize("lanes", [32, 192])
@pytest.mark.parametrize(
    ("family", "style"),  # iCE40 has no distributed RAM
    [
        *product((Family.XC7, Family.ECP5), (Style.DISTRIBUTED, Style.BLOCK)),
        (Family.XC7, Style.ULTRA),
    ],
)
def test_storage_is_what_was_asked_for(
    family: Family, style: Style, lanes: int, tmp_path: Path
) -> None:
    window = Window(16, 16, (3, 3), padding=(1, 1, 1, 1))
    unit = SlidingWindow(BIPOLAR, 64, window, MINUS, lanes=lanes, style=style)
    design = single(unit, before=Fifo(unit.inputs[0]), after=Fifo(unit.outputs[0]))
    files = emit_rtl(design, structure=Structure.BEHAVIOURAL)
    counts = yosys.synthesise(files, design.name, family, work=tmp_path).instances["unit_dut"]
    modelled = unit.resources(family)
    assert (counts.bram, counts.uram) == (modelled.bram, modelled.uram)
    assert (counts.uram > 0) == (style is Style.ULTRA)
    assert (counts.bram > 0) == (style is Style.BLOCK)
    assert (counts.lut_memory > 0) == (style is Style.DISTRIBUTED)
    assert abs(modelled.lut - counts.lut) < 0.25 * counts.lut
    assert abs(modelled.ff - counts.ff) < 0.25 * counts.ff
