# SPDX-License-Identifier: Apache-2.0
"""Harden: a trained network as the same function of -1, +1 and norms, which exports exactly.

A trained scale c > 0 is carried forward through what is linear or positively homogeneous, and the
next batch norm takes it up: gamma (c x - mu) / s + beta = (gamma c) (x - mu / c) / s + beta.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.nn.quant_layer import QuantNonLinearActLayer
from torch import Tensor, nn

from hwbnn.errors import ModelError
from hwbnn.train.layers import Centre, Dense, Mean, Multiply, Residual, Shift
from hwbnn.train.quantizers import BinaryActivation, BinaryWeight

# Of a scaled input they give the scaled output.
HOMOGENEOUS = (
    nn.Identity, nn.Dropout, nn.Dropout2d, nn.ReLU, nn.PReLU, nn.MaxPool1d, nn.MaxPool2d,
    nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
    Mean,
)  # fmt: skip
# These see the values themselves.
ABSOLUTE = (nn.Hardtanh, nn.ReLU6, Centre)
WEIGHTED = (qnn.QuantConv1d, qnn.QuantConv2d, qnn.QuantLinear)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
POINTS = (-4.0, -1.0, -0.25, -1e-3, -0.0, 0.0, 1e-3, 0.25, 1.0, 4.0)  # at which a sign is probed
ONE = torch.ones((), dtype=torch.float64)
KNOWN = (
    "build it of hwbnn.train.layers, Brevitas' QuantConv2d, QuantLinear and QuantIdentity, and "
    "torch's norms and pools"
)


class UnitStep(nn.Module):
    """Values -1 and +1 become 0 and 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (x + 1) / 2."""
        return (x + 1.0) * 0.5


def harden(model: nn.Module) -> nn.Module:
    """Return a copy in eval mode that is the same function, up to rounding, and exports exactly.

    Binary weights and activations are -1 and +1 by BinaryWeight and BinaryActivation, {0, 1} a
    sign and UnitStep. A scale that no norm takes up becomes a Multiply. Where branches meet every
    norm is written as a product and a sum, which any library rounds alike. Raises ModelError that
    names every layer that cannot be exported by its path in the model.
    """
    walk = _Walk()
    hard = walk.module(copy.deepcopy(model).cpu().eval(), "")
    if walk.problems:
        raise ModelError(dict.fromkeys(walk.problems))
    if any(isinstance(module, Residual | Dense) for module in hard.modules()):
        # What branches carry has many values, and norms many readers: some value of some image lies
        # where two libraries' roundings of a norm differ.
        _open_all(hard)
    hard.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return hard.requires_grad_(requires_grad=False).eval()


class _Refusal(Exception):  # noqa: N818  (never leaves this file)
    """Why a layer cannot be exported."""


class _Walk:
    """One walk over the layers; a scale is a float64 scalar, or one number a channel."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def module(self, module: nn.Module, path: str) -> nn.Module:
        """Return a module that takes and gives the values themselves."""
        if _is_row(module) or _handler(module) is not None or not any(module.children()):
            layers: list[nn.Module] = []
            _materialise(layers, self.add(layers, module, ONE, path))
            _open(layers)
            return layers[0] if len(layers) == 1 else nn.Sequential(*layers)
        for name, child in module.named_children():
            setattr(module, name, self.module(child, f"{path}.{name}".lstrip(".")))
        return module

    def row(self, layers: list[nn.Module], row: nn.Module, scale: Tensor, path: str) -> Tensor:
        """Add what the modules in a row become; return the scale of what they give."""
        for name, child in row.named_children():
            scale = self.add(layers, child, scale, f"{path}.{name}".lstrip("."))
        return scale

    def add(self, layers: list[nn.Module], module: nn.Module, scale: Tensor, path: str) -> Tensor:
        """Add what a module becomes behind layers whose values times scale are the true ones."""
        handler = _handler(module)
        if isinstance(module, Residual):
            return self._residual(layers, module, scale, path)
        if isinstance(module, Dense):
            return self._dense(layers, module, scale, path)
        if _is_row(module):
            return self.row(layers, module, scale, path)
        try:
            if handler is not None:
                return handler(layers, module, scale)
            if any(module.children()):  # with a forward of its own
                _materialise(layers, scale)
                layers.append(self.module(module, path))
                return ONE
            raise _Refusal(f"layer must be one that can be exported, not {_kind(module)}; {KNOWN}")
        except _Refusal as refusal:
            self.problems.append(f"{path or _kind(module)}: {refusal}")
            return ONE

    def _residual(
        self, layers: list[nn.Module], module: Residual, scale: Tensor, path: str
    ) -> Tensor:
        body: list[nn.Module] = []
        shortcut: list[nn.Module] = []
        of_body = self.row(body, module.body, scale, f"{path}.body")
        of_shortcut = self.row(shortcut, module.shortcut, scale, f"{path}.shortcut")
        total = of_body
        if of_body.shape != of_shortcut.shape or not torch.equal(of_body, of_shortcut):
            _materialise(body, of_body)
            _materialise(shortcut, of_shortcut)
            total = ONE
        layers.append(Residual(nn.Sequential(*body), nn.Sequential(*shortcut)))
        return total

    def _dense(self, layers: list[nn.Module], module: Dense, scale: Tensor, path: str) -> Tensor:
        if scale.ndim:
            scale = _materialise(layers, scale)
        body: list[nn.Module] = []
        of_body = self.row(body, module.body, scale, f"{path}.body")
        if not torch.equal(of_body, scale):
            _materialise(body, of_body / scale)
        layers.append(Dense(nn.Sequential(*body)))
        return scale


