# SPDX-License-Identifier: Apache-2.0
"""Mvu of convolutions: groups, border classes and packed weights, in RTL and C++."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hwbnn.ir.dtype import BIPOLAR, smallest, unsigned
from hwbnn.ir.unit import Family, Folding, Style
from hwbnn.ir.window import Border
from hwbnn.tools.cosim import Job
from hwbnn.units import Mvu, cost
from tests.units.single import random_job
from tests.units.test_hls_registry import prove as prove_hls
from tests.units.test_hls_registry import single
from tests.units.test_registry import prove, seeded

PADDED = Border(np.array([0, 1, 1, 2]), np.array([0, 1, 2]))  # 4 x 3 windows of 3 x 3, padded


def bordered(*, steps: int = 1, groups: int = 1, neurons: int = 5, border: Border = PADDED) -> Mvu:
    """A binary convolution with other thresholds at the border."""
    rng = np.random.default_rng([steps, groups, neurons])
    rows = groups * neurons
    weights = rng.choice([-1, 1], (rows, 12))
    thresholds = np.sort(rng.integers(-5, 6, (border.classes * rows, steps)), axis=1)
    output = BIPOLAR if steps == 1 else unsigned(steps.bit_length())
    vectors = border.positions.size
    return Mvu(
        weights,
        BIPOLAR,
        BIPOLAR,
        output,
        thresholds,
        vectors=vectors,
        groups=groups,
        border=border,
    )


def deep(pe: int, simd: int) -> Mvu:
    """A product whose weights in block RAM lie several in a row."""
    weights = np.random.default_rng(pe).choice([-1, 1], (256, 288))
    unit = Mvu(weights, BIPOLAR, BIPOLAR, smallest(-288, 288), weight_style=Style.BLOCK)
    return unit.fold(Folding(pe, simd))


def naive(unit: Mvu, frame: np.ndarray) -> list[int]:
    """The meaning in words of one element each."""
    neurons = len(unit.weights) // unit.groups
    inputs = unit.weights.shape[1]
    result = []
    for vector, o in product(range(unit.vectors), range(len(unit.weights))):
        begin = (vector * unit.groups + o // neurons) * inputs
        total = sum(int(w) * int(x) for w, x in zip(unit.weights[o], frame[begin:], strict=False))
        assert unit.border is not None and unit.thresholds is not None
        row = unit.border.positions[vector] * len(unit.weights) + o
        count = sum(total >= t for t in unit.thresholds[row])
        result.append(2 * count - 1 if unit.output_dtype is BIPOLAR else unit.base + count)
    return result


def test_run_is_the_sum_of_each_group_against_the_thresholds_of_its_class() -> None:
    for unit in (bordered(), bordered(groups=3), bordered(steps=3, groups=2)):
        frames = np.random.default_rng(1).choice([-1, 1], (2, unit.vectors * unit.groups * 12))
        (found,) = unit.run(frames)
        assert found.tolist() == [naive(unit, frame) for frame in frames]


@pytest.mark.slow
def test_border_and_groups_at_every_lane_count() -> None:
    rng = seeded("border and groups")
    line = Border(np.array([0]), np.array([0, 1, 1, 2, 1]))
    units = (
        bordered(),
        bordered(groups=3, neurons=4),
        bordered(steps=5),
        bordered(steps=2, groups=2),
        bordered(border=line),
    )
    jobs: list[Job] = []
    for unit, (pe, simd) in product(units, ((1, 1), (2, 5), (3, 12), (4, 1), (5, 12), (2, 12))):
        if pe <= unit.neurons:
            jobs.append(random_job(unit.fold(Folding(pe, simd)), rng, frames=4))
    prove(jobs)


@pytest.mark.slow
def test_border_with_thresholds_in_block_ram() -> None:
    """Tables this large are read a cycle ahead: search in two cycles a step, and one threshold."""
    rng = seeded("border in block RAM")
    large = Border(np.arange(8) % 5, np.arange(9))
    units = [
        bordered(steps=steps, neurons=neurons, border=large).fold(Folding(neurons // 2, 12))
        for steps, neurons in ((1, 128), (7, 32))
    ]
    assert all(unit.parameters()["SearchCycles"] == 2 for unit in units)
    prove(random_job(unit, rng, frames=2) for unit in units)


@pytest.mark.slow
def test_packed_weights(tmp_path: Path) -> None:
    rng = seeded("packed weights")
    units = [deep(pe, simd) for pe, simd in ((2, 4), (3, 5), (4, 8))]
    assert all(unit.parameters()["WeightRows"] < unit.cycles for unit in units)
    prove(random_job(unit, rng, frames=2) for unit in units)
    prove_hls([single(f"packed_{n}", u.named("packed")) for n, u in enumerate(units)], tmp_path)


def test_memory_costs_less_than_its_blocks_alone() -> None:
    """Words side by side: 2304 words of 128 bits, which 18 by 2K blocks would put into 10."""
    block = cost.rom(2304, 128, Style.BLOCK, Family.XC7)
    assert block.bram == 9.0
    assert cost.rom_luts(64, 100, Family.XC7) == 100
    assert cost.rom_luts(32, 101, Family.XC7) == 51
    assert cost.rom_luts(144, 1, Family.XC7) == 3
