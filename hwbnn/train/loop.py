# SPDX-License-Identifier: Apache-2.0
"""The training loop: Adam with a cosine, clipped latent weights, best epoch on validation kept."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hwbnn.errors import ConfigError
from hwbnn.train.dataset import Bytes, Dataset
from hwbnn.train.method import Method
from hwbnn.train.methods import method
from hwbnn.train.networks import Image, Network, network
from hwbnn.train.run import Run, load_run, save_run


@dataclass(frozen=True)
class Recipe:
    """All that decides the result of a training, with the data and the network."""

    epochs: int
    method: Method = field(default_factory=lambda: method("ste"))
    seed: int = 0
    learning_rate: float = 1e-2
    batch: int = 128
    shift: int = 0  # augmentation: images move by up to so many pixels
    flip: bool = False  # augmentation: half of the images are mirrored
    bfloat16: bool = False  # products in bfloat16: faster; validation and export stay exact
    validation: float = 1 / 12  # share of the training images, held out to choose the epoch

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f"epochs: must be 1 or more, not {self.epochs}; name more epochs")

    def __str__(self) -> str:
        values = vars(self) | {"method": str(self.method)}
        return " ".join(f"{name}={value}" for name, value in values.items())


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; accuracies are of the deployed (hard) network."""

    number: int
    loss: float
    validation: float


def as_pixels(images: Bytes) -> Bytes:
    """Turn images [n, height, width] or [n, height, width, 3] into [n, channels, height, width]."""
    return images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)


def as_input(images: Bytes) -> Tensor:
    """Turn images into the network's input [n, channels, height, width] of 0..1."""
    # NumPy divides, as the oracle's inputs are made; torch may multiply by the reciprocal.
    values = torch.from_numpy(as_pixels(images).astype(np.float32) / np.float32(255.0))
    return values.contiguous(memory_format=torch.channels_last)  # convolutions run faster so


def _parts(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]


@torch.no_grad()
def accuracy(model: Network, images: Bytes, labels: Tensor) -> float:
    """Return the share of images whose first largest logit is the label's."""
    model.eval()
    parts = _parts(len(labels), 1000)
    guesses = torch.cat([torch.argmax(model(as_input(images[part])), 1) for part in parts])
    return float((guesses == labels).float().mean(dtype=torch.float64))


def _shifted(x: Tensor, limit: int, generator: torch.Generator) -> Tensor:
    if limit == 0:
        return x
    down, right = torch.randint(0, 2 * limit + 1, (2, len(x)), generator=generator)
    height, width = x.shape[2:]
    padded = functional.pad(x, (limit, limit, limit, limit))
    rows = (down[:, None] + torch.arange(height))[:, None, :, None]
    columns = (right[:, None] + torch.arange(width))[:, None, None, :]
    channels = torch.arange(x.shape[1])[:, None, None]
    return padded[torch.arange(len(x))[:, None, None, None], channels, rows, columns]


def _flipped(x: Tensor, generator: torch.Generator) -> Tensor:
    chosen = torch.randint(0, 2, (len(x), 1, 1, 1), generator=generator).bool()
    return torch.where(chosen, x.flip(3), x)


def _step(run: Run, recipe: Recipe, x: Tensor, y: Tensor) -> float:
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
        logits = run.model(x)
    loss = functional.cross_entropy(logits.float() * run.model.logit_scale, y)
    if recipe.method.penalty is not None:
        loss = loss + recipe.method.penalty(run.model)
    run.optimizer.zero_grad()
    loss.backward()
    run.optimizer.step()
    run.schedule.step()
    if (clip := recipe.method.clip) is not None:
        with torch.no_grad():
            for layer in run.model.binary_layers():
                layer.weight.clamp_(-clip, clip)
    return float(loss.detach())


def _epoch(run: Run, recipe: Recipe, data: Dataset, rest: Tensor) -> float:
    """Train once over the images numbered `rest`; return the mean loss."""
    run.model.train()
    if recipe.method.advance is not None:
        recipe.method.advance(run.model, run.epochs / max(1, recipe.epochs - 1))
    shuffled = rest[torch.randperm(len(rest), generator=run.generator)]
    parts = _parts(len(rest) // recipe.batch * recipe.batch, recipe.batch)
    loss = 0.0
    for part in parts:
        index = shuffled[part].numpy()
        x = _shifted(as_input(data.train_images[index]), recipe.shift, run.generator)
        x = _flipped(x, run.generator) if recipe.flip else x
        y = torch.from_numpy(data.train_labels[index].astype(int))
        loss += _step(run, recipe, x.contiguous(memory_format=torch.channels_last), y)
    return loss / len(parts)


def _begin(name: str, data: Dataset, recipe: Recipe, images: int) -> Run:
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(recipe.seed)
    _check(recipe, images)
    classes = len(data.classes)
    model = network(name, how=recipe.method, image=image_of(data), classes=classes)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = recipe.method.optimizer(model, recipe.learning_rate)
    steps = recipe.epochs * (images // recipe.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    return Run(model, optimizer, schedule, torch.Generator().manual_seed(recipe.seed))


def image_of(data: Dataset) -> Image:
    """Return the channels, height and width of a set's images."""
    channels, height, width = as_pixels(data.train_images[:1]).shape[1:]
    return channels, height, width


def _check(recipe: Recipe, images: int) -> None:
    if images < recipe.batch:
        raise ConfigError(
            f"batch: must be at most the {images} training images, not {recipe.batch}; "
            "choose a smaller batch"
        )


def train(
    name: str,
    data: Dataset,
    recipe: Recipe,
    *,
    checkpoint: Path | None = None,
    report: Callable[[Epoch], None] | None = None,
) -> Network:
    """Train a network; the same arguments give the same network on the same machine.

    checkpoint: file that is written after every epoch, and from which a stopped training goes on.
    """
    count = len(data.train_labels)
    held = round(count * recipe.validation)
    run = _begin(name, data, recipe, count - held)
    order = torch.randperm(count, generator=run.generator)
    chosen, rest = order[:held].numpy(), order[held:]
    truth = torch.from_numpy(data.train_labels[chosen].astype(int))
    identity = f"{name} {data.name} {recipe}"
    if checkpoint is not None and checkpoint.exists():
        load_run(run, checkpoint, identity)
    while run.epochs < recipe.epochs:
        loss = _epoch(run, recipe, data, rest)
        run.epochs += 1
        score = accuracy(run.model, data.train_images[chosen], truth)
        if score > run.best:
            run.best, run.best_state = score, copy.deepcopy(run.model.state_dict())
        if checkpoint is not None:
            save_run(run, checkpoint, identity)
        if report is not None:
            report(Epoch(run.epochs, loss, score))
    run.model.load_state_dict(run.best_state)
    return run.model.eval()
