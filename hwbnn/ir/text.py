# SPDX-License-Identifier: Apache-2.0
"""Printable form of a Graph and of a Design, one line an operator, instance or edge."""

from typing import assert_never

from hwbnn.ir.design import Design, Edge
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import ArgMax, Dense, Input, Op, Staircase, Table


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
        case Staircase():
            down = int(op.descending.sum())
            meaning = f"staircase({op.source}) {op.steps} steps x {op.thresholds.shape[0]} channels"
            meaning += f", {down} descending" if down else ""
        case Table():
            rows, span = op.values.shape
            meaning = f"table({op.source}) {rows} x [{op.low}, {op.low + span - 1}]"
        case ArgMax():
            meaning = f"argmax({op.source})"
        case _:
            assert_never(op)
    return f"{op.name}: {op.dtype}[{op.elements}] = {meaning}"


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
