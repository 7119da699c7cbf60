# SPDX-License-Identifier: Apache-2.0
"""Oracle: the model itself, executed node by node in float32 on batches of pixels."""

import numpy as np
import onnx

from hwbnn.errors import ModelError
from hwbnn.frontend.load import model_inputs
from hwbnn.frontend.names import title
from hwbnn.frontend.run_node import Array, NodeRunner
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import FloatArray, Preprocess

RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


class Oracle:
    """Executes a model; constants are evaluated once.

    A model that keeps images apart, as import demands, runs on any batch: reshapes then keep the
    shapes that they have for one image.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._runner = NodeRunner(model)
        (source,) = model_inputs(model.graph)
        self._input = source.name
        self._shape = tuple(extent.dim_value or 1 for extent in source.type.tensor_type.shape.dim)
        self._constants: dict[str, Array] = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        self._live = self._fold()
        zeros = np.zeros(self._shape, np.float32)
        self._shapes = {name: value.shape for name, value in self._execute(zeros).items()}

    def run(self, pixels: IntArray, preprocess: Preprocess) -> FloatArray:
        """Return the model's outputs (frames, elements) for pixels (frames, ...)."""
        outputs = self.tensors(pixels, preprocess)[self._model.graph.output[0].name]
        return outputs.reshape(len(pixels), -1).astype(np.float32)

    def tensors(self, pixels: IntArray, preprocess: Preprocess) -> dict[str, Array]:
        """Return every value that pixels reach, each with the frames in front."""
        frames = pixels.reshape(-1, *self._shape[1:])
        return self._execute(preprocess.apply(frames))

    def _fold(self) -> list[onnx.NodeProto]:
        """Evaluate what no pixel reaches; return the other nodes."""
        live = []
        for index, node in enumerate(self._model.graph.node):
            if any(name and name not in self._constants for name in node.input):
                live.append(node)
                continue
            try:
                outputs = self._runner(node, self._inputs(node, self._constants))
            except (ValueError, IndexError, TypeError, AssertionError) as error:
                raise ModelError(
                    f"{title(node, index)}: node must be executable, not «{error}»"
                ) from error
            self._constants.update(zip(node.output, outputs, strict=False))
        return live

    def _inputs(self, node: onnx.NodeProto, values: dict[str, Array]) -> list[Array | None]:
        return [values[name] if name else None for name in node.input]

    def _execute(self, x: FloatArray) -> dict[str, Array]:
        values: dict[str, Array] = {self._input: x}
        every = {**self._constants, self._input: x}
        batch, own = len(x), self._shape[0]
        for node in self._live:
            shape = () if batch == own else self._shapes[node.output[0]]
            first = every.get(node.input[0])
            if (
                shape[:1] == (own,)
                and node.op_type in RESHAPES
                and first is not None
                and first.dtype == np.float32
            ):
                result = [first.reshape(batch, *shape[1:])]
            else:
                result = self._runner(node, self._inputs(node, every))
            for name, value in zip(node.output, result, strict=False):
                if name:
                    values[name] = every[name] = value
        return values
