# SPDX-License-Identifier: Apache-2.0
"""Even steps: multiplication, addition and shift give every count of a staircase, or none do."""

from dataclasses import replace

import numpy as np
import pytest

from hwbnn.ir.dtype import signed, smallest
from hwbnn.ir.ops import Staircase
from hwbnn.passes.even_steps import EvenSteps, even_steps
from hwbnn.units import Rescale

LOW, HIGH = -700, 900


def counts(op: Staircase, x: np.ndarray) -> np.ndarray:
    reached = (x[:, None, None] >= op.thresholds).sum(axis=2)
    return np.where(op.descending, op.steps - reached, reached)


def rescaled(found: EvenSteps, op: Staircase, x: np.ndarray) -> np.ndarray:
    """Counts of the unit that the line becomes."""
    unit = Rescale(
        found.multipliers,
        found.offsets,
        found.shift,
        op.steps,
        found.even,
        smallest(LOW, HIGH),
        op.dtype,
        op.elements,
        base=op.base,
    )
    (values,) = unit.run(np.repeat(x[:, None], op.elements, axis=1))
    return values - op.base


def staircase(slopes: np.ndarray, offsets: np.ndarray, *, steps: int, even: bool) -> Staircase:
    """Thresholds of rint(slope * x + offset), from -steps // 2 on."""
    base = -(steps // 2)
    x = np.arange(LOW, HIGH + 1)
    exact = slopes[:, None] * x + offsets[:, None]
    rounded = np.rint(exact) if even else np.floor(exact)
    count = np.clip(rounded - base, 0, steps).astype(np.int64)
    down = slopes < 0
    count = np.where(down[:, None], steps - count, count)
    # The first x that reaches each step; above all that come if none does.
    rows = [LOW + np.searchsorted(c, np.arange(1, steps + 1)) for c in count]
    return Staircase(
        "y", "x", len(slopes), np.array(rows), down, base, signed(8 if steps > 15 else 5)
    )


@pytest.mark.parametrize("steps", [15, 255])
@pytest.mark.parametrize("even", [False, True])
def test_every_count_of_an_affine_staircase(steps: int, even: bool) -> None:
    rng = np.random.default_rng([steps, even])
    slopes = rng.uniform(0.001, 0.8, 24) * rng.choice([-1, 1], 24)
    op = staircase(slopes, rng.uniform(-90, 90, 24), steps=steps, even=even)
    found = even_steps(op, LOW, HIGH)
    assert found is not None
    x = np.arange(LOW, HIGH + 1)
    np.testing.assert_array_equal(rescaled(found, op, x), counts(op, x))


def test_ties_go_to_even_codes() -> None:
    """A slope of 1/4 meets a half at every fourth x: no rounding down gives these steps."""
    op = staircase(np.array([0.25, -0.25]), np.array([0.0, 0.0]), steps=255, even=True)
    found = even_steps(op, LOW, HIGH)
    assert found is not None and found.even
    x = np.arange(LOW, HIGH + 1)
    np.testing.assert_array_equal(rescaled(found, op, x), counts(op, x))


def test_dead_and_always_on_channels() -> None:
    op = staircase(np.array([0.1, 0.1, 0.1]), np.array([9e3, -9e3, 0.0]), steps=31, even=False)
    found = even_steps(op, LOW, HIGH)
    assert found is not None
    x = np.arange(LOW, HIGH + 1)
    np.testing.assert_array_equal(rescaled(found, op, x), counts(op, x))


def test_uneven_steps_have_no_line() -> None:
    op = staircase(np.array([0.1, 0.1]), np.array([0.0, 3.0]), steps=31, even=False)
    bent = op.thresholds.copy()
    bent[1, 16:] += 9
    assert even_steps(replace(op, thresholds=bent), LOW, HIGH) is None


def test_few_steps_stay_thresholds() -> None:
    op = staircase(np.array([0.1]), np.array([0.0]), steps=7, even=False)
    assert even_steps(op, LOW, HIGH) is None
