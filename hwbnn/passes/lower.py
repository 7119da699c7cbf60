# SPDX-License-Identifier: Apache-2.0
"""Lower: Graph to Design, one unit an operator, staircases fused into the product before them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import assert_never

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import DType, IntArray, Kind, smallest
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
from hwbnn.ir.window import Border, Window
from hwbnn.units.add import Add as AddUnit
from hwbnn.units.arg_max import ArgMax as ArgMaxUnit
from hwbnn.units.concat import Concat as ConcatUnit
from hwbnn.units.depthwise_mvu import DepthwiseMvu
from hwbnn.units.fork import Fork
from hwbnn.units.lookup import Lookup
from hwbnn.units.max_pool import MaxPool as MaxPoolUnit
from hwbnn.units.mvu import Mvu
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.sum_pool import SumPool as SumPoolUnit
from hwbnn.units.thresholds import Thresholds

# A staircase of more steps is a table: 256 constants cost less than so many comparators.
MAX_COMPARED_STEPS = 3
MAX_TABLES = 4  # different ones: the channels of an image
MAX_TABLE_BITS = 8


def lower(graph: Graph) -> Design:
    """Return the fully serial design (PE = SIMD = 1) of a graph; lanes may still disagree.

    A value that several operators read goes through a Fork. Raises ModelError for an Add whose
    factors are no powers of two.
    """
    verify_graph(graph)
    made = _Wiring(graph)
    skipped: set[str] = set()
    for op in graph.ops[1:]:
        if op.name in skipped:
            continue
        follower = _fusible(graph, op)
        if follower is not None:
            skipped.add(follower.name)
        made.add(op, _units(graph, op, follower), gives=follower or op)
    return made.design()


class _Wiring:
    """Instances and edges so far; `free` are the ends that give a value and are not yet read."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.instances: list[Instance] = []
        self.edges: list[Edge] = []
        self.free: dict[str, list[tuple[End | None, Stream]]] = {}
        first = next(op for op in graph.ops[1:] if graph.input.name in op.sources)
        entering = next(iter(_units(graph, first, _fusible(graph, first))))[1].inputs[0]
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


def _fusible(graph: Graph, op: Op) -> Staircase | None:
    """Return the staircase that a product can take in: its only reader."""
    readers = graph.readers(op.name)
    if isinstance(op, Dense | Conv) and len(readers) == 1 and op.name != graph.output:
        (reader,) = readers
        if isinstance(reader, Staircase) and reader.vectors == op.vectors:
            return reader
    return None


def _units(graph: Graph, op: Op, follower: Staircase | None) -> Iterator[tuple[str, Unit]]:
    """Return the units of an operator, in the order of the data, each with its name's ending."""
    assert not isinstance(op, Input)
    source = graph[op.sources[0]].dtype
    match op:
        case Dense():
            ends = graph.range_of(op.source)
            yield "", _mvu(op, op.weights, follower, source=source, ends=ends)
        case Conv():
            yield from _conv(graph, op, follower)
        case MaxPool():
            yield from _max_pool(op)
        case SumPool():
            yield from _sum_pool(graph, op)
        case Staircase():
            yield "", _staircase(source, op)
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


# ---- products ------------------------------------------------------------------------------------


def _conv(graph: Graph, op: Conv, follower: Staircase | None) -> Iterator[tuple[str, Unit]]:
    source, ends = graph[op.source].dtype, graph.range_of(op.source)
    window, fill = op.window, np.zeros(1, np.int64)
    shift: IntArray | None = None
    if any(window.padding):
        if not source.holds(np.array([op.fill])):
            source, shift, lookup = _widen(graph, op, follower)
            if lookup is not None:
                yield "_pad", lookup
        sent = op.fill if shift is None else source.min
        fill = np.array([sent])
        ends = min(ends[0], sent), max(ends[1], sent)
    groups = 1 if _depthwise(op) else op.groups
    regrouped = groups > 1 and window.taps > 1  # groups come one after another, with all their taps
    if _slides(window) or regrouped:
        yield "_window", SlidingWindow(source, op.channels, window, fill, groups)
        op = replace(op, weights=op.weights[:, window.by_columns])
    if _depthwise(op):
        yield "", _depthwise_mvu(op, follower, source=source, ends=ends, shift=shift)
    else:
        unit = _mvu(op, op.matrix, follower, source=source, ends=ends, shift=shift)
        yield "", replace(unit, vectors=op.vectors, groups=op.groups)


