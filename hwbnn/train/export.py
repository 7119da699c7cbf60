# SPDX-License-Identifier: Apache-2.0
"""Export to QONNX in both of Brevitas' styles, proven equal to torch on real samples."""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from enum import Enum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from brevitas.export import export_qonnx
from onnx import helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from hwbnn.errors import MismatchError, OutputError
from hwbnn.train.dataset import Bytes
from hwbnn.train.loop import as_input, as_pixels
from hwbnn.train.networks import Network

DIVISOR = 255.0


class Style(Enum):
    """Which of torch's exporters writes the file."""

    DYNAMO = "dynamo"  # Reshape, Gemm
    TORCHSCRIPT = "torchscript"  # Flatten, Transpose, MatMul


def export(
    model: Network,
    path: Path,
    *,
    samples: Bytes,
    classes: tuple[str, ...],
    recipe: str,
    style: Style = Style.DYNAMO,
) -> None:
    """Write the model, after checking that its oracle gives torch's logits on every sample."""
    check_folder(path)
    hard = _hardened(model)
    onnx_model = _described(named(with_bytes(_to_onnx(hard, style))), classes, recipe)
    with torch.no_grad():
        expected = hard(as_input(samples)).numpy()
    actual = execute(onnx_model, samples)
    if not np.array_equal(actual, expected):
        wrong = int(np.any(actual != expected, axis=1).sum())
        raise MismatchError(
            f"{path}: qonnx must give torch's logits, not others on {wrong} of {len(samples)} "
            "samples; report this with the versions of torch and brevitas"
        )
    onnx.save_model(onnx_model, str(path))


def check_folder(path: Path) -> None:
    """Raise an error if the file's folder is missing; a training should ask before it starts."""
    if not path.parent.is_dir():
        raise OutputError(f"{path}: its folder must exist; create {path.parent}")


def _hardened(model: Network) -> Network:
    """Return a copy whose latent weights are -1 and +1: the same function, a file that packs."""
    hard = copy.deepcopy(model).eval()
    hard.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with torch.no_grad():
        for layer in hard.binary_layers():
            layer.weight.copy_(torch.where(layer.weight >= 0, 1.0, -1.0))
    return hard


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' progress and their advice to update away from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _to_onnx(model: Network, style: Style) -> onnx.ModelProto:
    image = torch.zeros(1, *model.image)
    names = {"input_names": ["input"], "output_names": ["logits"]}
    with _quiet():
        if style is Style.DYNAMO:
            # Without optimize the qonnx domain comes first in opset_import and qonnx takes its
            # version for ONNX's.
            exported = export_qonnx(model, args=image, opset_version=18, optimize=True, **names)
        else:
            exported = export_qonnx(model, args=image, opset_version=13, dynamo=False, **names)
    proto: onnx.ModelProto = getattr(exported, "model_proto", exported)
    return proto


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


def _described(model: onnx.ModelProto, classes: tuple[str, ...], recipe: str) -> onnx.ModelProto:
    """Take out the exporter's stack traces (they hold paths) and put in our description."""
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


def execute(model: onnx.ModelProto, images: Bytes, *, batch: int = 1) -> npt.NDArray[np.float32]:
    """Return the oracle's logits [n, classes], run node by node on as many images as it takes."""
    wrapper = ModelWrapper(model).transform(InferShapes())
    source, result = wrapper.graph.input[0].name, wrapper.graph.output[0].name
    inputs = as_pixels(images).astype(np.float32) / np.float32(DIVISOR)
    parts = np.split(inputs, range(batch, len(inputs), batch))
    return np.concatenate([execute_onnx(wrapper, {source: x})[result] for x in parts])
