# SPDX-License-Identifier: Apache-2.0
"""The trained models that come with hwbnn, each with golden vectors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwbnn.errors import ConfigError

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Golden:
    """Real test images, their true labels [n], and the oracle's logits [n, classes].

    images: as the model takes them, [n, height, width] or [n, channels, height, width]. logits:
    integers, or floats where the last layer has a bias or more than one bit.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    logits: npt.NDArray[np.int32] | npt.NDArray[np.float32]


def manifest() -> dict[str, dict[str, Any]]:
    """Return what is known of every model, by its name."""
    entries: dict[str, dict[str, Any]] = json.loads((FOLDER / "manifest.json").read_text("utf-8"))
    return entries


def names() -> tuple[str, ...]:
    """Return the names of the models."""
    return tuple(manifest())


def _entry(name: str) -> dict[str, Any]:
    entries = manifest()
    if name not in entries:
        raise ConfigError(
            f"zoo: must name a shipped model, not {name}; choose {', '.join(entries)}"
        )
    return entries[name]


def path(name: str) -> Path:
    """Return the model's ONNX file."""
    return FOLDER / str(_entry(name)["file"])


def golden(name: str) -> Golden:
    """Return the model's golden vectors."""
    with np.load(FOLDER / str(_entry(name)["golden"])) as vectors:
        return Golden(vectors["images"], vectors["labels"], vectors["logits"])
