# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10 and CIFAR-100 in their own two formats: pickled batches, and binary records.

Both are described at https://www.cs.toronto.edu/~kriz/cifar.html. An image is 1024 red, then 1024
green, then 1024 blue bytes, row by row; a binary record is its label bytes, then the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.train.byte_pickle import ForbiddenName, read_byte_pickle
from hwbnn.train.dataset import Bytes, Dataset, check_labels

SIDE = 32
PIXELS = 3 * SIDE * SIDE
CLASSES_10 = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
SUPERCLASSES_100 = tuple(
    """
    aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
    household_furniture insects large_carnivores large_man-made_outdoor_things
    large_natural_outdoor_scenes large_omnivores_and_herbivores medium_mammals
    non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2
    """.split()
)
CLASSES_100 = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
    camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile
    cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp
    lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom
    oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
    possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake
    spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
    train trout tulip turtle wardrobe whale willow_tree wolf woman worm
    """.split()
)


@dataclass(frozen=True)
class Layout:
    """What distinguishes the sets: files, labels, classes."""

    name: str
    classes: tuple[str, ...]
    train: tuple[str, ...]  # files without suffix
    test: str
    label_bytes: int  # before the pixels of a binary record
    label_byte: int  # the one that counts
    label_key: str  # its name in a pickle
    archive: str  # the archives are ARCHIVE-python.tar.gz and ARCHIVE-binary.tar.gz
    subfolders: tuple[str, ...]  # into which they unpack
    expected: str  # the files, as a person lists them

    @property
    def mend(self) -> str:
        """Return what to do if a file is missing or damaged."""
        return (
            f"unpack {self.archive}-python.tar.gz or {self.archive}-binary.tar.gz, and name it "
            "with --data-dir"
        )


CIFAR10 = Layout(
    name="cifar10",
    classes=CLASSES_10,
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    label_bytes=1,
    label_byte=0,
    label_key="labels",
    archive="cifar-10",
    subfolders=("cifar-10-batches-py", "cifar-10-batches-bin"),
    expected="data_batch_1 to 5 and test_batch",
)
CIFAR100 = Layout(
    name="cifar100",
    classes=CLASSES_100,
    train=("train",),
    test="test",
    label_bytes=2,
    label_byte=1,
    label_key="fine_labels",
    archive="cifar-100",
    subfolders=("cifar-100-python", "cifar-100-binary"),
    expected="train and test",
)
CIFAR100_COARSE = Layout(
    name="cifar100-coarse",
    classes=SUPERCLASSES_100,
    train=("train",),
    test="test",
    label_bytes=2,
    label_byte=0,
    label_key="coarse_labels",
    archive="cifar-100",
    subfolders=("cifar-100-python", "cifar-100-binary"),
    expected="train and test",
)


def cifar10(folder: Path | None = None) -> Dataset:
    """Read CIFAR-10 from the folder of its batches, or from the one above: 50000 + 10000 images."""
    return read_cifar(CIFAR10, folder)


def cifar100(folder: Path | None = None) -> Dataset:
    """Read CIFAR-100 with its 100 fine labels: 50000 + 10000 images."""
    return read_cifar(CIFAR100, folder)


def cifar100_coarse(folder: Path | None = None) -> Dataset:
    """Read CIFAR-100 with its 20 coarse labels."""
    return read_cifar(CIFAR100_COARSE, folder)


def read_cifar(layout: Layout, folder: Path | None) -> Dataset:
    """Read a set from the folder of its files, or from the one above."""
    if folder is None:
        raise ConfigError(f"{layout.name}: --data-dir must be given; {layout.mend}")
    paths = _find(layout, folder)
    batches = [_read(layout, path) for path in paths]
    for path, (images, _) in zip(paths[:-1], batches[:-1], strict=True):
        if len(images) != len(batches[0][0]):
            raise ConfigError(
                f"{path}: must hold as many images as {paths[0].name}, {len(batches[0][0])}, not "
                f"{len(images)}; {layout.mend}"
            )
    images = np.concatenate([images for images, _ in batches[:-1]])
    labels = np.concatenate([labels for _, labels in batches[:-1]])
    return Dataset(layout.name, images, labels, *batches[-1], layout.classes)


def _find(layout: Layout, folder: Path) -> list[Path]:
    """Return the files, the test one last, of the first format that the folder holds."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: must be a folder that exists; {layout.mend}")
    for place in (folder, *(folder / name for name in layout.subfolders)):
        for suffix in ("", ".bin"):
            paths = [place / f"{stem}{suffix}" for stem in (*layout.train, layout.test)]
            if not any(path.is_file() for path in paths):
                continue
            for path in paths:
                if not path.is_file():
                    raise ConfigError(f"{path}: must be there beside the others; {layout.mend}")
            return paths
    raise ConfigError(f"{folder}: must hold {layout.expected}, or the same as .bin; {layout.mend}")


def _read(layout: Layout, path: Path) -> tuple[Bytes, Bytes]:
    """Return the images [n, 32, 32, 3] and labels [n] of one file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: must be readable, not {error}; {layout.mend}") from error
    read = _records if path.suffix == ".bin" else _pickled
    rows, labels = read(layout, path, content)
    check_labels(str(path), labels, classes=len(layout.classes), mend=layout.mend)
    return rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), labels


def _records(layout: Layout, path: Path, content: bytes) -> tuple[Bytes, Bytes]:
    size = layout.label_bytes + PIXELS
    if not content or len(content) % size:
        raise ConfigError(
            f"{path}: must hold records of {size} bytes, not {len(content)} bytes; {layout.mend}"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    return records[:, layout.label_bytes :], records[:, layout.label_byte]


def _pickled(layout: Layout, path: Path, content: bytes) -> tuple[Bytes, Bytes]:
    try:
        batch = read_byte_pickle(content)
    except ForbiddenName as error:
        raise ConfigError(
            f"{path}: must hold byte arrays, numbers and texts, not {error}; {layout.mend}"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"{path}: must be a pickled batch, not broken ({error}); {layout.mend}"
        ) from error
    rows, labels = batch.get("data"), batch.get(layout.label_key)
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.shape[1:] != (PIXELS,):
        raise ConfigError(
            f"{path}: data must be an array of bytes [n, {PIXELS}], not {_kind(rows)}; "
            f"{layout.mend}"
        )
    if not _are_labels(labels, len(rows)):
        raise ConfigError(
            f"{path}: {layout.label_key} must be {len(rows)} numbers 0 to 255, not "
            f"{_kind(labels)}; {layout.mend}"
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
