# SPDX-License-Identifier: Apache-2.0
"""The search finds what trying everything finds, and says what stands in the way of more."""

import re
from dataclasses import replace
from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest

from hwbnn.board import find_board
from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.dtype import BIPOLAR
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Family, Folding, Knobs, Resources, Style
from hwbnn.passes import adapt, cheapest_folding, fastest_folding, fold, lower
from hwbnn.passes.fold import with_units
from hwbnn.passes.search.chain import search
from hwbnn.passes.search.fit import Searched, slowest_of_fastest
from hwbnn.passes.search.search_space import (
    Chain,
    Choice,
    Joins,
    Options,
    choices,
    cycles_of_foldings,
    is_chain,
    with_least_fifos,
)
from hwbnn.units import UNITS
from hwbnn.units.width_converter import WidthConverter
from tests.graphs import BNN_PYNQ_FOLDING, binary_mlp, cnv, random_cnn

XC7, ECP5 = Family.XC7, Family.ECP5
PYNQ = find_board("pynq-z2").limit
KINDS = len(Resources().amounts)


# ---- the search itself, on numbers ---------------------------------------------------------------


def random_chain(rng: np.random.Generator) -> Chain:
    lengths = rng.integers(1, 6, rng.integers(1, 5))
    stream = [Stream(BIPOLAR, 1, lanes) for lanes in (1, 2, 3)]
    options, joins = [], []
    for count in lengths:
        wanted, given = (stream[: rng.integers(1, 4)] for _ in range(2))
        options.append(
            Options(
                tuple(Choice(int(n), Knobs(int(n))) for n in range(count)),
                rng.integers(1, 9, count),
                rng.integers(0, 6, (count, KINDS)) * rng.integers(0, 2, KINDS),
                rng.integers(0, len(wanted), count),
                rng.integers(0, len(given), count),
                tuple(wanted),
                tuple(given),
            )
        )
    for before, after in pairwise(options):
        shape = len(before.given), len(after.wanted)
        joins.append(Joins(rng.integers(0, 9, shape), rng.integers(0, 4, (*shape, KINDS))))
    return Chain(tuple(options), tuple(joins))


