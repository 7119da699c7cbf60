# SPDX-License-Identifier: Apache-2.0
"""Whole folds: lanes that divide what they carry, for a back end without padding lanes (FINN)."""

from collections.abc import Iterator
from dataclasses import replace

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Folding, Unit
from hwbnn.passes.fold import with_units
from hwbnn.units.mvu import Mvu

MAX_WEIGHT_BITS = 8191  # a cycle: AP_INT_MAX_W, the widest word of FINN's HLS


def whole_folds(design: Design) -> Design:
    """Return a design whose units have the next divisors at or above their PE and SIMD.

    None becomes slower, but for layers whose weights would be wider than FINN's words: they have
    the fastest folding that is not. Before width converters are put in.
    """
    units = (replace(i, unit=i.unit.fold(_next(i.unit))) for i in design.instances)
    return with_units(design, tuple(units))


def check_whole(design: Design) -> None:
    """Raise ConfigError for the units whose folding FINN cannot have."""
    problems = []
    for instance in design.instances:
        now, found = instance.unit.folding, _next(instance.unit)
        if instance.unit.foldable and now != found:
            problems.append(
                f"{instance.name}: pe and simd must divide outputs and inputs for FINN, and give "
                f"at most {MAX_WEIGHT_BITS} weight bits a cycle, not be {now.pe} and {now.simd}; "
                f"choose {found.pe} and {found.simd}"
            )
    if problems:
        raise ConfigError(problems)


def _next(unit: Unit) -> Folding:
    now = unit.folding
    legal = list(_legal(unit))
    enough = [u for u in legal if u.folding.pe >= now.pe and u.folding.simd >= now.simd]
    if not enough:
        fastest = min(found.cycles for found in legal)
        enough = [found for found in legal if found.cycles == fastest]
    return min((found.folding for found in enough), key=lambda f: (f.pe * f.simd, f.pe))


def _legal(unit: Unit) -> Iterator[Unit]:
    weights = unit.weight_dtype.bits if isinstance(unit, Mvu) else 0
    for folding in unit.foldings():
        found = unit.fold(folding)
        streams = (*found.inputs, *found.outputs)
        whole = all(stream.elements % stream.lanes == 0 for stream in streams)
        if whole and folding.pe * folding.simd * weights <= MAX_WEIGHT_BITS:
            yield found