Handler = Callable[[list[nn.Module], Any, Tensor], Tensor]


def _kind(module: nn.Module) -> str:
    return type(module).__name__


def _is_row(module: nn.Module) -> bool:
    return type(module).forward is nn.Sequential.forward


def _handler(module: nn.Module) -> Handler | None:
    return next((handler for types, handler in HANDLERS if isinstance(module, types)), None)


def _materialise(layers: list[nn.Module], scale: Tensor) -> Tensor:
    """Multiply by the scale, unless it is 1; return the scale that is left: 1."""
    if bool((scale != 1).any()):
        layers.append(Multiply(scale.float()))
    return ONE


def _keep(layers: list[nn.Module], module: nn.Module, scale: Tensor) -> Tensor:
    layers.append(module)
    return scale


def _keep_absolute(layers: list[nn.Module], module: nn.Module, scale: Tensor) -> Tensor:
    return _keep(layers, module, _materialise(layers, scale))


def _flatten(layers: list[nn.Module], module: nn.Flatten, scale: Tensor) -> Tensor:
    # One number a channel would become one an element, of an image whose size is not known here.
    return _keep(layers, module, _materialise(layers, scale) if scale.ndim else scale)


def _pad(layers: list[nn.Module], module: Any, scale: Tensor) -> Tensor:
    if scale.ndim and module.value != 0:
        scale = _materialise(layers, scale)
    if module.value != 0:
        module.value = float(module.value / scale)
    return _keep(layers, module, scale)


def _shift(layers: list[nn.Module], module: Shift, scale: Tensor) -> Tensor:
    """Use c x + shift = c (x + shift / c); a norm just before takes it up."""
    added = module.shift.detach().double() / scale
    last = layers[-1] if layers else None
    if isinstance(last, NORMS):
        assert last.bias is not None  # this walk made it
        last.bias.data = (last.bias.detach().double() + added).float()
    else:
        module.shift.data = added.float()
        layers.append(module)
    return scale


def _multiply(layers: list[nn.Module], module: Multiply, scale: Tensor) -> Tensor:
    factor = module.factor.double()
    if bool((factor > 0).all()):
        return scale * factor
    module.factor = (factor * scale).float()
    return _keep(layers, module, ONE)


def _norm(layers: list[nn.Module], module: Any, scale: Tensor) -> Tensor:
    if module.running_mean is None or module.running_var is None:
        raise _Refusal(
            "norm must have running statistics, not those of each batch; make it with "
            "track_running_stats=True"
        )
    hard = type(module)(module.num_features, eps=module.eps).eval()
    gamma = torch.ones_like(module.running_mean) if module.weight is None else module.weight
    hard.weight.data = (gamma.detach().double() * scale).float()
    hard.running_mean.copy_(module.running_mean.double() / scale)
    hard.running_var.copy_(module.running_var)
    if module.bias is not None:
        hard.bias.data = module.bias.detach().float().clone()
    layers.append(hard)
    return ONE


def _open(layers: list[nn.Module]) -> None:
    """Write a norm at the end as a product and a sum, each rounded once: any library gives these.

    The norm's own order of operations is the library's, and its logits differ in the last bit.
    """
    last = layers[-1] if layers else None
    if isinstance(last, NORMS):
        layers[-1:] = _opened(last)


def _open_all(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, NORMS):
            setattr(module, name, nn.Sequential(*_opened(child)))
        else:
            _open_all(child)


def _opened(norm: Any) -> list[nn.Module]:
    factor = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    shift = Shift(norm.num_features)
    added = norm.bias.detach().double() - norm.running_mean.double() * factor
    shift.shift.data = added.float()
    return [Multiply(factor.float()), shift]


# ---- layers with weights -------------------------------------------------------------------------


