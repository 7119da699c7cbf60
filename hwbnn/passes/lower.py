# SPDX-License-Identifier: Apache-2.0
"""Lower: Graph to Design, one unit an operator, staircases fused into the product before them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias, assert_never

import numpy as np

from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import DType, IntArray, smallest
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import (
    Add,
    ArgMax,
    Concat,
    Conv,
    Dense,
    Input,
    MaxPool,
    Op,
    Permute,
    Staircase,
    SumPool,
    Table,
    count_to_value,
)
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Unit
from hwbnn.ir.verify import verify_graph
from hwbnn.ir.window import BoolArray, Border
from hwbnn.passes.even_steps import EvenSteps, even_steps
from hwbnn.passes.products import conv_units, in_type, mvu, slides, widened
from hwbnn.units.add import Add as AddUnit
from hwbnn.units.arg_max import ArgMax as ArgMaxUnit
from hwbnn.units.concat import Concat as ConcatUnit
from hwbnn.units.fork import Fork
from hwbnn.units.lookup import Lookup
from hwbnn.units.max_pool import MaxPool as MaxPoolUnit
from hwbnn.units.rescale import MAX_INPUT_BITS, Rescale
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.sum_pool import SumPool as SumPoolUnit
from hwbnn.units.thresholds import Thresholds

# A staircase of more steps is a table: 256 constants cost less than so many comparators.
MAX_COMPARED_STEPS = 3
MAX_TABLES = 4  # different ones: the channels of an image
MAX_TABLE_BITS = 8


def lower(graph: Graph) -> Design:
    """Return the fully serial design (PE = SIMD = 1) of a graph; lanes may still disagree.

    A value that several operators read goes through a Fork.
    """
    verify_graph(graph)
    lines = even_lines(graph, graph.ops)
    made = _Wiring(graph, lines)
    skipped: set[str] = set()
    for op in graph.ops[1:]:
        if op.name in skipped:
            continue
        follower = fusible(graph, op, lines)
        if follower is not None:
            skipped.add(follower.name)
        made.add(op, units_of(graph, op, follower, lines), gives=follower or op)
    return made.design()


Lines: TypeAlias = Mapping[str, EvenSteps]


def even_lines(graph: Graph, among: Iterable[Op]) -> Lines:
    """Return those of some staircases, by name, that a multiplication takes the place of."""
    found = {
        op.name: even_steps(op, *graph.range_of(op.source))
        for op in among
        if isinstance(op, Staircase) and not _tabulated(graph[op.source].dtype, op)
    }
    return {
        name: line
        for name, line in found.items()
        if line is not None and graph[graph[name].sources[0]].dtype.bits <= MAX_INPUT_BITS
    }


class _Wiring:
    """Instances and edges so far; `free` are the ends that give a value and are not yet read."""

    def __init__(self, graph: Graph, lines: Lines) -> None:
        self.graph = graph
        self.instances: list[Instance] = []
        self.edges: list[Edge] = []
        self.free: dict[str, list[tuple[End | None, Stream]]] = {}
        first = next(op for op in graph.ops[1:] if graph.input.name in op.sources)
        units = units_of(graph, first, fusible(graph, first, lines), lines)
        entering = next(iter(units))[1].inputs[0]
        self._give(graph.input, None, entering)

    def add(self, op: Op, units: Iterable[tuple[str, Unit]], *, gives: Op) -> None:
        """Put the units of an operator one behind another; the last gives the value of `gives`."""
        ends = [self.free[source].pop(0) for source in op.sources]
        for suffix, unit in units:
            name = op.name + suffix
            self._instance(name, unit.named(op.name), ends)
            ends = [(End(name), unit.outputs[0])]
        self._give(gives, *ends[0])

    def design(self) -> Design:
        """Return the design, whose output is the graph's."""
        graph = self.graph
        end, stream = self.free[graph.output].pop(0)
        edges = (*self.edges, Edge("out", Fifo(stream), end, None))
        instances = tuple(self.instances)
        return Design(graph.name, instances, edges, graph.output_values, graph.classes)

    def _instance(self, name: str, unit: Unit, ends: Iterable[tuple[End | None, Stream]]) -> None:
        self.instances.append(Instance(name, unit))
        for port, (end, stream) in enumerate(ends):
            self.edges.append(Edge(_edge_name(end), Fifo(stream), end, End(name, port)))

    def _give(self, op: Op, end: End | None, stream: Stream) -> None:
        """Note that a value is there, once for each place that reads it."""
        ways = sum(reader.sources.count(op.name) for reader in self.graph.readers(op.name))
        ways += op.name == self.graph.output
        if ways > 1:
            name = f"{op.name}_fork"
            fork = Fork(stream.dtype, stream.elements, ways, stream.vectors, stream.lanes)
            self._instance(name, fork.named(op.name), [(end, stream)])
            ends: list[tuple[End | None, Stream]] = [
                (End(name, way), fork.outputs[way]) for way in range(ways)
            ]
        else:
            ends = [(end, stream)]
        self.free[op.name] = ends


def _edge_name(end: End | None) -> str:
    if end is None:
        return "in"
    return f"{end.instance}_out" + (f"_{end.port}" if end.port else "")


def fusible(graph: Graph, op: Op, lines: Lines) -> Staircase | None:
    """Return the staircase that a product can take in: its only reader."""
    readers = graph.readers(op.name)
    if isinstance(op, Dense | Conv) and len(readers) == 1 and op.name != graph.output:
        (reader,) = readers
        if not isinstance(reader, Staircase) or reader.vectors != op.vectors:
            return None
        if reader.name not in lines or widened(graph, op):
            return reader
    return None


