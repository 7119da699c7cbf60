# SPDX-License-Identifier: Apache-2.0
"""Balance: foldings of designs whose streams part and meet, one unit at a time; no proof.

The exact search (search.py) runs along a chain. Here every unit takes its own cheapest choice
within a number of cycles, and the converters between are counted only in the sum.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from hwbnn.ir.design import Design, Instance
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.unit import KINDS, Family, Resources, Unit
from hwbnn.passes.adapt import adapt
from hwbnn.passes.fold import with_units
from hwbnn.passes.search_space import PARTS, Choice, all_choices, in_parts, prices, with_least_fifos

PLAIN = Resources(*(1 for _ in KINDS))


@dataclass(frozen=True, eq=False)
class Balanced:
    """A folded design, not yet adapted; cycles and resources with converters and least FIFOs."""

    design: Design
    cycles: int
    resources: Resources


@dataclass(frozen=True, eq=False)
class _Costed:
    """A unit's choices; parts: what each costs (choices, kinds); shares: of the limits."""

    options: tuple[Choice, ...]
    parts: IntArray
    shares: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    @cached_property
    def _cheapest(self) -> tuple[IntArray, IntArray]:
        """Cycles of the choices, rising, and the cheapest of those up to each."""
        cycles = np.array([choice.cycles for choice in self.options])
        order = np.lexsort((self.shares, cycles))
        rising = self.shares[order]
        least = rising == np.minimum.accumulate(rising)
        latest = np.maximum.accumulate(np.where(least, np.arange(len(order)), 0))
        return cycles[order], order[latest]

    def best(self, cycles: int) -> int:
        """Return which choice of at most so many cycles is the cheapest, of equals the slowest."""
        rising, cheapest = self._cheapest
        return int(cheapest[np.searchsorted(rising, cycles, side="right") - 1])


def _parts(unit: Unit, options: Iterable[Choice], family: Family) -> IntArray:
    folded = (unit.with_knobs(choice.knobs) for choice in options)
    return np.array([in_parts(one.resources(family)) for one in folded])


@dataclass(frozen=True, eq=False)
class Balance:
    """The choices of every unit, and what each costs by itself, worked out once.

    dearer: factors on the prices of resources, which are their shares of the limit.
    """

    design: Design
    floor: int
    limit: Resources
    family: Family
    choices: tuple[_Costed, ...]
    dearer: Resources = PLAIN

    @classmethod
    def of(
        cls,
        design: Design,
        *,
        floor: int,
        limit: Resources,
        family: Family,
        port_bits: int | None = None,
    ) -> "Balance":
        """Return the choices of `floor` cycles and more at the plain prices."""
        every = all_choices(design, floor=floor, family=family, port_bits=port_bits)
        choices = (_Costed(options, _parts(unit, options, family)) for unit, options in every)
        return cls(design, floor, limit, family, tuple(choices)).at(PLAIN)

    def at(self, dearer: Resources) -> "Balance":
        """Return the same choices at other prices."""
        price = prices(self.limit) * np.array(in_parts(dearer)) // PARTS
        choices = tuple(replace(unit, shares=unit.parts @ price) for unit in self.choices)
        return replace(self, choices=choices, dearer=dearer)

    @property
    def paces(self) -> list[int]:
        """Numbers of cycles a frame from the floor on that some unit may take, rising."""
        every = {choice.cycles for unit in self.choices for choice in unit.options}
        return sorted({max(self.floor, cycles) for cycles in every})

    def alone(self, cycles: int) -> IntArray:
        """Return what the units alone cost, in parts, unit by unit: (units, kinds)."""
        return np.array([unit.parts[unit.best(cycles)] for unit in self.choices])

    def within(self, cycles: int) -> Balanced:
        """Return the design whose units take at most so many cycles, each the cheapest."""
        instances = []
        for instance, unit in zip(self.design.instances, self.choices, strict=True):
            knobs = unit.options[unit.best(cycles)].knobs
            instances.append(Instance(instance.name, instance.unit.with_knobs(knobs)))
        folded = with_units(self.design, tuple(instances))
        built = with_least_fifos(adapt(folded), family=self.family)
        return Balanced(folded, built.bound, built.resources(self.family))
