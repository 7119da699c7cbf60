# SPDX-License-Identifier: Apache-2.0
"""Export to QONNX in both of Brevitas' styles, proven equal to torch on real samples."""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from brevitas.export import export_qonnx
from torch import Tensor, nn

from hwbnn.errors import ConfigError, MismatchError, ModelError, OutputError
from hwbnn.frontend import import_model
from hwbnn.ir.graph import Graph
from hwbnn.sim.interpret import Interpreter
from hwbnn.train.dataset import Bytes, as_pixels
from hwbnn.train.harden import harden
from hwbnn.train.networks.network import Image, Network
from hwbnn.train.onnx_file import (
    DIVISOR,
    Floats,
    as_floats,
    described,
    execute,
    named,
    run,
    with_bytes,
)

__all__ = ["Example", "Exported", "Style", "check_folder", "execute", "export", "integer_logits"]

CHECKED = 32  # samples on which import compares every layer if one differs
ROUNDING = 1e-4  # of the greatest logit: of a network that is not all integers
Example = npt.NDArray[np.uint8] | npt.NDArray[np.float32] | Tensor


class Style(Enum):
    """Which of torch's exporters writes the file."""

    DYNAMO = "dynamo"  # Reshape, Gemm
    TORCHSCRIPT = "torchscript"  # Flatten, Transpose, MatMul


@dataclass(frozen=True)
class Exported:
    """A file that was written, and what was proved of it on real samples.

    Always: the hardened network has the trained one's labels, and qonnx its logits. exact: those
    are equal bit for bit. integers: so are those of hwbnn's integer interpreter; if not,
    unsupported says what the importer cannot take yet.
    ties: samples on which the trained model's float32 rounding chose between two equal logits.
    """

    path: Path
    samples: int
    exact: bool
    ties: int = 0
    unsupported: tuple[str, ...] = ()

    @property
    def integers(self) -> bool:
        """The integer interpreter gives the same logits."""
        return not self.unsupported

    def __str__(self) -> str:
        close = "logit for logit" if self.exact else "up to float32 rounding"
        proved = f"{self.path}: on {self.samples} samples torch = qonnx {close}"
        proved += " = integers" if self.integers else ""
        proved += ", and the trained model's labels"
        if self.ties:
            proved += f" (but for {self.ties} ties, which float32 rounding decides)"
        if self.unsupported:
            proved += "; not as integers: " + "; ".join(self.unsupported)
        return proved


def export(
    model: nn.Module,
    path: Path,
    samples: Example,
    *,
    classes: tuple[str, ...] = (),
    recipe: str = "",
    style: Style = Style.DYNAMO,
) -> Exported:
    """Write a trained model as QONNX, after proving on samples that the file is the model.

    samples: uint8 images [n, height, width], [n, height, width, 3] or [n, channels, height,
    width], or floats [n, ...] as the model takes them, which must be pixels / 255.
    Raises ModelError for layers that cannot be exported, ConfigError for samples that do not fit,
    MismatchError if a proof fails; then nothing is written.
    """
    check_folder(path)
    pixels = as_samples(model, samples)
    hard = harden(model)
    trained, expected = _logits(copy.deepcopy(model), pixels), _logits(hard, pixels)
    ties = _check_labels(path, trained, expected)
    whole = hard if isinstance(hard, Network) else Network([hard], image=_image(pixels))
    file = described(named(with_bytes(_to_onnx(whole, style))), classes, recipe)
    actual = run(file, as_floats(pixels))
    unsupported = _check_integers(file, path, pixels, actual)
    exact = np.array_equal(actual, expected)
    size = np.abs(expected).max(initial=1e-9)
    if not exact and (not unsupported or not np.abs(actual - expected).max() <= ROUNDING * size):
        wrong = int(np.any(actual != expected, axis=1).sum())
        raise MismatchError(
            f"{path}: qonnx must give torch's logits, not others on {wrong} of {len(pixels)} "
            "samples; report this with the versions of torch and brevitas"
        )
    onnx.save_model(file, str(path))
    return Exported(path, len(pixels), exact, ties, unsupported)


def check_folder(path: Path) -> None:
    """Raise an error if the file's folder is missing; a training should ask before it starts."""
    if not path.parent.is_dir():
        raise OutputError(f"{path}: its folder must exist; create {path.parent}")


# ---- samples -------------------------------------------------------------------------------------


def as_samples(model: nn.Module, samples: Example) -> Bytes:
    """Return samples as pixels [n, ...] in the shape that the model takes.

    Raises ConfigError if there are none, or they are no pixels, or not of a network's image.
    """
    given = samples.detach().cpu().numpy() if isinstance(samples, Tensor) else np.asarray(samples)
    if given.ndim < 2 or not len(given):
        raise ConfigError(
            f"example: must be one image or more, [n, ...], not {_shape(given.shape)}; give real "
            "images: the export is proved on them"
        )
    if given.dtype == np.uint8:
        pixels = _oriented(model, given.astype(np.uint8, copy=False))
    elif np.issubdtype(given.dtype, np.floating):
        pixels = _pixels(given.astype(np.float64))
    else:
        raise ConfigError(
            f"example: must be uint8 pixels or floats of 0 to 1, not {given.dtype}; convert them"
        )
    image = model.image if isinstance(model, Network) else pixels.shape[1:]
    if pixels.shape[1:] != image:
        raise ConfigError(
            f"example: images must be {_shape(image)} (channels, rows, columns), not "
            f"{_shape(pixels.shape[1:])}; give images like those that the network was made for"
        )
    return np.ascontiguousarray(pixels)


