# SPDX-License-Identifier: Apache-2.0
"""Straight-through: the gradient of a sign is that of the identity, of activations where |x| <= 1.

Courbariaux et al., Binarized Neural Networks, arXiv 1602.02830, section 1.3: forward sign(x),
backward g * 1[|x| <= 1]; latent weights are clamped to -1..+1.
"""

from __future__ import annotations

from functools import partial

from hwbnn.train.binary import SurrogateSign, binary_activation, binary_weight, within
from hwbnn.train.method import Method


def ste() -> Method:
    """Return the method that the others are measured by."""
    return Method(
        "ste",
        "arXiv 1602.02830",
        binary_weight(SurrogateSign),
        binary_activation(partial(SurrogateSign, partial(within, limit=1.0))),
    )
