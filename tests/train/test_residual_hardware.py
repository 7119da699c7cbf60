# SPDX-License-Identifier: Apache-2.0
"""Residual and dense networks as trained: PyTorch = integers = RTL, cycle for cycle, = HLS C++.

The dense connections of the RTL and the HLS carry ranks.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import whole_frame
from hwbnn import export
from hwbnn.frontend import import_model, load_model
from hwbnn.sim.interpret import Interpreter
from hwbnn.tools.csim import csim
from hwbnn.tools.proof import compare
from hwbnn.train.methods import METHODS
from hwbnn.train.networks.densenet import BinaryDenseNet
from hwbnn.train.networks.resnet_e import ResNetE
from hwbnn.units import Add, Concat, Fork, Rescale, SumPool
from tests.dense_graphs import in_some_form

SIZES = {"densenet": 8, "resnet": 10}  # 10, 5, 3, 2: means of odd images, too
CYCLES = 4096
IMAGES = 50
# Every stage of the published networks once, with few channels.
NETWORKS = {
    "densenet": BinaryDenseNet("narrow", (2, 1, 1, 1), (2.0, 2.0, 2.0), 8, 8, multiple=8),
    "resnet": ResNetE("narrow", (1, 1, 1, 1), width=1 / 8),
}
JOINS = {"densenet": Concat, "resnet": Add}


@pytest.fixture(scope="module", params=NETWORKS)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A network whose batch norms have seen data, as ONNX; export proves it on samples."""
    torch.manual_seed(0)
    image = (3, SIZES[request.param], SIZES[request.param])
    network = NETWORKS[request.param].build(METHODS["back-to-simplicity"](), image, 10)
    pixels = np.random.default_rng(0).integers(0, 256, (64, *image), np.uint8)
    with torch.no_grad():
        for batch in torch.from_numpy(pixels.astype(np.float32) / 255).split(16):
            network(batch)
    path = tmp_path_factory.mktemp("residual") / f"{request.param}.onnx"
    export(network.eval(), path, pixels[:4])
    return request.param, path


@pytest.mark.slow
def test_integers_are_the_network(exported: tuple[str, Path]) -> None:
    """The full-size networks: `python -m benchmarks.whole_frame`."""
    kind, path = exported
    graph = import_model(load_model(path), name=kind)
    pixels = np.random.default_rng(2).integers(0, 256, (IMAGES, 3 * SIZES[kind] ** 2))
    found = whole_frame.images(path, graph, pixels)
    assert (found["logits"], found["different logits"]) == (10 * IMAGES, 0)


@pytest.mark.slow
def test_hardware_is_the_network(exported: tuple[str, Path], tmp_path: Path) -> None:
    kind, path = exported
    graph = import_model(load_model(path), name=kind)
    carried, forms = in_some_form(graph, np.random.default_rng(0))
    assert bool(forms) == (kind == "densenet")
    design = whole_frame.folded(carried, target_cycles=CYCLES)
    units = {type(instance.unit) for instance in design.instances}
    assert {Fork, Rescale, JOINS[kind]} <= units
    pools = [i.unit for i in design.instances if isinstance(i.unit, SumPool)]
    assert any(pool.factors is not None for pool in pools) == (kind == "resnet")
    pixels = np.random.default_rng(1).integers(0, 256, (3, 3 * SIZES[kind] ** 2))
    frames = pixels if graph.host_part is None else Interpreter(graph.host_part).run(pixels)
    expected = Interpreter(graph).run(frames)
    assert len(np.unique(expected)) > 10, "a network that says something"
    found = compare(design, frames)
    assert found.equal, found.differences[0]
    np.testing.assert_array_equal(found.result.output, expected)
    np.testing.assert_array_equal(csim(design, frames, work=tmp_path), expected)
