# SPDX-License-Identifier: Apache-2.0
"""Carry: choose what the connections of dense blocks hold, by the model's cost (adr/0010)."""

from collections.abc import Iterator
from dataclasses import dataclass

from hwbnn.errors import MismatchError
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Add, Concat, Conv, Dense, Input, MaxPool, Op, Staircase, SumPool
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Family, Unit
from hwbnn.ir.verify import verify_graph
from hwbnn.passes.dense_blocks import Block, dense_blocks
from hwbnn.passes.fifos.steps import cheapest_fifo, price
from hwbnn.passes.lower import even_lines, fusible, units_of
from hwbnn.passes.ranks import ranked
from hwbnn.passes.search.search_space import choices, cycles_of_foldings
from hwbnn.sim.interpret import Interpreter

LANES = 8  # elements a cycle of a block's widest value: the pace at which costs are compared
LEAST_SAVING = 0.05  # of what is replaced: less is within the model's error
MANY_STEPS = 16  # a reader of so many looks at the integers where they are made
INTEGERS = "integers"
LUTS_A_DSP = 240  # 53200 LUTs to 220 on a Zynq-7020


@dataclass(frozen=True)
class Carried:
    """What was chosen for a dense block, and its modelled price: in LUTs, memories included.

    integers: what is replaced costs so much with integers; chosen: as it is now.
    """

    joins: tuple[str, ...]
    what: str
    integers: float
    chosen: float


def carry(graph: Graph, *, family: Family = Family.XC7) -> tuple[Graph, tuple[Carried, ...]]:
    """Return the graph with the cheapest exact contents of dense connections, and what they are.

    A block holds integers; or ranks of them, counted anew between two layers or not. Integers
    stay unless the saving is more than the model's error.
    """
    found = []
    # The last first: a reader of one block may be a source of another, which then joins what it
    # becomes.
    for block in reversed(dense_blocks(graph)):
        graph, carried = _cheapest(graph, block, family)
        found.append(carried)
    verify_graph(graph)
    return graph, tuple(reversed(found))


def check_equal(graph: Graph, given: Graph, frames: IntArray) -> None:
    """Raise MismatchError if two graphs differ on frames (frames, elements): a bug of ours."""
    differ = (Interpreter(graph).run(frames) != Interpreter(given).run(frames)).any(axis=1)
    if differ.any():
        first = int(differ.argmax())
        raise MismatchError(f"{graph.name}: output of frame {first} must be as with integers")


