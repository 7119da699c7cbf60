# SPDX-License-Identifier: Apache-2.0
"""A convolutional network spelled node by node, and what import makes of it."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from hwbnn.frontend import Oracle, import_model
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.ops import Op
from hwbnn.sim.reference import reference
from tests.onnx_builder import EPSILON, Builder

REDUCE = ("ReduceMean", "ReduceMax", "ReduceSum")


class Net:
    """Nodes on `input`, an image (channels, rows, columns)."""

    def __init__(self, *shape: int, style: str = "script") -> None:
        self.build = Builder(style)
        self.shape = [1, *shape]
        self.x = "input"
        self.rng = np.random.default_rng(3)
        self.image = True  # channels first

    def constant(self, value: Any) -> str:
        array = np.asarray(value)
        dtype = np.int64 if array.dtype == np.int64 else np.float32
        return self.build.constant(f"c{len(self.build.initializers)}", array, dtype)

    def add(self, operator: str, *constants: Any, **attributes: Any) -> "Net":
        names = [self.constant(value) for value in constants]
        self.x = self.build.node(operator, self.x, *names, **attributes)
        self.image = self.image and operator not in ("Flatten", "MatMul", *REDUCE)
        return self

    def custom(self, operator: str, *constants: Any, **attributes: Any) -> "Net":
        names = [self.constant(value) for value in constants]
        self.x = self.build.quantizer(operator, self.x, *names, **attributes)
        return self

    def sign(self, scale: float = 1.0) -> "Net":
        return self.custom("BipolarQuant", scale)

    def quant(self, step: float, bits: int, *, signed: int = 0) -> "Net":
        attributes = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
        return self.custom("Quant", step, 0.0, float(bits), **attributes)

    def black(self, level: float = 0.5) -> "Net":
        """Pixels as black or white."""
        return self.add("Sub", level).sign()

    def conv(self, *shape: int, bias: Any = None, **attributes: Any) -> "Net":
        """Weights of -1 and 1."""
        weights = self.rng.choice([-1.0, 1.0], shape)
        return self.add("Conv", weights, *([] if bias is None else [bias]), **attributes)

    def norm(self, gamma: Any, beta: Any = None, mean: Any = None) -> "Net":
        zeros = np.zeros(len(gamma))
        given = [zeros if v is None else np.asarray(v, float) for v in (gamma, beta, mean)]
        return self.add("BatchNormalization", *given, zeros + 4, epsilon=EPSILON)

    def model(self, divisor: float = 256.0, **preprocess: float) -> onnx.ModelProto:
        """Return the model; the channels of an image at its end come last, as in the graph."""
        if self.image:
            self.add("Transpose", perm=[0, 2, 3, 1] if len(self.shape) == 4 else [0, 2, 1])
            self.image = False
        output = (self.x, TensorProto.FLOAT, [1, 1])
        return self.build.model(self.shape, output, divisor=divisor, **preprocess)


def kinds(graph: Graph) -> list[type[Op]]:
    """Operators behind the input."""
    return [type(op) for op in graph.ops[1:]]


def first(graph: Graph, kind: type[Op]) -> Op:
    """The first operator of a kind."""
    return next(op for op in graph.ops if isinstance(op, kind))


def run(graph: Graph, frames: IntArray) -> np.ndarray:
    """What a user gets of pixels."""
    output = reference(graph.on_pixels, frames.reshape(len(frames), -1).astype(np.int64))
    return output if graph.output_values is None else graph.output_values.apply(output)


def same(model: onnx.ModelProto, **options: Any) -> Graph:
    """Import a model, and compare it bit for bit with the oracle on random images."""
    graph = import_model(model, name="m", **options)
    frames = np.random.default_rng(5).integers(0, 256, (100, int(np.prod(graph.input_shape))))
    preprocess: Preprocess = graph.preprocess
    assert np.array_equal(run(graph, frames), Oracle(model).run(frames, preprocess))
    return graph
