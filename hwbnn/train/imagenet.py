# SPDX-License-Identifier: Apache-2.0
"""Image folders such as ImageNet's: train/CLASS/*.JPEG and val/CLASS/*.JPEG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.train.dataset import Split
from hwbnn.train.folder import ORDINARY, Decoding, Files, FolderSource

SUFFIXES = (".jpeg", ".jpg", ".png", ".bmp", ".ppm", ".webp")
PARTS = {Split.TRAIN: ("train",), Split.TEST: ("val", "test")}
IMAGENET_CLASSES = 1000
IMAGENET_HELP = (
    "unpack ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar as docs/data.md says, and name "
    "the folder with --data-dir"
)
FOLDER_HELP = (
    "arrange the images as train/CLASS/*.JPEG and val/CLASS/*.JPEG, and name the folder with "
    "--data-dir"
)


def imagenet(folder: Path | None, decoding: Decoding = ORDINARY) -> FolderSource:
    """List ImageNet's files (ILSVRC 2012): 1281167 + 50000 images of 1000 classes."""
    source = image_folder(folder, decoding, name="imagenet", mend=IMAGENET_HELP)
    if len(source.classes) != IMAGENET_CLASSES:
        raise ConfigError(
            f"{folder}: imagenet must have {IMAGENET_CLASSES} class folders, not "
            f"{len(source.classes)}; {IMAGENET_HELP}, or take another set by --data image-folder"
        )
    return source


def image_folder(
    folder: Path | None,
    decoding: Decoding = ORDINARY,
    *,
    name: str = "image-folder",
    mend: str = FOLDER_HELP,
) -> FolderSource:
    """List the images of train/CLASS and val/CLASS (or test/CLASS) below a folder.

    Classes are numbered in the order of their names, images in the order of classes and names.
    ConfigError: a part or its images are missing, or the parts have different classes.
    """
    if folder is None:
        raise ConfigError(f"{name}: --data-dir must be given; {mend}")
    train, test = (_part(folder, split, mend) for split in Split)
    classes = [_folders(part, mend) for part in (train, test)]
    _check_same(train, test, classes[0], classes[1], mend)
    files = [_files(part, tuple(classes[0]), mend) for part in (train, test)]
    return FolderSource(name, tuple(classes[0]), files[0], files[1], decoding)


def _part(folder: Path, split: Split, mend: str) -> Path:
    if not folder.is_dir():
        raise ConfigError(f"{folder}: must be a folder that exists; {mend}")
    for name in PARTS[split]:
        if (folder / name).is_dir():
            return folder / name
    raise ConfigError(f"{folder}: must hold a folder {' or '.join(PARTS[split])}; {mend}")


def _folders(part: Path, mend: str) -> list[str]:
    """Return the names of the class folders, sorted."""
    found = sorted(path.name for path in _listed(part) if path.is_dir())
    if len(found) < 2:
        loose = sum(path.suffix.lower() in SUFFIXES for path in _listed(part))
        raise ConfigError(
            f"{part}: must hold a folder per class, 2 or more, not {len(found)} folders and "
            f"{loose} loose images; {mend}"
        )
    return found


def _check_same(train: Path, test: Path, first: list[str], second: list[str], mend: str) -> None:
    lacking = [(test, name) for name in sorted({*first} - {*second})]
    lacking += [(train, name) for name in sorted({*second} - {*first})]
    if lacking:
        part, name = lacking[0]
        other = train if part == test else test
        more = f" ({len(lacking)} differ)" if len(lacking) > 1 else ""
        raise ConfigError(
            f"{part}: must hold the same class folders as {other.name}, not "
            f"lack {name}{more}; {mend}"
        )


def _files(part: Path, classes: tuple[str, ...], mend: str) -> Files:
    names: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        images = sorted(
            path.name for path in _listed(part / name) if path.suffix.lower() in SUFFIXES
        )
        if not images:
            raise ConfigError(
                f"{part / name}: must hold images ({', '.join(SUFFIXES)}), not none; {mend}"
            )
        names += [f"{name}/{image}" for image in images]
        labels += [label] * len(images)
    return Files(part, tuple(names), np.array(labels, np.int64))


def _listed(folder: Path) -> list[Path]:
    try:  # without what is hidden, such as macOS' ._*.JPEG
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise ConfigError(f"{folder}: must be readable, not {error}; change its rights") from error
