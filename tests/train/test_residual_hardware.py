# SPDX-License-Identifier: Apache-2.0
"""Residual and dense networks as trained: PyTorch = integers = RTL, cycle for cycle, = HLS C++."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hwbnn import export
from hwbnn.board import find_board
from hwbnn.frontend import import_model, load_model
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Family
from hwbnn.passes import adapt, cheapest_folding, lower, size_fifos
from hwbnn.sim.interpret import Interpreter
from hwbnn.tools.csim import csim
from hwbnn.tools.proof import compare
from hwbnn.train.methods import METHODS
from hwbnn.train.networks.densenet import BinaryDenseNet
from hwbnn.train.networks.resnet_e import ResNetE
from hwbnn.units import Add, Concat, Fork, Rescale

IMAGE = (3, 8, 8)
CYCLES = 4096
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
    network = NETWORKS[request.param].build(METHODS["back-to-simplicity"](), IMAGE, 10)
    pixels = np.random.default_rng(0).integers(0, 256, (64, *IMAGE), np.uint8)
    with torch.no_grad():
        for batch in torch.from_numpy(pixels.astype(np.float32) / 255).split(16):
            network(batch)
    path = tmp_path_factory.mktemp("residual") / f"{request.param}.onnx"
    export(network.eval(), path, pixels[:4])
    return request.param, path


def folded(design: Design) -> Design:
    board = find_board("zcu104")
    found = cheapest_folding(
        design,
        target_cycles=CYCLES,
        limit=board.limit,
        family=Family.XC7,
        port_bits=board.data.bits,
    )
    return size_fifos(adapt(found.design))


@pytest.mark.slow
def test_hardware_is_the_network(exported: tuple[str, Path], tmp_path: Path) -> None:
    kind, path = exported
    graph = import_model(load_model(path), name=kind)
    design = folded(lower(graph))
    units = {type(instance.unit) for instance in design.instances}
    assert {Fork, Rescale, JOINS[kind]} <= units
    pixels = np.random.default_rng(1).integers(0, 256, (3, 3 * 8 * 8))
    frames = pixels if graph.host_part is None else Interpreter(graph.host_part).run(pixels)
    expected = Interpreter(graph).run(frames)
    assert len(np.unique(expected)) > 10, "a network that says something"
    found = compare(design, frames)
    assert found.equal, found.differences[0]
    np.testing.assert_array_equal(found.result.output, expected)
    np.testing.assert_array_equal(csim(design, frames, work=tmp_path), expected)
