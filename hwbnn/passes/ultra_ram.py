# SPDX-License-Identifier: Apache-2.0
"""UltraRAM: FIFOs and window buffers that a board's UltraRAMs hold better than its block RAMs.

Both have the same timing, so that this changes no cycle: it is done last, to a design whose FIFOs
are sized. Weights are in UltraRAM by their layer's folding, which the search chose: this gets what
is left.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hwbnn.ir.design import Design
from hwbnn.ir.fifo import Storage
from hwbnn.ir.unit import Family, Resources


@dataclass(frozen=True)
class _Move:
    """A FIFO (`edge`) or a unit's buffers (`instance`) in UltraRAM: the cost before and after."""

    before: Resources
    after: Resources
    edge: str = ""
    instance: str = ""

    def gain(self, cost: Resources, limit: Resources) -> tuple[float, float]:
        """Share that is saved a UltraRAM of what a design has too much of; and of all limits."""
        pairs = zip(cost.amounts, limit.amounts, self._saved.amounts, strict=True)
        needed = sum(saved / room for now, room, saved in pairs if now > room > 0)
        every = self.before.share(limit) - self.after.share(limit)
        return needed / self.after.uram, every / self.after.uram

    def possible(self, cost: Resources, limit: Resources) -> bool:
        """Whether nothing that the move adds to is then above its limit."""
        now, rooms, more = cost.amounts, limit.amounts, self.after.less(self.before).amounts
        return all(a + b <= room for a, room, b in zip(now, rooms, more, strict=True) if b)

    def made(self, cost: Resources) -> Resources:
        """Return the cost of a design with this move made."""
        return (cost + self.after).less(self.before)

    @property
    def _saved(self) -> Resources:
        return self.before.less(self.after)


def in_ultra_ram(design: Design, *, limit: Resources, family: Family) -> Design:
    """Return the design with memories in UltraRAM that take a smaller share of the limits there.

    What saves most a UltraRAM comes first, until none is left. While the design has more of
    anything than its limit, so does what has less of that, though it may take a larger share. What
    needs more of anything than there is stays.
    """
    if not limit.uram:
        return design
    moves, chosen = list(_moves(design, family)), []
    cost = design.resources(family)
    while moves := [move for move in moves if move.possible(cost, limit)]:
        best = max(moves, key=lambda move: move.gain(cost, limit))
        if max(best.gain(cost, limit)) <= 0:
            break
        moves.remove(best)
        chosen.append(best)
        cost = best.made(cost)
    return _apply(design, chosen)


def _moves(design: Design, family: Family) -> Iterator[_Move]:
    for edge in design.edges:
        if edge.fifo.storage is Storage.BLOCK:
            there = replace(edge.fifo, storage=Storage.ULTRA)
            before, after = edge.fifo.resources(family), there.resources(family)
            yield _Move(before, after, edge=edge.name)
    for instance in design.instances:
        before = instance.unit.resources(family)
        after = instance.unit.in_ultra_ram().resources(family)
        if after.uram > before.uram:
            yield _Move(before, after, instance=instance.name)


def _apply(design: Design, moves: list[_Move]) -> Design:
    edges = {move.edge for move in moves}
    units = {move.instance for move in moves}
    instances = (
        replace(one, unit=one.unit.in_ultra_ram()) if one.name in units else one
        for one in design.instances
    )
    fifos = {
        edge.name: replace(edge.fifo, storage=Storage.ULTRA)
        for edge in design.edges
        if edge.name in edges
    }
    return replace(design, instances=tuple(instances)).with_fifos(fifos)
