# SPDX-License-Identifier: Apache-2.0
"""What every layer of a network holds and computes: weights, bits and multiply-accumulates."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from hwbnn.train.layers import Mean
from hwbnn.train.networks.network import Image

FLOAT = 32
# These layers choose or move values, and make no new ones.
KEEP_BITS = (nn.MaxPool2d, nn.Flatten, nn.ConstantPad2d, nn.Dropout)
MEANS = (nn.AvgPool2d, nn.AdaptiveAvgPool2d, Mean)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Kind(Enum):
    """What a counted layer is."""

    CONV = "conv"
    LINEAR = "linear"


@dataclass(frozen=True)
class LayerCount:
    """One layer with weights, for one image.

    input_bits, weight_bits: 32 stands for float; a mean of quantized values has their bits.
    macs: one for each weight and output position, those with padding too, as the published
    tables count.
    """

    name: str  # of the module, as in model.named_modules()
    kind: Kind
    input_bits: int
    weight_bits: int
    output_shape: tuple[int, ...]  # without the batch
    weights: int
    biases: int
    macs: int

    @property
    def binary(self) -> bool:
        """True where both the weights and the input have one bit: XNOR and popcount."""
        return self.input_bits == 1 and self.weight_bits == 1


def count_parameters(model: nn.Module, *, statistics: bool = False) -> int:
    """Return the number of parameters as the papers and larq count them.

    They are the weights and biases of convolutions and dense layers, and the factors and shifts
    of batch norms, without factors that are fixed to 1. A method's own parameters (scales of
    quantizers, trained thresholds) do not count: the number belongs to the architecture.
    statistics: with the batch norms' running means and variances, as in the totals of larq's
    table; without, they are its trainable ones.
    """
    count = 0
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            count += module.weight.numel()
            count += 0 if module.bias is None else module.bias.numel()
        elif isinstance(module, NORMS):
            count += sum(p.numel() for p in module.parameters(recurse=False) if p.requires_grad)
            count += 2 * module.num_features if statistics else 0
    return count


def macs(model: nn.Module, image: Image) -> tuple[LayerCount, ...]:
    """Return what each convolution and dense layer holds and computes, in order of execution.

    The model's values stay as they are and no image is computed: a twin without values runs on
    torch's meta device. The model itself must hold values, the bits among them. A layer that is
    called twice stands twice in the result.
    """
    twin = _without_values(model).eval()
    counter = _Counter(_bits(model), [], {})
    for name, module in twin.named_modules():
        note = counter.note(name, module)
        if note is not None:
            module.register_forward_hook(note)
    with torch.no_grad():
        twin(torch.empty(1, *image, device="meta"))
    return tuple(counter.layers)


def _without_values(model: nn.Module) -> nn.Module:
    tensors = [*model.parameters(), *model.buffers()]
    # A deep copy that finds these takes them, and never copies the values.
    memo: dict[int, Any] = {id(tensor): _like(tensor) for tensor in tensors}
    return copy.deepcopy(model, memo).to("meta")


def _like(tensor: Tensor) -> Tensor:
    twin = torch.empty_like(tensor, device="meta")
    is_parameter = isinstance(tensor, nn.Parameter)
    return nn.Parameter(twin, requires_grad=tensor.requires_grad) if is_parameter else twin


def _bits(model: nn.Module) -> dict[str, int]:
    """Return the bits that each quantizer makes, and those of each layer's weights."""
    bits = {}
    for name, module in model.named_modules():
        if isinstance(module, qnn.QuantIdentity | qnn.QuantReLU):
            bits[name] = _proxy_bits(module.act_quant)
        elif isinstance(module, qnn.QuantConv2d | qnn.QuantLinear):
            bits[name] = _proxy_bits(module.weight_quant)
    return bits


def _proxy_bits(proxy: Any) -> int:
    return int(proxy.bit_width()) if proxy.is_quant_enabled else FLOAT


Note = Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]


@dataclass(frozen=True)
class _Counter:
    """What the forward hooks have seen so far."""

    bits: dict[str, int]
    layers: list[LayerCount]
    seen: dict[int, tuple[Tensor, int]]  # by id; the tensor is kept, that the id stays its own

    def note(self, name: str, module: nn.Module) -> Note | None:
        if isinstance(module, nn.Conv2d | nn.Linear):
            return partial(self._layer, name)
        if isinstance(module, qnn.QuantIdentity | qnn.QuantReLU):
            return partial(self._quantizer, name)
        if isinstance(module, KEEP_BITS):
            return self._same
        return self._mean if isinstance(module, MEANS) else None

    def _layer(self, name: str, module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
        assert isinstance(module, nn.Conv2d | nn.Linear)
        conv = isinstance(module, nn.Conv2d)
        shape = tuple(out.shape[1:])
        positions = math.prod(shape[1:] if conv else shape[:-1])
        weights = module.weight.numel()
        self.layers.append(
            LayerCount(
                name=name,
                kind=Kind.CONV if conv else Kind.LINEAR,
                input_bits=self._of(args[0]),
                weight_bits=self.bits.get(name, FLOAT),
                output_shape=shape,
                weights=weights,
                biases=0 if module.bias is None else module.bias.numel(),
                macs=weights * positions,
            )
        )

    def _quantizer(self, name: str, _: nn.Module, __: tuple[Tensor, ...], out: Tensor) -> None:
        self._keep(out, self.bits[name])

    def _same(self, _: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
        self._keep(out, self._of(args[0]))

    def _mean(self, _: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
        bits = self._of(args[0])
        self._keep(out, FLOAT if bits == 1 else bits)  # a mean of single bits is none

    def _of(self, x: Tensor) -> int:
        return self.seen[id(x)][1] if id(x) in self.seen else FLOAT

    def _keep(self, x: Tensor, bits: int) -> None:
        self.seen[id(x)] = (x, bits)
