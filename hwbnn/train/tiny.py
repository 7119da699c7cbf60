# SPDX-License-Identifier: Apache-2.0
"""Made-up sets for tests: ten random patterns under noise, learnt within a few epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.train.dataset import Dataset

CLASSES = tuple(str(number) for number in range(10))
TRAIN, TEST = 512, 128  # images


def tiny(folder: Path | None = None) -> Dataset:
    """Make 512 + 128 images 28x28: a grid of 7x7 grey squares per class, and noise."""
    return _patterns("tiny", folder, seed=10, grid=(7, 7))


def tiny_32(folder: Path | None = None) -> Dataset:
    """Make 512 + 128 images 32x32x3: a grid of 8x8 coloured squares per class, and noise."""
    return _patterns("tiny-32x32x3", folder, seed=32, grid=(8, 8, 3))


def _patterns(name: str, folder: Path | None, *, seed: int, grid: tuple[int, ...]) -> Dataset:
    if folder is not None:
        raise ConfigError(f"{name}: is generated, not read from a folder; leave out --data-dir")
    rng = np.random.default_rng(seed)
    squares = rng.integers(0, 2, (len(CLASSES), *grid))
    patterns = squares.repeat(4, 1).repeat(4, 2) * 160
    labels = rng.integers(0, len(CLASSES), TRAIN + TEST).astype(np.uint8)
    noise = rng.integers(0, 96, (TRAIN + TEST, *patterns.shape[1:]))
    images = (patterns[labels] + noise).astype(np.uint8)
    return Dataset(name, images[:TRAIN], labels[:TRAIN], images[TRAIN:], labels[TRAIN:], CLASSES)
