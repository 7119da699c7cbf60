# SPDX-License-Identifier: Apache-2.0
"""A set of images with their labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Dataset:
    """Images [n, height, width] or [n, height, width, 3] and labels [n] of both parts; classes."""

    name: str
    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes
    classes: tuple[str, ...]