def _cheapest(graph: Graph, given: Block, family: Family) -> tuple[Graph, Carried]:
    best, chosen = graph, Carried(given.order, INTEGERS, 0.0, 0.0)
    pace = max(1, -(-max(join.elements for join in given.joins) // LANES))
    # What is done to other blocks may have changed its readers.
    old = _Costs(graph, pace, family)
    for block in (block for block in dense_blocks(graph) if block.names >= given.names):
        for name, tried in forms(graph, block):
            new = _Costs(tried, pace, family)
            costs = old.of_what_lacks(new), new.of_what_lacks(old)
            least = max(LEAST_SAVING * costs[0], chosen.integers - chosen.chosen)
            if costs[0] - costs[1] > least:
                best, chosen = tried, Carried(block.order, name, *costs)
    return best, chosen


def forms(graph: Graph, block: Block) -> Iterator[tuple[str, Graph]]:
    """Yield what a block may carry instead of integers, each with its name."""
    many = tuple(reader for reader in block.readers if reader.steps >= MANY_STEPS)
    beside = ", what readers of many steps make beside" if many else ""
    if len(many) < len(block.readers):
        yield f"ranks{beside}", ranked(graph, block, aside=many, again=False)
        yield f"ranks counted anew{beside}", ranked(graph, block, aside=many, again=True)


# ---- costs ---------------------------------------------------------------------------------------


class _Costs:
    """What the operators of a graph cost, each folded alone to one pace: a price in LUTs."""

    def __init__(self, graph: Graph, pace: int, family: Family) -> None:
        self.graph, self.pace, self.family = graph, pace, family
        self._known: dict[str, float] = {}  # by operator

    def of_what_lacks(self, other: "_Costs") -> float:
        """Return the price of what another graph has not, or not with the same staircase."""
        graph, theirs = self.graph, other.graph.by_name
        mine = [op for op in graph.ops[1:] if theirs.get(op.name) is not op]
        alone = [op for op in graph.ops if isinstance(op, Dense | Conv) and op not in mine]
        changed = [
            op for op in alone if _behind(graph, op) is not _behind(other.graph, theirs[op.name])
        ]
        # A product without a staircase, here and there, is the same.
        mine += [op for op in changed if self._fused(op) or other._fused(theirs[op.name])]
        arrives, total = arrivals(graph), 0.0
        fused = {follower.name for op in mine if (follower := self._fused(op))}
        for op in mine:
            if op.name not in fused:
                if op.name not in self._known:
                    self._known[op.name] = self._units(op)
                total += self._known[op.name]
            if isinstance(op, Add | Concat):
                for name in op.sources:
                    wait = arrives[op.name] - arrives[name]
                    total += _fifo_price(graph[name], wait, pace=self.pace, family=self.family)
        return total

    def _fused(self, op: Op) -> Staircase | None:
        behind = _behind(self.graph, op)
        lines = even_lines(self.graph, () if behind is None else (behind,))
        return fusible(self.graph, op, lines)

    def _units(self, op: Op) -> float:
        lines = even_lines(self.graph, (op,))
        units = units_of(self.graph, op, self._fused(op), lines)
        return sum(_unit_price(unit, pace=self.pace, family=self.family) for _, unit in units)


def _behind(graph: Graph, op: Op) -> Staircase | None:
    """Return the staircase that alone reads a product."""
    readers = graph.readers(op.name)
    alone = len(readers) == 1 and op.name != graph.output
    reader = readers[0] if alone else None
    return reader if isinstance(reader, Staircase) and isinstance(op, Dense | Conv) else None


def _unit_price(unit: Unit, *, pace: int, family: Family) -> float:
    """Return the price of the cheapest folding within a pace, or of the fastest."""
    within = max(pace, min(cycles_of_foldings(unit).values()))
    folded = (
        unit.with_knobs(choice.knobs)
        for choice in choices(unit, floor=within)
        if choice.cycles <= within
    )
    costs = [each.resources(family) for each in folded]
    return min(price(cost, family) + LUTS_A_DSP * cost.dsp for cost in costs)


def _fifo_price(op: Op, wait: float, *, pace: int, family: Family) -> float:
    """Return the price of a FIFO that holds a value for `wait` frames."""
    channels = op.elements // op.vectors
    stream = Stream(op.dtype, min(channels, -(-op.elements // pace)), channels, op.vectors)
    fifo = cheapest_fifo(stream, 2 + round(wait * stream.beats), family)
    return price(fifo.resources(family), family)


def arrivals(graph: Graph) -> dict[str, float]:
    """Return when each value comes, in frames behind the input: windows wait for their rows.

    All streams are taken to run evenly at one pace, and joins to wait for the last of theirs.
    """
    found: dict[str, float] = {}
    for op in graph.ops:
        if isinstance(op, Input):
            found[op.name] = 0.0
            continue
        found[op.name] = max(found[name] for name in op.sources)
        if isinstance(op, Conv | MaxPool | SumPool):
            window = op.window
            rows = (window.kernel[0] - 1) * window.dilation[0] - window.padding[0]
            columns = (window.kernel[1] - 1) * window.dilation[1] - window.padding[1]
            lag = rows * window.width + columns + 1
            found[op.name] += max(0, lag) / (window.height * window.width)
        elif isinstance(op, Dense):
            found[op.name] += 1.0
    return found
