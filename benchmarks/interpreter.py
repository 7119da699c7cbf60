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

SECONDS = 2.0  # of repeating each measurement
IMAGES = 32768
BATCHES = (1, 16, 64, 128, 256, 1024, 4096)
QONNX_IMAGES = 20


def fastest(action: Callable[[], Any]) -> float:
    """Least seconds of many runs."""
    action()
    least, until = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        started = time.perf_counter()
        action()
        least = min(least, time.perf_counter() - started)
    return least


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


def onnxruntime_seconds(graph: Graph, images: np.ndarray, expected: np.ndarray) -> dict[int, float]:
    """Seconds an image by batch size; input binarised beforehand, outputs compared."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    session = onnxruntime.InferenceSession(
        folded(graph).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    source, first = graph.ops[1], graph.ops[0]
    assert isinstance(first, Input)
    short = Graph("input", graph.ops[:2], source.name, graph.input_shape, graph.preprocess)
    bits = Interpreter(short).run(images).astype(np.float32)
    found = session.run(None, {source.name: bits[:1000]})[0]
    assert (found == expected[:1000]).all()
    return {
        batch: fastest(lambda b=batch: session.run(None, {source.name: bits[:b]})) / batch
        for batch in BATCHES
    }


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
    ours = {}
    for threads in sorted({1, cores}):
        ready = Interpreter(graph, threads=threads)
        ours[threads] = fastest(lambda r=ready: r.run(images)) / IMAGES
    theirs = onnxruntime_seconds(graph, images, expected)
    batch = min(theirs, key=lambda size: theirs[size])
    best = theirs[batch]
    seconds = {
        f"interpreter, {threads} thread{'s' * (threads > 1)}": taken
        for threads, taken in ours.items()
    }
    seconds[f"onnxruntime {onnxruntime.__version__}, {cores} threads, batch {batch}"] = best
    seconds["qonnx, one image at a time"] = qonnx_seconds(model, pictures)
    rows = [
        {
            "what": what,
            "images/s": round(1 / taken),
            "us an image": round(taken * 1e6, 2),
            "onnxruntime's time / this": round(best / taken, 2),
        }
        for what, taken in seconds.items()
    ]
    record(
        "interpreter",
        rows,
        command="python -m benchmarks interpreter",
        note="784-1024-1024-1024-10, weights and activations of 1 bit; equal outputs checked. "
        "Interpreter: from uint8 pixels to int64 sums. onnxruntime "
        "cannot run BipolarQuant: Gemm (weights of -1 and 1, thresholds folded into the bias) and "
        "Sign, the input binarised beforehand; best of batches "
        f"{', '.join(map(str, BATCHES))}. Least of many runs.",
    )


if __name__ == "__main__":
    main()
