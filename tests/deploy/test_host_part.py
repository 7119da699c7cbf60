# SPDX-License-Identifier: Apache-2.0
"""What the host does as an order and a table is what the graph's host part says."""

from dataclasses import replace

import numpy as np
import pytest

from hwbnn.deploy.host_part import host_part
from hwbnn.errors import ConfigError, MismatchError
from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import Dense, Input, Op, Permute, Staircase, Table
from hwbnn.sim.interpret import Interpreter
from tests.graphs import binary_mlp

CHANNELS, POSITIONS = 3, 8
ELEMENTS = CHANNELS * POSITIONS
CHANNELS_LAST = np.arange(ELEMENTS).reshape(CHANNELS, POSITIONS).T.reshape(-1)


def hosted(*host: Op) -> Graph:
    """A product behind a host's part."""
    last = host[-1]
    sent = Input(last.name, ELEMENTS, last.dtype, getattr(last, "vectors", 1))
    dense = Dense("fc", last.name, np.ones((2, ELEMENTS), np.int64), BIPOLAR, signed(16))
    return Graph("hosted", (sent, dense), "fc", (CHANNELS, 2, 4), Preprocess(), host=host)


PIXELS = Input("x", ELEMENTS, unsigned(8))
PERMUTE = Permute("p", "x", CHANNELS_LAST, unsigned(8), POSITIONS)


def staircase(source: str, rows: int, *, border: bool = False) -> Staircase:
    rng = np.random.default_rng(rows)
    thresholds = np.sort(rng.integers(0, 256, (rows, 3)), axis=1)
    classes = np.arange(POSITIONS) % 2 if border else None
    down = rng.random(CHANNELS if rows > 1 else 1) < 0.5
    return Staircase(
        "q", source, ELEMENTS, thresholds, down, 0, unsigned(2), POSITIONS, border=classes
    )


VALUES = np.random.default_rng(0).integers(-300, 300, (CHANNELS, 256))
TABLE = Table("q", "p", ELEMENTS, VALUES, 0, signed(10), POSITIONS)


@pytest.mark.parametrize(
    ("host", "rows"),
    [
        ((PIXELS, PERMUTE), None),
        ((PIXELS, PERMUTE, staircase("p", 1)), 1),
        ((PIXELS, PERMUTE, staircase("p", CHANNELS)), CHANNELS),
        ((PIXELS, PERMUTE, staircase("p", 2 * CHANNELS, border=True)), ELEMENTS),
        ((PIXELS, staircase("x", 1)), 1),
        ((PIXELS, PERMUTE, TABLE), CHANNELS),
    ],
    ids=["order", "one row", "row a channel", "row an element", "no order", "wide table"],
)
def test_equals_the_interpreter(host, rows):
    graph = hosted(*host)
    found = host_part(graph)
    assert (found.order is None) == (PERMUTE not in host)
    assert (None if found.table is None else len(found.table)) == rows
    images = np.random.default_rng(7).integers(0, 256, (50, ELEMENTS))
    wanted = graph.input.dtype.encode(Interpreter(graph.host_part).run(images))
    np.testing.assert_array_equal(found.codes(images), wanted)


def test_pixels_are_sent_as_they_are():
    found = host_part(binary_mlp((24, 8, 4)))
    assert found.order is None and found.table is None


def test_more_than_order_and_table_is_refused():
    mixed = Dense("q", "x", np.ones((ELEMENTS, ELEMENTS), np.int64), BIPOLAR, unsigned(16))
    with pytest.raises(MismatchError, match="an order and a table per element, not more"):
        host_part(hosted(PIXELS, mixed))


def test_other_inputs_than_pixels_are_refused():
    graph = binary_mlp((24, 8, 4))
    with pytest.raises(
        ConfigError, match=r"unsigned 8-bit pixels in the shape \(5, 5\), not UINT8"
    ):
        host_part(replace(graph, input_shape=(5, 5)))
