# SPDX-License-Identifier: Apache-2.0
"""Verifiers: what a valid Graph and a valid Design are, checked once, at the border."""

import re
from typing import assert_never

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR, Kind
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
)
from hwbnn.ir.ranges import range_from, value_range
from hwbnn.ir.reserved import RESERVED
from hwbnn.ir.window import Window

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
        return problems + _vector_problems(op)
    late = [name for name in op.sources if name not in seen]
    if late:
        return [*problems, f"{op.name}: source must stand before it, not {', '.join(late)}"]
    return problems + _vector_problems(op) + _value_problems(op, seen)


def _vector_problems(op: Op) -> list[str]:
    if op.vectors < 1 or op.elements % op.vectors:
        return [f"{op.name}: {op.elements} elements must be whole vectors, not {op.vectors}"]
    return []


def _value_problems(op: Op, seen: dict[str, Op]) -> list[str]:
    assert not isinstance(op, Input)
    if isinstance(op, Add | Concat):
        return _join_problems(op, [seen[name] for name in op.sources], seen)
    source = seen[op.source]
    match op:
        case Dense():
            return _dense_problems(op, source, seen)
        case Conv():
            return _conv_problems(op, source, seen)
        case MaxPool() | SumPool():
            return _pool_problems(op, source, seen)
        case Staircase():
            return _staircase_problems(op, source)
        case Table():
            return _table_problems(op, source)
        case Permute():
            if not np.array_equal(np.sort(op.order), np.arange(source.elements)):
                return [f"{op.name}: order must name each of {source.elements} elements once"]
            return []
        case ArgMax():
            return []
        case _:
            assert_never(op)


