# SPDX-License-Identifier: Apache-2.0
"""The exported file: weights as bytes, nodes with names, a description; and how qonnx runs it."""

from __future__ import annotations

import json
import warnings

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from hwbnn.train.dataset import Bytes, as_pixels

DIVISOR = 255.0
BATCH = 100  # images that the oracle runs at once
Floats = npt.NDArray[np.float32]


def with_bytes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the weights -1 and +1 as bytes, each behind a Cast to float: a quarter of the file."""
    graph = model.graph
    quantized = {node.input[0] for node in graph.node if node.op_type == "BipolarQuant"}
    casts = []
    for tensor in graph.initializer:
        if tensor.name not in quantized:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.int8), f"{name}_int8"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    made = {cast.output[0] for cast in casts}
    for index in reversed(range(len(graph.input))):  # TorchScript lists the weights there as well
        if graph.input[index].name in made:
            del graph.input[index]
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def named(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the nodes that become layers the names a user reads: conv0, fc0, norm0, quant0, ...

    quant0 quantizes the input, conv0 and norm0 follow, then quant1; weights have conv0_weight.
    """
    kinds = {
        "Conv": "conv",
        "Gemm": "fc",
        "MatMul": "fc",
        "MaxPool": "pool",
        "BatchNormalization": "norm",
        "Quant": "quant",
        "BipolarQuant": "quant",
    }
    ranks = {
        node.output[0]: len(tensor.dims)
        for node in model.graph.node
        for tensor in model.graph.initializer
        if node.op_type == "Cast" and tensor.name == node.input[0]
    }
    counts: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type not in kinds:
            continue
        stem, suffix = kinds[node.op_type], ""
        if stem == "quant" and node.input[0] in ranks:
            stem, suffix = "conv" if ranks[node.input[0]] > 2 else "fc", "_weight"
        number = counts.get(stem + suffix, 0)
        counts[stem + suffix] = number + 1
        node.name = f"{stem}{number}{suffix}"
    return model


def described(model: onnx.ModelProto, classes: tuple[str, ...], recipe: str) -> onnx.ModelProto:
    """Take out the exporter's stack traces (they hold paths) and put in our description.

    classes: names of the logits, none if empty; recipe: how the model was trained.
    """
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    for key, text in (
        ("hwbnn.input", json.dumps({"divisor": DIVISOR})),
        ("hwbnn.classes", json.dumps(classes)),
        ("hwbnn.recipe", recipe),
    ):
        model.metadata_props.add(key=key, value=text)
    return model


def as_floats(pixels: Bytes) -> Floats:
    """Return the model's input for pixels; NumPy divides, as the oracle's inputs are made."""
    return np.asarray(pixels.astype(np.float32) / np.float32(DIVISOR))


def run(model: onnx.ModelProto, inputs: Floats) -> Floats:
    """Return the oracle's logits [n, classes], node by node, for inputs as the model takes them."""
    parts = np.split(inputs, range(BATCH, len(inputs), BATCH))
    made = {len(x): _executable(with_batch(model, len(x))) for x in (parts[0], parts[-1])}
    return np.concatenate([_execute(made[len(x)], x) for x in parts])


def _executable(model: onnx.ModelProto) -> ModelWrapper:
    return ModelWrapper(model).transform(InferShapes())


def _execute(wrapper: ModelWrapper, inputs: Floats) -> Floats:
    source, result = wrapper.graph.input[0].name, wrapper.graph.output[0].name
    with warnings.catch_warnings():
        # It warns of each shape that it could not infer, as behind a Pad of computed amounts.
        warnings.simplefilter("ignore")
        logits: Floats = execute_onnx(wrapper, {source: inputs})[result]
    return logits


def execute(model: onnx.ModelProto, images: Bytes, *, batch: int = 1) -> Floats:
    """Return the oracle's logits [n, classes] for a data set's images, `batch` at once."""
    parts = np.split(as_floats(as_pixels(images)), range(batch, len(images), batch))
    made = _executable(model)
    return np.concatenate([_execute(made, x) for x in parts])


def with_batch(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """Return the model for so many images at once: the same nodes, only shapes differ."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    before = copy.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    for value in (copy.graph.input[0], copy.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    targets = {node.input[1] for node in copy.graph.node if node.op_type == "Reshape"}
    for tensor in copy.graph.initializer:
        if tensor.name in targets:
            shape = numpy_helper.to_array(tensor).copy()
            if shape[0] == before:  # others turn constants, such as the amounts of a Pad
                shape[0] = batch
                tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))
    return copy
