# SPDX-License-Identifier: Apache-2.0
"""What an epoch tells: loss, accuracy of the hard network, and the health of its binary values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from hwbnn.train.dataset import Bytes
from hwbnn.train.feed import VALIDATED, as_floats, as_input
from hwbnn.train.networks import Network

SUPPORT = 1.0  # of the straight-through gradient: none passes where |x| is larger


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; all but the first two of the deployed (hard) network.

    flip_rate: share of the binary weights whose sign this epoch changed.
    saturation: share of the values before 1-bit quantizers that are outside -1..1.
    dead_channels: those of `channels` 1-bit ones that are the same over all validation images.
    """

    number: int
    loss: float
    validation: float
    training: float = 0.0  # accuracy on the augmented images, while they were learnt
    flip_rate: float | None = None  # None: no binary weights
    saturation: float | None = None  # None: no binary activations
    dead_channels: int = 0
    channels: int = 0
    images_per_second: float = 0.0  # learnt, without validation
    stage: str = "network"

    def row(self) -> dict[str, Any]:
        """Return the values by their names, as the log has them."""
        values = asdict(self)
        return {"stage": values.pop("stage"), "epoch": values.pop("number"), **values}


@dataclass(frozen=True)
class Judged:
    """What the validation images said of the hard network."""

    accuracy: float
    images: int
    saturation: float | None
    dead: int
    channels: int


@torch.no_grad()
def accuracy(model: Network, images: Bytes, labels: Tensor) -> float:
    """Return the share of images whose first largest logit is the label's."""
    model.eval()
    device = next(model.parameters()).device
    hits = 0
    for start in range(0, len(labels), VALIDATED):
        part = slice(start, start + VALIDATED)
        guesses = torch.argmax(model(as_input(images[part]).to(device)), 1)
        hits += int((guesses.cpu() == labels[part].cpu()).sum())
    return hits / len(labels)


@torch.no_grad()
def judge(model: Network, batches: Iterable[tuple[Tensor, Tensor]]) -> Judged:
    """Run the hard network over batches of (bytes, labels)."""
    model.eval()
    watches = [_Watch(quantizer) for quantizer in sign_quantizers(model)]
    hits, count = 0, 0
    try:
        for pixels, labels in batches:
            guesses = torch.argmax(model(as_floats(pixels)), 1)
            hits += int((guesses == labels).sum())
            count += len(labels)
    finally:
        for watch in watches:
            watch.remove()
    channels = sum(watch.channels for watch in watches)
    dead = sum(watch.dead for watch in watches)
    outside = sum(watch.outside for watch in watches)
    seen = sum(watch.seen for watch in watches)
    return Judged(hits / count, count, outside / seen if seen else None, dead, channels)


def sign_quantizers(model: nn.Module) -> list[Any]:
    """Return the quantizers of 1-bit activations, but not the input's: no weight is before it."""
    found, behind = [], False
    for module in model.modules():
        behind |= isinstance(module, qnn.QuantConv2d | qnn.QuantLinear | nn.Conv2d | nn.Linear)
        if (
            behind
            and isinstance(module, qnn.QuantIdentity)
            and module.act_quant.is_quant_enabled
            and int(module.act_quant.bit_width()) == 1
        ):
            found.append(module)
    return found


class _Watch:
    """Sees what goes into a quantizer and what comes out."""

    def __init__(self, quantizer: nn.Module) -> None:
        self.handle = quantizer.register_forward_hook(self._see)
        self.outside, self.seen = 0, 0  # values of the first batch
        self.low: Tensor | None = None  # of each channel
        self.high: Tensor | None = None

    def _see(self, _module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not self.seen:
            values = _values(inputs[0])
            self.outside = int((values.abs() > SUPPORT).sum())
            self.seen = values.numel()
        bits = _values(output)
        axes = [axis for axis in range(bits.ndim) if axis != 1]
        low, high = bits.amin(axes), bits.amax(axes)
        self.low = low if self.low is None else torch.minimum(self.low, low)
        self.high = high if self.high is None else torch.maximum(self.high, high)

    @property
    def channels(self) -> int:
        return 0 if self.low is None else len(self.low)

    @property
    def dead(self) -> int:
        if self.low is None or self.high is None:
            return 0
        return int((self.low == self.high).sum())

    def remove(self) -> None:
        self.handle.remove()


@torch.no_grad()
def signs(model: Network) -> list[Tensor]:
    """Return which binary weights are deployed as positive, layer by layer."""
    model.eval()
    return [_values(layer.quant_weight()) > 0 for layer in model.binary_layers()]


def flips(before: list[Tensor], after: list[Tensor]) -> float | None:
    """Return the share of signs that changed; None if there are none."""
    count = sum(layer.numel() for layer in before)
    changed = sum(int((a != b).sum()) for a, b in zip(before, after, strict=True))
    return changed / count if count else None


def _values(quantized: Any) -> Tensor:
    values: Tensor = quantized if isinstance(quantized, Tensor) else quantized.value
    return values