def _join_problems(op: Add | Concat, sources: list[Op], seen: dict[str, Op]) -> list[str]:
    problems = []
    if len(sources) < 2:
        problems.append(f"{op.name}: sources must be two or more, not {len(sources)}")
    shapes = [(source.vectors, source.elements // source.vectors) for source in sources]
    if isinstance(op, Concat):
        right = [(op.vectors, channels) for channels in op.channels]
        needed = f"of {op.vectors} vectors of {' + '.join(map(str, op.channels))} channels"
    else:
        right = [(op.vectors, op.elements // op.vectors)] * len(sources)
        needed = f"all of {op.vectors} vectors of {op.elements // op.vectors} channels"
        if op.factors and (len(op.factors) != len(sources) or min(op.factors) < 1):
            problems.append(f"{op.name}: factors must be positive, one a source, not {op.factors}")
            return problems
    if shapes != right:
        given = ", ".join(f"{vectors} x {channels}" for vectors, channels in shapes)
        return [*problems, f"{op.name}: sources must be {needed}, not {given}"]
    ends = range_from(op, [value_range(source, seen) for source in sources])
    bipolar = op.dtype == BIPOLAR and any(source.dtype != BIPOLAR for source in sources)
    if bipolar or ends[0] < op.dtype.min or ends[1] > op.dtype.max:
        problems.append(f"{op.name}: type must hold [{ends[0]}, {ends[1]}], not {op.dtype}")
    return problems


def _table_problems(op: Table, source: Op) -> list[str]:
    problems = []
    if op.elements != source.elements:
        problems.append(f"{op.name}: elements must be {source.elements}, not {op.elements}")
    if op.values.shape[0] not in (1, op.channels):
        problems.append(f"{op.name}: table must have 1 or {op.channels} rows")
    if not op.dtype.holds(op.values):
        problems.append(f"{op.name}: table must hold values of {op.dtype}")
    return problems


def _dense_problems(op: Dense, source: Op, seen: dict[str, Op]) -> list[str]:
    if op.weights.ndim != 2 or op.weights.shape[1] != source.elements:
        return [f"{op.name}: weights must be (outputs, {source.elements}), not {op.weights.shape}"]
    return _sum_problems(op, range_from(op, [value_range(source, seen)]))


def _conv_problems(op: Conv, source: Op, seen: dict[str, Op]) -> list[str]:
    if op.weights.ndim != 3 or op.weights.shape[1] != op.window.taps:
        shape = op.weights.shape
        return [f"{op.name}: weights must be (outputs, {op.window.taps}, channels), not {shape}"]
    if op.groups < 1 or op.outputs % op.groups:
        return [f"{op.name}: groups must divide {op.outputs} outputs, not {op.groups}"]
    problems = _image_problems(op, op.window, op.channels, source)
    return problems + _sum_problems(op, range_from(op, [value_range(source, seen)]))


def _pool_problems(op: MaxPool | SumPool, source: Op, seen: dict[str, Op]) -> list[str]:
    problems = _image_problems(op, op.window, op.channels, source)
    if isinstance(op, SumPool):
        factors = op.factors
        if factors is not None and (factors.shape != (op.vectors,) or factors.min() < 1):
            return [*problems, f"{op.name}: factors must be positive, one a window"]
        return problems + _range_problems(op, range_from(op, [value_range(source, seen)]))
    if (op.window.sources < 0).all(axis=1).any():
        problems.append(f"{op.name}: every window must hold a position of the image")
    if op.minimum.shape not in ((1,), (op.channels,)):
        problems.append(f"{op.name}: minimum must have 1 or {op.channels} flags")
    if op.dtype != source.dtype:
        problems.append(f"{op.name}: type must be the source's {source.dtype}, not {op.dtype}")
    return problems


def _image_problems(op: Op, window: Window, channels: int, source: Op) -> list[str]:
    image = window.height * window.width
    if (source.vectors, source.elements) == (image, image * channels):
        return []
    return [
        f"{op.name}: source must be {image} positions of {channels} channels, not "
        f"{source.vectors} of {source.elements // source.vectors}"
    ]


def _sum_problems(op: Dense | Conv, ends: tuple[int, int]) -> list[str]:
    problems = []
    if not op.weight_dtype.holds(op.weights):
        problems.append(f"{op.name}: weights must be of type {op.weight_dtype}")
    return problems + _range_problems(op, ends)


def _range_problems(op: Dense | Conv | SumPool, ends: tuple[int, int]) -> list[str]:
    low, high = ends
    if low < op.dtype.min or high > op.dtype.max:
        return [f"{op.name}: accumulator must hold [{low}, {high}], not {op.dtype}"]
    return []


def _staircase_problems(op: Staircase, source: Op) -> list[str]:
    problems = []
    if op.elements != source.elements:
        problems.append(f"{op.name}: elements must be {source.elements}, not {op.elements}")
    if op.border is not None and op.border.shape != (op.vectors,):
        problems.append(f"{op.name}: border must be a class for each of {op.vectors} vectors")
    for what, rows, whole in (
        ("thresholds", op.thresholds.shape[0], op.classes * op.channels),
        ("directions", op.descending.shape[0], op.channels),
    ):
        if rows not in (1, whole):
            problems.append(f"{op.name}: {what} must have 1 or {whole} rows, not {rows}")
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
    place = {instance.name: index for index, instance in enumerate(design.instances)}
    for edge in design.edges:
        for end, what in ((edge.producer, "producer"), (edge.consumer, "consumer")):
            if end is not None:
                problems += _end_problems(design, edge, end, what)
        if edge.producer is None or edge.consumer is None:
            continue
        first, second = place.get(edge.producer.instance), place.get(edge.consumer.instance)
        if first is not None and second is not None and first >= second:
            problems.append(f"{edge.name}: producer must stand before the consumer")
    if len(design.inputs) != 1:
        problems.append(f"{design.name}: design must have one input")
    if len(design.outputs) != 1:
        problems.append(f"{design.name}: design must have one output")
    for instance in design.instances:
        problems += _port_problems(design, instance)
    if problems:
        raise ModelError(problems)


def _end_problems(design: Design, edge: Edge, end: End, what: str) -> list[str]:
    unit = next((i.unit for i in design.instances if i.name == end.instance), None)
    if unit is None:
        return [f"{edge.name}: {what} must be an instance, not {end.instance}"]
    streams = unit.outputs if what == "producer" else unit.inputs
    if not 0 <= end.port < len(streams):
        return [
            f"{edge.name}: {end.instance} must have a port {end.port}, not {len(streams)} alone"
        ]
    if edge.stream.carries(streams[end.port]):
        return []
    return [
        f"{edge.name}: stream must be that of its {what} {end.instance} "
        f"({streams[end.port]}), not {edge.stream}"
    ]


def _port_problems(design: Design, instance: Instance) -> list[str]:
    name, unit = instance.name, instance.unit
    read = [edge.consumer.port for edge in design.into(name) if edge.consumer]
    written = [edge.producer.port for edge in design.out_of(name) if edge.producer]
    problems = []
    if read != list(range(len(unit.inputs))):
        problems.append(f"{name}: every input port must have one edge")
    if written != list(range(len(unit.outputs))):
        problems.append(f"{name}: every output port must have one edge; a Fork makes more of it")
    return problems
