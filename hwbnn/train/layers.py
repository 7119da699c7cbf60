# SPDX-License-Identifier: Apache-2.0
"""The layers that networks are made of: binary by any method, or of eight bits at the ends."""

from __future__ import annotations

from typing import Any

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from hwbnn.train.method import Method
from hwbnn.train.quantizers import EightBitWeight


class Centre(nn.Module):
    """Values 0..1 become -1..1."""

    def forward(self, x: Tensor) -> Tensor:
        """Return 2 x - 1."""
        return 2.0 * x - 1.0


class Shift(nn.Module):
    """A trained number added to each channel: the threshold of the sign behind it.

    RSign of ReActNet (Liu et al., arXiv 2003.03488), eq. 2, with the threshold's sign turned.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return x + shift."""
        return x + self.shift.view(-1, *(1,) * (x.ndim - 2))


class Multiply(nn.Module):
    """A fixed factor for each channel, or one for all: a scale that no norm behind it takes up."""

    factor: Tensor

    def __init__(self, factor: Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor)

    def forward(self, x: Tensor) -> Tensor:
        """Return x * factor."""
        return x * self.factor.view(-1, *(1,) * (x.ndim - 2))


class Residual(nn.Module):
    """The sum of a body and of a shortcut around it."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Sequential) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return body(x) + shortcut(x); an empty shortcut is x itself."""
        total: Tensor = self.body(x) + self.shortcut(x)
        return total


class Dense(nn.Module):
    """What came in, and behind it the channels that a body makes of it."""

    def __init__(self, body: nn.Sequential) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """Return x and body(x), one behind the other in axis 1."""
        return torch.cat([x, self.body(x)], 1)


def activation(method: Method, channels: int) -> nn.Module:
    """Return what makes the method's 1-bit activations of `channels` channels."""
    if method.activation is None:
        return nn.ReLU()
    quantizer: nn.Module = qnn.QuantIdentity(act_quant=method.activation)
    return nn.Sequential(Shift(channels), quantizer) if method.learnt_threshold else quantizer


def conv(
    method: Method,
    fan_in: int,
    fan_out: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> nn.Module:
    """Return a convolution with the method's weights and without bias.

    padding: zeros on each side; to binary activations they are a third value.
    """
    layer = qnn.QuantConv2d(
        fan_in,
        fan_out,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=False,
        weight_quant=method.weight,
    )
    return _initialised(method, layer)


def linear(method: Method, fan_in: int, fan_out: int) -> nn.Module:
    """Return a dense layer with the method's weights and without bias."""
    layer = qnn.QuantLinear(fan_in, fan_out, bias=False, weight_quant=method.weight)
    return _initialised(method, layer)


def conv8(
    method: Method, fan_in: int, fan_out: int, kernel: int, *, stride: int = 1, padding: int = 0
) -> nn.Module:
    """Return a convolution with 8-bit weights and no bias; a float method has float ones.

    For the ends and the 1x1 convolutions that the papers leave in full precision: eight bits with
    a step that is a power of two cost no accuracy, and the hardware stays exact.
    """
    float_weights = method.weight is None
    layer: nn.Module = qnn.QuantConv2d(
        fan_in,
        fan_out,
        kernel,
        stride=stride,
        padding=padding,
        bias=False,
        weight_quant=None if float_weights else EightBitWeight,
    )
    return layer


def linear8(method: Method, fan_in: int, fan_out: int) -> nn.Module:
    """Return a dense layer with 8-bit weights and a float bias, for the end of a network."""
    float_weights = method.weight is None
    layer: nn.Module = qnn.QuantLinear(
        fan_in, fan_out, bias=True, weight_quant=None if float_weights else EightBitWeight
    )
    return layer


def _initialised(method: Method, layer: Any) -> nn.Module:
    if method.initialise is not None:
        with torch.no_grad():
            method.initialise(layer.weight)
    module: nn.Module = layer
    return module
