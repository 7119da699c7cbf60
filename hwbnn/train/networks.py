# SPDX-License-Identifier: Apache-2.0
"""The networks by name: TFC, SFC, LFC and CNV of FINN and Brevitas, and a small CNN."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import brevitas.nn as qnn
from torch import Tensor, nn

from hwbnn.errors import ConfigError
from hwbnn.train.quantizers import ACTIVATIONS, BinaryWeight

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


@dataclass(frozen=True)
class Shape:
    """Layers, bits, and the image [channels, height, width]; classes follow the last hidden."""

    hidden: tuple[int, ...]
    act_bits: int
    input_bits: int
    image: tuple[int, int, int] = (1, 28, 28)
    convolutions: tuple[Convolution, ...] = ()


def _dense(width: int, bits: int) -> Shape:
    return Shape((width,) * 3, bits, bits)


def _small_cnn(act_bits: int) -> Shape:
    convolutions = (
        Convolution(32, padding=1, pool=Pool.SUMS),
        Convolution(64, padding=1, pool=Pool.SUMS),
        Convolution(64, padding=1),
    )
    return Shape((), act_bits, 8, convolutions=convolutions)


def _cnv(act_bits: int) -> Shape:
    convolutions = tuple(
        Convolution(channels, pool=pool)
        for channels, pool in (
            (64, Pool.NONE), (64, Pool.ACTIVATIONS), (128, Pool.NONE), (128, Pool.ACTIVATIONS),
            (256, Pool.NONE), (256, Pool.NONE),
        )
    )  # fmt: skip
    return Shape((512, 512), act_bits, 8, (3, 32, 32), convolutions)


NETWORKS = {
    "tfc-w1a1": _dense(64, 1),
    "tfc-w1a2": _dense(64, 2),
    "sfc-w1a1": _dense(256, 1),
    "sfc-w1a2": _dense(256, 2),
    "lfc-w1a1": _dense(1024, 1),
    "lfc-w1a2": _dense(1024, 2),
    "cnn-w1a1": _small_cnn(1),
    "cnn-w1a2": _small_cnn(2),
    "cnv-w1a1": _cnv(1),
    "cnv-w1a2": _cnv(2),
}


class _Centre(nn.Module):
    """Values 0..1 become -1..1."""

    def forward(self, x: Tensor) -> Tensor:
        return 2.0 * x - 1.0


class Network(nn.Module):
    """Images [n, channels, height, width] of 0..1 to integer logits: the last layer's sums."""

    def __init__(self, shape: Shape, *, classes: int = 10) -> None:
        super().__init__()
        self.shape = shape
        channels, height, width = shape.image
        layers: list[nn.Module] = [] if shape.convolutions else [nn.Flatten()]
        layers += [_Centre(), qnn.QuantIdentity(act_quant=ACTIVATIONS[shape.input_bits])]
        for convolution in shape.convolutions:
            layers += _convolution(channels, convolution, shape.act_bits)
            channels = convolution.channels
            ratio = 1 if convolution.pool is Pool.NONE else POOL
            height, width = (
                (side + 2 * convolution.padding - KERNEL + 1) // ratio for side in (height, width)
            )
        if shape.convolutions:
            layers.append(nn.Flatten())
        fan_in = channels * height * width
        for fan_out in shape.hidden:
            layers.append(_linear(fan_in, fan_out))
            layers.append(nn.BatchNorm1d(fan_out))
            layers.append(qnn.QuantIdentity(act_quant=ACTIVATIONS[shape.act_bits]))
            fan_in = fan_out
        layers.append(_linear(fan_in, classes))
        self.features = nn.Sequential(*layers)
        # The loss sees scaled logits; 0.5 had the best validation of 0.25, 0.35, 0.5, 1 and 2.
        self.logit_scale = 0.5 * fan_in**-0.5

    def forward(self, x: Tensor) -> Tensor:
        """Return integer logits [n, classes]."""
        logits: Tensor = self.features(x)
        return logits

    def binary_layers(self) -> list[Any]:
        """Return the layers with binary weights, first to last."""
        kinds = (qnn.QuantConv2d, qnn.QuantLinear)
        return [layer for layer in self.features if isinstance(layer, kinds)]


def _convolution(fan_in: int, convolution: Convolution, act_bits: int) -> Iterator[nn.Module]:
    yield qnn.QuantConv2d(
        fan_in,
        convolution.channels,
        KERNEL,
        padding=convolution.padding,
        bias=False,
        weight_quant=BinaryWeight,
    )
    if convolution.pool is Pool.SUMS:
        yield nn.MaxPool2d(POOL)
    yield nn.BatchNorm2d(convolution.channels)
    yield qnn.QuantIdentity(act_quant=ACTIVATIONS[act_bits])
    if convolution.pool is Pool.ACTIVATIONS:
        yield nn.MaxPool2d(POOL)


def _linear(fan_in: int, fan_out: int) -> nn.Module:
    layer: nn.Module = qnn.QuantLinear(fan_in, fan_out, bias=False, weight_quant=BinaryWeight)
    return layer


def network(name: str, *, classes: int = 10) -> Network:
    """Make an untrained network by its name; seed torch before."""
    if name not in NETWORKS:
        raise ConfigError(
            f"network: must be a known network, not {name}; choose {', '.join(NETWORKS)}"
        )
    return Network(NETWORKS[name], classes=classes)
