# SPDX-License-Identifier: Apache-2.0
"""Brevitas quantizers to one bit with any gradient, and with a scale that is 1 or trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.core.restrict_val import RestrictValueType
from brevitas.core.scaling import ParameterScaling
from brevitas.inject import ExtendedInjector, value
from brevitas.inject.enum import FloatToIntImplType, ScalingPerOutputType
from brevitas.proxy import ActQuantProxyFromInjector, WeightQuantProxyFromInjector
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import Tensor, nn

Derivative = Callable[[Tensor], Tensor]  # returns a new tensor, which its caller may overwrite
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
    def forward(context: Any, x: Tensor, derivative: Derivative | None) -> Tensor:
        if derivative is not None:
            context.save_for_backward(x)
        context.derivative = derivative
        return hard_sign(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        if context.derivative is None:
            return gradient, None
        (x,) = context.saved_tensors
        return context.derivative(x).mul_(gradient), None


def hard_sign(x: Tensor) -> Tensor:
    """Return +1 where x >= 0, else -1, without a gradient."""
    # Written as the float 0 or 1 at once: on a CPU many times as fast as torch.where.
    positive = torch.ge(x.detach(), 0, out=torch.empty_like(x, requires_grad=False))
    return positive.mul_(2).sub_(1)


def within(x: Tensor, *, limit: float) -> Tensor:
    """Return 1 where |x| <= limit, else 0: the derivative of the clipped straight-through."""
    return x.abs().le_(limit)


def surrogate_sign(x: Tensor, derivative: Derivative | None) -> Tensor:
    """Return sign(x), whose gradient is taken to be derivative(x); None: 1 everywhere."""
    signs: Tensor = _Sign.apply(x, derivative)
    return signs


class SurrogateSign(nn.Module):
    """sign(x), whose gradient is taken to be derivative(x); None: 1 everywhere."""

    def __init__(self, derivative: Derivative | None = None) -> None:
        super().__init__()
        self.derivative = derivative

    def forward(self, x: Tensor) -> Tensor:
        """Return -1 or +1 for each value."""
        return surrogate_sign(x, self.derivative)


class UnitScale(nn.Module):
    """The scale 1; Brevitas' constant computes it anew in every step, from five tensors."""

    one: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("one", torch.ones(()), persistent=False)

    def forward(self, _: Tensor) -> Tensor:
        """Return 1."""
        return self.one


class TrainedScale(ParameterScaling):
    """A trained scale, never negative: that would flip the layer."""

    def __init__(self, scaling_init: Tensor | float) -> None:
        super().__init__(scaling_init)

    def forward(self, placeholder: Tensor, threshold: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return |value|, without Brevitas' division by a threshold of 1."""
        magnitude: Tensor = self.value.abs()
        return magnitude


class Binarize(nn.Module):
    """Brevitas' tensor quantizer: the value, its scale, zero point and bit width.

    unit_step: activations are 0 and 1, (sign + 1) / 2, instead of -1 and +1; so the gradient of
    the sign is halved.
    """

    bit_width: Tensor
    zero_point: Tensor

    def __init__(
        self, sign_impl: nn.Module, scaling_impl: nn.Module, *, unit_step: bool = False
    ) -> None:
        super().__init__()
        self.sign_impl = sign_impl
        self.scaling_impl = scaling_impl
        self.unit_step = unit_step
        self.unit_scale = isinstance(scaling_impl, UnitScale)
        self.register_buffer("bit_width", torch.ones(()), persistent=False)
        self.register_buffer("zero_point", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor) -> Quantized:
        """Return the four values that Brevitas asks for."""
        scale = self.scaling_impl(x)
        values = self.sign_impl(x)
        if self.unit_step:
            half = scale * 0.5
            values = torch.addcmul(half, values, half)  # exact: scale / 2 +- scale / 2
        elif not self.unit_scale:
            values = values * scale
        return values, scale, self.zero_point, self.bit_width


class _WeightProxy(WeightQuantProxyFromInjector):
    # Brevitas makes a new quantizer whenever a state is loaded; an optimizer that was made before
    # would go on with the old one's scales.
    def init_tensor_quant(self, preserve_state_dict: bool = False) -> None:
        if self.tensor_quant is None:
            super().init_tensor_quant(preserve_state_dict)


class _ActivationProxy(ActQuantProxyFromInjector):
    def init_tensor_quant(self) -> None:
        if "fused_activation_quant_proxy" not in self._modules:
            super().init_tensor_quant()


class _Binary(ExtendedInjector):
    tensor_quant = Binarize
    signed = True
    narrow_range = True
    float_to_int_impl_type = FloatToIntImplType.ROUND
    restrict_scaling_type = RestrictValueType.FP


def _start(parameters: list[Tensor], shape: tuple[int, ...], start: Start) -> Tensor:
    """Return the first scale, of shape `shape`, from the weights' magnitudes."""
    magnitudes = parameters[0].detach().abs().flatten(1)
    if len(shape) == 0 or shape == (1,):
        magnitudes = magnitudes.reshape(1, -1)
    found = magnitudes.mean(1) if start is Start.MEAN else magnitudes.median(1).values
    return found.reshape(shape)


def _scaling(scale: Scale | Callable[[], nn.Module]) -> Any:
    """Return what the injector makes a layer's scale with."""
    if scale is Scale.ONE:
        return UnitScale
    if isinstance(scale, Scale):
        return TrainedScale

    @value  # type: ignore[untyped-decorator]
    def computed() -> nn.Module:
        return scale()

    return computed


def binary_weight(
    sign: Callable[[], nn.Module],
    *,
    scale: Scale | Callable[[], nn.Module] = Scale.ONE,
    start: Start = Start.MEAN,
) -> type[WeightQuantSolver]:
    """Return a weight quantizer to -scale and +scale; each layer makes its own `sign()`.

    scale: or what makes the module that computes it of the weights in every step.
    """
    layer = scale is Scale.LAYER
    scaling = _scaling(scale)

    class BinaryWeightQuantizer(_Binary, WeightQuantSolver):
        proxy_class = _WeightProxy
        scaling_impl = scaling
        scaling_per_output_type = (
            ScalingPerOutputType.TENSOR if layer else ScalingPerOutputType.CHANNEL
        )

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
    """Return an activation quantizer to -scale and +scale, or to 0 and scale by `unit_step`.

    scale: one, or one for the layer, which begins at 1.
    """
    zero_one = unit_step
    scaling = _scaling(scale)

    class BinaryActivationQuantizer(_Binary, ActQuantSolver):
        proxy_class = _ActivationProxy
        scaling_impl = scaling
        scaling_init = 1.0
        scaling_per_output_type = ScalingPerOutputType.TENSOR
        unit_step = zero_one
        min_val = -1.0
        max_val = 1.0

        @value  # type: ignore[untyped-decorator]
        def sign_impl() -> nn.Module:
            return sign()

    return BinaryActivationQuantizer


def weight_scales(model: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
    """Return each binary layer's latent weights and the scale, which broadcasts to them.

    Layers with a quantizer of binary_weight; without quantizing anything, so fit for every step.
    """
    for module in model.modules():
        if isinstance(module, qnn.QuantConv2d | qnn.QuantLinear):
            quantizer = module.weight_quant.tensor_quant
            if isinstance(quantizer, Binarize):
                yield module.weight, quantizer.scaling_impl(module.weight)
