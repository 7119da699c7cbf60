# SPDX-License-Identifier: Apache-2.0
"""Add and Concat in a graph: what is valid, their ranges, readers, text, and their meaning."""

from dataclasses import replace

import numpy as np
import pytest

from hwbnn.errors import ModelError
from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import Add, Concat, Dense, Input, Op, Staircase
from hwbnn.ir.ranges import value_range
from hwbnn.ir.text import graph_text
from hwbnn.ir.verify import verify_graph
from hwbnn.passes import lower
from hwbnn.sim.interpret import Interpreter
from hwbnn.sim.reference import reference

PIXELS = Input("pixels", 6, unsigned(2), 2)
SIGNS = Staircase(
    "signs", "pixels", 6, np.array([[2]]), np.array([False]), 0, BIPOLAR, 2
)  # 2 vectors of 3 channels
ADD = Add("total", ("pixels", "signs"), 6, signed(4), 2, (1, 3))
CONCAT = Concat("joined", ("total", "signs", "total"), (3, 3, 3), signed(4), 2)
WEIGHTS = np.array([[1] * 18, [1, -1] * 9])


def graph(*ops: Op) -> Graph:
    return Graph("g", ops, ops[-1].name, (6,), Preprocess(1.0))


WHOLE = graph(PIXELS, SIGNS, ADD, CONCAT, Dense("fc", "joined", WEIGHTS, BIPOLAR, signed(8)))


def problem(*ops: Op) -> str:
    with pytest.raises(ModelError) as error:
        verify_graph(graph(PIXELS, SIGNS, *ops))
    return str(error.value)


def test_meaning() -> None:
    verify_graph(WHOLE)
    frames = np.random.default_rng(1).integers(0, 4, (50, 6))
    signs = np.where(frames >= 2, 1, -1)
    total = (frames + 3 * signs).reshape(50, 2, 3)
    joined = np.concatenate([total, signs.reshape(50, 2, 3), total], axis=2)
    expected = joined.reshape(50, 18) @ WEIGHTS.T
    np.testing.assert_array_equal(reference(WHOLE, frames), expected)
    np.testing.assert_array_equal(Interpreter(WHOLE).run(frames), expected)
    np.testing.assert_array_equal(Interpreter(WHOLE, threads=1).run(frames), expected)


def test_words_stay_packed_where_channels_fill_them() -> None:
    rng = np.random.default_rng(2)
    for channels in (64, 60):
        pixels = Input("pixels", 2 * channels, unsigned(4), 2)
        a, b = (
            Staircase(
                name, "pixels", 2 * channels, rng.integers(1, 16, (channels, 1)),
                rng.random(channels) < 0.5, 0, BIPOLAR, 2,
            )
            for name in "ab"
        )  # fmt: skip
        whole = graph(pixels, a, b, Concat("both", ("a", "b"), (channels,) * 2, BIPOLAR, 2))
        frames = rng.integers(0, 16, (9, 2 * channels))
        np.testing.assert_array_equal(Interpreter(whole).run(frames), reference(whole, frames))


def test_ranges_are_exact() -> None:
    assert WHOLE.range_of("total") == (-3, 6)
    assert WHOLE.range_of("joined") == (-3, 6)
    assert WHOLE.range_of("fc") == (-81, 108)
    value, ops = "pixels", {"pixels": PIXELS}
    for index in range(40):  # of which each reads the one before it twice
        op = Add(f"add{index}", (value, value), 6, signed(62), 2)
        value, ops[op.name] = op.name, op
    assert value_range(ops[value], ops) == (0, 3 << 40)


def test_readers_and_text() -> None:
    assert WHOLE.readers("total") == (CONCAT,)
    assert WHOLE.readers("signs") == (ADD, CONCAT)
    assert "  total: INT4[2 x 3] = add(pixels, 3 * signs)\n" in graph_text(WHOLE)
    assert "  joined: INT4[2 x 9] = concat(total, signs, total) 3 + 3 + 3 channels\n" in (
        graph_text(WHOLE)
    )


def test_what_is_not_valid() -> None:
    assert problem(replace(ADD, dtype=signed(3))) == "total: type must hold [-3, 6], not INT3"
    assert problem(replace(ADD, sources=("pixels",), factors=())) == (
        "total: sources must be two or more, not 1"
    )
    assert problem(replace(ADD, sources=("pixels", "late"))) == (
        "total: source must stand before it, not late"
    )
    assert problem(replace(ADD, factors=(1, 0))) == (
        "total: factors must be positive, one a source, not (1, 0)"
    )
    assert problem(replace(ADD, vectors=3)) == (
        "total: sources must be all of 3 vectors of 2 channels, not 2 x 3, 2 x 3"
    )
    assert problem(Concat("c", ("pixels", "signs"), (3, 2), signed(4), 2)) == (
        "c: sources must be of 2 vectors of 3 + 2 channels, not 2 x 3, 2 x 3"
    )
    assert problem(Concat("c", ("pixels", "signs"), (3, 3), BIPOLAR, 2)) == (
        "c: type must hold [-1, 3], not BIPOLAR"
    )


def test_hardware_multiplies_with_any_factor() -> None:
    frames = np.random.default_rng(4).integers(0, 4, (50, 6))
    np.testing.assert_array_equal(lower(WHOLE).run(frames), reference(WHOLE, frames))
