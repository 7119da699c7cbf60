# SPDX-License-Identifier: Apache-2.0
"""hwbnn: binary neural networks to FPGA streaming accelerators, proven on a laptop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

    from torch.nn import Module

    from hwbnn.train.export import Example, Exported

__all__ = ["export"]


def export(
    model: Module,
    path: str | PathLike[str],
    example: Example,
    *,
    classes: tuple[str, ...] = (),
    recipe: str = "",
) -> Exported:
    """Write a trained model as QONNX, and prove on real samples that the file is the model.

    model: a network of hwbnn.train, or any torch module of Brevitas' layers. example: uint8 images
    [n, ...], or floats as the model takes them, pixels / 255. classes: names of the logits.
    recipe: how it was trained. Trained scales are folded; PyTorch, the ONNX file and hwbnn's
    integers must give equal logits on every sample, or nothing is written. What is returned says
    what was proved. Raises HwbnnError with the layer's or the samples' fault and the mend.
    """
    from pathlib import Path

    try:
        from hwbnn.train.export import export as train_export
    except ModuleNotFoundError as error:
        from hwbnn.errors import ToolError

        raise ToolError(
            f"export: the package {error.name} must be installed, not missing; run "
            "pip install 'hwbnn[train]'"
        ) from error
    return train_export(model, Path(path), example, classes=classes, recipe=recipe)
