# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10 in its own two formats: pickled batches, and binary records.

Both are described at https://www.cs.toronto.edu/~kriz/cifar.html: five batches to train, one to
test; an image is 1024 red, then 1024 green, then 1024 blue bytes, row by row.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.train.byte_pickle import ForbiddenName, read_byte_pickle
from hwbnn.train.dataset import Bytes, Dataset

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
SIDE = 32
PIXELS = 3 * SIDE * SIDE
STEMS = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
# The folders into which the two archives unpack.
SUBFOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin")
CIFAR10_HELP = (
    "unpack cifar-10-python.tar.gz or cifar-10-binary.tar.gz, and name it with --data-dir"
)


def cifar10(folder: Path | None = None) -> Dataset:
    """Read CIFAR-10 from the folder of its batches, or from the one above: 50000 + 10000 images."""
    if folder is None:
        raise ConfigError(f"cifar10: --data-dir must be given; {CIFAR10_HELP}")
    batches = [_read(path) for path in _find(folder)]
    images = np.concatenate([images for images, _ in batches[:-1]])
    labels = np.concatenate([labels for _, labels in batches[:-1]])
    return Dataset("cifar10", images, labels, *batches[-1], CLASSES)


def _find(folder: Path) -> list[Path]:
    """Return the six files of the first format that the folder holds."""
    for place in (folder, *(folder / name for name in SUBFOLDERS)):
        for suffix in ("", ".bin"):
            paths = [place / f"{stem}{suffix}" for stem in STEMS]
            if not any(path.is_file() for path in paths):
                continue
            for path in paths:
                if not path.is_file():
                    raise ConfigError(f"{path}: must be there beside the others; {CIFAR10_HELP}")
            return paths
    raise ConfigError(
        f"{folder}: must hold data_batch_1 to 5 and test_batch, or the same as .bin; {CIFAR10_HELP}"
    )


def _read(path: Path) -> tuple[Bytes, Bytes]:
    """Return the images [n, 32, 32, 3] and labels [n] of one batch."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: must be readable, not {error}; {CIFAR10_HELP}") from error
    rows, labels = _records(path, content) if path.suffix == ".bin" else _pickled(path, content)
    if labels.size and labels.max() >= len(CLASSES):
        raise ConfigError(f"{path}: labels must be 0 to 9, not {labels.max()}; {CIFAR10_HELP}")
    return rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), labels


def _records(path: Path, content: bytes) -> tuple[Bytes, Bytes]:
    size = 1 + PIXELS
    if not content or len(content) % size:
        raise ConfigError(
            f"{path}: must hold records of {size} bytes, not {len(content)} bytes; {CIFAR10_HELP}"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    return records[:, 1:], records[:, 0]


def _pickled(path: Path, content: bytes) -> tuple[Bytes, Bytes]:
    try:
        batch = read_byte_pickle(content)
    except ForbiddenName as error:
        raise ConfigError(
            f"{path}: must hold byte arrays, numbers and texts, not {error}; {CIFAR10_HELP}"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"{path}: must be a pickled batch, not broken ({error}); {CIFAR10_HELP}"
        ) from error
    rows, labels = batch.get("data"), batch.get("labels")
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.shape[1:] != (PIXELS,):
        raise ConfigError(
            f"{path}: data must be an array of bytes [n, {PIXELS}], not {_kind(rows)}; "
            f"{CIFAR10_HELP}"
        )
    if not _are_labels(labels, len(rows)):
        raise ConfigError(
            f"{path}: labels must be {len(rows)} numbers 0 to 255, not {_kind(labels)}; "
            f"{CIFAR10_HELP}"
        )
    return rows, np.array(labels, np.uint8)


def _are_labels(labels: object, count: int) -> bool:
    return (
        isinstance(labels, list)
        and len(labels) == count
        and all(isinstance(label, int) and 0 <= label <= 255 for label in labels)
    )


def _kind(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return f"{len(value)} entries" if isinstance(value, list) else type(value).__name__
