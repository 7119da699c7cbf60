# SPDX-License-Identifier: Apache-2.0
"""VGG-Small: six convolutions and one dense layer, for images of some 32 pixels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from hwbnn.train.layers import activation, clip8, conv, conv8, linear8, norm, pixels
from hwbnn.train.method import Method
from hwbnn.train.networks.network import Architecture, Image, Network, check_image, widened

CHANNELS = (128, 128, 256, 256, 512, 512)
POOLED = (False, True, False, True, False, True)
LEAST = 8  # three pools halve it


@dataclass(frozen=True)
class VggSmall:
    """The network of BNN+, Trained Binarization and others on CIFAR-10.

    As in IR-Net's public code (Qin et al., arXiv 1909.10788): convolution, pool, batch norm, sign;
    the first and the last layer are multi-bit, and the last one's input is a clip to -1..1.
    Zeros pad the maps: with +-1 activations a third value.
    width: factor on all channels.
    """

    name: str = "vgg-small"
    width: float = 1.0

    def build(self, method: Method, image: Image, classes: int) -> Network:
        """Return the untrained network."""
        check_image(self.name, image, least=LEAST)
        fan_in, height, width = image
        layers: list[nn.Module] = pixels()
        for number, (published, pooled) in enumerate(zip(CHANNELS, POOLED, strict=True)):
            channels = widened(published, self.width)
            make = conv8 if number == 0 else conv
            layers.append(make(method, fan_in, channels, 3, padding=1))
            if pooled:
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            layers.append(norm(channels))
            is_last = number == len(CHANNELS) - 1
            layers.append(clip8(method) if is_last else activation(method, channels))
            fan_in = channels
        layers += [nn.Flatten(), linear8(method, fan_in * height * width, classes)]
        return Network(layers, image=image)


VGG = {"vgg-small": Architecture(VggSmall().build, (3, 32, 32))}
