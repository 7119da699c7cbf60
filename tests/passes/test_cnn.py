# SPDX-License-Identifier: Apache-2.0
"""Convolutional graphs through lower, fold and adapt: the design computes what the graph says."""

import numpy as np
import pytest

from hwbnn.ir.design import Instance
from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import Conv, Input
from hwbnn.ir.stream import Stream
from hwbnn.ir.text import graph_text
from hwbnn.ir.unit import Unit
from hwbnn.ir.window import Window
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


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups_of_a_kernel_that_is_the_whole_image(groups: int) -> None:
    """Battery, seed 107: groups come one after another, so the image's order will not do."""
    rng = np.random.default_rng(groups)
    window, bit = Window(2, 3, (2, 3)), np.array([-1, 1])
    weights = rng.choice(bit, (8, 6, 4 // groups))
    ops = (
        Input("x", 24, unsigned(2), 6),
        Conv("conv", "x", weights, BIPOLAR, window, signed(8), groups),
    )
    graph = Graph("whole", ops, "conv", (4, 2, 3), Preprocess())
    frames = pixels(graph, 5)
    design = adapt(lower(graph))
    np.testing.assert_array_equal(design.run(frames), reference(graph, frames))
    assert len(design.instances) == (1 if groups == 1 else 2)
