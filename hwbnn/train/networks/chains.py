# SPDX-License-Identifier: Apache-2.0
"""TFC, SFC, LFC and CNV of FINN and Brevitas, and a small CNN: binary all through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import brevitas.nn as qnn
from torch import nn

from hwbnn.train.layers import Centre, activation, conv, linear
from hwbnn.train.method import Method
from hwbnn.train.networks.network import Architecture, Image, Network, check_image
from hwbnn.train.quantizers import ACTIVATIONS

KERNEL = 3
POOL = 2


class Pool(Enum):
    """Where a convolution's 2x2 max-pool stands."""

    NONE = "none"
    SUMS = "sums"  # before batch norm: keeps more of the sums than a pool of their signs
    ACTIVATIONS = "activations"  # after the quantizer


@dataclass(frozen=True)
class Convolution:
    """A binary 3x3 convolution of stride 1, its batch norm, quantizer and pool.

    padding: zeros on each side; to binary activations they are a third value.
    """

    channels: int
    padding: int = 0
    pool: Pool = Pool.NONE

    def side(self, length: int) -> int:
        """Return the rows (columns) that come out for so many that go in."""
        ratio = 1 if self.pool is Pool.NONE else POOL
        return (length + 2 * self.padding - KERNEL + 1) // ratio


@dataclass(frozen=True)
class Chain:
    """Convolutions, hidden dense layers, and the bits of the activations and of the input."""

    name: str
    convolutions: tuple[Convolution, ...]
    hidden: tuple[int, ...]
    act_bits: int
    input_bits: int

    def build(self, method: Method, image: Image, classes: int) -> Network:
        """Return the untrained network."""
        channels, height, width = image
        layers: list[nn.Module] = [] if self.convolutions else [nn.Flatten()]
        layers += [Centre(), qnn.QuantIdentity(act_quant=ACTIVATIONS[self.input_bits])]
        for convolution in self.convolutions:
            layers += self._convolution(method, channels, convolution)
            channels = convolution.channels
            height, width = convolution.side(height), convolution.side(width)
        if min(height, width) < 1:
            check_image(self.name, image, least=self._least())
        if self.convolutions:
            layers.append(nn.Flatten())
        fan_in = channels * height * width
        for fan_out in self.hidden:
            layers += [linear(method, fan_in, fan_out), nn.BatchNorm1d(fan_out)]
            layers.append(self._activation(method, fan_out))
            fan_in = fan_out
        layers.append(linear(method, fan_in, classes))
        # The loss sees scaled logits; 0.5 had the best validation of 0.25, 0.35, 0.5, 1 and 2.
        return Network(layers, image=image, logit_scale=0.5 * fan_in**-0.5)

    def _convolution(
        self, method: Method, fan_in: int, convolution: Convolution
    ) -> Iterator[nn.Module]:
        channels = convolution.channels
        yield conv(method, fan_in, channels, KERNEL, padding=convolution.padding)
        if convolution.pool is Pool.SUMS:
            yield nn.MaxPool2d(POOL)
        yield nn.BatchNorm2d(channels)
        yield self._activation(method, channels)
        if convolution.pool is Pool.ACTIVATIONS:
            yield nn.MaxPool2d(POOL)

    def _activation(self, method: Method, channels: int) -> nn.Module:
        if self.act_bits == 1 or method.activation is None:
            return activation(method, channels)
        quantizer: nn.Module = qnn.QuantIdentity(act_quant=ACTIVATIONS[self.act_bits])
        return quantizer

    def _least(self) -> int:
        side = 1
        while self._last(side) < 1:
            side += 1
        return side

    def _last(self, side: int) -> int:
        for convolution in self.convolutions:
            side = convolution.side(side)
        return side


def _dense(name: str, width: int, bits: int) -> Architecture:
    return Architecture(Chain(name, (), (width,) * 3, bits, bits).build, (1, 28, 28))


def _small_cnn(name: str, act_bits: int) -> Architecture:
    convolutions = (
        Convolution(32, padding=1, pool=Pool.SUMS),
        Convolution(64, padding=1, pool=Pool.SUMS),
        Convolution(64, padding=1),
    )
    return Architecture(Chain(name, convolutions, (), act_bits, 8).build, (1, 28, 28))


def _cnv(name: str, act_bits: int) -> Architecture:
    convolutions = tuple(
        Convolution(channels, pool=pool)
        for channels, pool in (
            (64, Pool.NONE), (64, Pool.ACTIVATIONS), (128, Pool.NONE), (128, Pool.ACTIVATIONS),
            (256, Pool.NONE), (256, Pool.NONE),
        )
    )  # fmt: skip
    return Architecture(Chain(name, convolutions, (512, 512), act_bits, 8).build, (3, 32, 32))


CHAINS = {
    f"{kind}-w1a{bits}": make(f"{kind}-w1a{bits}", bits)
    for kind, make in {
        "tfc": lambda name, bits: _dense(name, 64, bits),
        "sfc": lambda name, bits: _dense(name, 256, bits),
        "lfc": lambda name, bits: _dense(name, 1024, bits),
        "cnn": _small_cnn,
        "cnv": _cnv,
    }.items()
    for bits in (1, 2)
}
