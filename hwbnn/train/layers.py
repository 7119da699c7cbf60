# SPDX-License-Identifier: Apache-2.0
"""The layers that networks are made of: binary by any method, or of eight bits at the ends."""

from __future__ import annotations

from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.quant.solver import ActQuantSolver
from torch import Tensor, nn

from hwbnn.train.method import Method
from hwbnn.train.quantizers import EightBitActivation, EightBitWeight

STEPS = 256  # of eight bits


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


class Mean(nn.Module):
    """The mean over a map, but divided by the next power of two: exact, whatever the map's size.

    Of a 7x7 map it is 49/64 of the mean, which the weights behind it take up.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return x (n, channels, rows, columns) as (n, channels, 1, 1)."""
        positions = int(x.shape[2]) * int(x.shape[3])
        return x.sum((2, 3), keepdim=True) * 2.0 ** -(positions - 1).bit_length()


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


def activation(method: Method, channels: int, *, padding: int = 0) -> nn.Module:
    """Return what makes the method's 1-bit activations of `channels` channels.

    padding: maps grow by it on each side, by the smaller of the two values. It stands in front
    of the quantizer, which makes it right for any scale and for activations 0 and 1; behind the
    trained threshold, which must not move it. A ReLU makes zeros of it.
    """
    pad: list[nn.Module] = [nn.ConstantPad2d(padding, -1.0)] if padding > 0 else []
    if method.activation is None:
        return _row([*pad, nn.ReLU()])
    shift: list[nn.Module] = [Shift(channels)] if method.learnt_threshold else []
    return _row([*shift, *pad, qnn.QuantIdentity(act_quant=method.activation)])


def _row(layers: list[nn.Module]) -> nn.Module:
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


def pixels() -> list[nn.Module]:
    """Return the layers that turn images of 0..1 into -1..1 in steps of 1/128."""
    return [Centre(), qnn.QuantIdentity(act_quant=EightBitActivation)]


def relu8(method: Method, *, top: float = 4.0) -> nn.Module:
    """Return a ReLU to 256 steps from 0 to below `top`, a power of two; a float method has none.

    It stands where a multi-bit layer takes its input: behind a batch norm 4 is reached by one
    value in 30000.
    """
    if method.weight is None:
        return nn.ReLU()
    quantizer: nn.Module = qnn.QuantReLU(act_quant=_steps(0.0, top))
    return quantizer


def clip8(method: Method, *, top: float = 1.0) -> nn.Module:
    """Return a clip to 256 steps from -top to below top, a power of two; a float method clips."""
    if method.weight is None:
        return nn.Hardtanh(-top, top)
    quantizer: nn.Module = qnn.QuantIdentity(act_quant=_steps(-top, top))
    return quantizer


def fixed_point(method: Method, *, top: float) -> list[nn.Module]:
    """Return what clips to 256 steps from -top to below top, so that sums of such are integers.

    A float method has no such layer: its sums are floats.
    """
    return [] if method.weight is None else [clip8(method, top=top)]


def _steps(bottom: float, top: float) -> type[ActQuantSolver]:
    class Steps(EightBitActivation):
        signed = bottom < 0
        min_val = bottom
        max_val = top - (top - bottom) / STEPS

    return Steps


def norm(channels: int, *, maps: bool = True, scale: bool = True) -> nn.Module:
    """Return a batch norm of maps, or of the outputs of a dense layer.

    scale: False fixes its factor to 1, so that it never turns the order of its values around.
    """
    layer: nn.Module = nn.BatchNorm2d(channels) if maps else nn.BatchNorm1d(channels)
    layer.get_parameter("weight").requires_grad_(scale)
    return layer


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


def conv8_fixed(
    method: Method, fan_in: int, fan_out: int, kernel: int, *, stride: int = 1, padding: int = 0
) -> list[nn.Module]:
    """Return conv8 with sums rounded to 256 steps from -4 to below 4.

    What carries them on is then as narrow as the sums of binary layers, and a batch norm behind
    them equals a multiplication of integers.
    """
    sums = conv8(method, fan_in, fan_out, kernel, stride=stride, padding=padding)
    return [sums, *fixed_point(method, top=4.0)]


def linear8(method: Method, fan_in: int, fan_out: int, *, bias: bool = True) -> nn.Module:
    """Return a dense layer with 8-bit weights and a float bias, for the end of a network."""
    float_weights = method.weight is None
    layer: nn.Module = qnn.QuantLinear(
        fan_in, fan_out, bias=bias, weight_quant=None if float_weights else EightBitWeight
    )
    return layer


def _initialised(method: Method, layer: Any) -> nn.Module:
    if method.initialise is not None:
        with torch.no_grad():
            method.initialise(layer.weight)
    module: nn.Module = layer
    return module
