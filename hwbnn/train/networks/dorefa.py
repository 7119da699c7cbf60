# SPDX-License-Identifier: Apache-2.0
"""The small network of DoReFa-Net: seven convolutions and one dense layer."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from hwbnn.train.layers import activation, clip8, conv, conv8, linear, linear8, norm, pixels
from hwbnn.train.method import Method
from hwbnn.train.networks.network import Architecture, Image, Network, check_image, widened

LEAST = 24


@dataclass(frozen=True)
class DoReFa:
    """The network that DoReFa-Net's authors published for SVHN (Zhou et al., arXiv 1606.06160).

    Certain, from the second author's public script svhn-digit-dorefa.py (tensorpack), for
    images of 40 pixels: 5x5 conv 48 without padding, pool | 3x3 conv 64 | conv 64, pool | conv
    128 without padding | conv 128 | conv 128 without padding | dropout 0.5 | 5x5 conv 512 without
    padding | dense layer; the first and the last are full precision, zeros pad.
    Not certain: that BNN+ means this one by its "DoReFa-Net" on CIFAR-10. Different here: signs
    for the quantizer of |x| clipped to 0..1, a batch norm for the first convolution's bias, and
    the last convolution takes all that is left of the map, as the 5x5 one does of 40 pixels.
    width: factor on all channels; dropout: share of activations, 0 for none.
    """

    name: str = "dorefa"
    width: float = 1.0
    dropout: float = 0.5

    def build(self, method: Method, image: Image, classes: int) -> Network:
        """Return the untrained network."""
        check_image(self.name, image, least=LEAST)
        first, few, many, last = (widened(count, self.width) for count in (48, 64, 128, 512))
        height, width = (_last(side) for side in image[1:])
        binary: list[nn.Module] = []
        for fan_in, channels, padding, pooled in (
            (first, few, 1, False), (few, few, 1, True),
            (few, many, 0, False), (many, many, 1, False), (many, many, 0, False),
        ):  # fmt: skip
            binary += [conv(method, fan_in, channels, 3, padding=padding), norm(channels)]
            binary += [nn.MaxPool2d(2)] if pooled else []
            binary.append(activation(method, channels))
        layers = [
            *pixels(),
            conv8(method, image[0], first, 5),
            nn.MaxPool2d(2),
            norm(first),
            activation(method, first),
            *binary,
            *([nn.Dropout(self.dropout)] if self.dropout > 0 else []),
            nn.Flatten(),
            linear(method, many * height * width, last),
            norm(last, maps=False),
            clip8(method),
            linear8(method, last, classes),
        ]
        return Network(layers, image=image)


def _last(side: int) -> int:
    """Return the rows (columns) that the last convolution sees: 5 of 40."""
    return (side - 4) // 2 // 2 - 4


DOREFA = {"dorefa": Architecture(DoReFa().build, (3, 40, 40))}