def _slides(window: Window) -> bool:
    """Positions must be kept or repeated; otherwise the image itself is the stream of windows."""
    return not window.pointwise and not window.whole


def _depthwise(op: Conv) -> bool:
    """One filter a channel; a single channel is an ordinary convolution."""
    return op.groups == op.channels == op.outputs and op.channels > 1


def _widen(
    graph: Graph, op: Conv, follower: Staircase | None
) -> tuple[DType, IntArray | None, Lookup | None]:
    """Find how to send a padded tap that the source's type does not hold.

    Return the type that the windows carry, what to add to the thresholds, int64 (positions,
    outputs), and the unit that makes the type. A product with a staircase keeps the type: a padded
    tap is sent as the least value, and the thresholds of the border say what it should have been.
    """
    source = graph[op.source]
    if follower is not None:
        padded = (op.window.sources < 0).astype(np.int64)
        taps = op.weights.sum(axis=2)  # (outputs, taps), over the channels of the group
        return source.dtype, padded @ taps.T * (source.dtype.min - op.fill), None
    low, high = graph.range_of(op.source)
    wide = smallest(min(low, op.fill, -1), max(high, op.fill))
    return wide, None, _in_type(source, wide, op)


def _in_type(source: Op, wide: DType, op: Conv | SumPool) -> Lookup:
    """Make the unit that gives the values of source, before the windows of op, another type."""
    domain = source.dtype.decode(np.arange(1 << source.dtype.bits))
    positions = op.window.height * op.window.width
    return Lookup(domain[None], source.dtype, wide, op.channels, positions)


def _mvu(
    op: Dense | Conv,
    weights: IntArray,
    staircase: Staircase | None,
    *,
    source: DType,
    ends: tuple[int, int],
    shift: IntArray | None = None,
) -> Mvu:
    if staircase is None:
        return Mvu(weights, op.weight_dtype, source, op.dtype, input_range=ends)
    thresholds, border = _by_class(op, staircase, shift)
    weights, thresholds = _ascending(weights, thresholds, staircase)
    return Mvu(
        weights,
        _weight_dtype(op, weights),
        source,
        staircase.dtype,
        thresholds,
        input_range=ends,
        base=staircase.base,
        border=border,
    )


def _depthwise_mvu(
    op: Conv,
    staircase: Staircase | None,
    *,
    source: DType,
    ends: tuple[int, int],
    shift: IntArray | None,
) -> DepthwiseMvu:
    weights = op.matrix
    if staircase is None:
        return DepthwiseMvu(
            weights, op.weight_dtype, source, op.dtype, input_range=ends, vectors=op.vectors
        )
    thresholds, border = _by_class(op, staircase, shift)
    weights, thresholds = _ascending(weights, thresholds, staircase)
    return DepthwiseMvu(
        weights,
        _weight_dtype(op, weights),
        source,
        staircase.dtype,
        thresholds,
        input_range=ends,
        base=staircase.base,
        vectors=op.vectors,
        border=border,
    )


def _weight_dtype(op: Dense | Conv, weights: IntArray) -> DType:
    if op.weight_dtype.kind is Kind.BIPOLAR:
        return op.weight_dtype
    return smallest(min(int(weights.min()), -1), int(weights.max()))


def _by_class(
    op: Dense | Conv, staircase: Staircase, shift: IntArray | None
) -> tuple[IntArray, Border | None]:
    """Return thresholds (classes, outputs, steps) on the hardware's sum, and the classes.

    shift: what the hardware's sum has more than the operator's, (positions, outputs).
    """
    outputs, steps = staircase.channels, staircase.steps
    if isinstance(op, Dense) or (staircase.border is None and shift is None):
        return np.broadcast_to(staircase.thresholds, (outputs, steps))[None], None
    by_position = staircase.thresholds[staircase.rows].reshape(op.vectors, outputs, steps)
    if shift is not None:
        by_position = by_position + shift[..., None]
    window = op.window
    border = Border.of(by_position.reshape(window.out_height, window.out_width, -1))
    return by_position[border.examples], border


