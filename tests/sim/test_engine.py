# SPDX-License-Identifier: Apache-2.0
"""The engine: hand-made schedules, a literal simulator, steady state, deadlock."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.unit import Unit
from hwbnn.passes import adapt, lower
from hwbnn.sim import record
from hwbnn.sim.deadlock import Deadlock
from hwbnn.sim.engine import performance, simulate
from hwbnn.sim.gate import ALWAYS, Gate
from hwbnn.sim.kernel import first_on
from hwbnn.sim.schedule import Rules
from hwbnn.sim.slowdown import slowdown
from hwbnn.units import Mvu, WidthConverter
from tests.graphs import random_cnn
from tests.quick import quick
from tests.sim import cycle_by_cycle, synthetic


def chain(*units: Unit, depth: int = 2, storage: Storage = Storage.LUTRAM) -> Design:
    names = [f"u{i}" for i in range(len(units))]
    ends: list[End | None] = [None, *(End(name) for name in names), None]
    streams = [units[0].inputs[0], *(unit.outputs[0] for unit in units)]
    edges = tuple(
        Edge(f"e{i}", Fifo(stream, depth, storage), ends[i], ends[i + 1])
        for i, stream in enumerate(streams)
    )
    instances = tuple(Instance(n, u) for n, u in zip(names, units, strict=True))
    return Design("chain", instances, edges)


def mvu(outputs: int, inputs: int, *, pe: int = 1, simd: int = 1) -> Mvu:
    weights = np.ones((outputs, inputs), np.int64)
    thresholds = np.zeros((outputs, 1), np.int64)
    return Mvu(weights, BIPOLAR, BIPOLAR, BIPOLAR, thresholds, pe=pe, simd=simd)


# ------------------------------------------------------------------------- by hand


def test_one_actor_by_hand() -> None:
    # 4 words to 2: reads at 0, 1, 2, 3 of the table, writes at 1 and 3. Source writes in 0, 1, ...
    # so reads happen in 1, 2, 3, 4; writes in 2 and 4; pops in 3 and 5.
    design = chain(WidthConverter(BIPOLAR, 4, 1, 2), depth=2)
    trace = simulate(design, frames=2, log=True)
    assert trace.input.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert trace.pops["e0"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert trace.reserves["e1"].tolist() == [2, 4, 6, 8]
    assert trace.output.tolist() == [3, 5, 7, 9]
    assert trace.frame_ends.tolist() == [5, 9]
    assert trace.high_water == {"e0": 2, "e1": 1}
    assert trace.starved == {"u0": 1}
    assert trace.blocked == {"u0": 0}
    assert trace.deadlock is None


def test_depth_one_halves_the_rate() -> None:
    # a slot popped in p is reserved again in p + 1 and readable in p + 2
    trace = simulate(chain(WidthConverter(BIPOLAR, 4, 1, 1), depth=1), frames=1, log=True)
    assert trace.input.tolist() == [0, 2, 4, 6]
    assert trace.reserves["e1"].tolist() == [1, 3, 5, 7]
    assert trace.output.tolist() == [2, 4, 6, 8]


def test_block_ram_adds_a_cycle() -> None:
    unit = WidthConverter(BIPOLAR, 4, 1, 1)
    trace = simulate(chain(unit, depth=3, storage=Storage.BLOCK), frames=1)
    assert trace.output.tolist() == [4, 5, 6, 7]


def test_mvu_replays() -> None:
    # SF 2, NF 3: reads in firings 0 and 1, writes in 1, 3, 5
    unit = mvu(3, 4, simd=2)
    trace = simulate(chain(unit, depth=8), frames=2, log=True)
    assert trace.pops["e0"].tolist() == [1, 2, 7, 8]
    assert trace.reserves["e1"].tolist() == [2, 4, 6, 8, 10, 12]
    assert trace.output.tolist() == [when + unit.latency for when in (2, 4, 6, 8, 10, 12)]


def test_room_is_reserved_when_fired() -> None:
    # depth 2 with latency 4: two slots in flight, the third waits for the first's pop
    trace = simulate(chain(synthetic.add(4, 1, 4), depth=2), frames=1, log=True)
    assert trace.reserves["e1"].tolist() == [1, 2, 6, 7]
    assert trace.output.tolist() == [5, 6, 10, 11]
    assert trace.blocked == {"u0": 3}


# --------------------------------------------------- against cycle by cycle, at random


def agree(design: Design, frames: int, source: Gate, sink: Gate) -> int:
    """Compare every event; return the number of events."""
    trace = simulate(design, frames=frames, source=source, sink=sink, log=True)
    truth = cycle_by_cycle.run(design, frames=frames, source=source, sink=sink)
    assert (trace.deadlock is None) == truth.finished
    events = 0
    for name, channel in truth.channels.items():
        assert trace.reserves[name].tolist() == channel.reserves, name
        assert trace.pops[name].tolist() == channel.pops, name
        assert trace.high_water[name] == channel.high_water, name
        events += len(channel.reserves) + len(channel.pops)
    assert trace.input.tolist() == truth.channels[design.input.name].reserves
    if truth.finished:
        assert trace.starved == truth.starved
        assert trace.blocked == truth.blocked
    return events


def gates(seed: int) -> tuple[Gate, Gate]:
    rng = np.random.default_rng(seed)

    def one() -> Gate:
        if rng.random() < 0.3:
            return ALWAYS
        return Gate(int(rng.integers(1 << 32)), *(int(n) for n in rng.integers(60, 257, 2)))

    return one(), one()


@pytest.mark.parametrize("seed", range(60))
def test_real_units(seed: int) -> None:
    assert agree(synthetic.real_chain(seed), 3, *gates(seed)) > 0


@pytest.mark.parametrize("seed", quick(range(120), first=40))
def test_forks_joins_windows(seed: int) -> None:
    assert agree(synthetic.invented(seed), 3, *gates(seed)) > 0


@pytest.mark.parametrize("seed", quick(range(6), first=2))
def test_convolutions(seed: int) -> None:
    """Every event, stall and high water of networks with windows, pools and width converters."""
    rng = np.random.default_rng(seed)
    layers = ((4, 3, 1, int(rng.integers(2)), 2), (2, 2, int(rng.integers(1, 3)), 0, 0))
    design = adapt(lower(random_cnn(layers, (7, 6, 2), (3,), seed=seed)))
    depths = rng.integers(1, 9, len(design.edges))
    fifos = zip(design.edges, depths, strict=True)
    design = design.with_fifos({e.name: replace(e.fifo, depth=int(d)) for e, d in fifos})
    assert agree(design, 2, *gates(seed)) > 0


def test_the_random_designs_reach_deadlock_and_not() -> None:
    dead = [simulate(synthetic.invented(s), frames=3).deadlock is not None for s in range(120)]
    assert 5 < sum(dead) < 80


def test_eight_writes_and_four_reads_at_once() -> None:
    rng = np.random.default_rng(0)
    build = synthetic.Builder(rng)
    name = build.unit(synthetic.fork(5, 8, 2), None)
    halves = [
        build.unit(synthetic.add(5, 4, 3), *(End(name, 4 * half + i) for i in range(4)))
        for half in range(2)
    ]
    build.unit(synthetic.add(5, 2, 1), *(End(half) for half in halves))
    assert agree(build.design("wide"), 4, ALWAYS, ALWAYS) == 12 * 2 * 5 * 4


def test_recording_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(30):
        design = synthetic.real_chain(seed) if seed % 2 else synthetic.invented(seed)
        whole = simulate(design, frames=7, log=True)
        monkeypatch.setattr(record, "EVENTS", 1)  # a frame at a time
        parts = simulate(design, frames=7, log=True)
        monkeypatch.undo()
        assert parts.high_water == whole.high_water
        assert parts.starved == whole.starved
        for name in whole.pops:
            assert parts.pops[name].tolist() == whole.pops[name].tolist()
            assert parts.reserves[name].tolist() == whole.reserves[name].tolist()


# ------------------------------------------------------------------------- controls


@pytest.mark.parametrize("rules", [Rules(credit_delay=0), Rules(extra_latency=1)])
def test_an_error_of_one_cycle_is_seen(rules: Rules) -> None:
    wrong = 0
    for seed in range(20):
        design = synthetic.real_chain(seed)
        right = simulate(design, frames=3, log=True)
        off = simulate(design, frames=3, log=True, rules=rules)
        wrong += any((right.pops[e] != off.pops[e]).any() for e in right.pops)
    assert wrong >= 18  # a design with deep FIFOs alone may never wait for a slot


# ------------------------------------------------------------------------- steady state


def deep(design: Design, depth: int) -> Design:
    return design.with_fifos({e.name: replace(e.fifo, depth=depth) for e in design.edges})


@pytest.mark.parametrize("seed", range(40))
def test_jump_is_plain_simulation(seed: int) -> None:
    design = synthetic.real_chain(seed)
    if seed % 3 == 1:
        design = deep(design, [1, 16, 100][seed // 3 % 3])
    if seed % 3 == 2:
        design = deep(synthetic.invented(seed), 40)
    found = performance(design, frames=1000)
    plain = simulate(design, frames=1000)
    assert plain.deadlock is None
    assert found.frame_ends.tolist() == plain.frame_ends.tolist()
    assert found.first_frame == plain.frame_ends[0] - plain.input[0]
    assert found.simulated_frames < 1000
    late = plain.frame_ends[found.transient :]
    repeat = found.period.denominator
    assert (late[repeat:] - late[:-repeat] == found.period.numerator).all()
    assert found.period >= design.bound


def test_deep_fifos_reach_the_bound() -> None:
    for seed in range(20):
        design = deep(synthetic.real_chain(seed), 40)
        found = performance(design, frames=5)
        assert found.period == design.bound
        assert len(found.frame_ends) == 5


def test_bottleneck() -> None:
    found = performance(chain(mvu(3, 4), mvu(4, 3), mvu(2, 4), depth=8))
    assert found.period == Fraction(12)
    assert found.bottleneck == "u0"
    wide = chain(WidthConverter(BIPOLAR, 8, 1, 8), mvu(1, 8, simd=8), depth=8)
    assert performance(wide).bottleneck == "e0"


# ------------------------------------------------------------------------- deadlock


def skip(depth: int) -> Design:
    """A fork whose one branch needs all 6 words before it gives the first; the other is short."""
    build = synthetic.Builder(np.random.default_rng(0), deepest=1)
    name = build.unit(synthetic.fork(6, 2, 1), None)
    gather = WidthConverter(BIPOLAR, 6, 1, 6)
    scatter = WidthConverter(BIPOLAR, 6, 6, 1)
    whole = build.unit(gather, End(name, 0))
    again = build.unit(scatter, End(whole))
    build.unit(synthetic.add(6, 2, 1), End(again), End(name, 1))
    design = build.design("skip")
    short = next(e for e in design.edges if e.producer == End(name, 1))
    return design.with_fifos({short.name: replace(short.fifo, depth=depth)})


def test_deadlock_is_named() -> None:
    design = skip(2)
    trace = simulate(design, frames=2)
    assert isinstance(trace.deadlock, Deadlock)
    assert set(trace.deadlock.instances) == {"u0", "u1", "u2", "u3"}
    rooms = [wait for wait in trace.deadlock.waits if wait.room]
    assert [(wait.instance, wait.edge) for wait in rooms] == [("u0", "e4")]
    assert trace.deadlock.too_short == ("e4",)
    assert len(trace.output) == 0 and len(trace.frame_ends) == 0
    circle = (
        "u3 waits for a word of e3; u2 waits for a word of e2; u1 waits for a word of e1; "
        "u0 waits for room in e4; last event in cycle 6"
    )
    assert str(trace.deadlock) == circle
    with pytest.raises(ConfigError) as error:
        performance(design)
    assert str(error.value) == (
        f"skip: FIFOs must let every frame through, not stop for ever; deepen e4 ({circle})"
    )


def test_the_last_event_before_a_deadlock() -> None:
    dead = 0
    for seed in range(120):
        design = synthetic.invented(seed)
        stopped = simulate(design, frames=30).deadlock
        if stopped is not None:
            truth = cycle_by_cycle.run(design, frames=30)
            channels = truth.channels.values()
            assert max(max(c.reserves + c.pops, default=0) for c in channels) == stopped.cycle
            with pytest.raises(ConfigError, match=f"last event in cycle {stopped.cycle}\\)"):
                performance(design)
            dead += 1
    assert dead > 5


def test_a_window_s_buffer_is_named() -> None:
    build = synthetic.Builder(np.random.default_rng(0))
    build.unit(synthetic.window(6, 3, -1, 2), None)  # a word less than a window's extent
    trace = simulate(build.design("window"), frames=1)
    assert trace.deadlock is not None
    assert [str(wait) for wait in trace.deadlock.waits] == [
        "u0 waits for a word of u0's buffer",
        "u0 waits for room in u0's buffer",
    ]


def test_deep_enough_is_no_deadlock() -> None:
    assert simulate(skip(8), frames=2).deadlock is None


# ------------------------------------------------------------------------- too slow


def test_a_slow_circle_by_hand() -> None:
    # depth 1: a word reserved in t is read in t + 1, and its slot is reserved again in t + 2
    slow = slowdown(chain(WidthConverter(BIPOLAR, 4, 1, 1), depth=1))
    assert slow is not None
    assert (slow.period, slow.bound) == (Fraction(8), 4)
    assert str(slow) == (
        "a frame every 8 cycles, not 4: u0 waits for a word of e0; source waits for room in e0; "
        "deepen e0"
    )
    assert slowdown(chain(WidthConverter(BIPOLAR, 4, 1, 1), depth=2)) is None


@pytest.mark.parametrize("seed", range(80))
def test_a_slow_circle_explains_the_period(seed: int) -> None:
    design = synthetic.real_chain(seed) if seed % 2 else deep(synthetic.invented(seed), 20)
    period = performance(design, frames=300).period
    slow = slowdown(design)
    if slow is None:
        assert period == design.bound
    else:
        assert design.bound < slow.period <= period
        assert set(slow.too_short) <= {*(e.name for e in design.edges)} | {
            f"{i.name}'s buffer" for i in design.instances
        }


# ------------------------------------------------------------------------- borders


def test_gates_equal_their_definition() -> None:
    cycles = np.arange(5000)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        gate = Gate(int(rng.integers(1 << 32)), *(int(n) for n in rng.integers(20, 257, 2)))
        on = np.flatnonzero(gate.on(cycles))
        expected = on[np.searchsorted(on, cycles[: on[-1]])]
        found = [first_on(int(c), gate.seed, gate.fine, gate.coarse) for c in cycles[: on[-1]]]
        assert found == expected.tolist()


def test_refuses_what_never_ends() -> None:
    design = chain(mvu(2, 2))
    with pytest.raises(ConfigError, match="fine and coarse must be at least 1, not 0 and 256"):
        simulate(design, frames=1, source=Gate(1, 0, 256))
    with pytest.raises(ConfigError, match="frames must be at least 1, not 0"):
        simulate(design, frames=0)


def test_importing_hwbnn_does_not_import_numba() -> None:
    import subprocess
    import sys

    code = "import sys, hwbnn, hwbnn.units; sys.exit('numba' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
