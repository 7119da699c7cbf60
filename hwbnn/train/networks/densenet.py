# SPDX-License-Identifier: Apache-2.0
"""BinaryDenseNet: every binary layer sees all that the layers in front of it in its block made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from torch import nn

from hwbnn.errors import ConfigError
from hwbnn.train.layers import Dense, activation, conv, conv8_fixed, norm, relu8
from hwbnn.train.method import Method
from hwbnn.train.networks.network import Architecture, Image, Network, check_image
from hwbnn.train.networks.stem import LEAST, head, stem

BLOCKS = 4


class Transition(Enum):
    """The 1x1 convolution between two blocks."""

    EIGHT_BIT = "eight bit"  # behind a ReLU
    BINARY = "binary"


@dataclass(frozen=True)
class BinaryDenseNet:
    """The network of Bethge et al., Back to Simplicity (arXiv 1906.08637), as in BMXNet and larq.

    Stem, four dense blocks, transitions, head. A dense layer: batch norm, sign, binary 3x3
    convolution to `growth` channels, behind what came in. A transition: batch norm, 2x2 max-pool,
    ReLU, multi-bit 1x1 convolution to the channels over `reductions`, in multiples of 32. What a
    block passes on are integers that each consumer compares by thresholds of its own. -1 pads.
    blocks: dense layers in each; first: channels of the stem; dilations: of each block's
    convolutions, in front of a dilated one nothing is pooled; multiple: of the channels behind a
    transition.
    """

    name: str
    blocks: tuple[int, ...]
    reductions: tuple[float, ...]
    growth: int = 64
    first: int = 64
    dilations: tuple[int, ...] = (1,) * BLOCKS
    transition: Transition = Transition.EIGHT_BIT
    multiple: int = 32

    def build(self, method: Method, image: Image, classes: int) -> Network:
        """Return the untrained network."""
        check_image(self.name, image, least=LEAST)
        channels = self.first
        layers = stem(method, image, channels)
        for number, count in enumerate(self.blocks):
            if number > 0:
                fewer = self._reduced(channels, self.reductions[number - 1])
                layers += self._transition(method, channels, fewer, self.dilations[number] == 1)
                channels = fewer
            for _ in range(count):
                layers.append(self._dense(method, channels, self.dilations[number]))
                channels += self.growth
        layers += [norm(channels), *head(method, channels, classes, top=4.0)]
        return Network(layers, image=image)

    def _dense(self, method: Method, channels: int, dilation: int) -> nn.Module:
        return Dense(
            nn.Sequential(
                norm(channels),
                activation(method, channels, padding=dilation),
                conv(method, channels, self.growth, 3, dilation=dilation),
            )
        )

    def _reduced(self, channels: int, reduction: float) -> int:
        # Division without remainder first, as both public codes do.
        multiples = round(channels // reduction / self.multiple)
        return max(1, multiples) * self.multiple

    def _transition(
        self, method: Method, channels: int, fewer: int, pooled: bool
    ) -> list[nn.Module]:
        layers = [norm(channels), *([nn.MaxPool2d(2)] if pooled else [])]
        if self.transition is Transition.BINARY:
            return [*layers, activation(method, channels), conv(method, channels, fewer, 1)]
        return [*layers, relu8(method), *conv8_fixed(method, channels, fewer, 1)]


def depth_for_width(layers: int) -> BinaryDenseNet:
    """Return a network of the paper's ablation: depth for width at about equal parameters.

    layers: 13 with a growth of 256, 21 with 128, or 37 with 64; transitions are binary and reduce
    by 1, 1.4 and 1.4. Counted are the stem, the transitions, the last layer and the dense layers,
    which four blocks share evenly (the authors' tables name no other division). Raises
    ConfigError for another number.
    """
    growths = {13: 256, 21: 128, 37: 64}
    if layers not in growths:
        raise ConfigError(
            f"depth_for_width: layers must be 13, 21 or 37, not {layers}; choose one of them"
        )
    each = (layers - 1 - BLOCKS) // BLOCKS
    return BinaryDenseNet(
        f"binarydensenet{layers}x{growths[layers]}",
        (each,) * BLOCKS,
        (1.0, 1.4, 1.4),
        growth=growths[layers],
        transition=Transition.BINARY,
    )


BINARY_DENSE_NETS = (
    BinaryDenseNet("binarydensenet28", (6, 6, 6, 5), (2.7, 2.7, 2.2)),
    BinaryDenseNet("binarydensenet37", (6, 8, 12, 6), (3.3, 3.3, 4.0)),
    BinaryDenseNet(
        "binarydensenet37-dilated", (6, 8, 12, 6), (3.3, 3.3, 4.0), dilations=(1, 1, 2, 4)
    ),
    BinaryDenseNet("binarydensenet45", (6, 12, 14, 8), (2.7, 3.3, 4.0)),
)
DENSENETS = {made.name: Architecture(made.build, (3, 224, 224)) for made in BINARY_DENSE_NETS}
