# SPDX-License-Identifier: Apache-2.0
"""Convolutional graphs through lower, fold and adapt: the design computes what the graph says."""

import numpy as np
import pytest

from hwbnn.ir.design import Instance
from hwbnn.ir.dtype import BIPOLAR, unsigned
from hwbnn.ir.stream import Stream
from hwbnn.ir.text import graph_text
from hwbnn.ir.unit import Unit
from hwbnn.passes import adapt, lower
from hwbnn.passes.adapt import converters
from hwbnn.passes.fold import with_units
from hwbnn.sim.engine import performance
from hwbnn.sim.reference import reference
from tests.cnn_graphs import random_graph
from tests.graphs import pixels


def any_folding(unit: Unit, rng: np.random.Generator) -> Unit:
    choices = list(unit.foldings())
    return unit.fold(choices[int(rng.integers(len(choices)))])


@pytest.mark.parametrize("part", range(10))
def test_design_computes_the_graph(part: int) -> None:
    for seed in range(20 * part, 20 * part + 20):
        graph, rng = random_graph(seed), np.random.default_rng(seed)
        frames = pixels(graph, 3, seed=seed)
        expected = reference(graph, frames)
        design = lower(graph)
        units = [Instance(i.name, any_folding(i.unit, rng)) for i in design.instances]
        design = adapt(with_units(design, tuple(units)))
        np.testing.assert_array_equal(
            design.run(frames), expected, err_msg=f"seed {seed}\n{graph_text(graph)}"
        )
        performance(design, frames=5)  # no deadlock, and every stream's rates agree


@pytest.mark.parametrize(
    ("given", "wanted", "units"),
    [
        (Stream(BIPOLAR, 4, 8, 6), Stream(BIPOLAR, 4, 8, 6), 0),
        (Stream(BIPOLAR, 4, 8, 6), Stream(BIPOLAR, 4, 48, 1), 0),  # cut otherwise: same beats
        (Stream(BIPOLAR, 4, 8, 6), Stream(BIPOLAR, 12, 48, 1), 1),
        (Stream(BIPOLAR, 3, 8, 6), Stream(BIPOLAR, 2, 48, 1), 1),  # padding lanes go first
        (Stream(BIPOLAR, 3, 8, 6), Stream(BIPOLAR, 7, 48, 1), 2),
        (Stream(BIPOLAR, 7, 48, 1), Stream(BIPOLAR, 3, 8, 6), 3),
        (Stream(unsigned(2), 5, 6, 4), Stream(unsigned(2), 5, 12, 2), 2),
    ],
)
def test_converters_join_streams_that_are_cut_otherwise(
    given: Stream, wanted: Stream, units: int
) -> None:
    found = list(converters(given, wanted))
    assert len(found) <= units
    stream = given
    for unit in found:
        assert stream.carries(unit.inputs[0])
        stream = unit.outputs[0]
    assert stream.carries(wanted)
    values = given.dtype.decode(np.arange(given.elements * given.vectors)[None] % 2)
    beats = given.pack(values)
    for unit in found:
        beats = unit.outputs[0].pack(unit.run(unit.inputs[0].unpack(beats))[0])
    np.testing.assert_array_equal(wanted.unpack(beats), values)
