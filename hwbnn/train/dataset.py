# SPDX-License-Identifier: Apache-2.0
"""Sets of images with their labels: arrays in memory, and what training wants of any set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from hwbnn.errors import ConfigError

if TYPE_CHECKING:  # the names of the sets must be known without torch
    from torch import Tensor

    from hwbnn.train.augment import Augment

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
Shape = tuple[int, int, int]  # channels, height, width


class Split(Enum):
    """The two parts into which every set comes divided."""

    TRAIN = "train"
    TEST = "test"


class Source(Protocol):
    """A set of images that gives batches; the same for arrays and for folders of files."""

    @property
    def name(self) -> str:
        """Return the set's name, as in a checkpoint's identity."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the classes' names by label."""

    @property
    def shape(self) -> Shape:
        """Return the shape of every image that batches() gives."""

    def count(self, split: Split) -> int:
        """Return the number of images of a part."""

    def labels(self, split: Split) -> Numbers:
        """Return the labels [count] of a part, by image number."""

    def batches(
        self,
        split: Split,
        *,
        batch: int,
        seed: int = 0,
        epoch: int = 0,
        shuffle: bool = False,
        augment: Augment | None = None,
        numbers: Numbers | None = None,
        rank: int = 0,
        ranks: int = 1,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images uint8 [n, channels, height, width], labels int64 [n]).

        batch: images of one step on all ranks together. Rank r of R has images r, r + R, ... of
        every batch, so that the steps are of the same images for any R; R must divide batch.
        numbers: the images to take, by number in the part (None: all), such as a held-out share.
        shuffle: in an order of (seed, epoch), and only whole batches; else in the order of
        `numbers`, with a shorter last batch, of which a rank may have nothing.
        augment: each image's change depends on (seed, epoch, image number) alone; None: none
        (a folder gives the centre crop).
        """


@dataclass(frozen=True)
class Dataset:
    """Images [n, height, width] or [n, height, width, 3] and labels [n] of both parts; classes."""

    name: str
    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        for split in Split:
            self._check(split)
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise ConfigError(
                f"{self.name}: test images must be of the training images' size "
                f"{_size(self.train_images)}, not {_size(self.test_images)}; take the files "
                "of one set"
            )

    def part(self, split: Split) -> tuple[Bytes, Bytes]:
        """Return the images and the labels of a part."""
        if split is Split.TRAIN:
            return self.train_images, self.train_labels
        return self.test_images, self.test_labels

    def _check(self, split: Split) -> None:
        images, labels = self.part(split)
        where = f"{self.name}: {split.value}"
        if (
            images.dtype != np.uint8
            or images.ndim not in (3, 4)
            or images.shape[3:] not in ((), (3,))
        ):
            raise ConfigError(
                f"{where} images must be bytes [n, height, width] or [n, height, width, 3], not "
                f"{images.dtype}{list(images.shape)}; convert them"
            )
        if labels.shape != (len(images),) or len(images) == 0:
            raise ConfigError(
                f"{where} images and labels must be of one number, 1 or more, not "
                f"{len(images)} and {len(labels)}; take the files of one set"
            )
        check_labels(where, labels, classes=len(self.classes), mend="take the files of one set")


def check_labels(where: str, labels: npt.NDArray[np.integer], *, classes: int, mend: str) -> None:
    """Raise ConfigError if a label names no class; `mend` says what to do."""
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise ConfigError(f"{where}: labels must be 0 to {classes - 1}, not {wrong[0]}; {mend}")


def as_pixels(images: Bytes) -> Bytes:
    """Turn images [n, height, width] or [n, height, width, 3] into [n, channels, height, width]."""
    return images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)


def step_numbers(
    order: Numbers, *, batch: int, whole: bool, rank: int, ranks: int
) -> Iterator[Numbers]:
    """Yield a rank's image numbers of every step, as Source.batches() deals them out."""
    if ranks < 1 or not 0 <= rank < ranks:
        raise ConfigError(f"rank: must be 0 to {ranks - 1}, not {rank}; start with torchrun")
    if batch < 1 or batch % ranks:
        raise ConfigError(
            f"batch: must be a multiple of the {ranks} processes, not {batch}; choose "
            f"{max(1, batch // ranks) * ranks}"
        )
    end = len(order) // batch * batch if whole else len(order)
    for start in range(0, end, batch):
        mine = order[start : min(start + batch, end)][rank::ranks]
        if len(mine):
            yield mine


def _size(images: Bytes) -> str:
    return "x".join(str(n) for n in images.shape[1:])
