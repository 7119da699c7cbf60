# SPDX-License-Identifier: Apache-2.0
"""The images of an epoch as batches on the training's device, bytes until the last moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hwbnn.errors import ConfigError
from hwbnn.train.arrays import source_of
from hwbnn.train.augment import flipped, generator_of, resized_crop, shifted
from hwbnn.train.dataset import Bytes, Dataset, Numbers, Source, Split, as_pixels
from hwbnn.train.networks import Image
from hwbnn.train.parallel import Place
from hwbnn.train.recipe import Recipe

VALIDATED = 1000  # images at a time
Batches = Iterator[tuple[Tensor, Tensor]]  # images (bytes), labels


class Feed(Protocol):
    """Batches of a set, of which a share is held out."""

    @property
    def image(self) -> Image:
        """Return the shape of the images."""

    @property
    def steps(self) -> int:
        """Return the number of batches of an epoch."""

    def train(self, generator: torch.Generator, epoch: int, /) -> Batches:
        """Yield this process' share of every batch of an epoch."""

    def held_out(self) -> Batches:
        """Yield the images that choose the epoch, always the same."""


def feed_of(
    data: Dataset | Source, recipe: Recipe, place: Place, generator: torch.Generator
) -> Feed:
    """Hold a share of the training images out, drawn by the generator, and feed the rest."""
    count = len(data.train_labels) if isinstance(data, Dataset) else data.count(Split.TRAIN)
    held = round(count * recipe.validation)
    if not held:
        raise ConfigError(
            f"validation: must hold out 1 or more of the {count} training images, not "
            f"{recipe.validation} of them; choose a larger share"
        )
    if count - held < recipe.batch:
        raise ConfigError(
            f"batch: must be at most the {count - held} training images, not {recipe.batch}; "
            "choose a smaller batch"
        )
    if len(data.classes) < 2:
        raise ConfigError(
            f"{data.name}: must have 2 or more classes, not {len(data.classes)}; take another set"
        )
    order = torch.randperm(count, generator=generator)
    if isinstance(data, Dataset):
        return _resident(data, recipe, place, order[:held], order[held:])
    return _Streamed(data, recipe, place, order[:held].numpy(), order[held:].numpy())


@dataclass(frozen=True)
class _Resident:
    """A set that stays in the device's memory; images [n, channels, height, width]."""

    images: Tensor
    labels: Tensor
    recipe: Recipe
    place: Place
    held: Tensor
    rest: Tensor

    @property
    def image(self) -> Image:
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @property
    def steps(self) -> int:
        return len(self.rest) // self.recipe.batch

    def train(self, generator: torch.Generator, _epoch: int, /) -> Batches:
        shuffled = self.rest[torch.randperm(len(self.rest), generator=generator)]
        for batch in shuffled[: self.steps * self.recipe.batch].split(self.recipe.batch):
            x, y = self._take(self.place.share(batch))
            yield self._augmented(x, self.place.own(generator)), y

    def held_out(self) -> Batches:
        for batch in self.held.split(VALIDATED):
            yield self._take(batch)

    def _take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        numbers = numbers.to(self.images.device)
        return self.images[numbers], self.labels[numbers]

    def _augmented(self, x: Tensor, generator: torch.Generator) -> Tensor:
        if self.recipe.crop:
            x = resized_crop(x, height=x.shape[2], width=x.shape[3], generator=generator)
        x = shifted(x, self.recipe.shift, generator)
        return flipped(x, generator) if self.recipe.flip else x


def _resident(data: Dataset, recipe: Recipe, place: Place, held: Tensor, rest: Tensor) -> _Resident:
    images = torch.from_numpy(np.array(as_pixels(data.train_images), order="C"))
    labels = torch.from_numpy(data.train_labels.astype(np.int64))
    return _Resident(images.to(place.device), labels.to(place.device), recipe, place, held, rest)


@dataclass(frozen=True)
class _Streamed:
    """A set that is read while training goes on; its augmentation follows seed and epoch."""

    source: Source
    recipe: Recipe
    place: Place
    held: Numbers
    rest: Numbers

    @property
    def image(self) -> Image:
        return self.source.shape

    @property
    def steps(self) -> int:
        return len(self.rest) // self.recipe.batch

    def train(self, _generator: torch.Generator, epoch: int, /) -> Batches:
        return self._on_device(
            self.source.batches(
                Split.TRAIN,
                batch=self.recipe.batch,
                seed=self.recipe.seed,
                epoch=epoch,
                shuffle=True,
                augment=self.recipe.augment,
                numbers=self.rest,
                rank=self.place.rank,
                ranks=self.place.ranks,
            )
        )

    def held_out(self) -> Batches:
        held = min(self.recipe.batch, VALIDATED)
        return self._on_device(self.source.batches(Split.TRAIN, batch=held, numbers=self.held))

    def _on_device(self, batches: Batches) -> Batches:
        for x, y in batches:
            yield x.to(self.place.device), y.to(self.place.device)


def tested(data: Dataset | Source, device: torch.device) -> Batches:
    """Yield all test images in their order, on a device."""
    if isinstance(data, Dataset):
        source: Source = source_of(data)
    else:
        source = data
    for x, y in source.batches(Split.TEST, batch=VALIDATED):
        yield x.to(device), y.to(device)


def some_of(source: Source, count: int) -> Dataset:
    """Return up to `count` test images of a set that fits no memory, drawn once and for all."""
    numbers = torch.randperm(source.count(Split.TEST), generator=generator_of(count))[:count]
    parts = list(source.batches(Split.TEST, batch=VALIDATED, numbers=numbers.sort()[0].numpy()))
    images = torch.cat([x.cpu() for x, _ in parts]).permute(0, 2, 3, 1).contiguous().numpy()
    labels = torch.cat([y.cpu() for _, y in parts]).numpy()
    images = images[..., 0] if images.shape[3] == 1 else images
    return Dataset(source.name, images[:1], labels[:1], images, labels, source.classes)


def as_floats(pixels: Tensor) -> Tensor:
    """Turn bytes [n, channels, height, width] into the network's input of 0..1, on any device."""
    # A tensor as divisor: by a number, a GPU multiplies with its rounded reciprocal, which is
    # not how the oracle's inputs are made.
    values = pixels.float() / torch.full((), 255.0, device=pixels.device)
    return values.contiguous(memory_format=torch.channels_last)  # convolutions run faster so


def as_input(images: Bytes) -> Tensor:
    """Turn images into the network's input [n, channels, height, width] of 0..1."""
    return as_floats(torch.from_numpy(np.array(as_pixels(images), order="C")))
