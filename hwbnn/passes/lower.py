# SPDX-License-Identifier: Apache-2.0
"""Lower: Graph to Design, one unit an operator, staircases fused into the product before them."""

from collections.abc import Iterable
from itertools import pairwise
from typing import assert_never

import numpy as np

from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import DType, Kind, smallest
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import ArgMax, Dense, Input, Op, Staircase, Table, value_range
from hwbnn.ir.unit import Unit
from hwbnn.ir.verify import verify_graph
from hwbnn.units.arg_max import ArgMax as ArgMaxUnit
from hwbnn.units.lookup import Lookup
from hwbnn.units.mvu import Mvu
from hwbnn.units.thresholds import Thresholds

# A shared staircase of more steps is a table: 256 constants cost less than so many comparators.
MAX_COMPARED_STEPS = 3
MAX_TABLE_BITS = 8


def lower(graph: Graph) -> Design:
    """Return the fully serial design (PE = SIMD = 1) of a graph; lanes may still disagree."""
    verify_graph(graph)
    instances: list[Instance] = []
    skipped: set[str] = set()
    for op in graph.ops[1:]:
        if op.name in skipped:
            continue
        follower = _fusible(graph, op)
        if follower is not None:
            skipped.add(follower.name)
        instances.append(Instance(op.name, _unit(graph, op, follower)))
    return chain(graph.name, instances, graph)


def chain(name: str, instances: Iterable[Instance], graph: Graph) -> Design:
    """Join instances one after another, each through a FIFO of the least depth."""
    instances = tuple(instances)
    edges = [Edge("in", Fifo(instances[0].unit.inputs[0]), None, End(instances[0].name))]
    for producer, consumer in pairwise(instances):
        edges.append(
            Edge(
                f"{producer.name}_out",
                Fifo(producer.unit.outputs[0]),
                End(producer.name),
                End(consumer.name),
            )
        )
    edges.append(Edge("out", Fifo(instances[-1].unit.outputs[0]), End(instances[-1].name), None))
    return Design(name, instances, tuple(edges), graph.output_values, graph.classes)


def _fusible(graph: Graph, op: Op) -> Staircase | None:
    """Return the staircase that a product can take in: its only reader."""
    readers = graph.readers(op.name)
    if isinstance(op, Dense) and len(readers) == 1 and op.name != graph.output:
        (reader,) = readers
        if isinstance(reader, Staircase):
            return reader
    return None


def _unit(graph: Graph, op: Op, follower: Staircase | None) -> Unit:
    match op:
        case Dense():
            return _mvu(graph, op, follower)
        case Staircase():
            return _staircase(_source_dtype(graph, op), op)
        case Table():
            return _lookup(_source_dtype(graph, op), op)
        case ArgMax():
            elements = graph[op.source].elements
            return ArgMaxUnit(_source_dtype(graph, op), elements, origin=op.name)
        case Input():
            raise AssertionError("only the first operator is an Input")
        case _:
            assert_never(op)


def _source_dtype(graph: Graph, op: Dense | Staircase | Table | ArgMax) -> DType:
    return graph[op.source].dtype


def _mvu(graph: Graph, dense: Dense, staircase: Staircase | None) -> Mvu:
    source = _source_dtype(graph, dense)
    ends = value_range(graph[dense.source])
    if staircase is None:
        return Mvu(
            dense.weights,
            dense.weight_dtype,
            source,
            dense.dtype,
            input_range=ends,
            origin=dense.name,
        )
    weights, thresholds = _ascending(dense, staircase)
    weight_dtype = dense.weight_dtype
    if weight_dtype.kind is not Kind.BIPOLAR:
        weight_dtype = smallest(min(int(weights.min()), -1), int(weights.max()))
    return Mvu(
        weights,
        weight_dtype,
        source,
        staircase.dtype,
        thresholds,
        input_range=ends,
        base=staircase.base,
        origin=dense.name,
    )


def _ascending(dense: Dense, staircase: Staircase) -> tuple[np.ndarray, np.ndarray]:
    """Negate the rows of descending channels: x < T is -x >= 1 - T, so no direction is left."""
    neurons = dense.elements
    down = np.broadcast_to(staircase.descending, (neurons,))
    thresholds = np.broadcast_to(staircase.thresholds, (neurons, staircase.steps))
    weights = np.where(down[:, None], -dense.weights, dense.weights)
    return weights, np.where(down[:, None], 1 - thresholds[:, ::-1], thresholds)


def _staircase(source: DType, op: Staircase) -> Unit:
    shared = op.thresholds.shape[0] == 1
    if shared and source.bits <= MAX_TABLE_BITS and op.steps > MAX_COMPARED_STEPS:
        domain = np.arange(1 << source.bits)
        tabulated = Thresholds(
            op.thresholds, op.descending, source, op.dtype, domain.size, base=op.base
        )
        (values,) = tabulated.run(source.decode(domain)[None])
        return Lookup(values, source, op.dtype, op.elements, origin=op.name)
    return Thresholds(
        op.thresholds,
        op.descending,
        source,
        op.dtype,
        op.elements,
        base=op.base,
        origin=op.name,
    )


def _lookup(source: DType, op: Table) -> Lookup:
    """Index the table by code; codes outside its range cannot occur and hold its first value."""
    domain = source.decode(np.arange(1 << source.bits)) - op.low
    inside = (domain >= 0) & (domain < op.values.shape[1])
    values = op.values[:, np.where(inside, domain, 0)]
    return Lookup(values, source, op.dtype, op.elements, origin=op.name)
