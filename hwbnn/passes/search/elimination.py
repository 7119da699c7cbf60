# SPDX-License-Identifier: Apache-2.0
"""Elimination: the cheapest choices of a network at given prices, exactly.

Dynamic programming, unit by unit in topological order. A table holds the least price of all units
so far for every combination of what the streams that are still open carry; a stream is eliminated
when its last reader has chosen. Residual and dense networks have two or three open streams. Where a
table would grow beyond TABLE an open stream is let go: converters to its readers to come then cost
nothing, and what is found is a lower bound of every design still.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.passes.search.network import Face, Network, Picks

NONE = 1 << 61  # too slow; more than any price, and three of them are a number still
HIGHEST = 1 << 60  # of all prices together
TABLE = 1 << 12  # entries; a pass takes milliseconds, larger tables found nothing cheaper


@dataclass(frozen=True)
class Priced:
    """The cheapest choices, and a price that no others go below."""

    picks: Picks
    price: int


@dataclass(frozen=True, eq=False)
class _Reader:
    """A unit reads streams. before: the table, whose axes are `axes`; joins: by axis that it reads.

    closing: axes that it reads last. after: the table behind, its last axis what is read; chosen:
    the least price of a choice, (wanted, given).
    """

    unit: int
    before: IntArray
    axes: tuple[int, ...]
    joins: dict[int, IntArray]
    closing: tuple[int, ...]
    after: IntArray
    chosen: IntArray


@dataclass(frozen=True, eq=False)
class _LetGo:
    """A stream is let go: the table before, and its axes."""

    unit: int
    before: IntArray
    axes: tuple[int, ...]


_Step = _Reader | _LetGo


def cheapest(network: Network, prices: IntArray, *, target: int, most: int = TABLE) -> Priced:
    """Return the cheapest design of at most `target` cycles; network: within(target).

    prices: of a part of each resource. Every unit must have a choice.
    """
    joins, last = _joins(network, prices, target), _last_readers(network)
    table: IntArray = np.zeros((), np.int64)
    axes: tuple[int, ...] = ()
    steps: list[_Step] = []
    for unit, face in enumerate(network.faces):
        read = joins[unit]
        while table.size * max(face.wanted, face.given) > most:
            spare = [axis for axis in axes if axis not in read]
            if not spare:
                break
            loose = max(spare, key=lambda axis: network.faces[axis].given)
            steps.append(_LetGo(loose, table, axes))
            table = table.min(axis=axes.index(loose))
            axes = tuple(axis for axis in axes if axis != loose)
        read = {axis: cost for axis, cost in read.items() if axis in axes}
        closing = tuple(axis for axis in read if last[axis] == unit)
        after = _read(table, axes, read, face.wanted)
        after = after.min(axis=tuple(axes.index(axis) for axis in closing))
        chosen = _chosen(face, prices)
        steps.append(_Reader(unit, table, axes, read, closing, after, chosen))
        axes = tuple(axis for axis in axes if axis not in closing)
        table = np.minimum((after[..., :, None] + chosen).min(axis=-2), NONE)
        if last[unit] == unit:  # the design's output
            steps.append(_LetGo(unit, table, (*axes, unit)))
            table = table.min(axis=-1)
        else:
            axes = (*axes, unit)
    return Priced(_trace(network, prices, steps), int(table))


def _joins(network: Network, prices: IntArray, target: int) -> list[dict[int, IntArray]]:
    """Return the price of converters by consumer, then producer: (given, wanted), all links."""
    found: list[dict[int, IntArray]] = [{} for _ in network.faces]
    for link, between in zip(network.links, network.between, strict=True):
        price = np.where(between.cycles <= target, between.costs @ prices, NONE)
        into, before = found[link.consumer], link.producer
        into[before] = np.minimum(into[before] + price, NONE) if before in into else price
    return found


def _last_readers(network: Network) -> list[int]:
    """Return the last reader of every unit, itself if it has none."""
    last = list(range(len(network.faces)))
    for link in network.links:
        last[link.producer] = max(last[link.producer], link.consumer)
    return last


def _read(
    table: IntArray, axes: Sequence[int], joins: dict[int, IntArray], wanted: int
) -> IntArray:
    """Return a table with one more axis: what the unit reads."""
    found = np.broadcast_to(table[..., None], (*table.shape, wanted))
    for axis, cost in joins.items():
        shape = [1] * (table.ndim + 1)
        shape[axes.index(axis)], shape[-1] = cost.shape
        found = np.minimum(found + cost.reshape(shape), NONE)
    return found


def _chosen(face: Face, prices: IntArray) -> IntArray:
    chosen = np.full(face.wanted * face.given, NONE)
    np.minimum.at(chosen, face.reads * face.given + face.writes, face.costs @ prices)
    return chosen.reshape(face.wanted, face.given)


def _trace(network: Network, prices: IntArray, steps: list[_Step]) -> Picks:
    """Return the choices on the way to the least price, from the last unit back."""
    given: dict[int, int] = {}  # what each unit writes
    picks = [0] * len(network.faces)
    for step in reversed(steps):
        at = tuple(given.get(axis, slice(None)) for axis in step.axes)
        if isinstance(step, _LetGo):
            given[step.unit] = int(np.argmin(step.before[at]))
            continue
        open_axes = (axis for axis in step.axes if axis not in step.closing)
        writes = given[step.unit]
        line = step.after[tuple(given[axis] for axis in open_axes)]
        reads = int(np.argmin(line + step.chosen[:, writes]))
        picks[step.unit] = _pick(network.faces[step.unit], prices, reads, writes)
        _close(step, at, given, reads)
    return tuple(picks)


def _close(step: _Reader, at: tuple[int | slice, ...], given: dict[int, int], reads: int) -> None:
    """Note what the streams carry that are read for the last time."""
    if not step.closing:
        return
    closing = [axis for axis in step.axes if axis in step.closing]
    total = step.before[at]
    for axis, cost in step.joins.items():
        line = cost[:, reads] if axis in closing else cost[given[axis], reads]
        if axis in closing:
            line = line.reshape([-1 if other == axis else 1 for other in closing])
        total = total + line
    found = np.unravel_index(int(np.argmin(total)), total.shape)
    given.update((axis, int(place)) for axis, place in zip(closing, found, strict=True))


def _pick(face: Face, prices: IntArray, reads: int, writes: int) -> int:
    able = np.flatnonzero((face.reads == reads) & (face.writes == writes))
    return int(able[np.argmin(face.costs[able] @ prices)])
