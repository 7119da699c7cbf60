# SPDX-License-Identifier: Apache-2.0
"""Prices: designs of a network that fit, and what is proved of all that do.

Lagrange: whatever prices p >= 0 are put on LUTs, block RAMs and so on, every design that fits costs
at most p times the limits, and none costs less than the cheapest at p, which elimination.py finds
exactly. If that is more than p times the limits, nothing fits. Prices rise for what is above its
limit and fall for what is below; at the best ones the bound on the share is that of the relaxed
problem.
"""

from dataclasses import dataclass, replace

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.passes.search.elimination import HIGHEST, cheapest
from hwbnn.passes.search.network import Network, Picks
from hwbnn.passes.search.polish import polish

ROUNDS = 24  # of prices
CLOSE = 1e-3  # of the bound: near enough
REPAIRED = 8  # designs that nearly fit
_STEP, _LONGEST, _SHORTEST = 0.5, 2.0, 0.01  # of the logarithm of a price


@dataclass(frozen=True, eq=False)
class Task:
    """What is looked for: at most `target` cycles, within `room`.

    price: of a part of each kind, by which the cheapest is meant. limit: for which the bounds hold;
    at least the room.
    """

    target: int
    price: IntArray
    room: IntArray
    limit: IntArray


@dataclass(frozen=True, eq=False)
class Settled:
    """picks: the cheapest design found that fits, if any. bound: no design that fits costs less.

    impossible: proved, nothing fits the limit. raised: logarithms of the prices, where to begin.
    least: of all designs found the one that is least above the room.
    """

    picks: Picks | None
    bound: int
    impossible: bool
    raised: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    least: Picks


def settle(
    network: Network,
    task: Task,
    *,
    raised: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None = None,
    cheap: bool = True,
) -> Settled:
    """Return a design of a network that fits, and a bound; cheap: the cheapest, not the first."""
    within = network.within(task.target)
    height = np.zeros(network.kinds) if raised is None else raised.copy()
    step, way = np.full(network.kinds, _STEP), np.zeros(network.kinds)
    unit = np.where(task.price > 0, task.price, _even(task))
    top = HIGHEST // max(1, int(sum(face.costs.max(axis=0).sum() for face in within.faces)))
    bound, found = 0, dict[Picks, IntArray]()
    best: Picks | None = None
    for _ in range(ROUNDS):
        extra = np.minimum(unit * np.expm1(height), top).astype(np.int64)
        one = cheapest(within, task.price + extra, target=task.target)
        bound = max(bound, one.price - int(extra @ task.limit))
        if bound > int(task.price @ task.limit):
            return Settled(None, bound, True, height, one.picks)
        cost = found[one.picks] = within.cost(one.picks)
        if (cost <= task.room).all():
            if best is None or cost @ task.price < found[best] @ task.price:
                best = one.picks
            if not cheap or cost @ task.price <= bound * (1 + CLOSE):
                break
        turn = np.where(cost > task.room, 1.0, np.where(height > 0, -1.0, 0.0))
        step = np.where(turn * way < 0, step / 2, np.where(turn * way > 0, step * 1.5, step))
        step, way = np.minimum(step, _LONGEST), turn
        if (step[turn != 0] < _SHORTEST).all():
            break
        height = np.maximum(height + turn * step, 0)
    settled = Settled(best, bound, False, height, _least(found, task))
    if best is not None and (not cheap or found[best] @ task.price <= bound * (1 + CLOSE)):
        return settled
    return _repaired(within, task, settled, found, cheap=cheap)


def _even(task: Task) -> IntArray:
    """Return prices by which the whole room of each kind is worth the same."""
    worth = int(task.price @ task.limit) // max(1, int((task.price > 0).sum()))
    return worth // np.maximum(task.limit, 1)


def _above(cost: IntArray, task: Task) -> float:
    return float((np.maximum(cost - task.room, 0) / np.maximum(task.room, 1)).sum())


def _least(found: dict[Picks, IntArray], task: Task) -> Picks:
    return min(found, key=lambda picks: (_above(found[picks], task), found[picks] @ task.price))


def _repaired(
    network: Network, task: Task, settled: Settled, found: dict[Picks, IntArray], *, cheap: bool
) -> Settled:
    """Polish what fits, and what nearly fits; take the cheapest that then fits."""
    nearly = sorted(found, key=lambda p: (_above(found[p], task), int(found[p] @ task.price)))
    done = settled
    for picks in nearly[:REPAIRED]:
        better = polish(network, picks, target=task.target, room=task.room, price=task.price)
        found[better] = network.cost(better)
        if (found[better] <= task.room).all():
            old = done.picks
            if old is None or found[better] @ task.price < found[old] @ task.price:
                done = replace(done, picks=better)
            if not cheap:
                break
    return replace(done, least=_least(found, task))
