# SPDX-License-Identifier: Apache-2.0
"""Images a second of the interpreter, of onnxruntime and of qonnx, on LFC and CNV."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
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
from hwbnn.ir.ops import Conv, Dense, MaxPool, Op, Staircase
from hwbnn.sim.interpret import Interpreter
from tests.graphs import cnv
from tests.models import lfc, pixels

WINDOW = 0.05  # seconds
ROUNDS = 30
IMAGES = 8192
BATCHES = (16, 64, 256, 1024, 4096)
CNV_IMAGES = 512
CNV_BATCHES = (1, 16, 64, 256)
COMPARED = 256  # outputs
QONNX_IMAGES = 20
RUNTIME = f"onnxruntime {onnxruntime.__version__}"


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


class Rival:
    """A binary graph folded into what onnxruntime does best: Gemm or Conv, Sign, MaxPool; float32.

    Its input is what the first operator behind the graph's Input gives; the integers are the
    graph's own, but the channels of a descending staircase have the other sign, which the next
    weights undo (so that a MaxPool is one for them too). Images are channels first.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.source, rest = graph.ops[1], graph.ops[2:]
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.signs: dict[str, np.ndarray] = {self.source.name: np.ones(1)}
        self.images = {self.source.name} if len(self.shape) == 4 else set()
        for op in rest:
            self._add(op)
            if isinstance(op, Conv) or (op.source in self.images and not isinstance(op, Dense)):
                self.images.add(op.name)
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (
                (self.source.name, ["n", *self.shape[1:]]),
                (rest[-1].name, ["n", rest[-1].elements]),
            )
        ]
        made = helper.make_graph(self.nodes, "rival", ends[:1], ends[1:], self.initializers)
        opset = [helper.make_opsetid("", 13)]
        self.model = helper.make_model(made, opset_imports=opset, ir_version=8)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the input, with -1 frames."""
        first = next(op for op in self.graph.readers(self.source.name))
        if isinstance(first, Conv):
            return -1, first.channels, first.window.height, first.window.width
        return -1, self.source.elements

    def frames(self, images: np.ndarray) -> np.ndarray:
        """Images as the rival's input."""
        short = replace(self.graph, ops=self.graph.ops[:2], output=self.source.name)
        values = Interpreter(short).run(images).astype(np.float32)
        if len(self.shape) == 2:
            return values
        _, channels, height, width = self.shape
        image = values.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        return np.ascontiguousarray(image)

    def _add(self, op: Op) -> None:
        match op:
            case Dense():
                source, sign = self.graph[op.source], self.signs[op.source]
                weights = op.weights.reshape(len(op.weights), source.vectors, -1) * sign
                flat = weights.transpose(2, 1, 0).reshape(-1, len(weights))
                row = op.source
                if row in self.images:
                    row = f"{op.name}_flat"
                    self._node("Flatten", [op.source], row)
                self._node("Gemm", [row, *self._constants(op, flat)], op.name)
            case Conv(window=window, groups=1):
                weights = (op.weights * self.signs[op.source]).transpose(0, 2, 1)
                kernels = weights.reshape(*weights.shape[:2], *window.kernel)
                inputs = [op.source, *self._constants(op, kernels)]
                self._node("Conv", inputs, op.name, strides=window.stride, pads=window.padding)
            case Staircase():
                self.signs[op.name] = np.where(op.descending, -1, 1)
                self._node("Sign", [op.source], op.name)
            case MaxPool(window=window):
                sign = self.signs[op.name] = self.signs[op.source]
                assert (op.minimum == (sign < 0)).all()
                options = {"kernel_shape": window.kernel, "strides": window.stride}
                self._node("MaxPool", [op.source], op.name, **options)
            case _:
                raise AssertionError(f"{op.name}: no operator of onnxruntime")

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def _constants(self, op: Dense | Conv, weights: np.ndarray) -> tuple[str, str]:
        """Return the names of weights, and of a bias that puts the threshold at 0."""
        outputs = op.elements // op.vectors
        bias = np.zeros(outputs)
        follower = next(iter(self.graph.readers(op.name)), None)
        if isinstance(follower, Staircase):
            assert follower.border is None
            bias = 0.5 - np.broadcast_to(follower.thresholds[:, 0], outputs)
        names = f"{op.name}.w", f"{op.name}.b"
        for name, values in zip(names, (weights, bias), strict=True):
            floats = np.ascontiguousarray(values, np.float32)
            self.initializers.append(numpy_helper.from_array(floats, name))
        return names


