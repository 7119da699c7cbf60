# SPDX-License-Identifier: Apache-2.0
"""Names of the model's nodes as identifiers, so that a user finds a layer again."""

import re
from collections.abc import Iterable

import onnx

from hwbnn.ir.reserved import RESERVED


def identifier(text: str, *, fallback: str) -> str:
    """Return text as an identifier of SystemVerilog and C++."""
    name = re.sub(r"[\W_]+", "_", text, flags=re.ASCII).strip("_") or fallback
    if name[0].isdigit():
        name = f"{fallback}_{name}"
    return f"{name}_" if name in RESERVED else name


def unique(name: str, taken: Iterable[str]) -> str:
    """Return name, or name with the first free number; the edge after it is `name_out`."""
    taken = set(taken)
    candidate, number = name, 2
    while candidate in taken or f"{candidate}_out" in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def node_names(graph: onnx.GraphProto) -> tuple[str, ...]:
    """Return an identifier for every node, unique also beside the input's."""
    taken = {input_name(graph)}
    names = []
    for index, node in enumerate(graph.node):
        fallback = f"{node.op_type.lower()}_{index}"
        name = unique(identifier(node.name, fallback=fallback), taken)
        taken |= {name, f"{name}_out"}
        names.append(name)
    return tuple(names)


def input_name(graph: onnx.GraphProto) -> str:
    """Return an identifier for the model's input."""
    constants = {tensor.name for tensor in graph.initializer}
    name = next((value.name for value in graph.input if value.name not in constants), "")
    return identifier(name, fallback="pixels")


def title(node: onnx.NodeProto, index: int = 0) -> str:
    """Return how messages call a node: its own name, and its operator."""
    return f"{node.name or f'{node.op_type.lower()}_{index}'} ({node.op_type})"