def _image(pixels: Bytes) -> Image:
    image: Image = pixels.shape[1:]  # of any axes, if the model is no network of ours
    return image


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _oriented(model: nn.Module, images: Bytes) -> Bytes:
    """Put channels first, as data sets have them last or, of grey images, not at all."""
    fits = isinstance(model, Network) and images.shape[1:] == model.image
    if images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3 and not fits):
        return as_pixels(images)
    return images


def _pixels(floats: npt.NDArray[np.float64]) -> Bytes:
    pixels = np.rint(floats * DIVISOR)
    wrong = ~(np.abs(pixels / DIVISOR - floats) < 1e-6) | (pixels < 0) | (pixels > 255)
    if wrong.any():
        raise ConfigError(
            f"example: floats must be pixels 0 to 255 divided by {DIVISOR:g}, not "
            f"{floats[wrong][0]:g}; give uint8 images, and do what normalises them in the model"
        )
    return np.asarray(pixels, np.uint8)


# ---- proofs --------------------------------------------------------------------------------------


@torch.no_grad()
def _logits(model: nn.Module, pixels: Bytes) -> Floats:
    """Return a model's logits in eval mode."""
    model = model.cpu().eval()
    inputs = as_floats(pixels)
    try:
        parts = [model(torch.from_numpy(x)) for x in np.array_split(inputs, -(-len(inputs) // 256))]
    except (RuntimeError, ValueError) as error:
        text = " ".join(str(error).split())[:160]
        raise ConfigError(
            f"example: images {_shape(pixels.shape[1:])} must fit the model, not fail with "
            f"«{text}»; give images like those that it was trained on"
        ) from error
    logits: Floats = torch.cat([getattr(part, "value", part) for part in parts]).numpy()
    if logits.ndim != 2:
        raise ModelError(
            f"model: output must be logits [n, classes], not {_shape(logits.shape)}; end it with a "
            "Flatten or a dense layer"
        )
    return logits


def _check_labels(path: Path, trained: Floats, hard: Floats) -> int:
    """Compare the classes that both choose; return how many differ by equal logits alone."""
    chosen, ours = trained.argmax(1), hard.argmax(1)
    rows = np.arange(len(hard))
    differ = chosen != ours
    wrong = differ & (hard[rows, chosen] != hard[rows, ours])
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise MismatchError(
            f"{path}: hardened network must have the trained one's labels, not others on "
            f"{int(wrong.sum())} of {len(hard)} samples (sample {first}: {ours[first]}, not "
            f"{chosen[first]}); report this with the model"
        )
    return int(differ.sum())


def _check_integers(
    file: onnx.ModelProto, path: Path, pixels: Bytes, expected: Floats
) -> tuple[str, ...]:
    """Compare the integer interpreter; return what the importer does not support."""
    frames = pixels.reshape(len(pixels), -1)
    try:
        graph = import_model(file, name=path.stem, samples=frames[:CHECKED].astype(np.int64))
    except ModelError as error:
        return error.problems
    wrong = (integer_logits(graph, pixels) != expected).any(axis=1)
    if wrong.any():
        raise MismatchError(
            f"{path}: integers must give qonnx's logits, not others on {int(wrong.sum())} of "
            f"{len(frames)} samples; report this with the model"
        )
    return ()


def integer_logits(graph: Graph, pixels: Bytes) -> Floats:
    """Return the model's logits as they follow from the integers that the graph gives."""
    frames = pixels.reshape(len(pixels), -1).astype(np.int64)
    integers = Interpreter(graph.on_pixels).run(frames)
    values = graph.output_values
    return integers.astype(np.float32) if values is None else values.apply(integers)


# ---- torch to ONNX -------------------------------------------------------------------------------


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' progress and their advice to update away from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _to_onnx(model: Network, style: Style) -> onnx.ModelProto:
    """Run torch's exporter on a hardened network."""
    image = torch.zeros(1, *model.image)
    names = {"input_names": ["input"], "output_names": ["logits"]}
    with _quiet():
        if style is Style.DYNAMO:
            # Without optimize the qonnx domain comes first in opset_import and qonnx takes its
            # version for ONNX's.
            exported = export_qonnx(model, args=image, opset_version=18, optimize=True, **names)
        else:
            exported = export_qonnx(model, args=image, opset_version=13, dynamo=False, **names)
    proto: onnx.ModelProto = getattr(exported, "model_proto", exported)
    return proto
