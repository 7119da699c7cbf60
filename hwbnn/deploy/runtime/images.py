# SPDX-License-Identifier: Apache-2.0
"""Images: files that the command line takes, as uint8 pixels, with labels if they have some."""

from __future__ import annotations

import importlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Sequence

import numpy as np

from .errors import InputFault

if TYPE_CHECKING:
    from numpy.typing import NDArray

PICTURES = (".png", ".bmp", ".pgm", ".jpg", ".jpeg")


class Images(NamedTuple):
    """pixels: (n, ...); labels: the true class of each, if known."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64] | None


def read_images(files: Sequence[str], shape: tuple[int, ...]) -> Images:
    """Return the images of .npy, .npz (images, labels) and picture files, one after the other.

    shape: of the model's images; pictures are read as grey, or as three planes, by its channels.
    """
    parts = [_read(Path(file), shape) for file in files]
    pixels = np.concatenate([part.pixels.reshape(len(part.pixels), -1) for part in parts])
    labels = [part.labels for part in parts if part.labels is not None]
    return Images(pixels, np.concatenate(labels) if len(labels) == len(parts) else None)


def _read(file: Path, shape: tuple[int, ...]) -> Images:
    suffix = file.suffix.lower()
    try:
        if suffix == ".npy":
            images = Images(np.load(str(file), allow_pickle=False), None)
        elif suffix == ".npz":
            images = _archive(file)
        elif suffix in PICTURES:
            images = Images(_picture(file, shape), None)
        else:
            raise ValueError("the name must end in .npy, .npz, " + ", ".join(PICTURES))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputFault(
            f"{file}: images must be readable, not fail: {error}; convert or save them again"
        ) from error
    count = int(np.prod(shape, dtype=np.int64))
    pixels, labels = images
    if pixels.dtype != np.uint8 or pixels.ndim < 2 or pixels[:1].size != count:
        raise InputFault(
            f"{file}: images must be uint8 of the shape (n, {', '.join(map(str, shape))}), not "
            f"{pixels.dtype} {pixels.shape}; resize or convert them"
        )
    if labels is not None and labels.shape != (len(pixels),):
        raise InputFault(
            f"{file}: labels must be one an image, {len(pixels)}, not {labels.shape}; mend them"
        )
    return images


def _archive(file: Path) -> Images:
    with np.load(str(file), allow_pickle=False) as archive:
        if "images" not in archive.files:
            raise ValueError(f"it has no array images, only {', '.join(archive.files)}")
        return Images(archive["images"], archive["labels"] if "labels" in archive.files else None)


def _picture(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        pillow: Any = importlib.import_module("PIL.Image")
    except ImportError as error:
        raise ValueError("pictures want the package pillow: run pip install pillow") from error
    colour = len(shape) == 3 and shape[0] == 3
    with pillow.open(str(file)) as picture:
        pixels = np.asarray(picture.convert("RGB" if colour else "L"))
    planes = pixels.transpose(2, 0, 1) if colour else pixels
    return np.ascontiguousarray(planes).reshape(1, -1)
