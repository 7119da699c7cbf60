# SPDX-License-Identifier: Apache-2.0
"""Binary batch normalization: BN and sign as one comparison with a threshold and a flip.

Self-Binarizing Networks, arXiv 1902.00730: sign(gamma (z - mu) / s + beta), s = sqrt(var + eps), is
XNOR(z > T, gamma > 0) with T = mu - beta s / gamma. Rounded, that T differs from what float32
arithmetic decides near it; so the threshold is searched in the arithmetic itself, which is
monotone in z: the least float32 z whose normalized value is (gamma < 0: is not) >= 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwbnn.errors import ModelError

LARGEST = 0x7F7FFFFF  # the bits of the largest float32


@dataclass(frozen=True)
class BinaryBatchNorm:
    """One comparison for each channel: +1 where (z >= threshold) differs from flip, else -1.

    threshold: float32 [channels], also -inf (always) and inf (never); flip: bool [channels].
    """

    threshold: Tensor
    flip: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        """Return -1 and +1 for z [n, channels, ...]."""
        shape = (-1, *(1,) * (z.ndim - 2))
        positive = (z >= self.threshold.view(shape)) ^ self.flip.view(shape)
        return positive.to(z.dtype).mul_(2).sub_(1)


def _as_float(order: Tensor) -> Tensor:
    """Return the float32 at a place of their order: 0 is 0.0, 1 the least above it."""
    magnitude = order.abs().to(torch.int32).view(torch.float32)
    return torch.where(order < 0, -magnitude, magnitude)


@torch.no_grad()
def binary_batch_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> BinaryBatchNorm:
    """Return the comparison that equals sign(norm(z)) in eval mode for every finite float32 z."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ModelError(
            "batch norm: must keep running statistics, not those of a batch; "
            "make it with track_running_stats"
        )
    flip = norm.weight < 0 if norm.affine else torch.zeros_like(mean, dtype=torch.bool)

    def reached(order: Tensor) -> Tensor:
        z = _as_float(order)[None]
        values = functional.batch_norm(
            z, mean, variance, norm.weight, norm.bias, training=False, eps=norm.eps
        )
        return (values[0] >= 0) ^ flip

    low = torch.full_like(mean, -LARGEST - 1, dtype=torch.int64)  # not reached, by assumption
    high = torch.full_like(low, LARGEST + 1)  # reached
    for _ in range(33):
        middle = torch.div(low + high, 2, rounding_mode="floor")
        inside = (middle > low) & (middle < high)
        up = reached(middle.clamp(-LARGEST, LARGEST)) & inside
        low = torch.where(inside & ~up, middle, low)
        high = torch.where(up, middle, high)
    threshold = _as_float(high.clamp(-LARGEST, LARGEST))
    threshold = torch.where(high > LARGEST, torch.inf, threshold)
    threshold = torch.where(high == -LARGEST, -torch.inf, threshold)
    return BinaryBatchNorm(threshold, flip)
