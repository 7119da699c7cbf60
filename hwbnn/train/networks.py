# SPDX-License-Identifier: Apache-2.0
"""The dense networks TFC, SFC and LFC of FINN and Brevitas, with 1-bit weights."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.core.restrict_val import RestrictValueType
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import (
    BitWidthImplType,
    FloatToIntImplType,
    QuantType,
    ScalingImplType,
    ScalingPerOutputType,
)
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import Tensor, nn

from hwbnn.errors import ConfigError


class _Quant(ExtendedInjector):
    bit_width_impl_type = BitWidthImplType.CONST
    scaling_impl_type = ScalingImplType.CONST
    restrict_scaling_type = RestrictValueType.FP
    scaling_per_output_type = ScalingPerOutputType.TENSOR
    float_to_int_impl_type = FloatToIntImplType.ROUND
    zero_point_impl = ZeroZeroPoint
    narrow_range = True
    signed = True


class BinaryWeight(_Quant, WeightQuantSolver):
    """Weights -1 and +1; the gradient goes straight through."""

    quant_type = QuantType.BINARY
    bit_width = 1
    scaling_const = 1.0


class BinaryActivation(_Quant, ActQuantSolver):
    """Activations -1 and +1; the gradient goes through where |x| <= 1."""

    quant_type = QuantType.BINARY
    bit_width = 1
    min_val = -1.0
    max_val = 1.0


class TwoBitActivation(_Quant, ActQuantSolver):
    """Activations -1, 0 and +1 (2 bits, narrow range)."""

    quant_type = QuantType.INT
    bit_width = 2
    min_val = -1.0
    max_val = 1.0


@dataclass(frozen=True)
class Shape:
    """Hidden layers and the bits of activations and input."""

    hidden: tuple[int, ...]
    act_bits: int


NETWORKS = {
    "tfc-w1a1": Shape((64, 64, 64), 1),
    "tfc-w1a2": Shape((64, 64, 64), 2),
    "sfc-w1a1": Shape((256, 256, 256), 1),
    "sfc-w1a2": Shape((256, 256, 256), 2),
    "lfc-w1a1": Shape((1024, 1024, 1024), 1),
    "lfc-w1a2": Shape((1024, 1024, 1024), 2),
}


class DenseNetwork(nn.Module):
    """Images [n, 1, 28, 28] of 0..1 to integer logits: nothing follows the last dense layer."""

    def __init__(self, shape: Shape, *, features: int = 784, classes: int = 10) -> None:
        super().__init__()
        activation = BinaryActivation if shape.act_bits == 1 else TwoBitActivation
        layers: list[nn.Module] = [qnn.QuantIdentity(act_quant=activation)]
        for fan_in, fan_out in itertools.pairwise((features, *shape.hidden)):
            layers.append(qnn.QuantLinear(fan_in, fan_out, bias=False, weight_quant=BinaryWeight))
            layers.append(nn.BatchNorm1d(fan_out))
            layers.append(qnn.QuantIdentity(act_quant=activation))
        last = shape.hidden[-1]
        layers.append(qnn.QuantLinear(last, classes, bias=False, weight_quant=BinaryWeight))
        self.features = nn.Sequential(*layers)
        # The loss sees scaled logits; 0.5 had the best validation of 0.25, 0.35, 0.5, 1 and 2.
        self.logit_scale = 0.5 * last**-0.5

    def forward(self, x: Tensor) -> Tensor:
        """Return integer logits [n, classes]."""
        x = 2.0 * torch.flatten(x, 1) - 1.0
        logits: Tensor = self.features(x)
        return logits

    def dense_layers(self) -> list[Any]:
        """Return the layers with binary weights, first to last."""
        return [layer for layer in self.features if isinstance(layer, qnn.QuantLinear)]


def network(name: str, *, classes: int = 10) -> DenseNetwork:
    """Make an untrained network by its name; seed torch before."""
    if name not in NETWORKS:
        raise ConfigError(
            f"network: must be a known network, not {name}; choose {', '.join(NETWORKS)}"
        )
    return DenseNetwork(NETWORKS[name], classes=classes)
