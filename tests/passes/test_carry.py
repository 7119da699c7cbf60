# SPDX-License-Identifier: Apache-2.0
"""What dense connections carry: every form is exact, the cheapest is taken, sums keep integers."""

from dataclasses import replace

import numpy as np
import pytest

from hwbnn.board import find_board
from hwbnn.errors import MismatchError
from hwbnn.ir.dtype import BIPOLAR, signed, smallest
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import Add, Concat, Conv, Dense, Input, Op, Staircase
from hwbnn.ir.text import graph_text
from hwbnn.ir.unit import Family
from hwbnn.ir.verify import verify_graph
from hwbnn.ir.window import Window
from hwbnn.passes import adapt, cheapest_folding, lower, size_fifos
from hwbnn.passes.carry import INTEGERS, carry, check_equal, forms
from hwbnn.passes.dense_blocks import dense_blocks
from hwbnn.passes.fifos.steps import price
from hwbnn.passes.ranks import Code
from hwbnn.sim.interpret import Interpreter
from hwbnn.sim.reference import reference
from hwbnn.tools.cosim import Job
from hwbnn.tools.proof import compare_many
from tests.dense_graphs import dense_graph, in_some_form
from tests.graphs import pixels

FIRST = np.array([[[1, 1]]])
PIXEL = Window(2, 2, (1, 1))


def sign(name: str, source: str, channels: int, threshold: int, *, down: bool = False) -> Staircase:
    rows = np.array([[threshold]])
    return Staircase(name, source, 4 * channels, rows, np.array([down]), 0, BIPOLAR, 4)


BLOCK: tuple[Op, ...] = (
    Input("pixels", 8, signed(3), 4),
    Conv("x0", "pixels", FIRST, BIPOLAR, PIXEL, signed(4)),
    sign("s0", "x0", 1, -3),
    Conv("x1", "s0", FIRST[:, :, :1], BIPOLAR, PIXEL, signed(2)),
    Concat("c1", ("x0", "x1"), (1, 1), signed(4), 4),
    sign("s1", "c1", 2, 0),
    Conv("x2", "s1", FIRST, BIPOLAR, PIXEL, signed(3)),
    Concat("c2", ("c1", "x2"), (2, 1), signed(4), 4),
    sign("s2", "c2", 3, 5, down=True),
    Dense("fc", "s2", np.ones((1, 12), np.int64), BIPOLAR, signed(5)),
)


def graph(*ops: Op, output: str = "fc") -> Graph:
    return Graph("g", ops, output, (8,), Preprocess(1.0))


def put(op: Op) -> Graph:
    """Return the block with another operator in the place of the one of its name."""
    return graph(*(op if other.name == op.name else other for other in BLOCK))


RANKS = """graph g: pixels 8, x = p
  pixels: INT3[4 x 2] = input
  x0: INT4[4 x 1] = conv(pixels) 1x1 weights BIPOLAR 1 x 2
  s0: BIPOLAR[4 x 1] = staircase(x0) 1 steps x 1 rows
  x1: INT2[4 x 1] = conv(s0) 1x1 weights BIPOLAR 1 x 1
  x0_rank: UINT2[4 x 1] = staircase(x0) 2 steps x 1 rows
  x1_rank: UINT1[4 x 1] = staircase(x1) 1 steps x 1 rows
  c1: UINT2[4 x 2] = concat(x0_rank, x1_rank) 1 + 1 channels
  s1: BIPOLAR[4 x 2] = staircase(c1) 1 steps x 1 rows
  x2: INT3[4 x 1] = conv(s1) 1x1 weights BIPOLAR 1 x 2
  s2_c1: BIPOLAR[4 x 2] = staircase(c1) 1 steps x 1 rows, 2 descending
  s2_x2: BIPOLAR[4 x 1] = staircase(x2) 1 steps x 1 rows, 1 descending
  s2: BIPOLAR[4 x 3] = concat(s2_c1, s2_x2) 2 + 1 channels
  fc: INT5[1] = dense(s2) weights BIPOLAR 1 x 12
  output fc
"""


def test_integers_become_ranks() -> None:
    """Of the thresholds 0 and 5 no value of x1, at most 1, reaches the second."""
    (block,) = dense_blocks(graph(*BLOCK))
    (name, found), _ = forms(graph(*BLOCK), block)
    assert (name, graph_text(found)) == ("ranks", RANKS)


def test_a_wrong_rank_is_a_mismatch() -> None:
    given = graph(*BLOCK)
    frames = pixels(given, 50)
    check_equal(put(sign("s1", "c1", 2, 0)), given, frames)
    with pytest.raises(MismatchError, match="g: output of frame [0-9]+ must be as with integers"):
        check_equal(put(sign("s2", "c2", 3, 1, down=True)), given, frames)


