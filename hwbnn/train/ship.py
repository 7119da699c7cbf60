# SPDX-License-Identifier: Apache-2.0
"""A trained model as it ships: ONNX file, golden vectors, entry in the manifest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from hwbnn.errors import MismatchError
from hwbnn.train.dataset import Bytes, Dataset
from hwbnn.train.export import Style, execute, export
from hwbnn.train.loop import Recipe, as_pixels
from hwbnn.train.networks import Network

GOLDEN_IMAGES = 64
BATCH = 1000
PACKAGES = ("torch", "brevitas", "qonnx", "onnx")


@dataclass(frozen=True)
class Shipped:
    """What was written, and the exported file's accuracy over the whole test set."""

    model: Path
    golden: Path
    manifest: Path
    accuracy: float


def ship(
    model: Network,
    path: Path,
    *,
    network: str,
    data: Dataset,
    recipe: Recipe,
    command: str,
    style: Style = Style.DYNAMO,
) -> Shipped:
    """Export, measure the exported file, and write golden vectors and manifest beside it."""
    images, labels = data.test_images[:GOLDEN_IMAGES], data.test_labels[:GOLDEN_IMAGES]
    export(model, path, samples=images, classes=data.classes, recipe=command, style=style)
    exported = onnx.load(str(path))
    logits = execute(exported, images)
    whole = logits.astype(np.int32)
    if not np.array_equal(whole, logits):
        raise MismatchError(
            f"{path}: logits must be integers; leave out scales after the last layer"
        )
    golden = path.with_suffix(".npz")
    # As the model takes them: an accelerator's pixels have the order of the model's input.
    pixels = images if images.ndim == 3 else as_pixels(images)
    np.savez_compressed(golden, images=pixels, labels=labels, logits=whole)
    accuracy = measure(exported, data.test_images, data.test_labels)
    entry = {
        "file": path.name,
        "golden": golden.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "golden_sha256": hashlib.sha256(golden.read_bytes()).hexdigest(),
        "network": network,
        "dataset": data.name,
        "classes": list(data.classes),
        "recipe": command,
        "epochs": recipe.epochs,
        "seed": recipe.seed,
        "test_accuracy": round(accuracy, 6),
        "test_images": len(data.test_labels),
        "versions": {name: version(name) for name in PACKAGES},
    }
    manifest = path.with_name("manifest.json")
    entries = json.loads(manifest.read_text("utf-8")) if manifest.exists() else {}
    entries[path.stem] = entry
    text = json.dumps(dict(sorted(entries.items())), indent=2, ensure_ascii=False)
    manifest.write_text(text + "\n", "utf-8")
    return Shipped(path, golden, manifest, accuracy)


def measure(model: onnx.ModelProto, images: Bytes, labels: Bytes) -> float:
    """Return the share of images whose first largest oracle logit is the label's."""
    hits = 0
    for start in range(0, len(labels), BATCH):
        part = slice(start, start + BATCH)
        count = len(labels[part])
        logits = execute(with_batch(model, count), images[part], batch=count)
        hits += int((logits.argmax(1) == labels[part]).sum())
    return hits / len(labels)


def with_batch(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """Return the model for so many images at once: the same nodes, only shapes differ."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for value in (copy.graph.input[0], copy.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    targets = {node.input[1] for node in copy.graph.node if node.op_type == "Reshape"}
    for tensor in copy.graph.initializer:
        if tensor.name in targets:
            shape = numpy_helper.to_array(tensor).copy()
            shape[0] = batch
            tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))
    return copy
