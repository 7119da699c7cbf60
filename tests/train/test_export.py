# SPDX-License-Identifier: Apache-2.0
"""What every method makes of every network exports: file, integers and torch are one function."""

import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

import brevitas.nn as qnn  # noqa: E402
from torch import nn  # noqa: E402

import hwbnn  # noqa: E402
from hwbnn.errors import (  # noqa: E402
    ConfigError,
    HwbnnError,
    MismatchError,
    ModelError,
    OutputError,
    ToolError,
)
from hwbnn.frontend import import_model, load_model  # noqa: E402
from hwbnn.ir.dtype import BIPOLAR  # noqa: E402
from hwbnn.ir.ops import Add, Concat, Conv, Dense  # noqa: E402
from hwbnn.train import export as exporting  # noqa: E402
from hwbnn.train.export import Exported, Style, export  # noqa: E402
from hwbnn.train.harden import harden  # noqa: E402
from hwbnn.train.methods import METHODS, method  # noqa: E402
from hwbnn.train.networks.densenet import BINARY_DENSE_NETS  # noqa: E402
from hwbnn.train.networks.network import Image  # noqa: E402
from hwbnn.train.networks.resnet_e import RESNETES  # noqa: E402
from hwbnn.train.quantizers import BinaryActivation, BinaryWeight  # noqa: E402
from tests.train.nets import CHAINS, GRAPHS, made, pixels, trained_looking  # noqa: E402

NARROW = {
    "resnete18": replace(RESNETES[0], width=1 / 16),
    "binarydensenet28": replace(BINARY_DENSE_NETS[0], growth=4, first=4, multiple=4),
}
BINARY = sorted(METHODS.keys() - {"float32"})
NETWORKS = sorted(CHAINS | GRAPHS)
# Hardened, the methods differ in few forms: {0, 1} or not, scales that a norm takes up or not, and
# shifts before a sign. These reach all of them.
FORMS = [
    *product(["ste", "trained-binarization"], NETWORKS),
    *product(["rsign"], ["dorefa", "resnete"]),
    *product(["bnn+"], ["binarydensenet", "cnn", "mlp"]),
]
QUICK = {
    ("trained-binarization", "mlp"),
    ("bnn+", "mlp"),
    ("ste", "cnn"),
}


def pairs() -> list[object]:
    return [pytest.param(*p, marks=[] if p in QUICK else pytest.mark.slow) for p in FORMS]


@cache
def form(name: str, how: str) -> str:
    """What of a hardened network is not a number: its layers, and the shapes of their values."""
    hard = harden(made(name, method(how)))
    return f"{hard} {[(key, value.shape) for key, value in hard.state_dict().items()]}"


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_form_is_exported(name: str) -> None:
    forms = {form(name, how) for how, network in FORMS if network == name}
    assert len(forms) == sum(network == name for _, network in FORMS)
    for how in BINARY:
        assert form(name, how) in forms, how


@pytest.mark.parametrize(("how", "name"), pairs())
def test_every_form_in_every_network(tmp_path: Path, how: str, name: str) -> None:
    model = made(name, method(how))
    path = tmp_path / "model.onnx"
    # TorchScript's exporter is the quicker one; the other is tested below.
    found = export(model, path, pixels(model.image), style=Style.TORCHSCRIPT)
    assert found.samples == 12
    assert path.exists()
    assert found.integers and found.exact, str(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("how", ["trained-binarization", "rsign"])
def test_the_other_style(tmp_path: Path, how: str, name: str) -> None:
    model = made(name, method(how))
    found = export(model, tmp_path / "model.onnx", pixels(model.image), style=Style.DYNAMO)
    assert found.integers and found.exact, str(found)


@pytest.mark.slow
@pytest.mark.parametrize("image", [(3, 32, 32), (1, 28, 28)], ids=str)
@pytest.mark.parametrize("name", ["resnete18", "binarydensenet28"])
def test_whole_networks_with_branches(tmp_path: Path, name: str, image: Image) -> None:
    torch.manual_seed(1)
    model = trained_looking(NARROW[name].build(method("ste"), image, 5))
    found = export(model, tmp_path / "m.onnx", pixels(image, 50), style=Style.TORCHSCRIPT)
    assert found.integers and found.exact and found.samples == 50, str(found)
    graph = import_model(load_model(tmp_path / "m.onnx"), name="m", check=False)
    joins = [op for op in graph.ops if isinstance(op, Add | Concat)]
    assert len(joins) == {"resnete18": 16, "binarydensenet28": 23}[name]
    if name == "resnete18":  # of one step: nothing is multiplied, nothing clipped
        assert all(isinstance(op, Add) and op.factors == () for op in joins)
        assert max(op.dtype.bits for op in joins) == 11


def exported_graph(tmp_path: Path, name: str, how: str) -> object:
    model, path = made(name, method(how)), tmp_path / "m.onnx"
    export(model, path, pixels(model.image), style=Style.TORCHSCRIPT)
    return import_model(load_model(path), name="m")


@pytest.mark.slow
def test_zeros_and_ones_are_bits(tmp_path: Path) -> None:
    # {0, 1} with zero padding: the padding is bit 0, and XNOR and popcount do.
    graph = exported_graph(tmp_path, "cnn", "trained-binarization")
    products = [op for op in graph.ops if isinstance(op, Conv | Dense)]
    assert all(op.weight_dtype == BIPOLAR for op in products)
    assert all(graph[op.source].dtype == BIPOLAR for op in products[1:])


@pytest.mark.slow
def test_the_call_of_the_package(tmp_path: Path) -> None:
    model = made("mlp", method("ste"))
    path = tmp_path / "mlp.onnx"
    x = torch.from_numpy(pixels(model.image)).float() / 255
    found = hwbnn.export(model, str(path), x, classes=tuple("abcde"), recipe="by hand")
    assert found == Exported(path, 12, exact=True)
    assert str(found) == (
        f"{path}: on 12 samples torch = qonnx logit for logit = integers, and the trained model's "
        "labels"
    )
    facts = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert facts["hwbnn.classes"] == '["a", "b", "c", "d", "e"]'
    assert facts["hwbnn.recipe"] == "by hand"


def test_import_of_the_package_takes_no_torch() -> None:
    code = "import sys, hwbnn; hwbnn.export; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("hwbnn.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ToolError, match=r"^export: the package torch must be installed, not miss"):
        hwbnn.export(nn.Identity(), "m.onnx", np.zeros((1, 1), np.uint8))


