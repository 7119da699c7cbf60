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


def test_names() -> None:
    assert zoo.names() == ("tfc-w1a1", "tfc-w1a1-mnist", "tfc-w1a2")


@pytest.mark.parametrize("name", zoo.names())
def test_files_are_those_of_the_manifest(name: str) -> None:
    entry = zoo.manifest()[name]
    assert hashlib.sha256(zoo.path(name).read_bytes()).hexdigest() == entry["sha256"]
    golden = zoo.path(name).with_name(entry["golden"])
    assert hashlib.sha256(golden.read_bytes()).hexdigest() == entry["golden_sha256"]
    assert entry["recipe"].startswith(f"python -m hwbnn.train {entry['network']} ")
    model = onnx.load(str(zoo.path(name)))
    described = {p.key: p.value for p in model.metadata_props}
    assert described["hwbnn.recipe"] == entry["recipe"]
    assert json.loads(described["hwbnn.classes"]) == entry["classes"]


@pytest.mark.parametrize("name", zoo.names())
def test_golden_logits_are_the_oracles(name: str) -> None:
    wrapper = ModelWrapper(str(zoo.path(name))).transform(InferShapes())
    golden = zoo.golden(name)
    assert len(golden.images) == len(golden.labels) == 64
    inputs = golden.images.astype(np.float32)[:, None] / np.float32(255.0)
    logits = [execute_onnx(wrapper, {"input": x[None]})["logits"] for x in inputs]
    assert np.array_equal(np.concatenate(logits), golden.logits)
    assert (golden.logits.argmax(1) == golden.labels).mean() > 0.7


def test_accuracy() -> None:
    accuracy = {name: entry["test_accuracy"] for name, entry in zoo.manifest().items()}
    assert accuracy["tfc-w1a1"] >= 0.81
    assert accuracy["tfc-w1a2"] > accuracy["tfc-w1a1"]
    assert accuracy["tfc-w1a1-mnist"] >= 0.9


def test_unknown_name() -> None:
    with pytest.raises(ConfigError) as error:
        zoo.path("tfc")
    assert str(error.value) == (
        "zoo: must name a shipped model, not tfc; choose tfc-w1a1, tfc-w1a1-mnist, tfc-w1a2"
    )


def test_needs_no_torch() -> None:
    code = "import sys, hwbnn.zoo as z; z.golden('tfc-w1a1'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