def _ascending(
    weights: IntArray, thresholds: IntArray, staircase: Staircase
) -> tuple[IntArray, IntArray]:
    """Negate the rows of descending channels: x < T is -x >= 1 - T, so no direction is left.

    Return weights and thresholds (classes * outputs, steps).
    """
    down = np.broadcast_to(staircase.descending, (len(weights),))[:, None]
    turned = np.where(down, 1 - thresholds[..., ::-1], thresholds)
    return np.where(down, -weights, weights), turned.reshape(-1, staircase.steps)


# ---- the others ----------------------------------------------------------------------------------


def _max_pool(op: MaxPool) -> Iterator[tuple[str, Unit]]:
    if _slides(op.window):
        least, greatest = op.dtype.min, op.dtype.max
        fill = np.where(op.minimum, greatest, least)  # never chosen
        yield "_window", SlidingWindow(op.dtype, op.channels, op.window, fill)
    yield "", MaxPoolUnit(op.dtype, op.channels, op.window.taps, op.minimum, op.vectors)


def _sum_pool(graph: Graph, op: SumPool) -> Iterator[tuple[str, Unit]]:
    source = graph[op.source].dtype
    if any(op.window.padding) and not source.holds(np.zeros(1, np.int64)):
        narrow, source = graph[op.source], smallest(source.min, source.max)
        yield "_pad", _in_type(narrow, source, op)
    if _slides(op.window):
        yield "_window", SlidingWindow(source, op.channels, op.window, np.zeros(1, np.int64))
    yield "", SumPoolUnit(source, op.dtype, op.channels, op.window.taps, op.vectors)


def _join(graph: Graph, op: Add | Concat) -> Unit:
    dtypes = tuple(graph[name].dtype for name in op.sources)
    if isinstance(op, Concat):
        return ConcatUnit(dtypes, op.dtype, op.channels, op.vectors)
    odd = [factor for _, factor in op.terms if factor & (factor - 1)]
    if odd:
        raise ModelError(
            f"{op.name}: steps of the sums must differ by powers of two, not by {odd[0]}; give "
            "both branches one step"
        )
    shifts = tuple(factor.bit_length() - 1 for _, factor in op.terms)
    return AddUnit(dtypes, op.dtype, op.elements // op.vectors, op.vectors, shifts)


def _staircase(source: DType, op: Staircase) -> Unit:
    if op.border is not None:  # by position: every element has its own row
        rows, down = op.thresholds[op.rows], op.directions
        return Thresholds(rows, down, source, op.dtype, op.elements, base=op.base)
    rows, down = op.thresholds, op.descending
    if len(rows) != len(down):
        rows = np.broadcast_to(rows, (op.channels, op.steps))
        down = np.broadcast_to(down, (op.channels,))
    few = len(rows) <= MAX_TABLES and source.bits <= MAX_TABLE_BITS
    if few and op.steps > MAX_COMPARED_STEPS:
        domain = source.decode(np.arange(1 << source.bits))
        count = (domain[:, None] >= rows[:, None]).sum(axis=2)
        count = np.where(down[:, None], op.steps - count, count)
        values = count_to_value(count, base=op.base, dtype=op.dtype)
        return Lookup(values, source, op.dtype, op.channels, op.vectors)
    return Thresholds(rows, down, source, op.dtype, op.channels, base=op.base, vectors=op.vectors)


def _lookup(source: DType, op: Table) -> Lookup:
    """Index the table by code; codes outside its range cannot occur and hold its first value."""
    domain = source.decode(np.arange(1 << source.bits)) - op.low
    inside = (domain >= 0) & (domain < op.values.shape[1])
    values = op.values[:, np.where(inside, domain, 0)]
    return Lookup(values, source, op.dtype, op.channels, op.vectors)
