# SPDX-License-Identifier: Apache-2.0
"""Search: the cheapest choice for every unit of a chain, exactly, within limits.

Dynamic programming along the chain. A partial choice (label) stands at the stream that it ends
with; of the labels at a stream only those stay that no other equals or beats in the price and in
every limited resource. A limit counts only once the cheapest choice without it breaks it: mostly
one label a stream is enough, and what is found is still the cheapest of all.
"""

from dataclasses import dataclass, replace

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.ir.unit import KINDS
from hwbnn.ir.window import BoolArray
from hwbnn.passes.search.search_space import Chain, Choice

NONE = 1 << 60  # no choice leads to the end; more than any sum
UNLIMITED = np.full(len(KINDS), NONE)
_OFFSET = 1 << 44  # between streams in one running minimum; more than any sum of parts


@dataclass(frozen=True)
class Found:
    """The cheapest choices: cycles, cost in parts of each resource; labels compared."""

    choices: tuple[Choice, ...]
    cycles: int
    cost: tuple[int, ...]
    labels: int


@dataclass(frozen=True, eq=False)
class _Labels:
    """Partial choices: the stream that each ends with, sums (labels, keys), how it was made."""

    stream: IntArray
    sums: IntArray
    parent: IntArray
    option: IntArray


@dataclass(frozen=True, eq=False)
class _Step:
    """From streams to streams: for each way its sums (ways, keys), from, to, and its option.

    rest: least sums from each stream at the far end to the end of the chain, key by key.
    """

    sums: IntArray
    source: IntArray
    sink: IntArray
    option: IntArray
    rest: IntArray


def search(chain: Chain, *, target: int, price: IntArray, limit: IntArray) -> Found | None:
    """Return the cheapest choices of at most `target` cycles within the limits; None: none exist.

    price: of a part of each resource. Of equal prices the first wins.
    """
    active: list[int] = []
    labels = 0
    while True:
        found = _cheapest(chain, target=target, price=price, limit=limit, active=active)
        if found is None:
            return None
        labels += found.labels
        cost = np.array(found.cost)
        if (cost <= limit).all():
            return replace(found, labels=labels)
        worst = int(np.argmax(np.where(cost > limit, cost / np.maximum(limit, 1), 0)))
        assert worst not in active
        active.append(worst)  # one at a time: with each the fronts grow


def _cheapest(
    chain: Chain, *, target: int, price: IntArray, limit: IntArray, active: list[int]
) -> Found | None:
    """Search with the limits of the active resources alone."""
    keys = np.column_stack([price, *np.eye(price.size, dtype=np.int64)[active]])
    bound = np.array([NONE, *limit[active]])
    steps = _steps(chain, target, keys)
    priced = set(np.flatnonzero(chain.used & (price > 0)))
    compared = 1 if active and priced <= set(active) else 0  # the price adds nothing to its parts
    start = np.arange(len(chain.options[0].wanted))
    none = np.full(start.size, -1)
    history = [_Labels(start, np.zeros((start.size, keys.shape[1]), np.int64), none, none)]
    count = 0
    for step in steps:
        grown = _grow(history[-1], step, bound)
        count += grown.stream.size
        kept = _front(grown.stream, grown.sums[:, compared:])
        history.append(
            _Labels(grown.stream[kept], grown.sums[kept], grown.parent[kept], grown.option[kept])
        )
    if not history[-1].stream.size:
        return None
    return _found(chain, _trace(history), count)


