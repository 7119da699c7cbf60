# SPDX-License-Identifier: Apache-2.0
"""Ranks: carry through a dense block what its readers look at, instead of the integers.

A channel that only staircases read is known to all of them by how many of their thresholds it
reaches: its rank. On the rank each of them is a staircase again, of small whole numbers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwbnn.ir.dtype import IntArray, Kind, unsigned
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Concat, MaxPool, Op, Staircase, SumPool, joined_dtype
from hwbnn.ir.window import BoolArray
from hwbnn.passes.dense_blocks import Block, Part, pool_behind

MAX_RANK_BITS = 8  # of one staircase


@dataclass(frozen=True, eq=False)
class Code:
    """What is carried for a channel whose integer lies within [low, high].

    steps: thresholds, rising, of which the value counts those reached; None: it is the integer.
    """

    low: int
    high: int
    steps: IntArray | None = None

    def of(self, thresholds: IntArray) -> IntArray:
        """Return the value from which on the integer reaches each threshold.

        A threshold that the integer may or may not reach must be one of the steps.
        """
        if self.steps is None:
            return np.clip(thresholds, self.low, self.high + 1)
        counted = np.searchsorted(self.steps, thresholds) + 1
        counted = np.where(thresholds > self.high, len(self.steps) + 1, counted)
        found: IntArray = np.where(thresholds <= self.low, 0, counted)
        return found

    def within(self, thresholds: IntArray) -> IntArray:
        """Return the different thresholds that the integer may or may not reach, rising."""
        return np.unique(thresholds[(thresholds > self.low) & (thresholds <= self.high)])


def ranked(graph: Graph, block: Block, *, aside: Iterable[Staircase], again: bool) -> Graph:
    """Return the graph with ranks instead of integers in a block: the same outputs.

    aside: readers that look at the integers where they are made, before the concatenations, each
    with the pool behind it; what they give is carried beside the ranks. again: between two
    concatenations, count only the thresholds of the readers behind, where that saves bits.
    """
    made = _Made(graph)
    for reader in aside:
        made.move(block, reader)
    kept = [reader for reader in block.readers if reader.name not in made.gone]
    _Ranks(made, block, kept, again=again).carry()
    return _composed(made.graph(), new=made.taken - set(graph.by_name))


class _Made:
    """A graph while operators come and go."""

    def __init__(self, graph: Graph) -> None:
        self.given = graph
        self.ops = graph.by_name
        self.gone: set[str] = set()
        self.taken = set(self.ops)

    def name(self, wanted: str) -> str:
        """Return a name that nothing has: the wanted one, or with a number."""
        found, number = wanted, 1
        while found in self.taken:
            found, number = f"{wanted}_{number}", number + 1
        self.taken.add(found)
        return found

    def put(self, op: Op) -> str:
        """Add an operator, or put it in the place of the one of its name; return the name."""
        self.ops[op.name] = op
        return op.name

    def drop(self, name: str) -> None:
        """Take an operator out."""
        self.gone.add(name)
        self.ops.pop(name, None)

    def move(self, block: Block, reader: Staircase) -> None:
        """Put a reader, and the pool behind it, in front of the concatenations."""
        join = next(join for join in block.joins if join.name == reader.source)
        pool, parts = pool_behind(self.given, reader), tuple(block.parts(join))
        last = reader if pool is None else pool
        sources = tuple(self._piece(part, reader, pool) for part in parts)
        self.drop(reader.name)
        channels = tuple(part.channels for part in parts)
        self.put(Concat(last.name, sources, channels, last.dtype, last.vectors))

    def _piece(self, part: Part, reader: Staircase, pool: MaxPool | SumPool | None) -> str:
        step = _slice(reader, part, self.name(f"{reader.name}_{part.source}"))
        self.put(step)
        if pool is None:
            return step.name
        name = self.name(f"{pool.name}_{part.source}")
        own = replace(pool, name=name, source=step.name, channels=part.channels)
        if isinstance(own, MaxPool) and len(own.minimum) > 1:
            own = replace(own, minimum=own.minimum[_span(part)])
        return self.put(own)

    def graph(self) -> Graph:
        """Return the graph, every operator behind its sources and else in the old order."""
        place = {op.name: index for index, op in enumerate(self.given.ops)}
        order: dict[str, Op] = {}

        def stand(op: Op) -> None:
            for source in op.sources:
                if source not in order:
                    stand(self.ops[source])
            order.setdefault(op.name, op)

        for op in sorted(self.ops.values(), key=lambda op: place.get(op.name, len(place))):
            stand(op)
        return replace(self.given, ops=tuple(order.values()))


def _span(part: Part) -> slice:
    return slice(part.first, part.first + part.channels)


def _rows(reader: Staircase) -> IntArray:
    return np.broadcast_to(reader.thresholds, (reader.channels, reader.steps))


def _directions(reader: Staircase) -> BoolArray:
    return np.broadcast_to(reader.descending, (reader.channels,))


def _slice(reader: Staircase, part: Part, name: str) -> Staircase:
    """Return the part of a reader that looks at some channels."""
    rows, down = reader.thresholds, reader.descending
    return replace(
        reader,
        name=name,
        source=part.source,
        elements=part.channels * reader.vectors,
        thresholds=rows if len(rows) == 1 else rows[_span(part)],
        descending=down if len(down) == 1 else down[_span(part)],
    )


class _Ranks:
    """Replaces what the concatenations of a block carry, in their order."""

    def __init__(
        self, made: _Made, block: Block, kept: Sequence[Staircase], *, again: bool
    ) -> None:
        self.made, self.block, self.again = made, block, again
        self.readers = {
            join.name: [reader for reader in kept if reader.source == join.name]
            for join in block.joins
        }
        self.behind: dict[str, int] = {}  # readers of a concatenation, and of those behind it
        self.rows: dict[str, IntArray] = {}  # their thresholds, (channels, any number)
        self._look_back()
        self.codes: dict[str, list[Code]] = {}
        self.ends: dict[str, tuple[int, int]] = {}

    def _look_back(self) -> None:
        for join in reversed(self.block.joins):
            own = self.readers[join.name]
            whole = sum(join.channels)
            rows = [np.zeros((whole, 0), np.int64), *(_rows(reader) for reader in own)]
            behind = len(own)
            for later in self.block.joins:
                first = 0
                for source, channels in zip(later.sources, later.channels, strict=True):
                    if source == join.name:
                        rows.append(self.rows[later.name][first : first + channels])
                        behind += self.behind[later.name]
                    first += channels
            self.behind[join.name] = behind
            self.rows[join.name] = np.concatenate(rows, axis=1)

    def carry(self) -> None:
        """Rewrite the concatenations and the readers that stay."""
        for join in self.block.joins:
            self.made.drop(join.name)
            own = self.readers[join.name]
            if self.behind[join.name] > 1:
                self._join(join)
            elif own:
                self._only(join, own[0])

    def _only(self, join: Concat, reader: Staircase) -> None:
        """Nobody else looks: what the one reader makes of the channels is what they carry."""
        sources, parts = [], tuple(self._unread(join))
        for part in parts:
            thresholds = _on(self._codes(part), _rows(reader)[_span(part)])
            piece = replace(
                reader,
                name=self.made.name(f"{reader.name}_{part.source}"),
                source=part.source,
                elements=part.channels * join.vectors,
                thresholds=_shared(thresholds),
                descending=_directions(reader)[_span(part)],
            )
            sources.append(self.made.put(piece))
        channels = tuple(part.channels for part in parts)
        self.made.put(Concat(reader.name, tuple(sources), channels, reader.dtype, join.vectors))

    def _unread(self, join: Concat, first: int = 0) -> Iterator[Part]:
        """Yield what a concatenation holds, through others that only its reader looks at."""
        inner = {other.name: other for other in self.block.joins}
        for part in _direct(join, first):
            if self.behind.get(part.source) == 1:
                yield from self._unread(inner[part.source], part.first)
            else:
                yield part

    def _join(self, join: Concat) -> None:
        sources, codes, ends, dtypes = [], [], [], []
        for part in _direct(join):
            source, own, reach = self._source(join, part)
            sources.append(source)
            codes += own
            ends.append(reach)
            dtypes.append(self.made.ops[source].dtype)
        self.codes[join.name] = codes
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        self.ends[join.name] = low, high
        dtype = joined_dtype(dtypes, low, high)
        self.made.put(replace(join, sources=tuple(sources), dtype=dtype))
        for reader in self.readers[join.name]:
            thresholds = _on(codes, _rows(reader))
            self.made.put(replace(reader, thresholds=_shared(thresholds)))

    def _codes(self, part: Part) -> list[Code]:
        """Return what a source of a concatenation carries by now."""
        if part.source in self.codes:
            return self.codes[part.source]
        return [Code(*self.made.given.range_of(part.source))] * part.channels

    def _source(self, join: Concat, part: Part) -> tuple[str, list[Code], tuple[int, int]]:
        """Return what enters a concatenation, how it is coded, and its least and greatest value."""
        source, codes = self.made.ops[part.source], self._codes(part)
        rows = self.rows[join.name][_span(part)]
        steps = [code.within(row) for code, row in zip(codes, rows, strict=True)]
        most = max(1, *(len(row) for row in steps))
        dtype = unsigned(most.bit_length())
        carried = part.source in self.codes
        if dtype.bits >= source.dtype.bits or dtype.bits > MAX_RANK_BITS:
            return self._as_it_is(part)
        if carried and not self.again:
            return self._as_it_is(part)
        thresholds = np.full((part.channels, most), 0)
        for channel, (code, row) in enumerate(zip(codes, steps, strict=True)):
            never = np.full(most - len(row), code.high + 1)
            thresholds[channel] = code.of(np.concatenate([row, never]))
        rank = Staircase(
            name=self.made.name(f"{part.source}_rank"),
            source=part.source,
            elements=part.channels * join.vectors,
            thresholds=_shared(thresholds),
            descending=np.zeros(1, np.bool_),
            base=0,
            dtype=dtype,
            vectors=join.vectors,
        )
        self.made.put(rank)
        now = [Code(code.low, code.high, row) for code, row in zip(codes, steps, strict=True)]
        return rank.name, now, (0, most)

    def _as_it_is(self, part: Part) -> tuple[str, list[Code], tuple[int, int]]:
        ends = self.ends.get(part.source)
        if ends is None:
            ends = self.made.given.range_of(part.source)
        return part.source, self._codes(part), ends


def _direct(join: Concat, first: int = 0) -> list[Part]:
    firsts = np.cumsum((first, *join.channels)).tolist()
    triples = zip(join.sources, firsts, join.channels, strict=False)
    return [Part(source, first, channels) for source, first, channels in triples]


def _on(codes: Sequence[Code], rows: IntArray) -> IntArray:
    """Return thresholds (channels, steps) on integers as those on what is carried."""
    return np.stack([code.of(row) for code, row in zip(codes, rows, strict=True)])


def _shared(thresholds: IntArray) -> IntArray:
    """Return one row if all are alike."""
    return thresholds[:1] if (thresholds == thresholds[0]).all() else thresholds


# ---- staircases on staircases --------------------------------------------------------------------


def _composed(graph: Graph, *, new: set[str]) -> Graph:
    """Return the graph with one staircase for two, where the second is new and has fewer steps.

    Of the first nobody else reads what it gives.
    """
    ops = graph.by_name
    for op in graph.ops:
        first = ops.get(op.sources[0]) if isinstance(op, Staircase) else None
        if not isinstance(op, Staircase) or not isinstance(first, Staircase):
            continue
        alone = len(graph.readers(first.name)) == 1 and first.name != graph.output
        if alone and op.name in new and op.steps < first.steps and first.border is None:
            ops[op.name] = _both(first, op, *graph.range_of(first.source))
            del ops[first.name]
    return replace(graph, ops=tuple(ops.values()))


def _both(first: Staircase, second: Staircase, low: int, high: int) -> Staircase:
    """Return the staircase of an x within [low, high] that both make, one behind the other."""
    # The first reaches the second's threshold t if it counts at least `count` of its own ...
    t, steps = _rows(second), first.steps
    bipolar = first.dtype.kind is Kind.BIPOLAR
    count = np.clip((t + 2) // 2 if bipolar else t - first.base, 0, steps + 1)
    # ... so if x reaches a threshold of the first, or does not: with none that always is reached.
    ends = np.full((second.channels, 1), low), np.full((second.channels, 1), high + 1)
    own = np.concatenate([ends[0], _rows(first), ends[1]], axis=1)
    down = _directions(first)[:, None]
    rows = np.take_along_axis(own, np.where(down, steps + 1 - count, count), axis=1)
    return replace(
        second,
        source=first.source,
        thresholds=_shared(np.sort(rows, axis=1)),
        descending=_directions(first) ^ _directions(second),
    )
