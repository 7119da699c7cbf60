# SPDX-License-Identifier: Apache-2.0
"""The shipped models are the ones that the manifest describes, and give their golden logits."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from hwbnn import zoo
from hwbnn.errors import ConfigError
from hwbnn.frontend import import_model, load_model
from hwbnn.ir.ops import Conv, MaxPool
from hwbnn.sim.interpret import Interpreter


def test_names() -> None:
    dense = ("lfc-w1a1", "sfc-w1a1", "tfc-w1a1", "tfc-w1a1-mnist", "tfc-w1a2")
    assert zoo.names() == ("cnn-w1a1", "cnv-w1a1", *dense)


@pytest.mark.parametrize("name", zoo.names())
def test_files_are_those_of_the_manifest(name: str) -> None:
    entry = zoo.manifest()[name]
    assert hashlib.sha256(zoo.path(name).read_bytes()).hexdigest() == entry["sha256"]
    golden = zoo.path(name).with_name(entry["golden"])
    assert hashlib.sha256(golden.read_bytes()).hexdigest() == entry["golden_sha256"]
    commands = ("python -m hwbnn.train", "hwbnn train")
    assert entry["recipe"].startswith(tuple(f"{c} {entry['network']} " for c in commands))
    model = onnx.load(str(zoo.path(name)))
    described = {p.key: p.value for p in model.metadata_props}
    assert described["hwbnn.recipe"] == entry["recipe"]
    assert json.loads(described["hwbnn.classes"]) == entry["classes"]


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_golden_logits_are_the_oracles(name: str) -> None:
    wrapper = ModelWrapper(str(zoo.path(name))).transform(InferShapes())
    golden = zoo.golden(name)
    assert len(golden.images) == len(golden.labels) == 64
    images = golden.images if golden.images.ndim == 4 else golden.images[:, None]
    inputs = images.astype(np.float32) / np.float32(255.0)
    logits = [execute_onnx(wrapper, {"input": x[None]})["logits"] for x in inputs]
    assert np.array_equal(np.concatenate(logits), golden.logits)
    assert (golden.logits.argmax(1) == golden.labels).mean() > 0.7


def test_accuracy() -> None:
    accuracy = {name: entry["test_accuracy"] for name, entry in zoo.manifest().items()}
    assert accuracy["tfc-w1a1"] >= 0.81
    assert accuracy["lfc-w1a1"] > accuracy["sfc-w1a1"] > accuracy["tfc-w1a1"]
    assert accuracy["tfc-w1a2"] > accuracy["tfc-w1a1"]
    assert accuracy["tfc-w1a1-mnist"] >= 0.9
    assert accuracy["cnn-w1a1"] > accuracy["cnv-w1a1"] > accuracy["tfc-w1a2"]


@pytest.mark.parametrize(
    ("name", "convolutions", "pools", "shape"),
    [
        ("cnn-w1a1", 3, 2, (28, 28)),
        pytest.param("cnv-w1a1", 6, 2, (3, 32, 32), marks=pytest.mark.slow),
    ],
)
def test_convolutional_models(
    name: str, convolutions: int, pools: int, shape: tuple[int, ...]
) -> None:
    graph = import_model(load_model(zoo.path(name)), name="model").on_pixels
    golden = zoo.golden(name)
    assert golden.images.shape == (64, *shape)
    frames = golden.images.reshape(64, -1).astype(np.int64)
    assert np.array_equal(Interpreter(graph).run(frames), golden.logits)
    assert sum(isinstance(op, Conv) for op in graph.ops) == convolutions
    assert sum(isinstance(op, MaxPool) for op in graph.ops) == pools


def test_convolutional_models_are_small_files() -> None:
    assert zoo.path("cnn-w1a1").stat().st_size < 110_000
    assert zoo.path("cnv-w1a1").stat().st_size < 1_650_000


def test_unknown_name() -> None:
    with pytest.raises(ConfigError) as error:
        zoo.path("tfc")
    assert str(error.value) == (
        "zoo: must name a shipped model, not tfc; "
        "choose cnn-w1a1, cnv-w1a1, lfc-w1a1, sfc-w1a1, tfc-w1a1, tfc-w1a1-mnist, tfc-w1a2"
    )


def test_needs_no_torch() -> None:
    code = "import sys, hwbnn.zoo as z; z.golden('tfc-w1a1'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
