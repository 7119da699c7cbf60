# SPDX-License-Identifier: Apache-2.0
"""A set of images in memory, on the CPU or a GPU, as a source of batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hwbnn.train.augment import Augment, Draws, apply, draw, generator_of
from hwbnn.train.dataset import Dataset, Numbers, Shape, Split, as_pixels, step_numbers

ORDER, CHANGE = 0, 1  # what a generator is for: the two draw apart


@dataclass(frozen=True)
class ArraySource:
    """Give batches of a Dataset; images: uint8 [n, channels, height, width] on one device."""

    data: Dataset
    train: Tensor
    test: Tensor

    @property
    def name(self) -> str:
        """Return the set's name."""
        return self.data.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the classes' names by label."""
        return self.data.classes

    @property
    def shape(self) -> Shape:
        """Return the shape of an image."""
        channels, height, width = self.train.shape[1:]
        return channels, height, width

    def count(self, split: Split) -> int:
        """Return the number of images of a part."""
        return len(self.data.part(split)[1])

    def labels(self, split: Split) -> Numbers:
        """Return the labels of a part, by image number."""
        return self.data.part(split)[1].astype(np.int64)

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
        """Yield (images, labels) on the source's device, as Source.batches() says."""
        images = self.train if split is Split.TRAIN else self.test
        labels = torch.from_numpy(self.labels(split)).to(images.device)
        order = order_of(self.count(split), numbers, seed=seed, epoch=epoch, shuffle=shuffle)
        draws = None if augment is None else self._draw(augment, split, seed=seed, epoch=epoch)
        for step in step_numbers(order, batch=batch, whole=shuffle, rank=rank, ranks=ranks):
            chosen = torch.from_numpy(step)
            x = images[chosen.to(images.device)]
            if augment is not None and draws is not None:
                x = apply(augment, draws.of(chosen), x)
            yield x, labels[chosen.to(images.device)]

    def _draw(self, augment: Augment, split: Split, *, seed: int, epoch: int) -> Draws:
        # For every image of the part, also those not taken: what an image gets must not depend
        # on the batch, the ranks or the held-out share.
        _, height, width = self.shape
        generator = generator_of(seed, epoch, CHANGE)
        return draw(augment, self.count(split), height=height, width=width, generator=generator)


def source_of(data: Dataset, *, device: torch.device | str = "cpu") -> ArraySource:
    """Put both parts of a set on a device."""

    def on_device(split: Split) -> Tensor:
        return torch.tensor(as_pixels(data.part(split)[0])).to(device)

    return ArraySource(data, on_device(Split.TRAIN), on_device(Split.TEST))


def order_of(
    count: int, numbers: Numbers | None, *, seed: int, epoch: int, shuffle: bool
) -> Numbers:
    """Return the image numbers in the order of an epoch."""
    chosen: Numbers = np.arange(count) if numbers is None else numbers
    if not shuffle:
        return chosen
    mixed = torch.randperm(len(chosen), generator=generator_of(seed, epoch, ORDER))
    shuffled: Numbers = chosen[mixed.numpy()]
    return shuffled