def _weighted(layers: list[nn.Module], module: Any, scale: Tensor) -> Tensor:
    for name in ("input_quant", "output_quant", "bias_quant"):
        if getattr(module, name).is_quant_enabled:
            raise _Refusal(
                f"{name} must be None, not {_kind(getattr(module, name))}; put a QuantIdentity of "
                "its own before or behind the layer"
            )
    if not module.weight_quant.is_quant_enabled:
        raise _Refusal(
            "weights must be binary or of 8 bits, not float32; train the network with a method "
            "that quantizes: float32 is there to measure by, and cannot be exported"
        )
    if scale.ndim:
        scale = _materialise(layers, scale)
    bias = None if module.bias is None else module.bias.detach().double()
    module.bias = None
    if int(module.weight_quant.bit_width()) == 1:
        module, found = _binary(module)
        scale = scale * found
    layers.append(module)
    if bias is not None:  # behind the sums, which stay exact
        shift = Shift(len(bias))
        shift.shift.data = (bias / scale).float()
        layers.append(shift)
    return scale


def _binary(module: Any) -> tuple[nn.Module, Tensor]:
    """Return the layer of the signs that the quantizer gives, and the scale of each output."""
    given = module.quant_weight()
    weights = getattr(given, "value", given).detach().double()
    scale = weights.abs().flatten(1)
    if not bool((scale > 0).all()) or not bool((scale == scale[:, :1]).all()):
        odd = int((~((scale > 0) & (scale == scale[:, :1])).all(1)).nonzero()[0])
        raise _Refusal(
            f"weights of output {odd} must be minus and plus one scale above 0, not of magnitudes "
            f"{scale[odd].min():g} to {scale[odd].max():g}; its quantizer must be hard in eval mode"
        )
    scale = scale[:, 0]
    hard = _stock(module)
    hard.weight.data = torch.where(weights > 0, 1.0, -1.0).float()
    return hard, scale[0] if bool((scale == scale[0]).all()) else scale


def _stock(module: Any) -> Any:
    """Return a layer of the same shape without bias, whose quantizer is BinaryWeight."""
    quantizer = {"bias": False, "weight_quant": BinaryWeight}
    if isinstance(module, qnn.QuantLinear):
        return qnn.QuantLinear(module.in_features, module.out_features, **quantizer)
    made = qnn.QuantConv1d if isinstance(module, qnn.QuantConv1d) else qnn.QuantConv2d
    return made(
        module.in_channels,
        module.out_channels,
        module.kernel_size,
        stride=module.stride,
        padding=module.padding,
        dilation=module.dilation,
        groups=module.groups,
        padding_mode=module.padding_mode,
        **quantizer,
    )


# ---- activations ---------------------------------------------------------------------------------


def _activation(layers: list[nn.Module], module: Any, scale: Tensor) -> Tensor:
    quantizer = module.act_quant
    if module.input_quant.is_quant_enabled:
        raise _Refusal("input_quant must be None; put a QuantIdentity of its own before the layer")
    if not quantizer.is_quant_enabled:
        if isinstance(module, qnn.QuantIdentity):
            return scale
        raise _Refusal(f"{_kind(module)} must quantize, not give floats; name its act_quant")
    if int(quantizer.bit_width()) != 1:
        return _keep_absolute(layers, module, scale)
    low, high = _levels(module)
    layers.append(qnn.QuantIdentity(act_quant=BinaryActivation))
    if low == 0:
        layers.append(UnitStep())
    return torch.tensor(high, dtype=torch.float64)


def _levels(module: Any) -> tuple[float, float]:
    """Return what a 1-bit quantizer gives below 0 and from 0 on."""
    with torch.no_grad():
        given = module(torch.tensor(POINTS))
    values = getattr(given, "value", given).double().tolist()
    below = sum(point < 0 for point in POINTS)
    low, high = values[0], values[-1]
    hard = values == [low] * below + [high] * (len(POINTS) - below)
    if not hard or high <= 0 or low not in (-high, 0.0):
        raise _Refusal(
            "1-bit activations must be a sign times one scale above 0, or {0, 1} times it, with "
            f"the step at 0, not {', '.join(f'{v:g}' for v in dict.fromkeys(values))}; its "
            "quantizer must be hard in eval mode"
        )
    return low, high


HANDLERS: tuple[tuple[Any, Handler], ...] = (
    (WEIGHTED, _weighted),
    (NORMS, _norm),
    (QuantNonLinearActLayer, _activation),
    (Shift, _shift),
    (Multiply, _multiply),
    (nn.Flatten, _flatten),
    ((nn.ConstantPad1d, nn.ConstantPad2d, nn.ZeroPad2d), _pad),
    (HOMOGENEOUS, _keep),
    ((*ABSOLUTE, UnitStep), _keep_absolute),
)
