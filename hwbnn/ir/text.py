# SPDX-License-Identifier: Apache-2.0
"""Printable form of a Graph and of a Design, one line an operator, instance or edge."""

from typing import assert_never

from hwbnn.ir.design import Design, Edge
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
from hwbnn.ir.window import Window


def graph_text(graph: Graph) -> str:
    """Return a graph as text: `name: TYPE[elements] = operator`."""
    lines = [f"graph {graph.name}: pixels {_shape(graph.input_shape)}, {graph.preprocess}"]
    lines += [f"  host {_op_line(op)}" for op in graph.host]
    lines += [f"  {_op_line(op)}" for op in graph.ops]
    return "\n".join([*lines, f"  output {graph.output}"]) + "\n"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(extent) for extent in shape)


def _op_line(op: Op) -> str:
    match op:
        case Input():
            meaning = "input"
        case Dense():
            outputs, inputs = op.weights.shape
            meaning = f"dense({op.source}) weights {op.weight_dtype} {outputs} x {inputs}"
        case Conv():
            meaning = _conv(op)
        case MaxPool():
            least = f", {op.minimum.sum()} minimum" if op.minimum.any() else ""
            meaning = f"max_pool({op.source}) {_window(op.window)}{least}"
        case SumPool():
            meaning = _sum_pool(op)
        case Staircase():
            meaning = _staircase(op)
        case Table():
            rows, span = op.values.shape
            meaning = f"table({op.source}) {rows} x [{op.low}, {op.low + span - 1}]"
        case Add() | Concat():
            meaning = _join(op)
        case Permute() | ArgMax():
            meaning = f"{type(op).__name__.lower()}({op.source})"
        case _:
            assert_never(op)
    shape = f"{op.vectors} x {op.elements // op.vectors}" if op.vectors > 1 else str(op.elements)
    return f"{op.name}: {op.dtype}[{shape}] = {meaning}"


def _conv(op: Conv) -> str:
    outputs, _, inputs = op.weights.shape
    meaning = f"conv({op.source}) {_window(op.window)} weights {op.weight_dtype} "
    meaning += f"{outputs} x {inputs}" + (f", {op.groups} groups" if op.groups > 1 else "")
    return meaning + (f", filled with {op.fill}" if any(op.window.padding) and op.fill else "")


def _sum_pool(op: SumPool) -> str:
    meaning = f"sum_pool({op.source}) {_window(op.window)}"
    factors = [] if op.factors is None else sorted(set(op.factors.tolist()))
    return meaning + (f", times {', '.join(map(str, factors))}" if factors else "")


def _staircase(op: Staircase) -> str:
    down = int(op.descending.sum())
    meaning = f"staircase({op.source}) {op.steps} steps x {op.thresholds.shape[0]} rows"
    meaning += f", {op.classes} border classes" if op.classes > 1 else ""
    return meaning + (f", {down} descending" if down else "")


def _join(op: Add | Concat) -> str:
    if isinstance(op, Concat):
        return f"concat({', '.join(op.sources)}) {' + '.join(map(str, op.channels))} channels"
    terms = (name if factor == 1 else f"{factor} * {name}" for name, factor in op.terms)
    return f"add({', '.join(terms)})"


def _window(window: Window) -> str:
    """Kernel, then what is not usual: stride, dilation, padding (top, left, bottom, right)."""
    text = f"{window.kernel[0]}x{window.kernel[1]}"
    if window.stride != (1, 1):
        text += f" stride {window.stride[0]}x{window.stride[1]}"
    if window.dilation != (1, 1):
        text += f" dilation {window.dilation[0]}x{window.dilation[1]}"
    if any(window.padding):
        text += f" padding {','.join(map(str, window.padding))}"
    return text


def design_text(design: Design) -> str:
    """Return a design as text: instances with folding and cycles, then edges with their FIFO."""
    lines = [f"design {design.name}: at least {design.bound} cycles a frame"]
    for instance in design.instances:
        unit = instance.unit
        knobs = f"pe {unit.folding.pe}, simd {unit.folding.simd}"
        lines.append(f"  {instance.name}: {type(unit).__name__}({knobs}), {unit.cycles} cycles")
    lines += [f"  {_edge_line(edge)}" for edge in design.edges]
    return "\n".join(lines) + "\n"


def _edge_line(edge: Edge) -> str:
    start = edge.producer.instance if edge.producer else "input"
    end = edge.consumer.instance if edge.consumer else "output"
    fifo = f"FIFO {edge.fifo.depth} {edge.fifo.storage.name}"
    return f"{edge.name}: {start} -> {end}: {edge.stream}, {fifo}"