def every_choice(chain: Chain, target: int) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Options and cost of all that keeps the target."""
    found = []
    for picks in product(*(range(len(o.choices)) for o in chain.options)):
        cycles = [o.cycles[i] for o, i in zip(chain.options, picks, strict=True)]
        cost = sum(o.costs[i] for o, i in zip(chain.options, picks, strict=True))
        for index, join in enumerate(chain.joins):
            ends = (
                chain.options[index].writes[picks[index]],
                chain.options[index + 1].reads[picks[index + 1]],
            )
            cycles.append(join.cycles[ends])
            cost = cost + join.costs[ends]
        if max(cycles) <= target:
            found.append((picks, cost))
    return found


@pytest.mark.parametrize("part", range(4))
def test_search_is_exact_under_any_limits(part: int) -> None:
    reached = set()
    for seed in range(300 * part, 300 * part + 300):
        rng = np.random.default_rng(seed)
        chain, target = random_chain(rng), int(rng.integers(3, 9))
        price = rng.integers(0, 5, KINDS) * np.array([1, 0, 1, 1, 1])
        limit = rng.integers(0, 16, KINDS)
        every = every_choice(chain, target)
        fitting = [int(cost @ price) for _, cost in every if (cost <= limit).all()]
        found = search(chain, target=target, price=price, limit=limit)
        reached.add((bool(every), bool(fitting)))
        if found is None:
            assert not fitting, seed
            continue
        cost = np.array(found.cost)
        assert (cost <= limit).all(), seed
        assert int(cost @ price) == min(fitting), seed
        picks = tuple(choice.knobs.pe for choice in found.choices)
        assert any(picks == p and (cost == c).all() for p, c in every), seed
    assert reached == {(False, False), (True, False), (True, True)}


# ---- designs -------------------------------------------------------------------------------------


def built(design: Design, family: Family = XC7) -> Design:
    """Adapt, with the FIFOs that the search reckons with."""
    return with_least_fifos(adapt(design), family=family)


def share(cost: Resources, limit: Resources) -> float:
    return cost.lut / limit.lut + cost.bram / limit.bram + cost.dsp / limit.dsp


SMALL = {
    "mlp": binary_mlp((4, 3, 2)),
    "argmax": binary_mlp((5, 3), argmax=True),
    "pool": random_cnn(((2, 2, 1, 0, 2),), (4, 4, 2), (2,)),
    "conv": random_cnn(((3, 3, 1, 0, 0),), (4, 4, 1), (2,)),
    "strided": random_cnn(((2, 2, 2, 1, 0),), (3, 3, 1), (2,)),
}


@cache
def every_design(name: str, floor: int) -> list[tuple[int, Resources]]:
    """Cycles and resources of every combination of choices."""
    design, found = lower(SMALL[name]), []
    every = product(*(choices(i.unit, floor=floor) for i in design.instances))
    for combination in every:
        units = tuple(
            Instance(i.name, i.unit.with_knobs(choice.knobs))
            for i, choice in zip(design.instances, combination, strict=True)
        )
        made = built(with_units(design, units))
        found.append((made.bound, made.resources(XC7)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_fastest_is_the_best_of_all_foldings(name: str) -> None:
    design = lower(SMALL[name])
    _, floor = slowest_of_fastest(design)
    every = every_design(name, floor)
    costs = sorted({cost.lut for _, cost in every})
    for lut in (costs[0], costs[len(costs) // 9], costs[len(costs) // 4], costs[-1]):
        for bram in (0.0, 1.0, 30.0):
            limit = Resources(lut + 0.1, 10_000, bram, 1)
            fitting = [(c, r) for c, r in every if r.within(limit)]
            if not fitting:
                with pytest.raises(ConfigError, match="choose a larger board"):
                    fastest_folding(design, limit=limit, family=XC7, port_bits=64)
                continue
            found = fastest_folding(design, limit=limit, family=XC7, port_bits=64)
            best = min(cycles for cycles, _ in fitting)
            priced = replace(limit, bram=max(bram, 1.0))
            least = min(share(r, priced) for c, r in fitting if c == best)
            assert found.cycles == found.certificate.target == best
            assert share(found.resources, priced) == pytest.approx(least, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_cheapest_is_the_best_of_all_foldings(name: str) -> None:
    design = lower(SMALL[name])
    _, least = slowest_of_fastest(design)
    serial = max(max(cycles_of_foldings(i.unit).values()) for i in design.instances)
    for target in (least + 1, 2 * least + 3, 7 * least):
        every = every_design(name, min(target, serial))
        fitting = [share(r, PYNQ) for c, r in every if c <= target and r.within(PYNQ)]
        found = cheapest_folding(design, target_cycles=target, limit=PYNQ, family=XC7)
        assert found.cycles <= target
        assert found.certificate.share == pytest.approx(min(fitting), abs=1e-6)


@cache
def folded_cnv(target: int, board: str) -> Searched:
    family, limit = find_board(board).cost_family, find_board(board).limit
    return cheapest_folding(lower(cnv()), target_cycles=target, limit=limit, family=family)


@pytest.mark.parametrize(
    ("target", "board"),
    [(8100, "pynq-z2"), pytest.param(30_000, "ulx3s-85f", marks=pytest.mark.slow)],
)
def test_figures_are_those_of_the_adapted_design(target: int, board: str) -> None:
    family, limit = find_board(board).cost_family, find_board(board).limit
    found = folded_cnv(target, board)
    made = built(found.design, family)
    exact = made.resources(family)
    assert made.bound == found.cycles <= target
    for kind in ("lut", "ff", "bram", "dsp"):
        figure = getattr(found.resources, kind)
        assert getattr(exact, kind) <= figure <= getattr(exact, kind) + 0.1  # rounded up, each part
    assert found.resources.within(limit)
    assert found.certificate.share == pytest.approx(share(exact, limit), abs=1e-4)


def test_lanes_that_do_not_divide_are_used_where_they_help() -> None:
    found = folded_cnv(8_100, "pynq-z2").design
    padded = [
        i.name
        for i in found.instances
        if Folding(i.unit.knobs.pe or 1, i.unit.knobs.simd or 1) not in set(i.unit.foldings())
    ]
    assert padded
    assert Style.AUTO not in {i.unit.knobs.weight_style for i in found.instances}


def test_the_port_bounds_the_rate() -> None:
    design = lower(binary_mlp((64, 16, 4)))
    wide = fastest_folding(design, limit=PYNQ, family=XC7, port_bits=512)
    narrow = fastest_folding(design, limit=PYNQ, family=XC7, port_bits=512, port_cycles=64)
    assert wide.cycles == 1
    assert wide.certificate.reason == "no folding of q is faster"
    assert 32 < narrow.cycles <= narrow.certificate.target == 64
    assert narrow.certificate.reason == "the port takes 64 cycles a frame"
    assert narrow.resources.lut < wide.resources.lut


@pytest.mark.parametrize(("bits", "lanes", "cycles"), [(8, 1, 64), (20, 2, 32), (64, 8, 8)])
def test_no_beat_is_wider_than_the_port(bits: int, lanes: int, cycles: int) -> None:
    """Pixels of 8 bits: on 20 bits two arrive in a cycle."""
    design = lower(binary_mlp((64, 16, 4)))
    found = fastest_folding(design, limit=PYNQ, family=XC7, port_bits=bits)
    assert found.design.input.stream.lanes == lanes
    assert found.cycles == found.certificate.target == cycles
    reason = f"at {bits} bits a cycle from the port no folding of q is faster"
    assert found.certificate.reason == reason
    with pytest.raises(ConfigError, match=f"must be at least {cycles}, not {cycles - 1}; {reason}"):
        cheapest_folding(design, target_cycles=cycles - 1, limit=PYNQ, family=XC7, port_bits=bits)
    same = cheapest_folding(design, target_cycles=cycles, limit=PYNQ, family=XC7, port_bits=bits)
    assert same.certificate.share == pytest.approx(found.certificate.share)


def test_a_pixel_wider_than_the_port_still_goes_in() -> None:
    design = lower(binary_mlp((64, 16, 4)))
    found = fastest_folding(design, limit=PYNQ, family=XC7, port_bits=3)
    assert (found.design.input.stream.lanes, found.cycles) == (1, 64)


@pytest.mark.parametrize("board", ["pynq-z2", "ulx3s-85f"])
def test_a_slow_port_gets_the_cheapest_design_of_all(board: str) -> None:
    """Beyond the cycles of the serial design, more time saves nothing."""
    family, limit = find_board(board).cost_family, find_board(board).limit
    design = lower(binary_mlp((144, 48, 30, 10)))
    shares = [
        fastest_folding(
            design, limit=limit, family=family, port_bits=8, port_cycles=cycles
        ).certificate.share
        for cycles in (144, 1_000, 7_000, 100_000, 10**9)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]
    assert shares[-1] == shares[-2]


def test_limits_bound_the_rate() -> None:
    design = lower(binary_mlp((144, 48, 30, 10)))
    limit = Resources(1500, 3000, 4, 1)
    found = fastest_folding(design, limit=limit, family=XC7, port_bits=2048)
    failed = int(found.certificate.reason.split()[5])
    assert found.certificate.reason == f"no folding of at most {failed} cycles fits"
    assert failed < found.cycles == found.certificate.target
    assert found.resources.within(limit)
    with pytest.raises(ConfigError) as error:
        cheapest_folding(design, target_cycles=failed, limit=limit, family=XC7)
    assert str(error.value) == (
        f"mlp: target cycles must be at least {found.cycles}, not {failed}; no faster folding fits "
        "1,500 LUTs, 3,000 flip-flops, 4 block RAMs, 1 DSPs"
    )


def test_same_search_same_design() -> None:
    first, second = (
        cheapest_folding(lower(SMALL["pool"]), target_cycles=90, limit=PYNQ, family=ECP5)
        for _ in range(2)
    )
    assert [i.unit.knobs for i in first.design.instances] == [
        i.unit.knobs for i in second.design.instances
    ]
    assert first.certificate == second.certificate


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (0, "target cycles must be at least 1, not 0"),
        (2699, "cnn: target cycles must be at least 2700, not 2699; no folding of conv0_window is"),
    ],
)
def test_targets_out_of_reach(target: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        cheapest_folding(lower(cnv()), target_cycles=target, limit=PYNQ, family=XC7)


def test_what_fits_at_no_folding_says_by_how_much() -> None:
    design = lower(binary_mlp((144, 48, 30, 10)))
    least = fastest_folding(design, limit=Resources(1e6, 1e6, 1, 1), family=XC7, port_bits=1)
    with pytest.raises(ConfigError) as error:
        fastest_folding(design, limit=Resources(100, 1e6, 1, 1), family=XC7, port_bits=64)
    match = re.fullmatch(
        r"mlp: design must fit 100 LUTs, not ([\d.,]+) LUTs "
        r"\(([\d.,]+) LUTs too many\), at its cheapest folding; the largest layer is (\w+) with "
        r"([\d.,]+) LUTs; choose a larger board or a smaller network",
        str(error.value),
    )
    assert match, str(error.value)
    needs, excess, largest = (float(match[n].replace(",", "")) for n in (1, 2, 4))
    assert needs - excess == pytest.approx(100)
    assert match[3] in [i.name for i in design.instances]
    assert 0 < largest < needs <= least.resources.lut


# ---- foldings that name some layers --------------------------------------------------------------


def test_layers_without_weights_follow_the_named_ones() -> None:
    named = {n: k for n, k in BNN_PYNQ_FOLDING.items() if "_" not in n and n[0] in "cf"}
    assert len(named) == 9
    design = fold(lower(cnv()), foldings=named)
    assert adapt(design).bound == max(design[name].cycles for name in named) == 32_768
    assert all(design[name].folding == Folding(k.pe or 1, k.simd or 1) for name, k in named.items())
    serial = lower(cnv())
    assert built(design).resources(XC7).lut < (
        built(fold(serial, foldings=BNN_PYNQ_FOLDING)).resources(XC7).lut
    )


def test_what_is_named_stays() -> None:
    foldings = {"fc0": Knobs(16, 49, 2, Style.BLOCK), "q": Knobs(7)}
    design = fold(lower(binary_mlp()), foldings=foldings)
    assert design["q"].folding == Folding(7)
    assert design["fc0"].knobs == foldings["fc0"]
    assert design["fc1"].folding == Folding()
    free = fold(lower(binary_mlp()), foldings={f"fc{i}": Knobs(64, 16) for i in range(3)})
    assert free["q"].cycles <= max(free[f"fc{i}"].cycles for i in range(4))


def test_without_a_named_layer_all_stays_serial() -> None:
    assert {i.unit.folding for i in fold(lower(cnv()), foldings={}).instances} == {Folding()}


# ---- units ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.__name__)
def test_cycles_are_the_firings_of_the_busiest_actor(unit: type) -> None:
    for example in unit.examples():
        for choice in choices(example, floor=10**9):
            made = example.with_knobs(choice.knobs)
            assert made.cycles == max(actor.firings for actor in made.actors()) == choice.cycles


def test_cycles_of_every_width_converter() -> None:
    for elements in range(1, 20):
        for given, wanted in product(range(1, elements + 1), repeat=2):
            unit = WidthConverter(BIPOLAR, elements, given, wanted, vectors=2)
            assert unit.cycles == unit.actors()[0].firings, (elements, given, wanted)


def test_lowered_designs_are_chains() -> None:
    assert is_chain(lower(cnv()))
