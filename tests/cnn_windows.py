# SPDX-License-Identifier: Apache-2.0
"""Random windows of convolutions and pools, as ONNX spells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.onnx_builder import OPSETS, Builder

MODES = ("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


@dataclass(frozen=True)
class Axis:
    """A window on one axis of an image."""

    extent: int
    kernel: int
    stride: int
    dilation: int
    before: int
    behind: int

    @property
    def span(self) -> int:
        return (self.kernel - 1) * self.dilation + 1

    @property
    def room(self) -> int:
        """Steps that the window can take; negative if it does not fit."""
        return self.extent + self.before + self.behind - self.span

    @property
    def out(self) -> int:
        return self.room // self.stride + 1

    @property
    def holds_image(self) -> bool:
        """No position of the window lies in the padding alone."""
        taps = np.arange(self.out)[:, None] * self.stride - self.before
        taps = taps + np.arange(self.kernel) * self.dilation
        return bool(((taps >= 0) & (taps < self.extent)).any(axis=1).all())


def draw_window(
    rng: np.random.Generator, extents: tuple[int, ...], *, pool: bool, dilated: bool, padded: bool
) -> tuple[dict[str, Any], list[int]]:
    """Draw a window that fits: a node's attributes, and the extents of its result.

    Padding is less than the kernel's extent; a pool's window always holds a part of the image.
    """
    while True:
        mode = str(rng.choice(MODES)) if padded else "NOTSET"
        whole = not pool and rng.random() < 0.1
        axes = [
            _axis(rng, extent, mode, pool=pool, dilated=dilated, padded=padded, whole=whole)
            for extent in extents
        ]
        if any(axis.room < 0 for axis in axes):
            continue
        if pool and not all(axis.holds_image for axis in axes):
            continue
        if mode != "NOTSET" and any(a.dilation > 1 or a.stride > a.kernel for a in axes):
            continue  # onnxruntime refuses or ignores them
        break
    attributes: dict[str, Any] = {
        "kernel_shape": [axis.kernel for axis in axes],
        "strides": [axis.stride for axis in axes],
    }
    if dilated:
        attributes["dilations"] = [axis.dilation for axis in axes]
    pads = [axis.before for axis in axes] + [axis.behind for axis in axes]
    if mode != "NOTSET":
        attributes["auto_pad"] = mode
    elif any(pads):
        attributes["pads"] = pads
    if pool and not any(axis.room % axis.stride for axis in axes):
        attributes["ceil_mode"] = int(rng.integers(2))  # which changes nothing
    return attributes, [axis.out for axis in axes]


def _axis(
    rng: np.random.Generator, extent: int, mode: str, *, pool: bool, dilated: bool, padded: bool,
    whole: bool,
) -> Axis:  # fmt: skip
    kernel = extent if whole else int(rng.integers(1, 4))
    stride = int(rng.integers(1, 4 if pool else 3))
    dilation = 2 if dilated and rng.random() < 0.2 else 1
    span = (kernel - 1) * dilation + 1
    before = behind = 0
    if mode == "NOTSET" and padded:
        most = min(2, (kernel if pool else span) - 1)
        before, behind = (int(n) for n in rng.integers(0, most + 1, 2))
    elif mode.startswith("SAME"):
        pads = max(0, (-(-extent // stride) - 1) * stride + span - extent)
        less, more = pads // 2, pads - pads // 2
        before, behind = (less, more) if mode == "SAME_UPPER" else (more, less)
    return Axis(extent, kernel, stride, dilation, before, behind)


def global_pool(rng: np.random.Generator, build: Builder, x: str, axes: int) -> tuple[str, str]:
    """Spell a pool of the whole image; return its tensor, and its operator."""
    kind = str(rng.choice(["GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax"]))
    spatial = list(range(2, 2 + axes))
    if not kind.startswith("Reduce"):
        return build.node(kind, x), kind
    if OPSETS[build.style] < 18:
        return build.node(kind, x, axes=spatial), kind
    return build.node(kind, x, build.constant("spatial", spatial, np.int64)), kind
