# SPDX-License-Identifier: Apache-2.0
"""BNN+: SwishSign in the backward, and a regularizer that pulls weights to -alpha and +alpha.

Darabi, Belbahri, Courbariaux, Partovi Nia: Regularized Binary Network Training, arXiv 1812.11800.

    SS_b(x)      = 2 s(b x) (1 + b x (1 - s(b x))) - 1, s the logistic function; forward: sign(x)
    dSS_b(x)/dx  = b (2 - b x tanh(b x / 2)) / (1 + cosh(b x)), for weights and activations
    R1(w, alpha) = |alpha - |w||,  R2(w, alpha) = (alpha - |w|)^2
    loss         = cross entropy + strength * sum of R(w, alpha) over all binary weights

alpha: one for each output filter, the factor on its binary weights, trained by both terms; it
begins at the optimum of R, the median (R1) or the mean (R2) of |w|. R bounds the latent weights,
so they are not clipped.
"""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hwbnn.train.binary import (
    Scale,
    Start,
    SurrogateSign,
    binary_activation,
    binary_weight,
    weight_scales,
    within,
)
from hwbnn.train.method import Method
from hwbnn.train.methods.options import choice, flag, number

NAME = "bnn+"


class Regularizer(Enum):
    """The distance of |w| from alpha that is added to the loss."""

    NONE = "none"
    R1 = "R1"
    R2 = "R2"


class Backward(Enum):
    """What stands for the sign in the backward; htanh is the plain clipped identity."""

    SWISH = "swish"
    HTANH = "htanh"


def swish_sign(x: Tensor, *, beta: float) -> Tensor:
    """Return the derivative of SS_beta at x, shape as x."""
    # 1 + cosh(y) = 2 / (1 - t^2) with t = tanh(y / 2): one transcendental, and no overflow.
    y = (x * beta).clamp_(-60.0, 60.0)
    t = torch.tanh(y * 0.5)
    product = y.mul_(t).neg_().add_(2.0)
    return t.square_().neg_().add_(1.0).mul_(product).mul_(0.5 * beta)


class _Distance(torch.autograd.Function):
    """The sum of R1 or R2 over a layer, with both gradients in few passes over the weights.

    With e = w - alpha sign(w): R1 = |e|, dR1/dw = sign(e); R2 = e^2, dR2/dw = 2 e; and
    dR/dalpha = -sum over a filter of sign(w) dR/dw.
    """

    @staticmethod
    def forward(context: Any, weight: Tensor, alpha: Tensor, regularizer: Regularizer) -> Tensor:
        error = torch.sub(weight, torch.copysign(alpha, weight))
        context.save_for_backward(weight, alpha, error)
        context.regularizer = regularizer
        if regularizer is Regularizer.R1:
            return error.abs().sum()
        return error.square().sum()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:
        weight, alpha, error = context.saved_tensors
        slope = error.sign() if context.regularizer is Regularizer.R1 else error * 2.0
        slope.mul_(gradient)
        of_alpha = None
        if context.needs_input_grad[1]:
            of_alpha = -(slope * weight.sign()).sum_to_size(alpha.shape)
        return slope, of_alpha, None


def distance(weight: Tensor, alpha: Tensor, *, regularizer: Regularizer) -> Tensor:
    """Return the sum of R(w, alpha), a scalar; alpha > 0 broadcasts to the weights."""
    total: Tensor = _Distance.apply(weight, alpha, regularizer)
    return total


def penalty(model: nn.Module, *, regularizer: Regularizer, strength: float) -> Tensor:
    """Return strength * sum of R(w, alpha) over the binary layers."""
    distances = [
        distance(weight, alpha, regularizer=regularizer) for weight, alpha in weight_scales(model)
    ]
    return torch.stack(distances).sum() * strength


@torch.no_grad()
def share_near_alpha(model: nn.Module, *, tolerance: float = 0.1) -> float:
    """Return the share of all binary weights with |w| within `tolerance` of alpha: |w|/alpha - 1.

    By the alphas that the layers have; 1 where they are not trained.
    """
    near = total = 0
    for weight, alpha in weight_scales(model):
        near += int(((weight.abs() - alpha).abs() <= tolerance * alpha).sum())
        total += weight.numel()
    return near / total


def bnn_plus(
    *,
    beta: float = 5.0,
    regularizer: str = "R2",
    strength: float = 1e-5,
    trained_scales: bool = True,
    backward: str = "swish",
) -> Method:
    """Return the method of BNN+.

    beta: steepness of SwishSign; the paper has 5 and 10. regularizer: none, R1 or R2.
    trained_scales: alpha is trained, or 1 for all. backward: swish, or htanh to compare with.
    """
    beta = number(NAME, "beta", beta, above=0.0, usual=5.0)
    strength = number(NAME, "strength", strength, above=0.0, usual=1e-5, equal=True)
    pull = choice(NAME, "regularizer", regularizer, Regularizer)
    swish = choice(NAME, "backward", backward, Backward) is Backward.SWISH
    derivative = partial(swish_sign, beta=beta) if swish else partial(within, limit=1.0)
    sign = partial(SurrogateSign, derivative)
    weight = binary_weight(
        sign,
        scale=Scale.FILTER if flag(NAME, "trained_scales", trained_scales) else Scale.ONE,
        start=Start.MEDIAN if pull is Regularizer.R1 else Start.MEAN,
    )
    none = pull is Regularizer.NONE or strength == 0.0
    return Method(
        NAME,
        "arXiv 1812.11800",
        weight,
        binary_activation(sign),
        clip=None if swish else 1.0,  # htanh's gradient ends at 1
        penalty=None if none else partial(penalty, regularizer=pull, strength=strength),
        learning_rate=5e-3,
    )
