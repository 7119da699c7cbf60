# SPDX-License-Identifier: Apache-2.0
"""FIFO sizing: full speed, the least storage, and its proof."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest

from benchmarks.fifo_sizing import fifo_bits, finn_rule
from hwbnn.board import find_board
from hwbnn.errors import ConfigError
from hwbnn.frontend import import_model
from hwbnn.ir.design import Design, End
from hwbnn.ir.dtype import BIPOLAR
from hwbnn.ir.fifo import Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Buffer, Family, Knobs
from hwbnn.passes import adapt, fastest_folding, fold, lower, size_fifos
from hwbnn.passes.fifos.cut_search import CutSearch
from hwbnn.passes.fifos.even_pace import even_depths
from hwbnn.passes.fifos.size_fifos import enough, size, with_choice, with_depths
from hwbnn.passes.fifos.steps import Step, buffer_steps, fifo_steps
from hwbnn.sim.engine import performance, simulate
from hwbnn.sim.gate import Gate
from hwbnn.sim.paced import Paced
from hwbnn.sim.slowdown import slowdown
from hwbnn.tools.proof import compare
from tests.dag_models import random_dag_model
from tests.graphs import (
    BNN_PYNQ_FOLDING,
    TFC_64_CYCLES,
    binary_mlp,
    cnv,
    pixels,
    random_cnn,
)
from tests.quick import quick
from tests.sim import synthetic

PYNQ = find_board("pynq-z2").limit


def small_cnn(seed: int) -> Design:
    """Two convolutions, a pool and a dense layer at random foldings."""
    rng = np.random.default_rng(seed)
    channels, stride, padding = rng.choice([2, 4, 6], 2), rng.integers(1, 3), rng.integers(0, 2)
    layers = ((int(channels[0]), 3, 1, int(padding), 2), (int(channels[1]), 2, int(stride), 0, 0))
    graph = random_cnn(layers, (9, 8, 2), (5,), seed=seed)
    design = lower(graph)
    foldings = {}
    for instance in design.instances:
        choices = list(instance.unit.foldings())
        chosen = choices[rng.integers(len(choices))]
        foldings[instance.name] = Knobs(chosen.pe, chosen.simd)
    return adapt(fold(design, foldings=foldings))


# ------------------------------------------------------------------------- optimum


def cheapest(design: Design, steps: list[list[Step]]) -> int:
    """Least bits at full speed: all vectors of steps, those of fewer bits first, simulated."""
    for vector in sorted(product(*steps), key=lambda v: sum(step.bits for step in v)):
        chosen = with_choice(design, [s.depth for s in vector], [s.storage for s in vector])
        try:
            if performance(chosen, frames=200).period == design.bound:
                return sum(step.bits for step in vector)
        except ConfigError:  # a deadlock
            continue
    raise AssertionError("the last steps are enough")


def few_steps(design: Design, seed: int, *, most: int) -> list[list[Step]]:
    """Up to `most` random depths for each channel and one that is enough; the deep in block RAM."""
    rng = np.random.default_rng(seed)
    steps = []
    for channel, words in enumerate(enough(design)):
        edge = channel < len(design.edges)
        low = 1 if edge else 3  # the longest window of the synthetic designs
        depths = [*sorted({int(d) for d in rng.integers(low, 9, most)}), words + 10]
        width, block = int(rng.integers(1, 5)), rng.integers(len(depths) // 2, len(depths) + 1)
        kinds = [Storage.BLOCK if edge and i >= block else Storage.LUTRAM for i in range(9)]
        steps.append([Step(d, d * width, d, k) for d, k in zip(depths, kinds, strict=False)])
    return steps


def bursty(seed: int) -> Design:
    """Three units that read and write at random times: neighbours share the waiting."""
    rng = np.random.default_rng(seed)
    build = synthetic.Builder(rng)
    end, beats = None, int(rng.integers(4, 14))
    for _ in range(3):
        unit = synthetic.rate(rng, beats, beats, int(rng.integers(1, 4)))
        end = End(build.unit(unit, end))
    return build.design(f"bursty{seed}")


SMALL = [
    (design, few_steps(design, seed, most=3))
    for seed in range(60)
    for design in (synthetic.real_chain(seed), synthetic.invented(seed))
    if len(enough(design)) <= 5
] + [(bursty(seed), few_steps(bursty(seed), seed, most=60)) for seed in range(12, 30)]


def cut_search(design: Design, steps: list[list[Step]]) -> CutSearch:
    paced = Paced(design, design.bound)
    return CutSearch(paced, steps, enough=even_depths(design), effort=10**9)


@pytest.mark.parametrize("number", quick(range(len(SMALL)), first=20))
def test_no_vector_of_steps_is_cheaper(number: int) -> None:
    design, steps = SMALL[number]
    found = cut_search(design, steps).run()
    assert found.bits == found.bound == cheapest(design, steps)


def test_the_small_designs_need_a_search() -> None:
    """In some, what each channel needs on its own account is not enough together."""
    searches = [cut_search(d, steps) for d, steps in SMALL]
    for search in searches:
        search.run()
    assert sum(len(search.cuts) > 0 for search in searches) > 3


def synthetic_designs() -> list[Design]:
    makers = (synthetic.real_chain, synthetic.invented, bursty, small_cnn)
    return [make(seed) for seed in range(40) for make in makers]


def test_depths_of_an_even_pace_are_enough() -> None:
    sooner = 0
    for design in synthetic_designs():
        depths, certain = even_depths(design), np.array(enough(design))
        none = np.zeros(len(depths), np.int64)
        assert Paced(design, design.bound).fast(depths, none) is True, design.name
        assert (depths >= 1).all()
        sooner += int(depths.sum() < certain.sum())
    assert sooner > 150


def test_an_even_pace_is_near_the_best_where_branches_meet() -> None:
    """Where a search of all vectors would take too long."""
    graph = import_model(random_dag_model(2003).model, name="branches")
    design = adapt(fastest_folding(lower(graph), limit=PYNQ, family=Family.XC7).design)
    quick, long = size(design, effort=1), size(design)
    assert performance(quick.design).period == design.bound
    assert long.bits <= quick.bits <= 1.5 * long.bits


def test_what_is_shallow_after_all_lies_in_no_block_ram() -> None:
    """A search that ends early leaves deep steps, in block RAM, where a few words are enough."""
    graph = import_model(random_dag_model(2003).model, name="branches")
    design = adapt(fastest_folding(lower(graph), limit=PYNQ, family=Family.XC7).design)
    for edge in size(design, effort=1).design.edges:
        steps = fifo_steps(edge.stream, Family.XC7, enough=edge.fifo.depth)
        assert edge.fifo.storage is steps[-1].storage, edge.name


# ------------------------------------------------------------------------- full speed


@pytest.mark.parametrize("seed", range(12))
def test_a_small_cnn_reaches_its_bound_and_no_fifo_is_too_deep(seed: int) -> None:
    design = small_cnn(seed)
    sizing = size(design)
    assert sizing.optimal
    assert performance(sizing.design).period == design.bound
    assert slowdown(sizing.design) is None
    for edge in sizing.design.edges:
        if edge.fifo.depth > 1:
            shorter = with_depths(sizing.design, {edge.name: edge.fifo.depth - 1})
            assert performance(shorter).period > design.bound, edge.name


@pytest.mark.slow
def test_cnv_at_full_speed_with_a_fifth_of_finn_s_bits() -> None:
    design = adapt(fold(lower(cnv()), foldings=BNN_PYNQ_FOLDING))
    sizing, finn = size(design), finn_rule(design)
    assert design.bound == 32_768
    assert sizing.optimal
    assert performance(sizing.design).period == performance(finn).period == 32_768
    windows = sizing.bits - fifo_bits(sizing.design, Family.XC7)
    assert sizing.bits * 5 < fifo_bits(finn, Family.XC7) + windows


def test_ecp5_has_finer_steps() -> None:
    design = small_cnn(2)
    fine, coarse = size(design, family=Family.ECP5), size(design)
    assert fine.optimal
    assert fine.bits < coarse.bits
    assert performance(fine.design).period == design.bound


def test_every_frame_in_its_time() -> None:
    sized = size_fifos(small_cnn(3))
    ends = simulate(sized, frames=60).frame_ends
    assert (np.diff(ends)[30:] == sized.bound).all()


def test_more_storage_is_never_slower() -> None:
    sized = size_fifos(small_cnn(5))
    deeper = with_depths(sized, {e.name: e.fifo.depth + 3 for e in sized.edges})
    assert performance(deeper).period == sized.bound


def test_the_same_again() -> None:
    one, two = size(small_cnn(1)), size(small_cnn(1))
    assert [e.fifo for e in one.design.edges] == [e.fifo for e in two.design.edges]
    assert (one.bits, one.bound, one.simulations) == (two.bits, two.bound, two.simulations)


def test_little_effort_is_still_full_speed_and_honest() -> None:
    design = adapt(fold(lower(binary_mlp((40, 60, 50, 10))), foldings={}))
    best, quick = size(design), size(design, effort=1)
    assert performance(quick.design).period == design.bound
    assert quick.simulations < best.simulations
    assert quick.bound <= best.bound == best.bits <= quick.bits
    assert not quick.optimal


def test_more_effort_is_never_worse_and_always_full_speed() -> None:
    """Efforts at which the search stops before it begins, while it trims, and while it grows."""
    design = small_cnn(4)
    frame = Paced(design, design.bound).frame
    found = [size(design, effort=frames * frame) for frames in (1, 30, 100, 10_000)]
    assert all(performance(sizing.design).period == design.bound for sizing in found)
    bits = [sizing.bits for sizing in found]
    assert bits == sorted(bits, reverse=True)
    assert bits[0] > bits[-1] >= found[-1].bound


def test_a_deadlock_costs_no_whole_frame() -> None:
    design = small_cnn(3)
    paced = Paced(design, design.bound)
    channels = len(design.edges) + sum(len(i.unit.buffers()) for i in design.instances)
    assert paced.fast(np.ones(channels, np.int64), np.zeros(channels, np.int64)) is False
    assert paced.frame // 16 <= paced.firings < paced.frame


@pytest.mark.slow
def test_verilator_agrees() -> None:
    graph = random_cnn(((4, 3, 1, 1, 2), (6, 3, 1, 0, 0)), (8, 8, 2), (5,), seed=4)
    sized = size_fifos(adapt(fold(lower(graph), foldings={})))
    frames = pixels(graph, 4)
    for sink in (Gate(), Gate(7, 200, 230)):
        found = compare(sized, frames, sink=sink)
        assert found.equal, found.differences
    ends = compare(sized, frames).result.output_cycles[
        sized.output.stream.beats - 1 :: sized.output.stream.beats
    ]
    assert ends[-1] - ends[-2] == sized.bound


# ------------------------------------------------------------------------- steps


def test_steps_of_fifos() -> None:
    narrow = fifo_steps(Stream(BIPOLAR, 1, 8), Family.XC7, enough=70)
    assert [(s.depth, s.bits, s.storage) for s in narrow] == [
        (32, 32, Storage.SRL),
        (64, 64, Storage.SRL),
        (96, 96, Storage.SRL),
    ]
    assert [s.depth for s in fifo_steps(Stream(BIPOLAR, 4, 8), Family.ECP5, enough=40)] == [
        16,
        32,
        48,
    ]
    wide = fifo_steps(Stream(BIPOLAR, 36, 36), Family.XC7, enough=1500)
    assert [s.storage for s in wide[-3:]] == [Storage.BLOCK] * 3
    assert [s.depth for s in wide[-3:]] == [512, 1024, 1536]
    assert wide[-4].storage is Storage.LUTRAM
    assert [s.extra_latency for s in wide[-4:]] == [0, 1, 1, 1]


def test_steps_of_buffers() -> None:
    steps = buffer_steps(Buffer(67, 67, 24), Family.XC7, enough=1100)
    assert steps[0].depth in (96, 128)
    assert steps[-1].depth >= 1100
    assert steps[-1].storage is Storage.BLOCK
    assert all(low.price < high.price for low, high in pairwise(steps))


def test_very_long_frames_have_few_steps() -> None:
    assert len(fifo_steps(Stream(BIPOLAR, 1, 1), Family.XC7, enough=10**8)) < 700


# ------------------------------------------------------------------------- users' depths


def test_depths_of_users() -> None:
    sized = size_fifos(adapt(fold(lower(binary_mlp()), foldings=TFC_64_CYCLES)))
    fifos = {e.name: e.fifo for e in sized.edges}
    wanted = with_depths(sized, {"fc0_out": 77, "q_out": 2000})
    changed = {e.name: e.fifo for e in wanted.edges}
    assert changed == fifos | {
        "fc0_out": replace(fifos["fc0_out"], depth=77, storage=Storage.SRL),
        "q_out": replace(fifos["q_out"], depth=2000, storage=Storage.BLOCK),
    }
    with pytest.raises(ConfigError) as error:
        with_depths(sized, {"fc9_out": 4, "in": 0})
    assert error.value.problems == (
        "mlp: FIFO must be one of in, q_out, fc0_out, fc1_in, fc1_out, fc2_out, out, not fc9_out; "
        "rename it",
        "in: depth must be at least 1, not 0; deepen the FIFO",
    )


def test_a_slow_design_names_the_circle() -> None:
    design = small_cnn(0)
    sized = size_fifos(design)
    found = [slowdown(with_depths(sized, {e.name: 1})) for e in sized.edges if e.fifo.depth > 1]
    assert found
    for slow, edge in zip(found, (e for e in sized.edges if e.fifo.depth > 1), strict=True):
        assert slow is not None
        assert edge.name in slow.too_short
        assert slow.period > slow.bound == design.bound
        assert f"waits for room in {edge.name}" in str(slow)
