# SPDX-License-Identifier: Apache-2.0
"""Images: what the user gives as frames, as integers (frames, pixels), with labels if there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import IntArray

PICTURES = (".png", ".bmp", ".pgm", ".jpg", ".jpeg")


@dataclass(frozen=True, eq=False)
class Images:
    """Pixels (frames, elements), and the true label of each frame, if it is known."""

    pixels: IntArray
    labels: IntArray | None = None


def read_images(files: Sequence[Path]) -> Images:
    """Return the images of .npy, .npz (images, labels) and picture files, one after the other."""
    parts = [_read(file) for file in files]
    sizes = {part.pixels.shape[1] for part in parts}
    if len(sizes) > 1:
        raise ConfigError(f"images: all must have as many pixels, not {sorted(sizes)}")
    labels = [part.labels for part in parts if part.labels is not None]
    return Images(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate(labels) if len(labels) == len(parts) else None,
    )


def _read(file: Path) -> Images:
    suffix = file.suffix.lower()
    if suffix not in (".npy", ".npz", *PICTURES):
        choices = ", ".join((".npy", ".npz", *PICTURES))
        raise ConfigError(f"{file}: images must be one of {choices}; convert them")
    try:
        if suffix == ".npy":
            return Images(_pixels(file, np.load(file, allow_pickle=False)))
        if suffix == ".npz":
            return _archive(file)
        return Images(_picture(file))
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"{file}: images must be readable; {error}") from error


def _archive(file: Path) -> Images:
    with np.load(file, allow_pickle=False) as found:
        if "images" not in found:
            raise ConfigError(f"{file}: archive must hold an array images, not {list(found)}")
        pixels = _pixels(file, found["images"])
        labels = found["labels"].astype(np.int64) if "labels" in found else None
    if labels is not None and labels.shape != pixels.shape[:1]:
        raise ConfigError(
            f"{file}: labels must be one an image, {len(pixels)}, not of shape {labels.shape}"
        )
    return Images(pixels, labels)


def _pixels(file: Path, found: Any) -> IntArray:
    if found.dtype != np.uint8:
        raise ConfigError(f"{file}: images must be uint8, not {found.dtype}; convert them")
    if found.ndim < 2 or not found.size:
        raise ConfigError(f"{file}: images must have a first axis of frames, not {found.shape}")
    return np.asarray(found.reshape(len(found), -1), np.int64)


def _picture(file: Path) -> IntArray:
    from PIL import Image

    with Image.open(file) as picture:
        return np.asarray(picture.convert("L"), np.int64).reshape(1, -1)
