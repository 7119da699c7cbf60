# SPDX-License-Identifier: Apache-2.0
"""A set of image files as a source of batches: decoded by threads while training goes on.

For sets that fit no memory, such as ImageNet. Test images have their short side resized to 256
pixels and the centre 224 cut out (as Krizhevsky et al., "ImageNet classification with deep
convolutional neural networks", section 2, made all their images of 256 pixels).
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from hwbnn.errors import ConfigError
from hwbnn.train.arrays import CHANGE, order_of
from hwbnn.train.augment import Augment, Draws, draw, generator_of
from hwbnn.train.dataset import Bytes, Numbers, Shape, Split, step_numbers

AHEAD = 3  # batches that are decoded before they are asked for
# What Pillow raises of damaged files; UnidentifiedImageError is an OSError.
DAMAGED = (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError)
T = TypeVar("T")


@dataclass(frozen=True)
class Files:
    """The images of one part: paths below its folder, and their labels [n]."""

    folder: Path
    names: tuple[str, ...]
    labels: Numbers


@dataclass(frozen=True)
class Decoding:
    """What becomes of a file: side x side pixels on a device; so many files at a time."""

    side: int = 224
    threads: int = 4
    device: torch.device | str = "cpu"

    def __post_init__(self) -> None:
        for what, value in (("side", self.side), ("threads", self.threads)):
            if value < 1:
                raise ConfigError(f"{what}: must be 1 or more, not {value}; choose a larger one")

    @property
    def short(self) -> int:
        """Return the length of the short side before the centre is cut out: 256 for 224."""
        return round(self.side * 256 / 224)


ORDINARY = Decoding()


@dataclass(frozen=True)
class FolderSource:
    """Give batches of the images of files; colours always RGB."""

    name: str
    classes: tuple[str, ...]
    train: Files
    test: Files
    decoding: Decoding = ORDINARY

    @property
    def shape(self) -> Shape:
        """Return the shape of an image."""
        return 3, self.decoding.side, self.decoding.side

    def files(self, split: Split) -> Files:
        """Return the files of a part."""
        return self.train if split is Split.TRAIN else self.test

    def count(self, split: Split) -> int:
        """Return the number of images of a part."""
        return len(self.files(split).names)

    def labels(self, split: Split) -> Numbers:
        """Return the labels of a part, by image number."""
        return self.files(split).labels

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
        """Yield (images, labels) on the source's device, as Source.batches() says.

        ConfigError: a file cannot be decoded; it is named.
        """
        order = order_of(self.count(split), numbers, seed=seed, epoch=epoch, shuffle=shuffle)
        labels = self.labels(split)

        def image(number: int) -> Bytes:
            return self._image(split, number, seed=seed, epoch=epoch, augment=augment)

        steps = step_numbers(order, batch=batch, whole=shuffle, rank=rank, ranks=ranks)
        for step, images in _ahead(image, steps, threads=self.decoding.threads):
            x = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())
            device = self.decoding.device
            yield x.to(device), torch.from_numpy(labels[step]).to(device)

    def _image(
        self, split: Split, number: int, *, seed: int, epoch: int, augment: Augment | None
    ) -> Bytes:
        """Return one image [side, side, 3]."""
        files = self.files(split)
        with _decoded(files.folder / files.names[number]) as image:
            if augment is None:
                return np.asarray(_centre(image, self.decoding))
            draws = draw(
                augment,
                1,
                height=image.height,
                width=image.width,
                generator=generator_of(seed, epoch, CHANGE, number),
            )
            return np.asarray(_changed(image, augment, draws, self.decoding))


def _ahead(
    image: Callable[[int], T], steps: Iterator[Numbers], *, threads: int
) -> Iterator[tuple[Numbers, list[T]]]:
    """Yield every step with its images, while those of the next ones are being made."""
    waiting: deque[tuple[Numbers, list[Future[T]]]] = deque()
    pool = ThreadPoolExecutor(threads, "images")
    try:
        for step in steps:
            waiting.append((step, [pool.submit(image, int(number)) for number in step]))
            if len(waiting) > AHEAD:
                done, futures = waiting.popleft()
                yield done, [future.result() for future in futures]
        while waiting:
            done, futures = waiting.popleft()
            yield done, [future.result() for future in futures]
    finally:  # also where the loop leaves off early
        pool.shutdown(cancel_futures=True)


def _decoded(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except DAMAGED as error:
        raise ConfigError(
            f"{path}: must be a whole image file, not a damaged one ({error}); copy it anew, or "
            "remove it"
        ) from error


def _centre(image: Image.Image, decoding: Decoding) -> Image.Image:
    short, side = decoding.short, decoding.side
    factor = short / min(image.size)
    width, height = (max(short, round(length * factor)) for length in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _changed(image: Image.Image, augment: Augment, draws: Draws, decoding: Decoding) -> Image.Image:
    side = decoding.side
    if augment.crop:
        top, left, height, width = draws.boxes[0].tolist()
        box = (left, top, left + width, top + height)
        image = image.crop(box).resize((side, side), Image.Resampling.BILINEAR)
    else:
        image = _centre(image, decoding)
    if augment.shift:
        down, right = (draws.corners[:, 0] - augment.shift).tolist()
        image = image.crop((right, down, right + side, down + side))  # black comes in
    return ImageOps.mirror(image) if bool(draws.mirrored[0]) and augment.flip else image
