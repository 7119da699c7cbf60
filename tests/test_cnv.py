# SPDX-License-Identifier: Apache-2.0
"""CNV, whole: integers, RTL and HLS agree, and no cycle is wrong, at foldings that people use."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwbnn import zoo
from hwbnn.board import find_board
from hwbnn.frontend import Oracle, import_model, load_model
from hwbnn.ir.design import Design
from hwbnn.ir.graph import Graph
from hwbnn.passes import adapt, fastest_folding, fold, lower, size_fifos
from hwbnn.sim.engine import performance
from hwbnn.sim.interpret import Interpreter
from hwbnn.tools.cosim import Job
from hwbnn.tools.csim import csim
from hwbnn.tools.proof import compare_many
from tests.graphs import BNN_PYNQ_FOLDING, cnv

pytestmark = pytest.mark.slow

FOREIGN = Path(__file__).parents[2] / "shared" / "models" / "cnv-w1a1.onnx"
FRAMES = 3
BNN_PYNQ_CYCLES = 32_768  # a frame: BNN-PYNQ's published initiation interval


def bnn_pynq(graph: Graph) -> Design:
    """Fold as BNN-PYNQ does, layer by layer in order, whatever they are called."""
    design, plain = lower(graph), lower(cnv())
    names = dict(zip((i.name for i in plain.instances), design.instances, strict=True))
    foldings = {names[name].name: knobs for name, knobs in BNN_PYNQ_FOLDING.items()}
    return size_fifos(adapt(fold(design, foldings=foldings)))


def searched(graph: Graph) -> Design:
    board = find_board("pynq-z2")
    found = fastest_folding(
        lower(graph), limit=board.limit, family=board.cost_family, port_bits=board.data.bits
    )
    return size_fifos(adapt(found.design), family=board.cost_family)


def check(graph: Graph, frames: np.ndarray, work: Path) -> None:
    """RTL and HLS = interpreter, engine = RTL for every beat and FIFO event."""
    designs = [bnn_pynq(graph), searched(graph)]
    named = [replace(d, name=f"cnv{i}") for i, d in enumerate(designs)]
    assert performance(named[0]).period == BNN_PYNQ_CYCLES
    assert performance(named[1]).period == named[1].bound < BNN_PYNQ_CYCLES / 2
    expected = Interpreter(graph).run(frames)
    for comparison in compare_many([Job(d, frames) for d in named]):
        assert comparison.equal, comparison.differences[0]
        assert comparison.result.complete
        assert comparison.events > 100_000
        np.testing.assert_array_equal(comparison.result.output, expected)
    np.testing.assert_array_equal(csim(named[0], frames, work=work), expected)


def test_shipped_cnv(tmp_path: Path) -> None:
    """The model's own logits of shipped images."""
    golden = zoo.golden("cnv-w1a1")
    graph = import_model(load_model(zoo.path("cnv-w1a1")), name="cnv")
    images = golden.images.reshape(len(golden.images), -1).astype(np.int64)
    assert graph.host_part is not None
    frames = Interpreter(graph.host_part).run(images)
    np.testing.assert_array_equal(Interpreter(graph).run(frames), golden.logits)
    check(graph, frames[:FRAMES], tmp_path)


def test_foreign_cnv(tmp_path: Path) -> None:
    """The trained CNV of the QONNX model zoo, against the model itself on 100 images."""
    if not FOREIGN.exists():
        pytest.skip(f"{FOREIGN} is not here: a model of others, not part of the project")
    model = load_model(FOREIGN)
    graph = import_model(model, name="cnv")
    images = np.random.default_rng(9).integers(0, 256, (100, 3 * 32 * 32))
    assert graph.host_part is not None
    frames = Interpreter(graph.host_part).run(images)
    integers = Interpreter(graph).run(frames)
    floats = integers if graph.output_values is None else graph.output_values.apply(integers)
    np.testing.assert_array_equal(floats, Oracle(model).run(images, graph.preprocess))
    check(graph, frames[:FRAMES], tmp_path)
