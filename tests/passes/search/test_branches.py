# SPDX-License-Identifier: Apache-2.0
"""Graphs whose branches meet, as designs: wiring, folding unit by unit, sizing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hwbnn.board import find_board
from hwbnn.errors import ConfigError
from hwbnn.frontend import import_model
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import signed, unsigned
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import Add, Concat, Input
from hwbnn.ir.unit import Family, Resources
from hwbnn.passes import adapt, cheapest_folding, fastest_folding, lower
from hwbnn.passes.fifos.size_fifos import size
from hwbnn.passes.search import branches
from hwbnn.passes.search.choice_costs import reckon
from hwbnn.passes.search.fit import UnreachableTargetError, slowest_of_fastest
from hwbnn.passes.search.held import reckoned
from hwbnn.passes.search.network import Network
from hwbnn.passes.search.priced import Settled, Task, settle
from hwbnn.passes.search.search_space import with_least_fifos
from hwbnn.sim.engine import performance
from hwbnn.sim.interpret import Interpreter
from tests.dag_models import random_dag_model

XC7 = Family.XC7
PYNQ = find_board("pynq-z2")
SEEDS = range(2000, 2006)


def edges(design: Design) -> list[str]:
    """Each edge as `producer.port > consumer.port`."""
    ends = ((e.producer, e.consumer) for e in design.edges)
    named = ([f"{end.instance}.{end.port}" if end else "-" for end in pair] for pair in ends)
    return [" > ".join(pair) for pair in named]


def test_a_value_with_several_readers_goes_through_a_fork() -> None:
    pixels = Input("pixels", 6, unsigned(2), 2)
    twice = Add("twice", ("pixels", "pixels"), 6, unsigned(3), 2)
    joined = Concat("joined", ("twice", "pixels", "twice"), (3, 3, 3), unsigned(3), 2)
    graph = Graph("g", (pixels, twice, joined), "joined", (6,), Preprocess(1.0))
    design = lower(graph)
    assert [i.name for i in design.instances] == ["pixels_fork", "twice", "twice_fork", "joined"]
    assert edges(design) == [
        "- > pixels_fork.0",
        "pixels_fork.0 > twice.0",
        "pixels_fork.1 > twice.1",
        "twice.0 > twice_fork.0",
        "twice_fork.0 > joined.0",
        "pixels_fork.2 > joined.1",
        "twice_fork.1 > joined.2",
        "joined.0 > -",
    ]
    frames = np.random.default_rng(0).integers(0, 4, (9, 6))
    np.testing.assert_array_equal(adapt(design).run(frames), Interpreter(graph).run(frames))


def test_steps_of_four_to_one_are_shifted() -> None:
    pixels = Input("pixels", 4, signed(3))
    total = Add("total", ("pixels", "pixels"), 4, signed(6), factors=(1, 4))
    graph = Graph("g", (pixels, total), "total", (4,), Preprocess(1.0))
    frames = np.array([[-4, -1, 0, 3]])
    assert (adapt(lower(graph)).run(frames) == 5 * frames).all()


@pytest.fixture(scope="module")
def graphs() -> list[Graph]:
    return [import_model(random_dag_model(seed).model, name=f"g{seed}") for seed in SEEDS]


@pytest.mark.slow
def test_designs_are_the_graphs_at_full_speed(graphs: list[Graph]) -> None:
    for graph in graphs:
        frames = np.random.default_rng(1).integers(0, 256, (4, graph.on_pixels.input.elements))
        host = graph.host_part
        sent = frames if host is None else Interpreter(host).run(frames)
        design = lower(graph)
        found = fastest_folding(design, limit=PYNQ.limit, family=XC7, port_bits=64)
        built = adapt(found.design)
        expected = Interpreter(graph).run(sent)
        np.testing.assert_array_equal(built.run(sent), expected, err_msg=graph.name)
        assert built.bound == found.cycles
        assert found.certificate is None and found.bound is not None
        assert found.bound.cycles is not None and found.bound.cycles <= found.cycles
        assert found.bound.share <= found.bound.found + 1e-9
        least = with_least_fifos(built, family=XC7).resources(XC7)
        assert same(least, reckon(found.design, {}, family=XC7))
        assert same(found.resources, reckon(found.design, reckoned(design), family=XC7))
        sizing = size(built, family=XC7)
        assert performance(sizing.design).period == found.cycles
        assert sizing.bound <= sizing.bits


def same(one: Resources, other: Resources) -> bool:
    """Equal but for what is rounded up, part by part."""
    return one.amounts == pytest.approx(other.amounts, abs=1.0)


def test_targets_are_kept_cheaply(graphs: list[Graph]) -> None:
    for graph in graphs:
        design = lower(graph)
        _, least = slowest_of_fastest(design)
        costs = []
        for target in (least, 4 * least, 64 * least):
            found = cheapest_folding(design, target_cycles=target, limit=PYNQ.limit, family=XC7)
            assert max(i.unit.cycles for i in found.design.instances) <= target
            assert found.resources.within(PYNQ.limit)
            costs.append(found.resources.lut)
        assert costs[-1] < costs[0]


def test_what_other_prices_found_stands(
    graphs: list[Graph], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last search, from its own prices on, may miss what fits; the one before has found it."""

    def missing(network: Network, task: Task, **options: Any) -> Settled:
        found = settle(network, task, **options)
        return found if options else replace(found, picks=None)

    design = lower(graphs[0])
    usual = fastest_folding(design, limit=PYNQ.limit, family=XC7)
    monkeypatch.setattr(branches, "settle", missing)
    found = fastest_folding(design, limit=PYNQ.limit, family=XC7)
    assert found.cycles <= usual.cycles
    assert found.resources.within(PYNQ.limit)


