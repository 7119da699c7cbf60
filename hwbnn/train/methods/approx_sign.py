# SPDX-License-Identifier: Apache-2.0
"""Approximated sign: the derivative of a piecewise parabola stands for that of the sign.

Liu, Wu, Luo, Yang, Liu, Cheng: Bi-Real Net, arXiv 1808.00278, eq. 7.

    activations: forward sign(x), backward g (2 - 2|x|) where |x| < 1, else 0
    weights:     forward sign(w), backward g; latent weights are clamped to -1..+1
"""

from __future__ import annotations

from functools import partial

from torch import Tensor

from hwbnn.train.binary import SurrogateSign, binary_activation, binary_weight
from hwbnn.train.method import Method


def triangle(x: Tensor) -> Tensor:
    """Return 2 - 2|x| where |x| < 1, else 0, shape as x."""
    return x.abs().mul_(-2.0).add_(2.0).clamp_min_(0.0)


def approx_sign() -> Method:
    """Return the method of Bi-Real Net, without its magnitude-aware gradient of weights."""
    return Method(
        "approx-sign",
        "arXiv 1808.00278",
        binary_weight(SurrogateSign),
        binary_activation(partial(SurrogateSign, triangle)),
    )
