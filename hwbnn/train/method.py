# SPDX-License-Identifier: Apache-2.0
"""What makes a training method: the quantizers, and what the loop does for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import Tensor, nn


def adam(model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Return Adam without weight decay: to pull a latent weight to zero only flips its sign."""
    return torch.optim.Adam(model.parameters(), lr=learning_rate)


@dataclass(frozen=True)
class Method:
    """How the values of a network become binary, and how it is trained; any network takes any one.

    weight: Brevitas quantizer of the binary layers' weights; None: weights stay float.
    activation: Brevitas quantizer of the 1-bit activations; None: a ReLU instead.
    In eval mode a quantizer gives the deployed, hard values whatever it does in training.
    """

    name: str
    source: str  # the paper
    weight: type[WeightQuantSolver] | None
    activation: type[ActQuantSolver] | None
    options: tuple[tuple[str, Any], ...] = ()  # by which it was made, name and value
    learnt_threshold: bool = False  # a trained shift of every channel before its sign
    clip: float | None = 1.0  # latent weights are clamped to +-clip after every step
    initialise: Callable[[Tensor], object] | None = None  # fills latent weights in place
    penalty: Callable[[nn.Module], Tensor] | None = None  # added to the loss: a scalar
    # Called before every epoch with the share of the epochs done: 0 at the first, 1 at the last.
    advance: Callable[[nn.Module, float], None] | None = None
    optimizer: Callable[[nn.Module, float], torch.optim.Optimizer] = adam
    learning_rate: float = 1e-2  # the one to begin with

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{name}={value}" for name, value in self.options)])


def binary_layers(model: nn.Module) -> Iterator[Any]:
    """Return the layers with binary weights, first to last."""
    for module in model.modules():
        if isinstance(module, qnn.QuantConv2d | qnn.QuantLinear) and _is_binary(module):
            yield module


def _is_binary(layer: Any) -> bool:
    quantizer = layer.weight_quant
    return bool(quantizer.is_quant_enabled and int(quantizer.bit_width()) == 1)
