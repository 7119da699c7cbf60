# SPDX-License-Identifier: Apache-2.0
"""Random weights of convolutions and dense layers, as exporters spell them."""

from __future__ import annotations

import numpy as np

from tests.onnx_builder import Builder


def draw_weights(
    rng: np.random.Generator, build: Builder, shape: tuple[int, ...], *, matrix: bool
) -> tuple[str, float, str]:
    """Draw weights (outputs, ...), 1 to 4 bits, with one scale or one an output.

    Return the tensor, the root of the weights' mean square, and what was drawn. matrix: the tensor
    is (inputs, outputs).
    """
    bits = 1 if rng.random() < 0.6 else int(rng.integers(2, 5))
    per_output = bool(rng.random() < 0.4)
    scale = np.exp2(rng.integers(-3, 3, (shape[0] if per_output else 1,)))
    scale = scale.reshape(-1, *(1,) * (len(shape) - 1))
    top = max(1, (1 << (bits - 1)) - 1)
    integers = rng.integers(-top, top + 1, shape)
    if bits == 1:
        integers = np.where(integers > 0, 1, -1)
    weights = integers * scale
    size = float(np.sqrt(np.square(weights).mean()))
    feature = f"w{bits}{' per output' if per_output else ''}"

    def constant(value: object) -> str:
        return build.constant(f"c{len(build.initializers)}", value)

    if bits == 1 and not per_output and rng.random() < 0.2:
        return constant(weights.T if matrix else weights), size, f"{feature} plain"
    latent = (integers + rng.uniform(-0.4, 0.4, shape)) * scale
    if matrix:
        latent, scale = latent.T, scale.T
    names = [constant(latent), constant(scale if per_output else scale.reshape(()))]
    if bits == 1:
        return build.quantizer("BipolarQuant", *names), size, feature
    names += [constant(0.0), constant(float(bits))]
    attributes = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
    return build.quantizer("Quant", *names, **attributes), size, feature