def units_of(
    graph: Graph, op: Op, follower: Staircase | None, lines: Lines
) -> Iterator[tuple[str, Unit]]:
    """Return the units of an operator, in the order of the data, each with its name's ending."""
    assert not isinstance(op, Input)
    source = graph[op.sources[0]].dtype
    match op:
        case Dense():
            ends = graph.range_of(op.source)
            yield "", mvu(op, op.weights, follower, source=source, ends=ends)
        case Conv():
            yield from conv_units(graph, op, follower)
        case MaxPool():
            yield from _max_pool(op)
        case SumPool():
            yield from _sum_pool(graph, op)
        case Staircase():
            yield "", _staircase(source, op, lines.get(op.name))
        case Table():
            yield "", _lookup(source, op)
        case ArgMax():
            yield "", ArgMaxUnit(source, graph[op.source].elements)
        case Add() | Concat():
            yield "", _join(graph, op)
        case Permute():
            raise AssertionError("only the host permutes")
        case _:
            assert_never(op)


# ---- the others ----------------------------------------------------------------------------------


def _max_pool(op: MaxPool) -> Iterator[tuple[str, Unit]]:
    if slides(op.window):
        least, greatest = op.dtype.min, op.dtype.max
        fill = np.where(op.minimum, greatest, least)  # never chosen
        yield "_window", SlidingWindow(op.dtype, op.channels, op.window, fill)
    yield "", MaxPoolUnit(op.dtype, op.channels, op.window.taps, op.minimum, op.vectors)


def _sum_pool(graph: Graph, op: SumPool) -> Iterator[tuple[str, Unit]]:
    source = graph[op.source].dtype
    if any(op.window.padding) and not source.holds(np.zeros(1, np.int64)):
        narrow, source = graph[op.source], smallest(source.min, source.max)
        yield "_pad", in_type(narrow, source, op)
    if slides(op.window):
        yield "_window", SlidingWindow(source, op.channels, op.window, np.zeros(1, np.int64))
    unit = SumPoolUnit(source, op.dtype, op.channels, op.window.taps, op.vectors)
    if op.factors is not None:
        factors = op.factors.reshape(op.window.out_height, op.window.out_width)
        unit = replace(unit, factors=factors)
    yield "", unit


def _join(graph: Graph, op: Add | Concat) -> Unit:
    dtypes = tuple(graph[name].dtype for name in op.sources)
    if isinstance(op, Concat):
        return ConcatUnit(dtypes, op.dtype, op.channels, op.vectors)
    return AddUnit(dtypes, op.dtype, op.elements // op.vectors, op.vectors, op.factors)


def _staircase(source: DType, op: Staircase, line: EvenSteps | None) -> Unit:
    if op.border is not None:
        return _by_class(source, op, op.border)
    if line is not None:
        return Rescale(
            line.multipliers,
            line.offsets,
            line.shift,
            op.steps,
            line.even,
            source,
            op.dtype,
            op.channels,
            base=op.base,
            vectors=op.vectors,
        )
    rows, down = _rows(op)
    if _tabulated(source, op):
        domain = source.decode(np.arange(1 << source.bits))
        count = (domain[:, None] >= rows[:, None]).sum(axis=2)
        count = np.where(down[:, None], op.steps - count, count)
        values = count_to_value(count, base=op.base, dtype=op.dtype)
        return Lookup(values, source, op.dtype, op.channels, op.vectors)
    return Thresholds(rows, down, source, op.dtype, op.channels, base=op.base, vectors=op.vectors)


def _by_class(source: DType, op: Staircase, classes: IntArray) -> Unit:
    """Return thresholds by class of vector; if each is a class of its own, those of every element.

    The unit's classes are numbered as they come: the first vector is of class 0.
    """
    border = Border.of(classes[None, :, None])
    by_class = op.thresholds.reshape(op.classes, op.channels, -1)
    rows = by_class[classes[border.examples]].reshape(-1, op.steps)
    unit = Thresholds(
        rows,
        op.descending,
        source,
        op.dtype,
        op.channels,
        base=op.base,
        vectors=op.vectors,
        border=border,
    )
    return unit if border.classes < op.vectors else unit.by_element


def _rows(op: Staircase) -> tuple[IntArray, BoolArray]:
    """Return thresholds and directions, as many rows of both."""
    rows, down = op.thresholds, op.descending
    if len(rows) != len(down):
        rows = np.broadcast_to(rows, (op.channels, op.steps))
        down = np.broadcast_to(down, (op.channels,))
    return rows, down


def _tabulated(source: DType, op: Staircase) -> bool:
    few = max(len(op.thresholds), len(op.descending)) <= MAX_TABLES
    few = few and source.bits <= MAX_TABLE_BITS
    return few and op.steps > MAX_COMPARED_STEPS and op.border is None


def _lookup(source: DType, op: Table) -> Lookup:
    """Index the table by code; codes outside its range cannot occur and hold its first value."""
    domain = source.decode(np.arange(1 << source.bits)) - op.low
    inside = (domain >= 0) & (domain < op.values.shape[1])
    values = op.values[:, np.where(inside, domain, 0)]
    return Lookup(values, source, op.dtype, op.channels, op.vectors)
