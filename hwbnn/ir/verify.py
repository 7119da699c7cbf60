# SPDX-License-Identifier: Apache-2.0
"""Verifiers: what a valid Graph and a valid Design are, checked once, at the border."""

import re

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.ir.design import Design, End
from hwbnn.ir.dtype import Kind
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import (
    ArgMax,
    Dense,
    Input,
    Op,
    Staircase,
    Table,
    sum_range,
    value_range,
)
from hwbnn.ir.reserved import RESERVED
from hwbnn.ir.stream import Stream

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def verify_graph(graph: Graph) -> None:
    """Raise ModelError with every rule that the graph breaks."""
    problems: list[str] = []
    seen: dict[str, Op] = {}
    for index, op in enumerate(graph.ops):
        problems += _op_problems(op, index, seen)
        seen[op.name] = op
    if graph.output not in seen:
        problems.append(f"{graph.name}: output must be the name of an operator, not {graph.output}")
    if problems:
        raise ModelError(problems)


def _op_problems(op: Op, index: int, seen: dict[str, Op]) -> list[str]:
    problems = []
    if op.name in seen or not IDENTIFIER.fullmatch(op.name):
        problems.append(f"{op.name}: name must be a unique identifier")
    if op.name in RESERVED:
        problems.append(f"{op.name}: name must not be a word of SystemVerilog or C++")
    if isinstance(op, Input) != (index == 0):
        problems.append(f"{op.name}: exactly the first operator must be the Input")
    if isinstance(op, Input):
        return problems
    if op.source not in seen:
        return [*problems, f"{op.name}: source must stand before it, not {op.source}"]
    return problems + _value_problems(op, seen[op.source])


def _value_problems(op: Dense | Staircase | Table | ArgMax, source: Op) -> list[str]:
    match op:
        case Dense():
            return _dense_problems(op, source)
        case Staircase():
            return _staircase_problems(op, source)
        case Table():
            problems = []
            if op.values.shape[0] not in (1, source.elements):
                problems.append(f"{op.name}: table must have 1 or {source.elements} rows")
            if not op.dtype.holds(op.values):
                problems.append(f"{op.name}: table must hold values of {op.dtype}")
            return problems
        case ArgMax():
            return []


def _dense_problems(op: Dense, source: Op) -> list[str]:
    problems = []
    if op.weights.ndim != 2 or op.weights.shape[1] != source.elements:
        problems.append(
            f"{op.name}: weights must be (outputs, {source.elements}), not {op.weights.shape}"
        )
    if not op.weight_dtype.holds(op.weights):
        problems.append(f"{op.name}: weights must be of type {op.weight_dtype}")
    low, high = sum_range(op.weights, *value_range(source))
    if low < op.dtype.min or high > op.dtype.max:
        problems.append(f"{op.name}: accumulator must hold [{low}, {high}], not {op.dtype}")
    return problems


def _staircase_problems(op: Staircase, source: Op) -> list[str]:
    problems = []
    if op.elements != source.elements:
        problems.append(f"{op.name}: elements must be {source.elements}, not {op.elements}")
    for what, rows in (
        ("thresholds", op.thresholds.shape[0]),
        ("directions", op.descending.shape[0]),
    ):
        if rows not in (1, op.elements):
            problems.append(f"{op.name}: {what} must have 1 or {op.elements} rows, not {rows}")
    if (np.diff(op.thresholds, axis=1) < 0).any():
        problems.append(f"{op.name}: thresholds of a channel must not decrease")
    if not _fits(op):
        problems.append(f"{op.name}: output type must hold {op.steps + 1} levels, not {op.dtype}")
    return problems


def _fits(op: Staircase) -> bool:
    if op.dtype.kind is Kind.BIPOLAR:
        return op.steps == 1
    return op.base >= op.dtype.min and op.base + op.steps <= op.dtype.max


def verify_design(design: Design) -> None:
    """Raise ModelError with every rule that the design breaks (after adapt)."""
    problems: list[str] = []
    names = [i.name for i in design.instances] + [e.name for e in design.edges]
    problems += [
        f"{name}: name must be a unique identifier"
        for name in names
        if names.count(name) > 1 or not IDENTIFIER.fullmatch(name)
    ]
    for edge in design.edges:
        for end, what in ((edge.producer, "producer"), (edge.consumer, "consumer")):
            if end is not None and _stream_at(design, end, what) != edge.stream:
                problems.append(
                    f"{edge.name}: stream must be that of its {what} {end.instance} "
                    f"({_stream_at(design, end, what)}), not {edge.stream}"
                )
    if sum(e.producer is None for e in design.edges) != 1:
        problems.append(f"{design.name}: design must have one input")
    if sum(e.consumer is None for e in design.edges) != 1:
        problems.append(f"{design.name}: design must have one output")
    for instance in design.instances:
        unit = instance.unit
        if len(design.into(instance.name)) != len(unit.inputs):
            problems.append(f"{instance.name}: every input port must have an edge")
        if len(design.out_of(instance.name)) != len(unit.outputs):
            problems.append(f"{instance.name}: every output port must have an edge")
    if problems:
        raise ModelError(problems)


def _stream_at(design: Design, end: End, what: str) -> Stream:
    unit = design[end.instance]
    return (unit.outputs if what == "producer" else unit.inputs)[end.port]