def test_thresholds_become_ranks() -> None:
    code = Code(-9, 9, np.array([-2, 3]))
    thresholds = np.array([-20, -9, -2, 3, 10, 11])
    assert code.of(thresholds).tolist() == [0, 0, 1, 2, 3, 3]
    assert Code(-9, 9).of(thresholds).tolist() == [-9, -9, -2, 3, 10, 10]
    assert code.within(np.array([3, 3, -9, 10, -8, 9])).tolist() == [-8, 3, 9]


@pytest.mark.parametrize("first", range(0, 24, 6))
def test_every_form_gives_the_same_integers(first: int) -> None:
    names: set[str] = set()
    for seed in range(first, first + 6):
        made = dense_graph(seed)
        frames = pixels(made, 30, seed=seed)
        expected = reference(made, frames)
        for block in dense_blocks(made):
            for name, tried in forms(made, block):
                verify_graph(tried)
                found = Interpreter(tried).run(frames)
                np.testing.assert_array_equal(found, expected, err_msg=f"seed {seed}: {name}")
                assert np.unique(expected).size > 1
                names.add(name)
    assert len(names) == 4


def test_what_others_read_keeps_its_integers() -> None:
    """A sum, a pool, the host, or a staircase by position: there is no block."""
    total = Add("s2", ("c2", "c2"), 12, smallest(-16, 14), 4)
    end = Dense("fc", "s2", np.ones((1, 12), np.int64), BIPOLAR, signed(10))
    assert not dense_blocks(graph(*BLOCK[:-2], total, end))
    assert not dense_blocks(graph(*BLOCK, output="c2"))
    last = BLOCK[-2]
    assert isinstance(last, Staircase)
    by_position = replace(
        last,
        thresholds=np.arange(6)[:, None],
        descending=np.zeros(3, np.bool_),
        border=np.array([0, 1, 1, 0]),
    )
    assert dense_blocks(put(last)) and not dense_blocks(put(by_position))


def test_integers_stay_where_they_are_cheapest() -> None:
    """What is chosen is never dearer by the model."""
    kept = 0
    for seed in range(16):
        given = dense_graph(seed)
        found, carried = carry(given)
        for block in carried:
            assert (block.what == INTEGERS) == (block.integers == 0)
            assert block.chosen <= block.integers
        kept += found is given
    assert 0 < kept < 16


WIDE = {"layers": 4, "channels": 8, "size": (16, 32)}


@pytest.mark.parametrize("seed", [1, 6])
def test_long_connections_carry_ranks(seed: int) -> None:
    made = dense_graph(seed, **WIDE)
    found, (carried,) = carry(made)
    assert carried.what.startswith("ranks")
    assert 0 < carried.chosen < 0.95 * carried.integers
    both = [
        {op.name: op.dtype.bits for op in g.ops if op.name in carried.joins} for g in (made, found)
    ]
    assert both[1] and all(bits < both[0][name] for name, bits in both[1].items())
    frames = pixels(made, 3)
    np.testing.assert_array_equal(Interpreter(found).run(frames), Interpreter(made).run(frames))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 6])
def test_the_whole_design_is_smaller(seed: int) -> None:
    """With converters, and with FIFOs as they are sized, which the choice only estimates."""
    given = dense_graph(seed, **WIDE)
    prices = []
    for made in (given, carry(given)[0]):
        folded = cheapest_folding(
            lower(made), target_cycles=4096, limit=find_board("zcu104").limit, family=Family.XC7
        )
        design = size_fifos(adapt(folded.design), effort=20_000_000)
        prices.append(price(design.resources(Family.XC7), Family.XC7))
    assert prices[1] < prices[0]


@pytest.mark.slow
def test_hardware_with_ranks_gives_the_integers_own_outputs() -> None:
    """RTL, cycle by cycle and bit by bit, against the graph of integers."""
    rng, graphs, jobs = np.random.default_rng(3), [], []
    for seed in range(8):
        made = dense_graph(seed)
        carried, names = in_some_form(made, rng)
        if names:
            graphs.append(made)
            jobs.append(Job(size_fifos(adapt(lower(carried))), pixels(made, 3, seed=seed)))
    assert len(jobs) > 4
    for made, job, found in zip(graphs, jobs, compare_many(jobs), strict=True):
        assert found.equal, found.differences[0]
        np.testing.assert_array_equal(found.result.output, reference(made, job.frames))
