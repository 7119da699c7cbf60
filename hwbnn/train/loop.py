# SPDX-License-Identifier: Apache-2.0
"""The training loop: Adam with a cosine, clipped latent weights, best epoch on validation kept."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hwbnn.errors import ConfigError
from hwbnn.train.data import Bytes, Dataset
from hwbnn.train.networks import DenseNetwork, network


@dataclass(frozen=True)
class Recipe:
    """All that decides the result of a training, with the data and the network."""

    epochs: int
    seed: int = 0
    learning_rate: float = 1e-2
    batch: int = 128
    shift: int = 0  # augmentation: images move by up to so many pixels
    validation: float = 1 / 12  # share of the training images, held out to choose the epoch

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f"epochs: must be 1 or more, not {self.epochs}; name more epochs")


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; accuracies are of the deployed (hard) network."""

    number: int
    loss: float
    validation: float


def as_input(images: Bytes) -> Tensor:
    """Turn bytes [n, 28, 28] into the network's input [n, 1, 28, 28] of 0..1."""
    # NumPy divides, as the oracle's inputs are made; torch may multiply by the reciprocal.
    return torch.from_numpy((images.astype(np.float32) / np.float32(255.0))[:, None])


def _parts(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]


@torch.no_grad()
def accuracy(model: DenseNetwork, images: Tensor, labels: Tensor) -> float:
    """Return the share of images whose first largest logit is the label's."""
    model.eval()
    guesses = torch.cat(
        [torch.argmax(model(images[part]), 1) for part in _parts(len(labels), 1000)]
    )
    return float((guesses == labels).float().mean(dtype=torch.float64))


def _shifted(x: Tensor, limit: int, generator: torch.Generator) -> Tensor:
    if limit == 0:
        return x
    down, right = torch.randint(0, 2 * limit + 1, (2, len(x)), generator=generator)
    side = torch.arange(x.shape[-1])
    padded = functional.pad(x, (limit, limit, limit, limit))
    rows = (down[:, None] + side)[:, None, :, None]
    columns = (right[:, None] + side)[:, None, None, :]
    return padded[torch.arange(len(x))[:, None, None, None], 0, rows, columns]


def _step(model: DenseNetwork, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> float:
    loss = functional.cross_entropy(model(x) * model.logit_scale, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for layer in model.dense_layers():
            layer.weight.clamp_(-1.0, 1.0)
    return float(loss.detach())


def train(
    name: str,
    data: Dataset,
    recipe: Recipe,
    *,
    report: Callable[[Epoch], None] | None = None,
) -> DenseNetwork:
    """Train a network; the same arguments give the same network on the same machine."""
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    model = network(name, classes=len(data.classes))
    images, labels = as_input(data.train_images), torch.from_numpy(data.train_labels.astype(int))
    order = torch.randperm(len(labels), generator=generator)
    held = round(len(labels) * recipe.validation)
    chosen, rest = order[:held], order[held:]
    if len(rest) < recipe.batch:
        raise ConfigError(
            f"batch: must be at most the {len(rest)} training images, not {recipe.batch}; "
            "choose a smaller batch"
        )
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    batches = len(rest) // recipe.batch
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs * batches)
    best, best_state = -1.0, copy.deepcopy(model.state_dict())
    for number in range(1, recipe.epochs + 1):
        model.train()
        loss = 0.0
        shuffled = rest[torch.randperm(len(rest), generator=generator)]
        for part in _parts(batches * recipe.batch, recipe.batch):
            index = shuffled[part]
            x = _shifted(images[index], recipe.shift, generator)
            loss += _step(model, optimizer, x, labels[index])
            schedule.step()
        score = accuracy(model, images[chosen], labels[chosen])
        if score > best:
            best, best_state = score, copy.deepcopy(model.state_dict())
        if report is not None:
            report(Epoch(number, loss / batches, score))
    model.load_state_dict(best_state)
    return model.eval()
