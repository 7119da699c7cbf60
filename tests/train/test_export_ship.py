# SPDX-License-Identifier: Apache-2.0
"""A shipped model: its golden vectors and its entry in the manifest."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

from hwbnn.frontend import import_model, load_model
from hwbnn.train.dataset import Dataset
from hwbnn.train.export import Style, integer_logits
from hwbnn.train.loop import Recipe
from hwbnn.train.methods import method
from hwbnn.train.ship import GOLDEN_IMAGES, ship
from tests.train.nets import CLASSES, made, pixels


def data(image: tuple[int, int, int]) -> Dataset:
    images = pixels(image, 70).transpose(0, 2, 3, 1)
    images = images[..., 0] if image[0] == 1 else images
    labels = (np.arange(70) % CLASSES).astype(np.uint8)
    return Dataset("made", images, labels, images, labels, tuple("abcde"))


# Integer sums at the end, and floats: 8-bit weights and a float bias.
@pytest.mark.parametrize(
    ("name", "whole"), [("mlp", True), pytest.param("vgg-small", False, marks=pytest.mark.slow)]
)
def test_golden_vectors(tmp_path: Path, name: str, whole: bool) -> None:
    model = made(name, method("rsign"))
    path, images = tmp_path / "net.onnx", data(model.image)
    recipe = Recipe(epochs=1, method=method("rsign"))
    shipped = ship(
        model, path, network=name, data=images, recipe=recipe, command="a command",
        style=Style.TORCHSCRIPT,
    )  # fmt: skip
    with np.load(shipped.golden) as golden:
        kept, logits, labels = golden["images"], golden["logits"], golden["labels"]
    assert logits.dtype == (np.int32 if whole else np.float32)
    assert np.array_equal(labels, images.test_labels[:GOLDEN_IMAGES])
    graph = import_model(load_model(path), name="net")
    assert np.array_equal(integer_logits(graph, kept), logits)
    entry = json.loads(shipped.manifest.read_text())["net"]
    assert entry["method"] == "rsign"
    assert entry["network"] == name and entry["recipe"] == "a command"
    assert shipped.proved.integers and shipped.proved.samples == GOLDEN_IMAGES
    right = (logits.argmax(1) == labels).sum()
    assert right <= round(shipped.accuracy * 70) <= right + 6
