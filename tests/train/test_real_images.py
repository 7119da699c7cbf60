# SPDX-License-Identifier: Apache-2.0
"""What is trained, exported and built is PyTorch's network on 1000 real test images."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

import hwbnn  # noqa: E402
from hwbnn.board import find_board  # noqa: E402
from hwbnn.flow import BuildConfig, build  # noqa: E402
from hwbnn.frontend import import_model, load_model  # noqa: E402
from hwbnn.sim.interpret import Interpreter  # noqa: E402
from hwbnn.step import Step  # noqa: E402
from hwbnn.train.data import DEBIAN_FASHION_MNIST, fashion_mnist  # noqa: E402
from hwbnn.train.dataset import Dataset, as_pixels  # noqa: E402
from hwbnn.train.export import integer_logits  # noqa: E402
from hwbnn.train.harden import harden  # noqa: E402
from hwbnn.train.loop import Recipe, as_input, train  # noqa: E402
from hwbnn.train.methods import method  # noqa: E402

IMAGES = 1000
LEARNT = 2048  # training images: enough for scales, norms and thresholds of every kind
NETWORKS = {
    "tfc-w1a1": "bnn+",
    "sfc-w1a1": "trained-binarization",
    "lfc-w1a1": "self-binarizing",
    "cnn-w1a1": "trained-binarization",
    "vgg-small": "back-to-simplicity",
}
TOO_LARGE = {"vgg-small"}  # 4.6 Mbit of weights and its activations: more than the board's BRAMs


@pytest.fixture(scope="module")
def data() -> Dataset:
    if not DEBIAN_FASHION_MNIST.is_dir():
        pytest.skip("Fashion-MNIST (Debian's dataset-fashion-mnist) is not installed")
    whole = fashion_mnist()
    return Dataset(
        whole.name,
        whole.train_images[:LEARNT],
        whole.train_labels[:LEARNT],
        whole.test_images[:IMAGES],
        whole.test_labels[:IMAGES],
        whole.classes,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_integers_are_pytorch(tmp_path: Path, data: Dataset, name: str) -> None:
    torch.set_num_threads(1)
    few = 256 if name == "vgg-small" else LEARNT  # of a large network one epoch takes long
    part = Dataset(
        data.name,
        data.train_images[:few],
        data.train_labels[:few],
        data.test_images,
        data.test_labels,
        data.classes,
    )
    recipe = Recipe(epochs=2, batch=64, method=method(NETWORKS[name]), learning_rate=5e-3)
    model = train(name, part, recipe)
    file = tmp_path / "model.onnx"
    proved = hwbnn.export(model, file, data.test_images[:20], classes=data.classes)
    assert proved.exact
    assert proved.integers

    with torch.no_grad():
        x = as_input(data.test_images)
        trained, hard = model(x).numpy(), harden(model)(x.contiguous()).numpy()
    graph = import_model(load_model(file), name="model", check=False)
    frames = data.test_images.reshape(IMAGES, -1).astype(np.int64)
    logits = integer_logits(graph, as_pixels(data.test_images))
    assert np.array_equal(logits, hard)
    assert np.allclose(trained, hard, rtol=1e-3, atol=1e-3 * np.abs(trained).max())
    ties = (np.sort(hard, axis=1)[:, -1:] == hard).sum(axis=1) > 1
    assert np.array_equal(hard.argmax(1)[~ties], trained.argmax(1)[~ties])
    if name not in TOO_LARGE:
        board = find_board("pynq-z2")
        design = build(BuildConfig(file, "model", board, until=Step.FIFO)).design
        assert design is not None
        assert design.resources(board.cost_family).within(board.limit)
        assert np.array_equal(
            design.run(frames[:50]), Interpreter(graph.on_pixels).run(frames[:50])
        )
