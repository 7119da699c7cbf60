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

    def saved(self, limit: Resources) -> float:
        """Share of the limits that is saved."""
        return self.before.share(limit) - self.after.share(limit)


def in_ultra_ram(design: Design, *, limit: Resources, family: Family) -> Design:
    """Return the design with memories in UltraRAM that take a smaller share of the limits there.

    What saves most a UltraRAM comes first, until none is left. While the design has more block RAMs
    than its limit, so does what takes a larger share, but fewer block RAMs.
    """
    if not limit.uram:
        return design
    moves = sorted(_moves(design, family), key=lambda m: -m.saved(limit) / m.after.uram)
    cost, chosen = design.resources(family), []
    for move in moves:
        over = cost.bram > limit.bram and move.before.bram > 0
        if cost.uram + move.after.uram <= limit.uram and (over or move.saved(limit) > 0):
            cost = _moved(cost, move)
            chosen.append(move)
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


def _moved(cost: Resources, move: _Move) -> Resources:
    """Return the cost of the design with a move made; only what moves matters here."""
    less = cost.bram - move.before.bram + move.after.bram
    return replace(cost, bram=less, uram=cost.uram + move.after.uram)


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
