# SPDX-License-Identifier: Apache-2.0
"""Constants: initializers, and nodes that no pixel reaches, evaluated."""

from dataclasses import replace

import numpy as np
import onnx
from onnx import numpy_helper

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Chain
from hwbnn.frontend.facts import annotations
from hwbnn.frontend.run_node import FOLDABLE, is_quantizer
from hwbnn.frontend.support import MOVES, refusal
from hwbnn.frontend.translation import Translation, Value
from hwbnn.frontend.weights import (
    MAX_WEIGHT_BITS,
    Constant,
    Grid,
    annotated_dtype,
    quantizer_dtype,
)

NOT_CONSTANT = "operator must not make a constant; simplify the model in the export"


def add_initializers(made: Translation) -> None:
    """Enter all initializers; a matrix or kernel that FINN annotates with integers is quantized."""
    types = annotations(made.model.graph)
    for tensor in made.model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        dtype = annotated_dtype(types.get(tensor.name))
        grid = None
        if dtype is not None and dtype.bits <= MAX_WEIGHT_BITS and value.ndim >= 2:
            grid = Grid(np.ones(value.shape, np.float32), dtype)
        made.values[tensor.name] = Constant(tensor.name, value, grid)


def fold(
    made: Translation, node: onnx.NodeProto, inputs: list[Value | None], where: str
) -> Constant | Chain:
    """Evaluate a node that no pixel reaches, or that reads a shape."""
    output = node.output[0] if node.output else ""
    if node.op_type == "Shape" and isinstance(inputs[0], Chain):
        places = inputs[0].places
        if places is None:
            return Chain("", None, None)
        return Constant(output, np.array(places.shape, np.int64))
    if node.op_type not in FOLDABLE:
        raise ModelError(refusal(node, where, chains=0) or f"{where}: {NOT_CONSTANT}")
    constants = [value for value in inputs if isinstance(value, Constant)]
    arrays = [value.value if isinstance(value, Constant) else None for value in inputs]
    result = Constant(output, made.runner.fold(node, arrays)[0])
    if is_quantizer(node):
        return _quantized(node, constants, result, where)
    if node.op_type in MOVES and constants[0].grid is not None:
        scale = made.runner.fold(node, [constants[0].grid.scale, *arrays[1:]])[0]
        return replace(result, grid=replace(constants[0].grid, scale=scale))
    if node.op_type in MOVES:
        return replace(result, problem=constants[0].problem)
    if node.op_type in ("Mul", "Div") and any(c.grid is not None for c in constants):
        return _scaled(made, node, constants, result)
    return result


def _quantized(
    node: onnx.NodeProto, constants: list[Constant], result: Constant, where: str
) -> Constant:
    """A constant that is a weight only if its quantizer is one of weights; a bias may be any."""
    try:
        dtype = quantizer_dtype(node, [c.value for c in constants], where)
    except ModelError as error:
        return replace(result, problem=str(error))
    scale = np.broadcast_to(constants[1].value, result.value.shape).astype(np.float32)
    return replace(result, grid=Grid(scale, dtype))


def _scaled(
    made: Translation, node: onnx.NodeProto, constants: list[Constant], result: Constant
) -> Constant:
    """A quantized constant times a positive one stays quantized."""
    grids = [c.grid for c in constants]
    if sum(grid is not None for grid in grids) != 1 or (grids[0] is None and node.op_type == "Div"):
        return result
    scales = [c.value if c.grid is None else c.grid.scale for c in constants]
    scale = np.broadcast_to(made.runner.fold(node, list(scales))[0], result.value.shape)
    grid = next(grid for grid in grids if grid is not None)
    return replace(result, grid=replace(grid, scale=scale)) if (scale > 0).all() else result