def _steps(chain: Chain, target: int, keys: IntArray) -> list[_Step]:
    """Return the ways through each unit and each join, in turn, and the least rest behind them."""
    steps: list[_Step] = []
    rest: IntArray = np.zeros((len(chain.options[-1].given), keys.shape[1]), np.int64)
    for index in reversed(range(len(chain.options))):
        options = chain.options[index]
        able = np.flatnonzero(options.cycles <= target)
        sums = options.costs[able] @ keys
        steps.append(_Step(sums, options.reads[able], options.writes[able], able, rest))
        rest = _rest(steps[-1], len(options.wanted))
        if index:
            joins = chain.joins[index - 1]
            source, sink = np.nonzero(joins.cycles <= target)
            sums = joins.costs[source, sink] @ keys
            steps.append(_Step(sums, source, sink, np.full(source.size, -1), rest))
            rest = _rest(steps[-1], joins.cycles.shape[0])
    return steps[::-1]


def _rest(step: _Step, sources: int) -> IntArray:
    rest: IntArray = np.full((sources, step.sums.shape[1]), NONE)
    np.minimum.at(rest, step.source, np.minimum(step.sums + step.rest[step.sink], NONE))
    return rest


def _grow(labels: _Labels, step: _Step, bound: IntArray) -> _Labels:
    """Take every label along every way from its stream that may still keep the limits."""
    first = np.searchsorted(labels.stream, step.source)
    counts = np.searchsorted(labels.stream, step.source, side="right") - first
    way = np.repeat(np.arange(step.source.size), counts)
    within = np.arange(way.size) - np.repeat(np.cumsum(counts) - counts, counts)
    parent = first[way] + within
    sums, sink = labels.sums[parent] + step.sums[way], step.sink[way]
    hopeful = (sums + step.rest[sink] < np.minimum(bound + 1, NONE)).all(axis=1)
    return _Labels(sink[hopeful], sums[hopeful], parent[hopeful], step.option[way][hopeful])


def _front(stream: IntArray, sums: IntArray) -> IntArray:
    """Return the labels, by stream, that no other of their stream equals or beats in every sum."""
    order = np.lexsort((*sums.T[::-1], stream))
    stream, sums = stream[order], sums[order]
    first = _changes(stream)
    if sums.shape[1] == 1:
        return order[first]
    if sums.shape[1] == 2:
        second = sums[:, 1] - stream * _OFFSET
        lower = np.ones(second.size, np.bool_)
        lower[1:] = second[1:] < np.minimum.accumulate(second)[:-1]
        return order[lower]
    groups = np.split(np.arange(stream.size), np.flatnonzero(first)[1:])
    kept = [group[_front_of_many(sums[group])] for group in groups if group.size]
    return order[np.concatenate(kept)] if kept else order


def _changes(stream: IntArray) -> BoolArray:
    changes = np.ones(stream.size, np.bool_)
    changes[1:] = stream[1:] != stream[:-1]
    return changes


def _front_of_many(sums: IntArray) -> IntArray:
    """Return the undominated rows of sums in rising order."""
    kept, left = [], np.arange(len(sums))
    while left.size:
        kept.append(left[0])
        left = left[(sums[left] < sums[left[0]]).any(axis=1)]
    return np.array(kept)


def _trace(history: list[_Labels]) -> list[int]:
    """Return the option of each unit on the way to the cheapest label of the last stream."""
    label = int(np.argmin(history[-1].sums[:, 0]))
    chosen = []
    for labels in history[:0:-1]:
        if labels.option[label] >= 0:
            chosen.append(int(labels.option[label]))
        label = int(labels.parent[label])
    return chosen[::-1]


def _found(chain: Chain, chosen: list[int], labels: int) -> Found:
    """Add up the chosen options and the joins between them."""
    pairs = list(zip(chain.options, chosen, strict=True))
    cycles = [int(options.cycles[option]) for options, option in pairs]
    costs = [options.costs[option] for options, option in pairs]
    for joins, (before, out), (after, into) in zip(chain.joins, pairs[:-1], pairs[1:], strict=True):
        ends = before.writes[out], after.reads[into]
        cycles.append(int(joins.cycles[ends]))
        costs.append(joins.costs[ends])
    choices = tuple(options.choices[option] for options, option in pairs)
    return Found(choices, max(cycles), tuple(np.sum(costs, axis=0).tolist()), labels)
