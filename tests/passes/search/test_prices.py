# SPDX-License-Identifier: Apache-2.0
"""Prices: bounds hold and choices are near the best, against every choice of small networks."""

from itertools import product

import numpy as np
import pytest

from hwbnn.ir.unit import KINDS, Knobs
from hwbnn.passes.search.elimination import cheapest
from hwbnn.passes.search.network import Between, Face, Link, Network, Picks
from hwbnn.passes.search.polish import polish
from hwbnn.passes.search.priced import Task, settle
from hwbnn.passes.search.search_space import Choice

WIRING = {  # producers of each unit: residual, dense, two branches of which one ends in itself
    "residual": ((), (0,), (1,), (2, 0)),
    "dense": ((), (0,), (0, 1), (2,), (2, 3)),
    "twice": ((), (0, 0), (1,), (1,), (3, 2)),
}


def random_network(rng: np.random.Generator, wiring: tuple[tuple[int, ...], ...]) -> Network:
    faces, links, between = [], [], []
    for producers in wiring:
        count, wanted, given = (int(n) for n in rng.integers(1, 4, 3))
        face = Face(
            tuple(Choice(int(n), Knobs(int(n))) for n in range(count)),
            np.sort(rng.integers(1, 6, count)),
            rng.integers(0, 9, (count, len(KINDS))),
            np.append(rng.integers(0, wanted, count - 1), wanted - 1),
            np.append(rng.integers(0, given, count - 1), given - 1),
            wanted,
            given,
        )
        for producer in producers:
            shape = faces[producer].given, wanted
            costs = rng.integers(0, 5, (*shape, len(KINDS)))
            links.append(Link(producer, len(faces)))
            between.append(Between(rng.integers(1, 9, shape), costs))
        faces.append(face)
    return Network(tuple(faces), tuple(links), tuple(between))


def every_design(network: Network, target: int) -> list[Picks]:
    picks = product(*(range(len(face.choices)) for face in network.faces))
    return [one for one in picks if network.cycles(one) <= target]


@pytest.mark.parametrize("name", WIRING)
def test_elimination_is_exact_and_a_bound_without_all_streams(name: str) -> None:
    found = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        network, target = random_network(rng, WIRING[name]), int(rng.integers(5, 9))
        price = rng.integers(0, 5, len(KINDS))
        every = every_design(network, target)
        if not every or any(face.cycles[0] > target for face in network.faces):
            continue
        within = network.within(target)
        least = min(int(network.cost(picks) @ price) for picks in every)
        one = cheapest(within, price, target=target)
        assert int(network.cost(one.picks) @ price) == one.price == least, seed
        assert network.cycles(one.picks) <= target
        assert cheapest(within, price, target=target, most=2).price <= least, seed
        found += 1
    assert found > 20


@pytest.mark.parametrize("name", WIRING)
def test_what_is_settled_fits_and_nothing_is_below_the_bound(name: str) -> None:
    gaps, missed, reached = [], 0, set()
    for seed in range(80):
        rng = np.random.default_rng(1000 + seed)
        network, target = random_network(rng, WIRING[name]), 8
        price = np.array([7, 0, 5, 3, 1])
        every = every_design(network, target)
        if not every:
            continue
        costs = [network.cost(picks) for picks in every]
        limit = np.maximum(1, costs[rng.integers(len(costs))] + rng.integers(-6, 7, len(KINDS)))
        fitting = [int(cost @ price) for cost in costs if (cost <= limit).all()]
        settled = settle(network, Task(target, price, limit, limit))
        reached.add((bool(fitting), settled.impossible))
        if not fitting:
            assert settled.picks is None
            continue
        assert not settled.impossible
        assert settled.bound <= min(fitting), seed
        if settled.picks is None:
            missed += 1
            continue
        cost = network.cost(settled.picks)
        assert (cost <= limit).all() and network.cycles(settled.picks) <= target
        gaps.append(int(cost @ price) / min(fitting) - 1)
    assert {(True, False), (False, True)} <= reached
    assert missed <= len(gaps) // 20
    assert np.mean(gaps) < 0.02 and max(gaps) < 0.5


def test_polish_takes_less_above_the_room_first() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        network = random_network(rng, WIRING["dense"])
        every = every_design(network, 8)
        if not every:
            continue
        room, price = rng.integers(10, 30, len(KINDS)), np.array([7, 0, 5, 3, 1])

        def above(picks: Picks) -> float:
            over = np.maximum(network.cost(picks) - room, 0)  # noqa: B023
            return float((over / room).sum())  # noqa: B023

        better = polish(network, every[-1], target=8, room=room, price=price)
        assert network.cycles(better) <= 8
        assert above(better) <= above(every[-1])
