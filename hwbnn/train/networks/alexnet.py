# SPDX-License-Identifier: Apache-2.0
"""AlexNet in the layout of XNOR-Net, and in that of Binarized Neural Networks."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from hwbnn.train.layers import activation, conv, conv8, linear, linear8, norm, pixels, relu8
from hwbnn.train.method import Method
from hwbnn.train.networks.network import Architecture, Image, Network, check_image, widened

LEAST = 15  # three 3x3 pools of stride 2
SMALL = 63  # smaller images leave nothing behind a stem of stride 4
DENSE = 4096


def _stem(side: int) -> tuple[int, int, int]:
    """Return kernel, stride and padding of the first convolution.

    Images of fewer than 63 pixels have a 3x3 one of stride 1, as BinaryDenseNet's: the papers'
    own change of AlexNet for CIFAR-10 is not published.
    """
    return (11, 4, 2) if side >= SMALL else (3, 1, 1)


def _left(image: Image) -> int:
    """Return the positions of the last map, 6x6 of 224x224."""
    kernel, stride, padding = _stem(min(image[1:]))
    sides = [(side + 2 * padding - kernel) // stride + 1 for side in image[1:]]
    for _ in range(3):
        sides = [(side - 3) // 2 + 1 for side in sides]
    return sides[0] * sides[1]


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=2)


@dataclass(frozen=True)
class XnorAlexNet:
    """AlexNet of XNOR-Net (Rastegari et al., arXiv 1603.05279), as in its code and larq's.

    Batch norm, sign, convolution, pool; batch norms without a trained factor; the first and the
    last layer multi-bit, with a ReLU behind the former and in front of the latter; zeros pad.
    Its 6x6 convolution without padding, behind which one position is left, is a dense layer here.
    width: factor on all channels.
    """

    name: str = "alexnet"
    width: float = 1.0

    def build(self, method: Method, image: Image, classes: int) -> Network:
        """Return the untrained network."""
        check_image(self.name, image, least=LEAST)
        first, *channels = (widened(count, self.width) for count in (96, 256, 384, 384, 256))
        dense = widened(DENSE, self.width)
        kernel, stride, padding = _stem(min(image[1:]))
        layers = [
            *pixels(),
            conv8(method, image[0], first, kernel, stride=stride, padding=padding),
            norm(first, scale=False),
            nn.ReLU(),
            _pool(),
        ]
        fan_in = first
        for fan_out, size, pooled in zip(
            channels, (5, 3, 3, 3), (True, False, False, True), strict=True
        ):
            layers += [norm(fan_in, scale=False), activation(method, fan_in)]
            layers.append(conv(method, fan_in, fan_out, size, padding=size // 2))
            layers += [_pool()] if pooled else []
            fan_in = fan_out
        layers += [
            norm(fan_in, scale=False),
            activation(method, fan_in),
            nn.Flatten(),
            linear(method, fan_in * _left(image), dense),
            norm(dense, maps=False, scale=False),
            activation(method, dense),
            linear(method, dense, dense),
            norm(dense, maps=False, scale=False),
            relu8(method),
            linear8(method, dense, classes, bias=False),
        ]
        return Network(layers, image=image)


@dataclass(frozen=True)
class BnnAlexNet:
    """AlexNet of Binarized Neural Networks (Hubara et al., arXiv 1602.02830), as larq counts it.

    Convolution, pool, batch norm without a trained factor, sign; every layer is binary, the first
    and the last too, whose sums a last batch norm scales; zeros pad.
    inflation: factor on the channels of the first four convolutions, 3 in the authors' code and 1
    in larq's; width: factor on all channels.
    """

    name: str = "alexnet-bnn"
    width: float = 1.0
    inflation: float = 1.0

    def build(self, method: Method, image: Image, classes: int) -> Network:
        """Return the untrained network."""
        check_image(self.name, image, least=LEAST)
        inflated = [widened(count, self.width * self.inflation) for count in (64, 192, 384, 384)]
        channels = [*inflated, widened(256, self.width)]
        dense = widened(DENSE, self.width)
        windows = [_stem(min(image[1:])), (5, 1, 2), *[(3, 1, 1)] * 3]
        layers = pixels()
        fan_in = image[0]
        for number, (fan_out, window) in enumerate(zip(channels, windows, strict=True)):
            kernel, stride, padding = window
            layers.append(conv(method, fan_in, fan_out, kernel, stride=stride, padding=padding))
            layers += [_pool()] if number in (0, 1, 4) else []
            layers += [norm(fan_out, scale=False), activation(method, fan_out)]
            fan_in = fan_out
        layers.append(nn.Flatten())
        fan_in *= _left(image)
        for fan_out in (dense, dense):
            layers.append(linear(method, fan_in, fan_out))
            layers += [norm(fan_out, maps=False, scale=False), activation(method, fan_out)]
            fan_in = fan_out
        layers += [linear(method, fan_in, classes), norm(classes, maps=False, scale=False)]
        return Network(layers, image=image)


ALEXNETS = {
    "alexnet": Architecture(XnorAlexNet().build, (3, 224, 224)),
    "alexnet-bnn": Architecture(BnnAlexNet().build, (3, 224, 224)),
}
