# SPDX-License-Identifier: Apache-2.0
"""Designs whose streams part and meet: RTL = engine = integers, FIFO sizing, deadlocks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwbnn.errors import ModelError
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR, signed
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Family
from hwbnn.ir.verify import verify_design
from hwbnn.passes import adapt
from hwbnn.passes.fifos.size_fifos import size
from hwbnn.sim.deadlock import Deadlock
from hwbnn.sim.engine import simulate
from hwbnn.sim.schedule import Rules
from hwbnn.sim.slowdown import slowdown
from hwbnn.tools.cosim import Job
from hwbnn.tools.csim import csim
from hwbnn.tools.proof import compare_many
from hwbnn.units import Add, Concat, Fork
from tests.dag_designs import (
    a_step_less,
    a_word_less,
    dag,
    dense,
    frames,
    full_speed,
    job,
    residual,
    with_random_fifos,
)
from tests.quick import quick
from tests.sim import cycle_by_cycle

SAMPLE = (4, 7, 10, 21, 24)  # small ones; between them every unit and a deadlock
MANY = tuple(range(24))


@pytest.mark.slow
def test_rtl_engine_and_integers_agree() -> None:
    jobs = [job(with_random_fifos(dag(seed), seed), seed) for seed in SAMPLE]
    jobs += [job(size(dag(seed)).design, seed) for seed in SAMPLE]
    jobs += [Job(size(design).design, frames(design, 9)) for design in regular(5)]
    found = compare_many(jobs)
    for one, comparison in zip(jobs, found, strict=True):
        assert comparison.equal, f"{one.design.name}: {comparison.differences[0]}"
        assert comparison.result.complete or comparison.deadlock
    assert all(comparison.result.complete for comparison in found[len(SAMPLE) :])
    assert any(comparison.deadlock for comparison in found)
    for rules in (Rules(credit_delay=0), Rules(extra_latency=1)):  # the same program
        assert not any(comparison.equal for comparison in compare_many(jobs, rules=rules))


def regular(extent: int) -> tuple[Design, Design]:
    """Residual and dense connections, two each."""
    return residual(2, extent=extent), dense(2, extent=extent)


@pytest.mark.parametrize("seed", [4, 7, 26, 30])
def test_engine_is_the_literal_simulator(seed: int) -> None:
    one = job(with_random_fifos(dag(seed), seed), seed)
    trace = simulate(one.design, frames=3, source=one.source, sink=one.sink, log=True)
    truth = cycle_by_cycle.run(one.design, frames=3, source=one.source, sink=one.sink)
    for name, channel in truth.channels.items():
        assert trace.reserves[name].tolist() == channel.reserves, name
        assert trace.pops[name].tolist() == channel.pops, name
        assert trace.high_water[name] == channel.high_water
    if truth.finished:  # what waits in a deadlock waits for ever
        assert (trace.starved, trace.blocked) == (truth.starved, truth.blocked)


@pytest.mark.slow
def test_hls_gives_the_same_integers(tmp_path: Path) -> None:
    for seed in (1, 15, 29):
        design = dag(seed)
        values = frames(design, seed, 4)
        found = csim(design, values, work=tmp_path / str(seed))
        np.testing.assert_array_equal(found, design.run(values))


# ------------------------------------------------------------------------- sizing


@pytest.mark.parametrize("seed", quick(MANY, first=8))
def test_sized_fifos_are_the_least_at_full_speed(seed: int) -> None:
    family = list(Family)[seed % 2]
    sizing = size(dag(seed), family=family)
    assert sizing.optimal
    assert full_speed(sizing.design)
    assert slowdown(sizing.design) is None
    assert not any(map(full_speed, a_word_less(sizing.design)))
    assert not any(map(full_speed, a_step_less(sizing.design, family)))


@pytest.mark.parametrize("family", Family)
def test_long_connections_need_their_memory(family: Family) -> None:
    """What bypasses a convolution waits for a row of it and more: several steps of memory."""
    for design in regular(12):
        sizing = size(design, family=family)
        assert sizing.optimal
        assert full_speed(sizing.design)
        shorter = a_step_less(sizing.design, family)
        assert len(shorter) >= 2
        assert not any(map(full_speed, shorter))
        assert not any(map(full_speed, a_word_less(sizing.design)))


def test_a_short_fifo_is_named_in_what_slows_the_design() -> None:
    for seed in SAMPLE:
        sized = size(dag(seed)).design
        for less in a_word_less(sized):
            (short,) = (e.name for e in less.edges if e.fifo != _fifo(sized, e.name))
            if simulate(less, frames=1).deadlock is None:
                found = slowdown(less)
                assert found is not None
                assert short in found.too_short


def _fifo(design: Design, name: str) -> Fifo:
    return next(edge.fifo for edge in design.edges if edge.name == name)


# ------------------------------------------------------------------------- deadlock


def stopped() -> list[tuple[Design, Deadlock]]:
    """Designs with FIFOs of one or two words that stop, and what they name."""
    found = []
    for seed in MANY:
        design = dag(seed)
        depth = 1 + seed % 2
        short = design.with_fifos(
            {e.name: Fifo(e.stream, depth, Storage.LUTRAM) for e in design.edges}
        )
        named = simulate(short, frames=2).deadlock
        if named is not None:
            found.append((short, named))
    return found


def test_a_deadlock_names_its_circle() -> None:
    """Each waits for the next one; deeper FIFOs help only with one of the full ones."""
    circles = stopped()
    assert len(circles) > 8
    for design, named in circles:
        ends = {e.name: (e.producer, e.consumer) for e in design.edges}
        for wait, after in zip(named.waits, [*named.waits[1:], named.waits[0]], strict=True):
            if wait.edge not in ends:  # a window's own buffer: fill and drain
                assert wait.instance == after.instance
                continue
            producer, consumer = ends[wait.edge]
            own, other = (producer, consumer) if wait.room else (consumer, producer)
            assert own is not None and own.instance == wait.instance
            assert other is not None and other.instance == after.instance
        assert named.too_short
        deep = {e.name: replace(e.fifo, depth=4000) for e in design.edges}
        others = {name: fifo for name, fifo in deep.items() if name not in named.too_short}
        assert simulate(design.with_fifos(others), frames=2).deadlock is not None
        assert simulate(design.with_fifos(deep), frames=2).deadlock is None


# ------------------------------------------------------------------------- what is valid


def with_edge(design: Design, name: str, **ends: End) -> Design:
    edges = tuple(replace(e, **ends) if e.name == name else e for e in design.edges)
    return replace(design, edges=edges)


def test_ports_and_order_are_verified() -> None:
    design = dag(7)
    fork = next(i.name for i in design.instances if isinstance(i.unit, Fork))
    second = design.out_of(fork)[1]
    twice = with_edge(design, second.name, producer=End(fork, 0))
    with pytest.raises(ModelError, match=f"{fork}: every output port must have one edge"):
        verify_design(twice)
    absent = with_edge(design, second.name, producer=End(fork, 5))
    with pytest.raises(ModelError, match=f"{second.name}: {fork} must have a port 5, not 2 alone"):
        verify_design(absent)
    unknown = with_edge(design, second.name, producer=End("nobody"))
    with pytest.raises(ModelError, match=f"{second.name}: producer must be an instance, not nob"):
        verify_design(unknown)
    reverse = replace(design, instances=design.instances[::-1])
    with pytest.raises(ModelError, match=f"{second.name}: producer must stand before the consumer"):
        verify_design(reverse)


def test_converters_at_every_port_have_names_of_their_own() -> None:
    """Of `add` and `add_1`, as exporters number nodes."""
    bits = Stream(BIPOLAR, 1, 6)
    fork = Fork(BIPOLAR, 6, 3)
    first = Add((BIPOLAR,) * 2, signed(3), 6, pe=2)
    second = Add((signed(3), BIPOLAR), signed(4), 6, pe=3)
    edges = (
        Edge("in", Fifo(bits), None, End("split")),
        *(Edge(f"way{i}", Fifo(bits), End("split", i), End("add", i)) for i in range(2)),
        Edge("way2", Fifo(bits), End("split", 2), End("add_1", 1)),
        Edge("sum", Fifo(first.outputs[0]), End("add"), End("add_1")),
        Edge("out", Fifo(second.outputs[0]), End("add_1"), None),
    )
    units = (("split", fork), ("add", first), ("add_1", second))
    design = adapt(Design("sums", tuple(Instance(*each) for each in units), edges))
    names = [instance.name for instance in design.instances]
    assert [name for name in names if "width" in name] == [
        "add_width",
        "add_width_p1",
        "add_1_width_p1",
        "add_1_width",
    ]
    values = frames(design, 1)
    np.testing.assert_array_equal(design.run(values), 3 * values)


def test_a_stream_read_twice_needs_a_fork() -> None:
    design = dag(7)
    edge = next(e for e in design.edges if e.producer and e.consumer)
    more = Edge("more", edge.fifo, edge.producer, None)
    with pytest.raises(ModelError, match="a Fork makes more of it"):
        verify_design(replace(design, edges=(*design.edges, more)))


def test_the_sample_reaches_nested_concatenations() -> None:
    nested = 0
    for seed in MANY:
        design = dag(seed)
        units = {i.name: i.unit for i in design.instances}
        joined = [i.name for i in design.instances if isinstance(i.unit, Concat)]
        nested += any(
            isinstance(units[e.producer.instance], Concat)
            for name in joined
            for first in design.into(name)
            for e in (first, *design.into(first.producer.instance if first.producer else name))
            if e.producer
        )
    assert nested > 0
