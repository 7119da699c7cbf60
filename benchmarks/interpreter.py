# SPDX-License-Identifier: Apache-2.0
"""Images a second of the interpreter, of onnxruntime and of qonnx, on one LFC-size network."""

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from benchmarks.record import record
from hwbnn.frontend import import_model
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Dense, Input, Staircase
from hwbnn.sim.interpret import Interpreter
from tests.models import lfc, pixels

WINDOW = 0.05  # seconds
ROUNDS = 30
IMAGES = 8192
BATCHES = (16, 64, 256, 1024, 4096)
QONNX_IMAGES = 20


def rate(action: Callable[[], Any], images: int) -> float:
    """Images a second while repeating an action for a window of time."""
    started, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < WINDOW:
        action()
        done += images
    return done / elapsed


def best_rates(contenders: dict[str, tuple[Callable[[], Any], int]]) -> dict[str, float]:
    """Return the best window of each contender; all take turns, so that load hits all alike."""
    best = dict.fromkeys(contenders, 0.0)
    for action, _ in contenders.values():
        action()
    for _ in range(ROUNDS):
        for name, (action, images) in contenders.items():
            best[name] = max(best[name], rate(action, images))
    return best


def folded(graph: Graph) -> onnx.ModelProto:
    """Fold a binary graph into what onnxruntime does best: Gemm of -1 and 1, then Sign.

    The integers are the graph's own; its input is what the first staircase gives.
    """
    nodes, initializers = [], []
    source, rest = graph.ops[1], graph.ops[2:]
    assert isinstance(source, Staircase)
    for op in rest:
        if isinstance(op, Dense):
            follower = next(iter(graph.readers(op.name)), None)
            weights, bias = op.weights, np.zeros(len(op.weights))
            if isinstance(follower, Staircase):
                bias = 0.5 - np.broadcast_to(follower.thresholds[:, 0], len(weights))
                turn = np.where(follower.descending, -1, 1)
                weights, bias = weights * turn[:, None], bias * turn
            initializers += [
                numpy_helper.from_array(weights.T.astype(np.float32).copy(), f"{op.name}.w"),
                numpy_helper.from_array(bias.astype(np.float32), f"{op.name}.b"),
            ]
            inputs = [op.source, f"{op.name}.w", f"{op.name}.b"]
            nodes.append(helper.make_node("Gemm", inputs, [op.name]))
        else:
            assert isinstance(op, Staircase)
            nodes.append(helper.make_node("Sign", [op.source], [op.name]))
    shapes = {source.name: source.elements, rest[-1].name: rest[-1].elements}
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", e]) for n, e in shapes.items()
    ]
    made = helper.make_graph(nodes, "folded", ends[:1], ends[1:], initializers)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def onnxruntime_batches(
    graph: Graph, images: np.ndarray, expected: np.ndarray, *, threads: int
) -> dict[int, Callable[[], Any]]:
    """Ready runs by batch size; input binarised beforehand, outputs compared."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        folded(graph).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    source, first = graph.ops[1], graph.ops[0]
    assert isinstance(first, Input)
    short = Graph("input", graph.ops[:2], source.name, graph.input_shape, graph.preprocess)
    bits = Interpreter(short).run(images[:4096]).astype(np.float32)
    found = session.run(None, {source.name: bits[:1000]})[0]
    assert (found == expected[:1000]).all()
    return {b: lambda x=bits[:b]: session.run(None, {source.name: x}) for b in BATCHES}


def qonnx_seconds(model: onnx.ModelProto, images: np.ndarray) -> float:
    """Seconds an image: qonnx executes node by node, an image at a time."""
    wrapped = ModelWrapper(model).transform(InferShapes())
    name = model.graph.input[0].name
    floats = [image[None].astype(np.float32) / 255 for image in images[:QONNX_IMAGES]]
    execute_onnx(wrapped, {name: floats[0]})
    started = time.perf_counter()
    for image in floats:
        execute_onnx(wrapped, {name: image})
    return (time.perf_counter() - started) / len(floats)


def main() -> None:
    """Measure and record."""
    model = lfc(style="new")
    graph = import_model(model, name="lfc", check=False)
    pictures = pixels(model, IMAGES)
    images = pictures.reshape(IMAGES, -1)
    cores = os.cpu_count() or 1
    expected = Interpreter(graph).run(images)
    contenders: dict[str, tuple[Callable[[], Any], int]] = {}
    for threads in sorted({1, cores}):
        ready = Interpreter(graph, threads=threads)
        contenders[f"interpreter, {threads} threads"] = (lambda r=ready: r.run(images), IMAGES)
    runtime = f"onnxruntime {onnxruntime.__version__}"
    for threads in sorted({1, cores}):  # its barriers suffer when a core is taken: 1 thread too
        for batch, run in onnxruntime_batches(graph, images, expected, threads=threads).items():
            contenders[f"{runtime}, {threads} threads, batch {batch}"] = (run, batch)
    rates = best_rates(contenders)
    rates["qonnx, one image at a time"] = 1 / qonnx_seconds(model, pictures)
    theirs = max(speed for name, speed in rates.items() if name.startswith(runtime))
    rows = [
        {
            "what": name,
            "images/s": round(speed),
            "us an image": round(1e6 / speed, 2),
            "times onnxruntime's best": round(speed / theirs, 3),
        }
        for name, speed in rates.items()
    ]
    record(
        "interpreter",
        rows,
        command="python -m benchmarks interpreter",
        note="784-1024-1024-1024-10, weights and activations of 1 bit; equal outputs checked. "
        "Interpreter: from uint8 pixels to int64 sums. onnxruntime cannot run BipolarQuant: Gemm "
        "(weights of -1 and 1, thresholds folded into the bias) and Sign, the input binarised "
        f"beforehand. Best of {ROUNDS} windows of {WINDOW} s, taken in turns.",
    )


if __name__ == "__main__":
    main()
