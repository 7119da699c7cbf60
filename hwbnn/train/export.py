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
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from hwbnn.errors import MismatchError, OutputError
from hwbnn.train.data import Bytes
from hwbnn.train.loop import as_input
from hwbnn.train.networks import DenseNetwork

DIVISOR = 255.0


class Style(Enum):
    """Which of torch's exporters writes the file."""

    DYNAMO = "dynamo"  # Reshape, Gemm
    TORCHSCRIPT = "torchscript"  # Flatten, Transpose, MatMul


def export(
    model: DenseNetwork,
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
    onnx_model = _described(named(_to_onnx(hard, style)), classes, recipe)
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


def _hardened(model: DenseNetwork) -> DenseNetwork:
    """Return a copy whose latent weights are -1 and +1: the same function, a file that packs."""
    hard = copy.deepcopy(model).eval()
    with torch.no_grad():
        for layer in hard.dense_layers():
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


def _to_onnx(model: DenseNetwork, style: Style) -> onnx.ModelProto:
    image = torch.zeros(1, 1, 28, 28)
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


def named(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the nodes that become layers the names a user reads: fc0, norm0, quant0, ...

    quant0 quantizes the input, fc0 and norm0 follow, then quant1; weights have fc0_weight.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    counts = dict.fromkeys(("fc", "fc_weight", "norm", "quant"), 0)
    for node in model.graph.node:
        if node.op_type in ("Gemm", "MatMul"):
            kind = "fc"
        elif node.op_type == "BatchNormalization":
            kind = "norm"
        elif node.op_type in ("Quant", "BipolarQuant"):
            kind = "fc_weight" if node.input[0] in weights else "quant"
        else:
            continue
        stem, _, suffix = kind.partition("_")
        node.name = f"{stem}{counts[kind]}{'_' if suffix else ''}{suffix}"
        counts[kind] += 1
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
    inputs = images.astype(np.float32)[:, None] / np.float32(DIVISOR)
    parts = np.split(inputs, range(batch, len(inputs), batch))
    return np.concatenate([execute_onnx(wrapper, {source: x})[result] for x in parts])
