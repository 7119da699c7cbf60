# SPDX-License-Identifier: Apache-2.0
"""Trained binarization: trained scales of weights and activations, a long-tailed derivative.

Xu, Cheung: Accurate and Compact Convolutional Neural Networks with Trained Binarization, BMVC 2019,
arXiv 1909.11366.

    forward:  W_b = alpha_w sign(W),  A_b = alpha_a step(A), in {0, alpha_a}; step(0) = 1 here
    H(x)      = 2 - 4|x| for |x| <= 0.4;  0.4 for 0.4 < |x| <= 1;  0 beyond
    backward: dL/dW = alpha_w g H(W),  dL/dalpha_w = sum g sign(W)
              dL/dA = alpha_a g H(A),  dL/dalpha_a = sum g step(A)
    loss      = cross entropy + strength / 2 * sum of alpha_w^2 over the binary layers

One alpha_w and one alpha_a for each layer. The L2 acts on the scales: to shrink a latent weight
only flips its sign. alpha_w begins at mean|w|, alpha_a at 1.
"""

from __future__ import annotations

from enum import Enum
from functools import partial

import torch
from torch import Tensor, nn

from hwbnn.train.binary import (
    Derivative,
    Scale,
    SurrogateSign,
    binary_activation,
    binary_weight,
    weight_scales,
    within,
)
from hwbnn.train.method import Method
from hwbnn.train.methods.options import choice, flag, number

NAME = "trained-binarization"


class Estimator(Enum):
    """The derivative of the step in the backward."""

    LONG_TAILED = "h"
    STRAIGHT_THROUGH = "ste"


class Activations(Enum):
    """The two values of an activation, times alpha_a."""

    STEP = "step"  # 0 and 1
    SIGN = "sign"  # -1 and +1


def long_tailed(x: Tensor) -> Tensor:
    """Return H(x), shape as x."""
    magnitude = x.abs()
    tail = within(x, limit=1.0).mul_(0.4)
    # 2 - 4|x| falls to the tail's 0.4 at |x| = 0.4: the larger of the two is H.
    return torch.maximum(magnitude.mul_(-4.0).add_(2.0), tail)


def _twice(x: Tensor, *, derivative: Derivative) -> Tensor:
    """Undo that (sign + 1) / 2 halves the gradient: the papers give the derivative of the step."""
    return derivative(x).mul_(2.0)


def penalty(model: nn.Module, *, strength: float) -> Tensor:
    """Return strength / 2 * sum of alpha_w^2."""
    scales = torch.stack([scale.reshape(()) for _, scale in weight_scales(model)])
    return scales.square().sum() * (0.5 * strength)


def trained_binarization(
    *,
    estimator: str = "h",
    activations: str = "step",
    trained_scales: bool = True,
    strength: float = 1e-4,
) -> Method:
    """Return the method of Trained Binarization.

    estimator: h or ste. activations: step (0 and 1, as in the paper) or sign (-1 and +1).
    trained_scales: or all are 1, and strength has no effect.
    """
    strength = number(NAME, "strength", strength, above=0.0, usual=1e-4, equal=True)
    tailed = choice(NAME, "estimator", estimator, Estimator) is Estimator.LONG_TAILED
    step = choice(NAME, "activations", activations, Activations) is Activations.STEP
    trained = flag(NAME, "trained_scales", trained_scales)
    derivative: Derivative = long_tailed if tailed else partial(within, limit=1.0)
    of_activation = partial(_twice, derivative=derivative) if step else derivative
    scale = Scale.LAYER if trained else Scale.ONE
    return Method(
        NAME,
        "arXiv 1909.11366",
        binary_weight(partial(SurrogateSign, derivative), scale=scale),
        binary_activation(partial(SurrogateSign, of_activation), scale=scale, unit_step=step),
        penalty=partial(penalty, strength=strength) if trained and strength > 0.0 else None,
        learning_rate=5e-3,
    )
