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

from hwbnn.train.dataset import Bytes, Dataset, as_pixels
from hwbnn.train.export import Exported, Style, export
from hwbnn.train.loop import Recipe
from hwbnn.train.networks import Network
from hwbnn.train.onnx_file import as_floats, run, with_batch

__all__ = ["Shipped", "measure", "ship", "with_batch"]

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
    proved: Exported


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
    exported = export(model, path, images, classes=data.classes, recipe=command, style=style)
    file = onnx.load(str(path))
    logits = run(file, as_floats(as_pixels(images)))
    whole = logits.astype(np.int32)
    golden = path.with_suffix(".npz")
    # As the model takes them: an accelerator's pixels have the order of the model's input.
    pixels = images if images.ndim == 3 else as_pixels(images)
    # Floats where scales or 8-bit weights end the network: graph.output_values gives them.
    kept = whole if np.array_equal(whole, logits) else logits
    np.savez_compressed(golden, images=pixels, labels=labels, logits=kept)
    accuracy = measure(file, data.test_images, data.test_labels)
    entry = {
        "file": path.name,
        "golden": golden.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "golden_sha256": hashlib.sha256(golden.read_bytes()).hexdigest(),
        "network": network,
        "dataset": data.name,
        "classes": list(data.classes),
        "method": str(recipe.method),
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
    return Shipped(path, golden, manifest, accuracy, exported)


def measure(model: onnx.ModelProto, images: Bytes, labels: Bytes) -> float:
    """Return the share of images whose first largest oracle logit is the label's."""
    hits = 0
    for start in range(0, len(labels), BATCH):
        part = slice(start, start + BATCH)
        logits = run(model, as_floats(as_pixels(images[part])))
        hits += int((logits.argmax(1) == labels[part]).sum())
    return hits / len(labels)
