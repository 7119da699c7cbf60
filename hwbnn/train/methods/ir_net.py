# SPDX-License-Identifier: Apache-2.0
"""IR-Net: balanced and standardized weights, and a derivative that sharpens over the training.

Qin, Gong, Liu, Shen, Wei, Yu, Song: Forward and Backward Information Retention for Accurate Binary
Neural Networks, arXiv 1909.10788.

    Libra: w^ = (w - mean(w)) / std(w) of each filter
           forward sign(w^) 2^s, s = round(log2 mean|w^|)
    EDE:   backward k t (1 - tanh^2(t x)) of weights and activations, k = max(1 / t, 1),
           t = 0.1 * 100^(share of the training): from 0.1 to 10

As w^ has unit deviation, mean|w^| is near 0.8 and the factor 2^s mostly 1; it is 1 for all unless
`scaled`. The sign of w^ is what deploys: that of w - mean(w).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from hwbnn.train.binary import Scale, binary_activation, binary_weight, surrogate_sign
from hwbnn.train.method import Method
from hwbnn.train.methods.options import flag

NAME = "ir-net"
FIRST, LAST = 0.1, 10.0  # t


def standardized(weight: Tensor) -> Tensor:
    """Return the weights [filters, ...] with mean 0 and deviation 1 in each filter."""
    axes = tuple(range(1, weight.ndim))
    deviation, mean = torch.std_mean(weight, axes, correction=0, keepdim=True)
    return (weight - mean) / deviation.clamp_min(1e-8)


class EdeSign(nn.Module):
    """sign(x) with the error-decay derivative; the state holds t."""

    t: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("t", torch.tensor(FIRST))

    def forward(self, x: Tensor) -> Tensor:
        """Return -1 or +1 for each value."""
        return surrogate_sign(x, partial(ede, t=self.t))


class LibraSign(EdeSign):
    """The sign of standardized weights."""

    def forward(self, x: Tensor) -> Tensor:
        """Return -1 or +1 for each weight; in every filter about half of them."""
        return super().forward(standardized(x))


class PowerOfTwo(nn.Module):
    """The power of two next to each filter's mean |w^|."""

    def forward(self, weight: Tensor) -> Tensor:
        """Return the scales, shaped to multiply the weights [filters, ...]; no gradient."""
        axes = tuple(range(1, weight.ndim))
        magnitude = standardized(weight.detach()).abs().mean(axes, keepdim=True)
        return torch.exp2(torch.round(torch.log2(magnitude.clamp_min(1e-8))))


def ede(x: Tensor, *, t: Tensor) -> Tensor:
    """Return k t (1 - tanh^2(t x)), shape as x."""
    slope = torch.clamp_min(t, 1.0)  # k t = max(1 / t, 1) t
    return torch.tanh(x * t).square_().neg_().add_(1.0).mul_(slope)


def sharpen(model: nn.Module, share: float) -> None:
    """Set t of all layers for the epoch behind the share 0..1 of the training."""
    for module in model.modules():
        if isinstance(module, EdeSign):
            module.t.fill_(FIRST * (LAST / FIRST) ** share)


def ir_net(*, scaled: bool = False) -> Method:
    """Return the method of IR-Net; scaled: with its factors 2^s, else 1."""
    scale = PowerOfTwo if flag(NAME, "scaled", scaled) else Scale.ONE
    return Method(
        NAME,
        "arXiv 1909.10788",
        binary_weight(LibraSign, scale=scale),
        binary_activation(EdeSign),
        clip=None,  # standardized at every use
        advance=sharpen,
    )
