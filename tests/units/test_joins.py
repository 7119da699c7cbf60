# SPDX-License-Identifier: Apache-2.0
"""Add, Concat and Fork beyond what the registry gives: types, padding, and what they refuse."""

import re

import numpy as np
import pytest

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.unit import Folding
from hwbnn.units import Add, Concat, Fork
from hwbnn.units.add import sum_dtype
from hwbnn.units.concat import common_dtype


def test_sums_have_the_exact_range() -> None:
    assert sum_dtype((BIPOLAR, BIPOLAR)) == signed(3)  # -2 to 2
    assert sum_dtype((unsigned(3), unsigned(3))) == unsigned(4)
    assert sum_dtype((unsigned(3),) * 3) == unsigned(5)  # 21
    assert sum_dtype((signed(4), unsigned(2))) == signed(5)  # -8 to 10
    assert sum_dtype((signed(4), unsigned(2)), (1, 7)) == signed(6)  # -8 to 28
    assert sum_dtype((signed(8),) * 2) == signed(9)


def test_the_common_type_holds_every_value() -> None:
    assert common_dtype((BIPOLAR, BIPOLAR)) == BIPOLAR
    assert common_dtype((BIPOLAR, unsigned(1))) == signed(2)
    assert common_dtype((unsigned(3), signed(2))) == signed(4)


def test_a_sum_of_bits_in_padded_lanes_is_code_zero() -> None:
    """-1 is code 0: the sum of two lanes without a channel would be -2."""
    unit = Add((BIPOLAR, BIPOLAR), signed(3), 5, pe=4)
    minus = -np.ones((1, 5), np.int64)
    (total,) = unit.run(minus, minus)
    assert unit.outputs[0].pack(total).tolist() == [[6, 6, 6, 6], [6, 0, 0, 0]]


def test_factors_may_be_any() -> None:
    unit = Add((signed(4), signed(4)), signed(7), 3, factors=(1, 6))
    (total,) = unit.run(np.array([[1, -8, 7]]), np.array([[-8, -8, 7]]))
    assert total.tolist() == [[-47, -56, 49]]
    assert unit.levels == 2, "three terms: one and 2 + 4"


def test_vectors_are_joined_position_by_position() -> None:
    unit = Concat((signed(3), signed(3)), signed(3), (2, 1), vectors=2)
    (joined,) = unit.run(np.array([[0, 1, 2, 3]]), np.array([[-1, -2]]))
    assert joined.tolist() == [[0, 1, -1, 2, 3, -2]]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Fork(BIPOLAR, 4, 1, origin="x"), "x: outputs must be at least 2, not 1"),
        (lambda: Add((BIPOLAR,), signed(2), 4, origin="x"), "x: inputs must be at least 2, not 1"),
        (
            lambda: Add((BIPOLAR,) * 2, signed(3), 4, factors=(1,), origin="x"),
            "x: factors must be one of 1 to 2^32 - 1 for each of 2 inputs, not (1,); scale the "
            "others",
        ),
        (
            lambda: Add((BIPOLAR,) * 2, signed(3), 4, pe=5, origin="x"),
            "x: pe must be 1 to 4 (channels), not 5; choose 1, 2, 4",
        ),
        (
            lambda: Concat((BIPOLAR,), BIPOLAR, (4, 4), origin="x"),
            "x: inputs must have a type each, not 1 for 2; name them all",
        ),
        (
            lambda: Concat((BIPOLAR, unsigned(1)), BIPOLAR, (4, 4), origin="x"),
            "x: output must be of integers, not BIPOLAR, since not all inputs are BIPOLAR; "
            "choose INT2",
        ),
        (
            lambda: Concat((BIPOLAR,) * 3, BIPOLAR, (8, 12, 3), pe=4, origin="x"),
            "x: pe must divide the channels of every input but the last, (8, 12, 3), and be at "
            "most those of the last, not 4; choose 1, 2",
        ),
        (
            lambda: Fork(BIPOLAR, 4, origin="x").fold(Folding(1, 2)),
            "x: simd must be 1 to 1 (forks have no SIMD), not 2",
        ),
    ],
)
def test_refusals(make, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=re.escape(said)):
        make()