def onnxruntime_batches(
    rival: Rival, frames: np.ndarray, expected: np.ndarray, *, threads: int, batches: Sequence[int]
) -> dict[int, Callable[[], Any]]:
    """Ready runs by batch size; the input is made beforehand, outputs are compared."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        rival.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = rival.source.name
    found = session.run(None, {name: frames[:COMPARED]})[0]
    assert (found == expected[:COMPARED]).all()
    return {b: lambda x=frames[:b]: session.run(None, {name: x}) for b in batches}


def rates_of(graph: Graph, images: np.ndarray, batches: Sequence[int]) -> dict[str, float]:
    """Images a second of the interpreter and of onnxruntime, on one core and on all."""
    expected = Interpreter(graph).run(images)
    rival = Rival(graph)
    frames = rival.frames(images[: max(batches)])
    contenders: dict[str, tuple[Callable[[], Any], int]] = {}
    cores = sorted({1, os.cpu_count() or 1})
    for threads in cores:
        ready = Interpreter(graph, threads=threads)
        contenders[f"interpreter, {threads} threads"] = (lambda r=ready: r.run(images), len(images))
    for threads in cores:  # its barriers suffer when a core is taken: 1 thread too
        runs = onnxruntime_batches(rival, frames, expected, threads=threads, batches=batches)
        for batch, run in runs.items():
            contenders[f"{RUNTIME}, {threads} threads, batch {batch}"] = (run, batch)
    return best_rates(contenders)


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


def rows_of(network: str, rates: dict[str, float]) -> list[dict[str, Any]]:
    """Rows of the table."""
    theirs = max(speed for name, speed in rates.items() if name.startswith(RUNTIME))
    return [
        {
            "network": network,
            "what": name,
            "images/s": round(speed),
            "us an image": round(1e6 / speed, 2),
            "times onnxruntime's best": round(speed / theirs, 3),
        }
        for name, speed in rates.items()
    ]


def main() -> None:
    """Measure and record."""
    model = lfc(style="new")
    graph = import_model(model, name="lfc", check=False)
    pictures = pixels(model, IMAGES)
    rates = rates_of(graph, pictures.reshape(IMAGES, -1), BATCHES)
    rates["qonnx, one image at a time"] = 1 / qonnx_seconds(model, pictures)
    rows = rows_of("LFC", rates)
    images = np.random.default_rng(0).integers(0, 256, (CNV_IMAGES, 32 * 32 * 3), np.uint8)
    rows += rows_of("CNV", rates_of(cnv(), images, CNV_BATCHES))
    record(
        "interpreter",
        rows,
        command="python -m benchmarks interpreter",
        note="LFC: 784-1024-1024-1024-10. CNV: 32 x 32 x 3, six 3 x 3 convolutions of 64 to 256 "
        "channels, two max-pools, 512-512-10; 59.5 M multiplications an image. Weights and "
        "activations of 1 bit, random weights in CNV; equal outputs checked. Interpreter: from "
        "uint8 pixels to int64 sums. onnxruntime cannot run BipolarQuant: float32 Gemm and Conv "
        "(weights of -1 and 1, thresholds folded into the bias), Sign and MaxPool; its input, "
        "LFC's bits and CNV's pixels less 128, is made beforehand. "
        f"Best of {ROUNDS} windows of {WINDOW} s, taken in turns.",
    )


if __name__ == "__main__":
    main()
