# SPDX-License-Identifier: Apache-2.0
"""Dense blocks: concatenations of concatenations, and the staircases that alone look at them."""

from collections.abc import Iterator
from dataclasses import dataclass

from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Concat, MaxPool, Op, Staircase, SumPool


@dataclass(frozen=True)
class Part:
    """Channels from `first` on of a concatenation: all of a source that is none."""

    source: str
    first: int
    channels: int


@dataclass(frozen=True)
class Block:
    """Concatenations that read one another, in order; all other readers are the staircases.

    The staircases have one row of thresholds a channel, whatever the position.
    """

    joins: tuple[Concat, ...]
    readers: tuple[Staircase, ...]

    @property
    def order(self) -> tuple[str, ...]:
        """Names of the concatenations, in order."""
        return tuple(join.name for join in self.joins)

    @property
    def names(self) -> frozenset[str]:
        """Of the concatenations."""
        return frozenset(self.order)

    def parts(self, join: Concat) -> Iterator[Part]:
        """Yield what a concatenation holds, through the others, in the order of the channels."""
        inner = {other.name: other for other in self.joins}
        first = 0
        for source, channels in zip(join.sources, join.channels, strict=True):
            if source in inner:
                for part in self.parts(inner[source]):
                    yield Part(part.source, first + part.first, part.channels)
            else:
                yield Part(source, first, channels)
            first += channels


def dense_blocks(graph: Graph) -> tuple[Block, ...]:
    """Return the blocks of a graph that only staircases look at.

    Left out is a block of which a sum, a pool or a product reads the integers themselves, or the
    host, or a staircase whose thresholds depend on the position.
    """
    groups: list[list[Concat]] = []
    for op in graph.ops:
        if isinstance(op, Concat):
            met = [group for group in groups if any(join.name in op.sources for join in group)]
            groups = [group for group in groups if group not in met]
            groups.append([*(join for group in met for join in group), op])
    place = {op.name: index for index, op in enumerate(graph.ops)}
    blocks = []
    for group in sorted(groups, key=lambda group: place[group[0].name]):
        joins = tuple(sorted(group, key=lambda join: place[join.name]))
        names = {join.name for join in joins}
        looking = {op.name: op for join in joins for op in graph.readers(join.name)}
        readers = [op for name, op in looking.items() if name not in names]
        stairs = tuple(op for op in readers if isinstance(op, Staircase) and op.border is None)
        if stairs and len(stairs) == len(readers) and graph.output not in names:
            blocks.append(Block(joins, stairs))
    return tuple(blocks)


def pool_behind(graph: Graph, op: Op) -> MaxPool | SumPool | None:
    """Return the pool that alone reads a value, if what it gives has fewer bits."""
    readers = graph.readers(op.name)
    pool = readers[0] if len(readers) == 1 and op.name != graph.output else None
    if not isinstance(pool, MaxPool | SumPool):
        return None
    return pool if pool.vectors * pool.dtype.bits < op.vectors * op.dtype.bits else None
