# SPDX-License-Identifier: Apache-2.0
"""A folding that fits with the least FIFOs is folded again until it fits with sized ones."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from hwbnn.board import find_board
from hwbnn.errors import ConfigError
from hwbnn.frontend import import_model
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Family, Resources
from hwbnn.passes import adapt, cheapest_folding, fastest_folding, lower
from hwbnn.passes.fifos.size_fifos import Sizing, size, with_depths
from hwbnn.passes.search.fit import Searched, UnreachableTargetError
from hwbnn.passes.search.refit import fit_sized
from tests.dag_models import random_dag_model
from tests.graphs import binary_mlp

XC7 = Family.XC7
PYNQ = find_board("pynq-z2").limit

Size = Callable[[Design, int | None], Sizing]


def deepened(names: int, depth: int) -> Size:
    """Size FIFOs, then make the last ones deeper: what only a simulation could know."""

    def sized(design: Design, effort: int | None) -> Sizing:
        found = size(adapt(design), family=XC7, effort=effort)
        last = [edge.name for edge in found.design.edges[-names:]]
        return replace(
            found, design=with_depths(found.design, dict.fromkeys(last, depth), family=XC7)
        )

    return sized


def fit(searched: Searched, limit: Resources, sized: Size) -> tuple[Searched, Sizing]:
    return fit_sized(
        searched, limit=limit, cost=lambda one: one.resources(XC7), family=XC7, size=sized
    )


def just_enough(design: Design) -> Resources:
    """Room for the fastest folding, were it not for its FIFOs."""
    free = fastest_folding(design, limit=PYNQ, family=XC7).resources
    return replace(free, lut=free.lut + 5, ff=PYNQ.ff, bram=free.bram + 1)


@pytest.fixture(scope="module")
def designs() -> dict[str, Design]:
    graph = import_model(random_dag_model(2000).model, name="branches")
    return {"branches": lower(graph), "chain": lower(binary_mlp((64, 32, 16, 4)))}


@pytest.fixture(scope="module")
def limits(designs: dict[str, Design]) -> dict[str, Resources]:
    return {name: just_enough(design) for name, design in designs.items()}


@pytest.mark.parametrize("name", ["branches", "chain"])
def test_fits_in_a_later_round(
    designs: dict[str, Design], limits: dict[str, Resources], name: str
) -> None:
    design, limit, sized = designs[name], limits[name], deepened(2, 300)
    searched = fastest_folding(design, limit=limit, family=XC7)
    assert not sized(searched.design, 10**7).design.resources(XC7).within(limit)
    found, sizing = fit(searched, limit, sized)
    assert sizing.design.resources(XC7).within(limit)
    assert found.room.lut < limit.lut and found.resources.within(found.room)
    assert sizing.design.bound == found.cycles >= searched.cycles
    if found.bound is not None:
        assert found.bound.cycles is not None and found.bound.cycles <= found.cycles


def test_what_fits_at_once_stays(designs: dict[str, Design]) -> None:
    searched = fastest_folding(designs["branches"], limit=PYNQ, family=XC7)
    found, _ = fit(searched, PYNQ, deepened(0, 1))
    assert found is searched


def test_what_never_fits_is_told(designs: dict[str, Design]) -> None:
    design = designs["branches"]
    searched = fastest_folding(design, limit=PYNQ, family=XC7)
    text = (
        r"branches: design must fit .* with its FIFOs sized, not .* too many\); the largest layers "
        r"are .*; the largest FIFOs are .* with .* no folding was found that fits"
    )
    with pytest.raises(ConfigError, match=text):
        fit(searched, PYNQ, deepened(len(design.edges), 500_000))


@pytest.mark.parametrize("name", ["branches", "chain"])
def test_target_that_sized_fifos_put_out_of_reach(
    designs: dict[str, Design], limits: dict[str, Resources], name: str
) -> None:
    design, limit, sized = designs[name], limits[name], deepened(2, 300)
    target = fastest_folding(design, limit=limit, family=XC7).cycles
    searched = cheapest_folding(design, target_cycles=target, limit=limit, family=XC7)
    with pytest.raises(UnreachableTargetError, match="with its FIFOs sized") as caught:
        fit(searched, limit, sized)
    assert caught.value.best > target == caught.value.asked
    slower = cheapest_folding(design, target_cycles=caught.value.best, limit=limit, family=XC7)
    _, sizing = fit(slower, limit, sized)
    assert sizing.design.resources(XC7).within(limit)
