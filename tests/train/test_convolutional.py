# SPDX-License-Identifier: Apache-2.0
"""Convolutional networks: topology, training, checkpoints, and an export that torch agrees with."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

from hwbnn.errors import ConfigError  # noqa: E402
from hwbnn.train import data, export, ship  # noqa: E402
from hwbnn.train.dataset import Dataset  # noqa: E402
from hwbnn.train.export import Style  # noqa: E402
from hwbnn.train.loop import Epoch, Recipe, as_input, train  # noqa: E402
from hwbnn.train.networks import Network, network  # noqa: E402

TINY = data.load("tiny")
RECIPE = Recipe(epochs=2, batch=64, seed=1, learning_rate=5e-3)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def coloured(count: int = 96) -> Dataset:
    """Noisy copies of ten random 32x32x3 patterns."""
    rng = np.random.default_rng(11)
    patterns = rng.integers(0, 2, (10, 8, 8, 3)).repeat(4, 1).repeat(4, 2) * 160
    labels = rng.integers(0, 10, count).astype(np.uint8)
    images = (patterns[labels] + rng.integers(0, 96, (count, 32, 32, 3))).astype(np.uint8)
    return Dataset("coloured", images, labels, images[:16], labels[:16], data.DIGITS)


def ops(model: onnx.ModelProto) -> list[str]:
    kept = ("Conv", "Gemm", "MaxPool", "BatchNormalization")
    return [node.op_type for node in model.graph.node if node.op_type in kept]


def test_cnv_has_the_layers_of_bnn_pynq() -> None:
    layers = network("cnv-w1a1").binary_layers()
    assert [tuple(layer.weight.shape) for layer in layers] == [
        (64, 3, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3), (128, 128, 3, 3), (256, 128, 3, 3),
        (256, 256, 3, 3), (512, 256), (512, 512), (10, 512),
    ]  # fmt: skip
    assert sum(layer.weight.numel() for layer in layers) == 1_542_848
    assert all(layer.bias is None for layer in layers)


def test_small_cnn_pads_with_zeros_and_has_87k_weights() -> None:
    layers = network("cnn-w1a1").binary_layers()
    assert [getattr(layer, "padding", None) for layer in layers] == [(1, 1)] * 3 + [None]
    assert sum(layer.weight.numel() for layer in layers) == 86_944


def test_input_has_256_steps_of_a_power_of_two() -> None:
    for name in ("cnn-w1a1", "cnv-w1a1"):
        head = network(name).eval().features[:2]
        steps = head(torch.linspace(0, 1, 4096)).unique() * 128
        assert steps.tolist() == list(range(-128, 128))


@dataclass(frozen=True)
class Exported:
    """A network trained a little, its images, and the file that it became."""

    network: Network
    samples: np.ndarray
    file: onnx.ModelProto
    size: int


@cache
def exported(name: str, style: Style) -> Exported:
    images = coloured() if name == "cnv-w1a1" else TINY
    model = train(name, images, Recipe(epochs=1, batch=64, learning_rate=5e-3, bfloat16=True))
    samples = images.test_images[:3]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export.export(model, path, samples=samples, classes=images.classes, recipe="", style=style)
        return Exported(model, samples, onnx.load(str(path)), path.stat().st_size)


CNV = ("cnv-w1a1", Style.DYNAMO)
CNN = ("cnn-w1a1", Style.DYNAMO)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "style"), [CNV, CNN, ("cnn-w1a2", Style.TORCHSCRIPT)])
def test_export_is_the_network(name: str, style: Style) -> None:
    made = exported(name, style)
    with torch.no_grad():
        expected = made.network(as_input(made.samples)).numpy()
    assert np.array_equal(export.execute(made.file, made.samples), expected)
    assert np.array_equal(np.rint(expected), expected)
    dims = [dim.dim_value for dim in made.file.graph.input[0].type.tensor_type.shape.dim]
    assert dims == [1, *made.network.image]


@pytest.mark.slow
def test_order_of_layers() -> None:
    norm = "BatchNormalization"
    block = ["Conv", norm, "Conv", norm]
    assert ops(exported(*CNV).file) == [
        *block, "MaxPool", *block, "MaxPool", *block, "Gemm", norm, "Gemm", norm, "Gemm",
    ]  # fmt: skip
    assert ops(exported(*CNN).file) == [*["Conv", "MaxPool", norm] * 2, "Conv", norm, "Gemm"]


@pytest.mark.slow
def test_names_of_layers() -> None:
    names = {node.name for node in exported(*CNV).file.graph.node}
    assert names >= {f"conv{n}" for n in range(6)} | {f"fc{n}" for n in range(3)}
    assert names >= {f"conv{n}_weight" for n in range(6)} | {f"fc{n}_weight" for n in range(3)}
    assert names >= {"quant0", "quant8", "norm0", "norm7", "pool0", "pool1"}


@pytest.mark.slow
def test_weights_are_stored_as_bytes() -> None:
    cnv = exported(*CNV)
    stored = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in cnv.file.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8
    }
    assert len(stored) == 9
    assert all(np.isin(weights, (-1, 1)).all() for weights in stored.values())
    assert {n.input[0] for n in cnv.file.graph.node if n.op_type == "Cast"} == set(stored)
    assert cnv.size < 1_542_848 + 100_000  # a byte a weight, and the rest


@pytest.mark.slow
def test_many_images_at_once() -> None:
    cnv = exported(*CNV)
    single = export.execute(cnv.file, cnv.samples)
    assert np.array_equal(
        export.execute(ship.with_batch(cnv.file, 3), cnv.samples, batch=3), single
    )


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [1, 2])
def test_a_stopped_training_goes_on(tmp_path: Path, stopped: int) -> None:
    recipe = Recipe(epochs=3, batch=64, seed=1, learning_rate=5e-3, shift=2, flip=True)
    whole = train("cnn-w1a1", TINY, recipe)
    file = tmp_path / "run.pt"

    def stop(epoch: Epoch) -> None:
        if epoch.number == stopped:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("cnn-w1a1", TINY, recipe, checkpoint=file, report=stop)
    later: list[Epoch] = []
    resumed = train("cnn-w1a1", TINY, recipe, checkpoint=file, report=later.append)
    assert [epoch.number for epoch in later] == list(range(stopped + 1, 4))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_images_must_fit_the_network() -> None:
    with pytest.raises(ConfigError) as error:
        train("cnv-w1a1", TINY, RECIPE)
    assert str(error.value) == (
        "cnv-w1a1: images must be at least 32x32, not 28x28; "
        "choose another data set with --data, or another network"
    )
