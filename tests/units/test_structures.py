# SPDX-License-Identifier: Apache-2.0
"""Popcount structures of the FPGA families: the same bits and cycles as the behavioural one."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit.bench import emit_bench
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure
from hwbnn.ir.dtype import BIPOLAR, smallest
from hwbnn.ir.unit import Folding
from hwbnn.tools import cosim
from hwbnn.tools.proof import compare_many
from hwbnn.units import Mvu, Rescale
from tests.units.single import random_job
from tests.units.test_registry import describe, seeded

CELLS = FileSet.of(
    {name: Path(__file__).with_name(name).read_text() for name in ("xc7_cells.sv", "ecp5_cells.sv")}
)
FOLDINGS = [(1, 1), (2, 3), (1, 6), (2, 7), (3, 16), (2, 33), (1, 36), (2, 64), (1, 100), (1, 144)]


def popcounts() -> list[Mvu]:
    """XNOR products from one synapse to all 144 a cycle, with 0 to 2 pipeline registers."""
    weights = np.random.default_rng(3).choice([-1, 1], (4, 144))
    unit = Mvu(weights, BIPOLAR, BIPOLAR, smallest(-144, 144))
    return [
        replace(unit.fold(Folding(pe, simd)), stages=stages)
        for pe, simd in FOLDINGS
        for stages in range(3)
    ]


def staircases() -> list[Mvu]:
    """One threshold an output: the sum begins at it; folded every way, the last without folds."""
    rng = np.random.default_rng(4)
    weights, thresholds = rng.choice([-1, 1], (6, 40)), rng.integers(-9, 9, (6, 1))
    unit = Mvu(weights, BIPOLAR, BIPOLAR, BIPOLAR, thresholds)
    return [
        replace(unit.fold(Folding(pe, simd)), stages=stages)
        for pe in (1, 2, 3, 6)
        for simd in (1, 2, 5, 8, 20, 40)
        for stages in (0, 1, 4)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("structure", [Structure.XC7, Structure.ECP5], ids=lambda s: s.name)
def test_structure_is_exact(structure: Structure, monkeypatch: pytest.MonkeyPatch) -> None:
    emit = partial(emit_bench, structure=structure)
    monkeypatch.setattr(cosim, "emit_bench", lambda designs: emit(designs) | CELLS)
    rng = seeded(structure.name)
    examples = [*Mvu.examples(), *Rescale.examples()]
    jobs = [random_job(unit, rng, frames=9) for unit in (*popcounts(), *staircases(), *examples)]
    wrong = [
        describe(job, found)
        for job, found in zip(jobs, compare_many(jobs), strict=True)
        if not (found.equal and found.result.complete)
    ]
    assert not wrong, "\n".join(wrong)
