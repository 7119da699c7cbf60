# SPDX-License-Identifier: Apache-2.0
"""Brevitas quantizers to one bit with any gradient, and with a scale that is 1 or trained."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import torch
from brevitas.core.bit_width import BitWidthConst
from brevitas.core.restrict_val import RestrictValueType
from brevitas.core.utils import StatelessBuffer
from brevitas.inject import ExtendedInjector, value
from brevitas.inject.enum import FloatToIntImplType, ScalingImplType, ScalingPerOutputType
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import Tensor, nn

Derivative = Callable[[Tensor], Tensor]
Quantized = tuple[Tensor, Tensor, Tensor, Tensor]


class Scale(Enum):
    """The factor on binary values."""

    ONE = "one"
    LAYER = "layer"  # trained, one for the whole tensor
    FILTER = "filter"  # trained, one for each output of the layer (weights only)


class Start(Enum):
    """What a trained scale of weights begins with, of the magnitudes that it stands for."""

    MEAN = "mean"
    MEDIAN = "median"


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, derivative: Derivative) -> Tensor:
        context.save_for_backward(x)
        context.derivative = derivative
        return hard_sign(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = context.saved_tensors
        return gradient * context.derivative(x), None


def hard_sign(x: Tensor) -> Tensor:
    """Return +1 where x >= 0, else -1."""
    one = torch.ones((), dtype=x.dtype, device=x.device)
    return torch.where(x >= 0, one, -one)


class SurrogateSign(nn.Module):
    """sign(x), whose gradient is taken to be derivative(x)."""

    def __init__(self, derivative: Derivative) -> None:
        super().__init__()
        self.derivative = derivative

    def forward(self, x: Tensor) -> Tensor:
        """Return -1 or +1 for each value."""
        signs: Tensor = _Sign.apply(x, self.derivative)
        return signs


class Binarize(nn.Module):
    """Brevitas' tensor quantizer: the value, its scale, zero point and bit width.

    unit_step: activations are 0 and 1, (sign + 1) / 2, instead of -1 and +1.
    """

    def __init__(
        self, sign_impl: nn.Module, scaling_impl: nn.Module, *, unit_step: bool = False
    ) -> None:
        super().__init__()
        self.sign_impl = sign_impl
        self.scaling_impl = scaling_impl
        self.unit_step = unit_step
        self.bit_width = BitWidthConst(1)
        self.zero_point = StatelessBuffer(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Quantized:
        """Return the four values that Brevitas asks for."""
        scale = self.scaling_impl(x)
        signs = self.sign_impl(x)
        values = (signs + 1.0) * 0.5 if self.unit_step else signs
        return values * scale, scale, self.zero_point(), self.bit_width()


class _Binary(ExtendedInjector):
    tensor_quant = Binarize
    signed = True
    narrow_range = True
    float_to_int_impl_type = FloatToIntImplType.ROUND
    restrict_scaling_type = RestrictValueType.FP


def _scaling(scale: Scale) -> tuple[ScalingImplType, ScalingPerOutputType]:
    kind = ScalingImplType.CONST if scale is Scale.ONE else ScalingImplType.PARAMETER
    channel = scale is Scale.FILTER
    return kind, ScalingPerOutputType.CHANNEL if channel else ScalingPerOutputType.TENSOR


def _start(parameters: list[Tensor], shape: tuple[int, ...], start: Start) -> Tensor:
    """Return the first scale, of shape `shape`, from the weights' magnitudes."""
    magnitudes = parameters[0].detach().abs().flatten(1)
    if len(shape) == 0 or shape == (1,):
        magnitudes = magnitudes.reshape(1, -1)
    found = magnitudes.mean(1) if start is Start.MEAN else magnitudes.median(1).values
    return found.reshape(shape)


def binary_weight(
    sign: Callable[[], nn.Module], *, scale: Scale = Scale.ONE, start: Start = Start.MEAN
) -> type[WeightQuantSolver]:
    """Return a weight quantizer to -scale and +scale; each layer makes its own `sign()`."""
    impl_type, per_output = _scaling(scale)

    class BinaryWeightQuantizer(_Binary, WeightQuantSolver):
        scaling_impl_type = impl_type
        scaling_per_output_type = per_output
        scaling_const = 1.0

        @value  # type: ignore[untyped-decorator]
        def sign_impl() -> nn.Module:
            return sign()

        @value  # type: ignore[untyped-decorator]
        def scaling_init(  # no method: the injector calls it by these names
            tracked_parameter_list: list[Tensor],  # noqa: N805
            scaling_shape: tuple[int, ...],
        ) -> Tensor:
            return _start(tracked_parameter_list, scaling_shape, start)

    return BinaryWeightQuantizer


def binary_activation(
    sign: Callable[[], nn.Module], *, scale: Scale = Scale.ONE, unit_step: bool = False
) -> type[ActQuantSolver]:
    """Return an activation quantizer to -scale and +scale, or to 0 and scale by `unit_step`."""
    impl_type, per_output = _scaling(scale)
    zero_one = unit_step

    class BinaryActivationQuantizer(_Binary, ActQuantSolver):
        scaling_impl_type = impl_type
        scaling_per_output_type = per_output
        scaling_const = 1.0
        scaling_init = 1.0
        unit_step = zero_one
        min_val = -1.0
        max_val = 1.0

        @value  # type: ignore[untyped-decorator]
        def sign_impl() -> nn.Module:
            return sign()

    return BinaryActivationQuantizer
