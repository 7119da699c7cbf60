# SPDX-License-Identifier: Apache-2.0
"""Miniatures of CIFAR's files and of ImageNet's folders."""

import io
import pickle
import struct
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from hwbnn.train.cifar import CIFAR10, Layout

Batches = dict[str, tuple[np.ndarray, np.ndarray]]


class Form(Enum):
    """CIFAR's two formats."""

    PICKLED = ""
    BINARY = ".bin"


class Python2Pickler(pickle._Pickler):
    """Write texts and bytes as Python 2 did, when it made CIFAR's files."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        content = value.encode() if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def python2(value: object) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue().replace(b"numpy._core", b"numpy.core")


def python3(value: object) -> bytes:
    return pickle.dumps(value, protocol=2)


def cifar_batches(layout: Layout = CIFAR10, *, count: int = 4) -> Batches:
    """Images [count, 3, 32, 32] and label bytes [count, 1 or 2] by file."""
    rng = np.random.default_rng(0)
    below = (10,) if layout.label_bytes == 1 else (20, 100)
    return {
        stem: (
            rng.integers(0, 256, (count, 3, 32, 32)).astype(np.uint8),
            np.stack([rng.integers(0, n, count) for n in below], 1).astype(np.uint8),
        )
        for stem in (*layout.train, layout.test)
    }


def cifar_pickle(images: np.ndarray, labels: np.ndarray) -> dict[str, object]:
    keys = ("labels",) if labels.shape[1] == 1 else ("coarse_labels", "fine_labels")
    return {
        "batch_label": "a batch",
        **{key: labels[:, column].tolist() for column, key in enumerate(keys)},
        "data": images.reshape(len(images), -1),
        "filenames": [f"{number}.png" for number in range(len(images))],
    }


def write_cifar(
    folder: Path, layout: Layout = CIFAR10, *, form: Form = Form.BINARY, count: int = 4
) -> Batches:
    """Write the files of a set into a folder; return what is in them."""
    made = cifar_batches(layout, count=count)
    for stem, (images, labels) in made.items():
        if form is Form.BINARY:
            content = np.concatenate([labels, images.reshape(count, -1)], 1).tobytes()
        else:
            content = python2(cifar_pickle(images, labels))
        (folder / f"{stem}{form.value}").write_bytes(content)
    return made


def write_image_folder(
    folder: Path,
    *,
    classes: Sequence[str] = ("n01440764", "n01443537", "n01484850"),
    train: int = 4,
    test: int = 2,
    size: tuple[int, int] = (48, 36),
) -> None:
    """Write train/CLASS/*.JPEG and val/CLASS/*.JPEG of width x height: a smooth slope per class."""
    rng = np.random.default_rng(0)
    width, height = size
    for part, count in (("train", train), ("val", test)):
        for name in classes:
            place = folder / part / name
            place.mkdir(parents=True)
            for number in range(count):
                down, right = rng.uniform(0, 127, (2, 3))
                slope = np.linspace(0, 1, height)[:, None, None] * down
                slope = slope + np.linspace(0, 1, width)[None, :, None] * right
                image = Image.fromarray(slope.round().astype(np.uint8))
                image.save(place / f"{name}_{number}.JPEG", quality=95)
