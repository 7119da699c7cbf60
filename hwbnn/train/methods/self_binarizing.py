# SPDX-License-Identifier: Apache-2.0
"""Self-binarizing networks: tanh(nu x) for weights and activations, sharpened from epoch to epoch.

Lahoud, Achanta, Marquez-Neila, Susstrunk: Self-Binarizing Networks, arXiv 1902.00730.

    training: W_b = tanh(nu W),  a = tanh(nu BN(z)),  with the exact gradient nu (1 - tanh^2(nu x))
    epoch e of E: nu = nu_max ^ (e / (E - 1)), from 1 to nu_max (the paper raises nu after every
    epoch; the geometric series is ours)
    deployed: W_b = sign(W),  a = sign(BN(z))

Weights near 0 stay soft however large nu is, so they begin uniform in -1..+1, without weight decay
or clipping. binary_batch_norm is the paper's comparison that stands for BN and sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from hwbnn.train.binary import binary_activation, binary_weight, hard_sign, weight_scales
from hwbnn.train.method import Method
from hwbnn.train.methods.options import number

NAME = "self-binarizing"


class TanhSign(nn.Module):
    """tanh(nu x) in training mode, sign(x) in eval mode; the state holds nu."""

    nu: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("nu", torch.ones(()))
        self.soft = False  # tanh in eval mode as well: see soft()

    def forward(self, x: Tensor) -> Tensor:
        """Return a value in -1..+1 for each one."""
        return torch.tanh(x * self.nu) if self.training or self.soft else hard_sign(x)


def _signs(model: nn.Module) -> list[TanhSign]:
    return [module for module in model.modules() if isinstance(module, TanhSign)]


def sharpen(model: nn.Module, share: float, *, nu_max: float) -> None:
    """Set nu of all layers for the epoch behind the share 0..1 of the training."""
    for sign in _signs(model):
        sign.nu.fill_(nu_max**share)


@contextmanager
def soft(model: nn.Module) -> Iterator[None]:
    """Let the network compute with tanh in eval mode: its distance from hard is the soft-hard gap.

    Both modes have the same batch-norm statistics.
    """
    signs = _signs(model)
    before = [sign.soft for sign in signs]
    try:
        for sign in signs:
            sign.soft = True
        yield
    finally:
        for sign, was in zip(signs, before, strict=True):
            sign.soft = was


@torch.no_grad()
def saturation(model: nn.Module) -> float:
    """Return the mean of 1 - |tanh(nu w)| over all binary weights: 0 if every one is hard."""
    nu = _signs(model)[0].nu
    parts = [1.0 - torch.tanh(weight * nu).abs() for weight, _ in weight_scales(model)]
    return float(torch.cat([part.flatten() for part in parts]).mean(dtype=torch.float64))


def _uniform(weight: Tensor) -> object:
    return nn.init.uniform_(weight, -1.0, 1.0)


def self_binarizing(*, nu_max: float = 100.0) -> Method:
    """Return the method of Self-Binarizing Networks.

    nu_max: steepness in the last epoch. It needs many epochs (24 rather than 8).
    """
    nu_max = number(NAME, "nu_max", nu_max, above=1.0, usual=100.0)
    return Method(
        NAME,
        "arXiv 1902.00730",
        binary_weight(TanhSign),
        binary_activation(TanhSign),
        clip=None,
        initialise=_uniform,
        advance=partial(sharpen, nu_max=nu_max),
        learning_rate=5e-3,
    )
