# SPDX-License-Identifier: Apache-2.0
"""Balance: foldings of designs whose streams part and meet, one unit at a time; no proof.

The exact search (search.py) runs along a chain. Here every unit takes its own cheapest choice
within a number of cycles, and the converters between are counted only in the sum.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwbnn.ir.design import Design, Instance
from hwbnn.ir.unit import Family, Resources
from hwbnn.passes.adapt import adapt
from hwbnn.passes.fold import with_units
from hwbnn.passes.search_space import Choice, all_choices, in_parts, prices, with_least_fifos


@dataclass(frozen=True, eq=False)
class Balanced:
    """A folded design, not yet adapted; cycles and resources with converters and least FIFOs."""

    design: Design
    cycles: int
    resources: Resources


class Balance:
    """The choices of every unit, and what each costs by itself, worked out once."""

    def __init__(
        self,
        design: Design,
        *,
        floor: int,
        limit: Resources,
        family: Family,
        port_bits: int | None = None,
    ) -> None:
        self.design, self.limit, self.family = design, limit, family
        self._floor, self._port_bits = floor, port_bits

    @cached_property
    def _choices(self) -> list[tuple[tuple[Choice, ...], list[int]]]:
        price = prices(self.limit)
        found = []
        every = all_choices(self.design, floor=self._floor, port_bits=self._port_bits)
        for unit, options in every:
            units = (unit.with_knobs(choice.knobs) for choice in options)
            costs = [int(np.dot(price, in_parts(unit.resources(self.family)))) for unit in units]
            found.append((options, costs))
        return found

    @property
    def paces(self) -> list[int]:
        """Numbers of cycles a frame from the floor on that some unit may take, rising."""
        every = {choice.cycles for options, _ in self._choices for choice in options}
        return sorted({max(self._floor, cycles) for cycles in every})

    def within(self, cycles: int) -> Balanced:
        """Return the design whose units take at most so many cycles, each the cheapest."""
        instances = []
        for instance, (options, costs) in zip(self.design.instances, self._choices, strict=True):
            fitting = [i for i, choice in enumerate(options) if choice.cycles <= cycles]
            best = options[min(fitting, key=lambda i: costs[i])]
            instances.append(Instance(instance.name, instance.unit.with_knobs(best.knobs)))
        folded = with_units(self.design, tuple(instances))
        built = with_least_fifos(adapt(folded), family=self.family)
        return Balanced(folded, built.bound, built.resources(self.family))
