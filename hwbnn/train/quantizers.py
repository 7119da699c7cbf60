# SPDX-License-Identifier: Apache-2.0
"""Brevitas quantizers whose scales are 1 or a power of two: sums of their values stay exact."""

from __future__ import annotations

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
from brevitas.quant.fixed_point import Int8WeightPerTensorFixedPoint
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver


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


class EightBitWeight(Int8WeightPerTensorFixedPoint):
    """Weights -127 to +127 in steps of the power of two that the largest of them needs."""


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


class EightBitActivation(_Quant, ActQuantSolver):
    """Activations -128 to +127 in steps of 1/128, as Brevitas' CNV quantizes its input."""

    quant_type = QuantType.INT
    bit_width = 8
    narrow_range = False
    min_val = -1.0
    max_val = 1.0 - 2.0**-7


ACTIVATIONS = {1: BinaryActivation, 2: TwoBitActivation, 8: EightBitActivation}