@pytest.mark.parametrize("channels", [17, 37])
def test_lanes_that_do_not_divide_are_fast_enough_where_none_that_do_are(channels: int) -> None:
    """Of a prime number of channels only 1 and all divide: much too slow, or too wide."""
    pixels = Input("pixels", 4 * channels, unsigned(8), 4)
    twice = Add("twice", ("pixels", "pixels"), 4 * channels, signed(10), 4)
    total = Add("total", ("pixels", "twice"), 4 * channels, signed(11), 4)
    design = lower(Graph("g", (pixels, twice, total), "total", (4 * channels,), Preprocess(1.0)))
    _, least = slowest_of_fastest(design, port_bits=64)
    for pace in (least, 2 * least, 2 * channels):
        found = fastest_folding(
            design, limit=PYNQ.limit, family=XC7, port_bits=64, port_cycles=pace
        )
        assert pace / 2 <= found.cycles <= pace


def test_a_port_that_is_slower_than_the_serial_design_costs_nothing() -> None:
    """Small layers of an iCE40: a choice need not be cheap because it is slow."""
    board = find_board("icebreaker")
    design = lower(import_model(random_dag_model(2008).model, name="branches"))
    serial = 128
    found = [
        fastest_folding(
            design, limit=PYNQ.limit, family=board.cost_family, port_cycles=cycles
        ).resources.amounts
        for cycles in (serial, 3 * serial, 10**9)
    ]
    assert found[0] == found[1] == found[2]


def test_what_does_not_fit(graphs: list[Graph]) -> None:
    design = lower(graphs[0])
    small = Resources(10, 10, 1, 1)
    with pytest.raises(ConfigError, match="design must fit 10 LUTs, .* at its cheapest folding"):
        fastest_folding(design, limit=small, family=XC7, port_bits=64)
    _, least = slowest_of_fastest(design)
    slow = cheapest_folding(design, target_cycles=4 * least, limit=PYNQ.limit, family=XC7)
    room = Resources(slow.resources.lut + 1, PYNQ.limit.ff, slow.resources.bram, 1)
    with pytest.raises(UnreachableTargetError, match="no faster folding (was found that )?fits"):
        cheapest_folding(design, target_cycles=least, limit=room, family=XC7)
