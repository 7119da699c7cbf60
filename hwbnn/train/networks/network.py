# SPDX-License-Identifier: Apache-2.0
"""A network: layers in a row, the image they take, and how the loss scales their logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from hwbnn.errors import ConfigError
from hwbnn.train.method import Method, binary_layers

Image = tuple[int, int, int]  # channels, height, width


class Network(nn.Module):
    """Images [n, channels, height, width] of 0..1 to logits [n, classes]."""

    def __init__(self, layers: list[nn.Module], *, image: Image, logit_scale: float = 1.0) -> None:
        super().__init__()
        self.image = image
        self.features = nn.Sequential(*layers)
        self.logit_scale = logit_scale  # the loss sees logits times this

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits; of binary last layers the integer sums."""
        logits: Tensor = self.features(x)
        return logits

    def binary_layers(self) -> list[Any]:
        """Return the layers with binary weights, first to last."""
        return list(binary_layers(self))


@dataclass(frozen=True)
class Architecture:
    """A network by name: how it is built for a method, an image and a number of classes.

    build raises ConfigError where the image is too small for it.
    """

    build: Callable[[Method, Image, int], Network]
    image: Image  # the one it was published for


def check_image(name: str, image: Image, *, least: int) -> None:
    """Raise an error if the image has fewer than `least` rows or columns."""
    if min(image[1:]) < least:
        raise ConfigError(
            f"{name}: images must be at least {least}x{least}, not {image[1]}x{image[2]}; "
            "choose another data set with --data, or another network"
        )


def widened(channels: int, width: float) -> int:
    """Return the channels of a network that is `width` times as wide; one at least."""
    return max(1, round(channels * width))
