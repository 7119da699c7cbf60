# SPDX-License-Identifier: Apache-2.0
"""Training is deterministic, and both exports are the network that torch runs."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

from hwbnn.errors import ConfigError, MismatchError, OutputError  # noqa: E402
from hwbnn.train import data, export, ship  # noqa: E402
from hwbnn.train.export import Style  # noqa: E402
from hwbnn.train.harden import harden  # noqa: E402
from hwbnn.train.loop import Epoch, Recipe, accuracy, as_input, train  # noqa: E402
from hwbnn.train.networks import Network, network  # noqa: E402

TINY = data.load("tiny")
RECIPE = Recipe(epochs=2, batch=32, seed=3, shift=1)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained() -> Network:
    return train("tfc-w1a1", TINY, RECIPE)


def test_learns(trained: Network) -> None:
    labels = torch.from_numpy(TINY.test_labels.astype(int))
    assert accuracy(trained, TINY.test_images, labels) > 0.95


def test_same_seed_same_network(trained: Network) -> None:
    epochs: list[Epoch] = []
    again = train("tfc-w1a1", TINY, RECIPE, report=epochs.append)
    assert [epoch.number for epoch in epochs] == [1, 2]
    for name, value in trained.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_another_seed_another_network(trained: Network) -> None:
    other = train("tfc-w1a1", TINY, Recipe(epochs=2, batch=32, seed=4, shift=1))
    x = as_input(TINY.test_images)
    assert not torch.equal(trained(x), other(x))


def test_latent_weights_are_clipped(trained: Network) -> None:
    for layer in trained.binary_layers():
        assert float(layer.weight.detach().abs().max()) <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize("name", ["tfc-w1a1", "tfc-w1a2"])
def test_export_is_the_network(tmp_path: Path, name: str, style: Style) -> None:
    model = train(name, TINY, Recipe(epochs=1, batch=32))
    file = tmp_path / "model.onnx"
    samples = TINY.test_images[:8]
    export.export(
        model, file, samples=samples, classes=TINY.classes, recipe="a recipe", style=style
    )
    written = onnx.load(str(file))
    with torch.no_grad():
        expected = model(as_input(samples)).numpy()
    assert np.array_equal(export.execute(written, samples), expected)
    assert np.array_equal(np.rint(expected), expected)
    kinds = {node.op_type for node in written.graph.node}
    assert ("Gemm" in kinds) == (style is Style.DYNAMO)
    assert ("MatMul" in kinds) == (style is Style.TORCHSCRIPT)
    weights = [n for n in written.graph.node if n.op_type == "BipolarQuant"]
    assert len(weights) >= 4
    assert {p.key: p.value for p in written.metadata_props} == {
        "hwbnn.input": json.dumps({"divisor": 255.0}),
        "hwbnn.classes": json.dumps(TINY.classes),
        "hwbnn.recipe": "a recipe",
    }
    assert str(Path(__file__).parents[2]).encode() not in file.read_bytes()
    assert b"site-packages" not in file.read_bytes()


def test_a_wrong_export_is_not_written(
    tmp_path: Path, trained: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = network("tfc-w1a1").eval()
    wrong = export._to_onnx(harden(other), Style.TORCHSCRIPT)
    monkeypatch.setattr(export, "_to_onnx", lambda model, style: wrong)
    file = tmp_path / "model.onnx"
    with pytest.raises(MismatchError, match="qonnx must give torch's logits, not others on 4 of 4"):
        export.export(trained, file, samples=TINY.test_images[:4], classes=(), recipe="")
    assert not file.exists()


@pytest.mark.slow
def test_many_images_at_once(trained: Network) -> None:
    for style in Style:
        model = export._to_onnx(harden(trained), style)
        single = export.execute(model, TINY.test_images[:6])
        batched = export.execute(ship.with_batch(model, 3), TINY.test_images[:6], batch=3)
        assert np.array_equal(single, batched)


def test_wrong_choices(tmp_path: Path, trained: Network) -> None:
    with pytest.raises(ConfigError, match=r"^network: must be a known network, not x; choose tfc"):
        network("x")
    with pytest.raises(ConfigError, match=r"^epochs: must be 1 or more, not 0"):
        Recipe(epochs=0)
    with pytest.raises(ConfigError, match=r"^batch: must be at most the 469 training images"):
        train("tfc-w1a1", TINY, Recipe(epochs=1, batch=500))
    with pytest.raises(OutputError, match="its folder must exist"):
        export.export(trained, tmp_path / "no" / "m.onnx", samples=TINY.test_images[:1],
                      classes=(), recipe="")  # fmt: skip
