# SPDX-License-Identifier: Apache-2.0
"""How BinaryDenseNet and ResNetE begin and end, and how large their maps are."""

from __future__ import annotations

from torch import nn

from hwbnn.train.layers import Mean, conv8_fixed, linear8, norm, pixels, relu8
from hwbnn.train.method import Method
from hwbnn.train.networks.network import Image

SMALL = 50  # images with fewer rows or columns keep their size in the stem
LEAST = 8  # three halvings


def stem(method: Method, image: Image, channels: int) -> list[nn.Module]:
    """Return the first layers: to a quarter of the size, or of small images to the whole.

    Bethge et al. (arXiv 1906.08637): a 7x7 convolution of stride 2, batch norm, ReLU and a 3x3
    max-pool of stride 2; of images with fewer than 50 rows or columns one 3x3 convolution alone.
    """
    if min(image[1:]) < SMALL:
        return [*pixels(), *conv8_fixed(method, image[0], channels, 3, padding=1)]
    return [
        *pixels(),
        *conv8_fixed(method, image[0], channels, 7, stride=2, padding=3),
        norm(channels),
        relu8(method),
        nn.MaxPool2d(3, stride=2, padding=1),
    ]


def stem_sizes(image: Image) -> tuple[int, int]:
    """Return the rows and columns that the stem gives."""
    height, width = image[1:]
    if min(height, width) < SMALL:
        return height, width
    return (height + 3) // 4, (width + 3) // 4


def head(method: Method, channels: int, classes: int, *, top: float) -> list[nn.Module]:
    """Return the last layers: the mean of a ReLU over the map, and a dense layer of eight bits.

    The ReLU is quantized in front of the mean, which divides by a power of two: hardware sums
    integers and never divides.
    """
    return [
        relu8(method, top=top),
        Mean(),
        nn.Flatten(),
        linear8(method, channels, classes),
    ]
