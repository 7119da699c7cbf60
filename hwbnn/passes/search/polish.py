# SPDX-License-Identifier: Apache-2.0
"""Polish: change one unit of a design after another for the better, converters counted."""

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.ir.window import BoolArray
from hwbnn.passes.search.network import Network, Picks

SWEEPS = 6


def polish(
    network: Network, picks: Picks, *, target: int, room: IntArray, price: IntArray
) -> Picks:
    """Return a design that takes less above the room, or as much at a lower price.

    What is above the room counts in parts of it, all kinds together. Cycles stay within the target.
    """
    now, total = list(picks), network.cost(picks)
    for _ in range(SWEEPS):
        before = tuple(now)
        for unit in range(len(now)):
            costs, able = _alternatives(network, now, unit, target)
            others = total - costs[now[unit]]
            whole = others + costs
            above = (np.maximum(whole - room, 0) / np.maximum(room, 1)).sum(axis=1)
            order = np.lexsort((whole @ price, above))
            now[unit] = int(order[able[order]][0])
            total = others + costs[now[unit]]
        if before == tuple(now):
            break
    return tuple(now)


def _alternatives(
    network: Network, picks: list[int], unit: int, target: int
) -> tuple[IntArray, BoolArray]:
    """Return what each choice of a unit costs with the converters around it, and if it is able."""
    face = network.faces[unit]
    costs, able = face.costs.copy(), face.cycles <= target
    for index in network.around[unit]:
        link, between = network.links[index], network.between[index]
        if link.consumer == unit:
            given = network.faces[link.producer].writes[picks[link.producer]]
            costs += between.costs[given, face.reads]
            able &= between.cycles[given, face.reads] <= target
        else:
            wanted = network.faces[link.consumer].reads[picks[link.consumer]]
            costs += between.costs[face.writes, wanted]
            able &= between.cycles[face.writes, wanted] <= target
    return costs, able
