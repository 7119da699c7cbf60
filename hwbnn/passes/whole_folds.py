# SPDX-License-Identifier: Apache-2.0
"""Whole folds: lanes that divide what they carry, for a back end without padding lanes (FINN)."""

from dataclasses import replace

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.unit import Folding, Unit
from hwbnn.passes.fold import with_units


def whole_folds(design: Design) -> Design:
    """Return a design whose units have the next divisors at or above their PE and SIMD.

    None becomes slower. Before width converters are put in.
    """
    units = (replace(i, unit=i.unit.fold(_next(i.unit))) for i in design.instances)
    return with_units(design, tuple(units))


def check_whole(design: Design) -> None:
    """Raise ConfigError for the units whose PE or SIMD leaves padding lanes."""
    problems = [
        f"{instance.name}: pe and simd must divide outputs and inputs, not be {now.pe} and "
        f"{now.simd}; choose {found.pe} and {found.simd}"
        for instance, now, found in _changes(design)
    ]
    if problems:
        raise ConfigError(problems)


def _changes(design: Design) -> list[tuple[Instance, Folding, Folding]]:
    found = [(i, i.unit.folding, _next(i.unit)) for i in design.instances if i.unit.foldable]
    return [change for change in found if change[1] != change[2]]


def _next(unit: Unit) -> Folding:
    now = unit.folding
    enough = [f for f in unit.foldings() if f.pe >= now.pe and f.simd >= now.simd]
    return min(enough, key=lambda f: (f.pe * f.simd, f.pe))