@pytest.mark.slow
def test_modules_of_brevitas(tmp_path: Path) -> None:
    model = nn.Sequential(
        nn.Flatten(),
        nn.BatchNorm1d(12),
        qnn.QuantIdentity(act_quant=BinaryActivation),
        qnn.QuantLinear(12, 3, bias=True, weight_quant=BinaryWeight),
    )
    images = np.random.default_rng(0).integers(0, 256, (9, 2, 2, 3), dtype=np.uint8)
    found = export(trained_looking(model), tmp_path / "m.onnx", images)
    assert found.integers and found.exact
    assert (
        load_model(tmp_path / "m.onnx").graph.input[0].type.tensor_type.shape.dim[1].dim_value == 3
    )


def test_many_samples_in_parts(tmp_path: Path) -> None:
    model = made("mlp", method("rsign"))
    found = export(model, tmp_path / "m.onnx", pixels(model.image, 130), style=Style.TORCHSCRIPT)
    assert found.samples == 130


# ---- what is refused -----------------------------------------------------------------------------


def refused(error: type[HwbnnError], tmp_path: Path, model: nn.Module, samples: object) -> str:
    path = tmp_path / "m.onnx"
    with pytest.raises(error) as caught:
        export(model, path, samples, style=Style.TORCHSCRIPT)
    assert not path.exists()
    return str(caught.value).replace(str(path), "m.onnx")


def test_samples_that_do_not_fit(tmp_path: Path) -> None:
    model = made("cnn", method("ste"))
    none = np.zeros((0, 16, 16), np.uint8)
    assert refused(ConfigError, tmp_path, model, none) == (
        "example: must be one image or more, [n, ...], not 0 x 16 x 16; give real images: the "
        "export is proved on them"
    )
    assert refused(ConfigError, tmp_path, model, np.zeros((2, 8, 8), np.uint8)) == (
        "example: images must be 1 x 16 x 16 (channels, rows, columns), not 1 x 8 x 8; give images "
        "like those that the network was made for"
    )
    assert refused(ConfigError, tmp_path, model, np.full((2, 1, 16, 16), 0.3)) == (
        "example: floats must be pixels 0 to 255 divided by 255, not 0.3; give uint8 images, and "
        "do what normalises them in the model"
    )
    assert refused(ConfigError, tmp_path, model, np.zeros((2, 16, 16), np.int64)) == (
        "example: must be uint8 pixels or floats of 0 to 1, not int64; convert them"
    )
    dense = trained_looking(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(5)))
    assert refused(ConfigError, tmp_path, dense, np.zeros((2, 1, 2, 2), np.uint8)).startswith(
        "example: images 1 x 2 x 2 must fit the model, not fail with «"
    )


def test_layers_that_do_not_export(tmp_path: Path) -> None:
    images = np.zeros((2, 2, 2), np.uint8)
    problem = refused(ModelError, tmp_path, nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), images)
    assert problem.startswith("1: layer must be one that can be exported, not Linear; build it of")
    pooled = nn.Sequential(nn.MaxPool2d(2))
    assert refused(ModelError, tmp_path, pooled, images) == (
        "model: output must be logits [n, classes], not 2 x 1 x 1 x 1; end it with a Flatten or a "
        "dense layer"
    )
    assert "float32 is there to measure by" in refused(
        ModelError, tmp_path, made("mlp", method("float32")), np.zeros((2, 4, 4), np.uint8)
    )


def test_a_missing_folder(tmp_path: Path) -> None:
    model = made("mlp", method("ste"))
    with pytest.raises(OutputError, match=r"its folder must exist; create "):
        export(model, tmp_path / "no" / "m.onnx", pixels(model.image))


def test_nothing_is_written_if_a_proof_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = made("mlp", method("ste"))
    images, true = pixels(model.image), exporting.integer_logits
    monkeypatch.setattr(exporting, "integer_logits", lambda graph, x: true(graph, x) + 1)
    assert refused(MismatchError, tmp_path, model, images) == (
        "m.onnx: integers must give qonnx's logits, not others on 12 of 12 samples; report this "
        "with the model"
    )
    monkeypatch.undo()
    other = made("mlp", method("self-binarizing"))
    monkeypatch.setattr(exporting, "harden", lambda _: exporting.copy.deepcopy(other))
    assert refused(MismatchError, tmp_path, model, images).startswith(
        "m.onnx: hardened network must have the trained one's labels, not others on "
    )


def test_ties_of_the_trained_model_are_counted() -> None:
    hard = np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]], np.float32)
    noisy = hard + np.array([[0.0, 1e-7, 0.0], [0.0, 0.0, 0.0]], np.float32)
    assert exporting._check_labels(Path("m"), noisy, hard) == 1
    with pytest.raises(MismatchError, match=r"on 1 of 2 samples \(sample 1: 1, not 2\)"):
        exporting._check_labels(
            Path("m"), np.array([[1.0, 0, 0], [0, 0, 9]]), np.array([[1.0, 0, 0], [0, 2, 1]])
        )
