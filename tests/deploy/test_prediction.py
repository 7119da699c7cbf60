# SPDX-License-Identifier: Apache-2.0
"""The package's cycles are those of the timing engine, for any number of frames."""

from fractions import Fraction

import numpy as np
import pytest

from hwbnn.deploy.package import _cycles
from hwbnn.deploy.runtime.prediction import Prediction
from hwbnn.ir.dtype import BIPOLAR, unsigned
from hwbnn.ir.unit import Knobs
from hwbnn.sim.engine import Performance, performance, simulate
from tests.deploy.packages import small
from tests.graphs import binary_mlp, finished, integer_mlp

COUNTS = [1, 2, 3, 4, 5, 17, 40, 97]


def designs():
    yield finished(binary_mlp((24, 16, 10)))
    yield finished(binary_mlp((64, 32, 16, 10)), {"fc0": Knobs(pe=4, simd=16)})
    yield finished(integer_mlp(unsigned(4), BIPOLAR, unsigned(2)), {"fc0": Knobs(pe=3, simd=5)})


@pytest.mark.parametrize("design", list(designs()), ids=lambda design: design.name)
def test_equals_the_engine(design):
    prediction = Prediction.of(_cycles(performance(design, frames=64)))
    assert prediction.exact
    assert len(prediction.ends) < max(COUNTS), "some counts lie behind the table"
    for count in COUNTS:
        trace = simulate(design, frames=count)
        assert prediction.cycles(count) == trace.output[-1] - trace.input[0] + 1, count


def test_a_period_of_several_frames():
    ends = np.array([9, 21, 30, 44, 53, 67])  # 23 cycles for each two frames behind the third
    found = Performance(Fraction(23, 2), 9, ends, transient=3, simulated_frames=6, bottleneck="x")
    prediction = Prediction.of(_cycles(found))
    assert (prediction.repeat, prediction.span) == (2, 23)
    assert [prediction.cycles(n) for n in range(1, 11)] == [
        10, 22, 31, 45, 54, 68, 77, 91, 100, 114,
    ]  # fmt: skip


def test_without_a_steady_state_it_says_so():
    found = Performance(Fraction(25, 2), 9, np.array([9, 21, 34]), 3, 3, "x")
    prediction = Prediction.of(_cycles(found))
    assert not prediction.exact
    assert prediction.cycles(3) == 35
    assert prediction.cycles(0) == 0


def test_manifest_has_them():
    made = small()
    trace = simulate(made.contents.design, frames=2)
    assert trace.input[0] == 0
    assert f"{trace.output[-1] + 1}\n" in made.files.text("manifest.json")
