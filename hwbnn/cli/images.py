# SPDX-License-Identifier: Apache-2.0
"""Images: what the user gives as frames, as integers (frames, pixels), with labels if there are."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import IntArray

PICTURES = (".png", ".bmp", ".pgm", ".jpg", ".jpeg")
SUFFIXES = (".npy", ".npz", *PICTURES)


@dataclass(frozen=True, eq=False)
class Images:
    """Pixels (frames, elements); the true label of each frame, if it is known; where it is from."""

    pixels: IntArray
    labels: IntArray | None = None
    names: tuple[str, ...] = ()


def read_images(files: Sequence[Path], *, colour: bool = False) -> Images:
    """Return the images of .npy, .npz (images, labels) and picture files, one after the other.

    A folder stands for the files of these kinds in it, by name. Pixels of arrays are in the model's
    own order. Pictures are read as grey, or as red, green and blue planes if colour.
    """
    parts = [_read(file, colour=colour) for file in image_files(files)]
    sizes = {part.pixels.shape[1] for part in parts}
    if len(sizes) > 1:
        raise ConfigError(f"images: all must have as many pixels, not {sorted(sizes)}")
    labels = [part.labels for part in parts if part.labels is not None]
    return Images(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate(labels) if len(labels) == len(parts) else None,
        tuple(name for part in parts for name in part.names),
    )


def image_files(paths: Sequence[Path]) -> list[Path]:
    """Return files as they are, and the images of folders, by name."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        held = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
        if not held:
            choices = ", ".join(SUFFIXES)
            raise ConfigError(f"{path}: folder must hold images ({choices}), not none; name others")
        found += held
    return found


def _read(file: Path, *, colour: bool) -> Images:
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        choices = ", ".join(SUFFIXES)
        raise ConfigError(f"{file}: images must be one of {choices}; convert them")
    try:
        match suffix:
            case ".npy":
                pixels, labels = _array(file), None
            case ".npz":
                pixels, labels = _archive(file)
            case _:
                pixels, labels = _picture(file, colour=colour), None
    except Exception as error:  # a damaged file makes NumPy, zipfile and Pillow raise anything
        reason = str(error) if isinstance(error, (OSError, ValueError)) else repr(error)
        raise ConfigError(
            f"{file}: images must be readable, not fail: {reason}; save them again"
        ) from error
    images = _pixels(file, pixels)
    count = len(images)
    names = (str(file),) if suffix in PICTURES else tuple(f"{file}[{i}]" for i in range(count))
    return Images(images, _labels(file, labels, frames=count), names)


def _array(file: Path) -> Any:
    with file.open("rb") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _archive(file: Path) -> tuple[Any, Any]:
    with zipfile.ZipFile(file) as archive:
        held = [name.removesuffix(".npy") for name in archive.namelist()]
        if "images" not in held:
            raise ValueError(f"the archive must hold an array images, not {held}")
        found = []
        for name in ("images", "labels"):
            if name in held:
                with archive.open(f"{name}.npy") as stream:
                    found.append(np.lib.format.read_array(stream, allow_pickle=False))
    return found[0], found[1] if len(found) > 1 else None


def _picture(file: Path, *, colour: bool) -> Any:
    from PIL import Image

    with Image.open(file) as picture:
        if colour:
            return np.asarray(picture.convert("RGB")).transpose(2, 0, 1).reshape(1, -1)
        return np.asarray(picture.convert("L")).reshape(1, -1)


def _pixels(file: Path, found: Any) -> IntArray:
    if found.dtype != np.uint8:
        raise ConfigError(f"{file}: images must be uint8, not {found.dtype}; convert them")
    if found.ndim < 2 or not found.size:
        raise ConfigError(
            f"{file}: images must have a first axis of frames, and pixels, not shape "
            f"{found.shape}; reshape them"
        )
    return np.asarray(found.reshape(len(found), -1), np.int64)


def _labels(file: Path, found: Any, *, frames: int) -> IntArray | None:
    if found is None:
        return None
    if found.shape != (frames,) or found.dtype.kind not in "iu":
        raise ConfigError(
            f"{file}: labels must be one whole number an image, {frames}, not {found.dtype} of "
            f"shape {found.shape}; convert them"
        )
    return np.asarray(found, np.int64)
