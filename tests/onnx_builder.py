# SPDX-License-Identifier: Apache-2.0
"""Builder: an ONNX model node by node, in the style of an exporter."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
EPSILON = 9.999999747378752e-06  # 1e-5 in float32, as Brevitas writes it
DOMAINS = {
    "old": "onnx.brevitas",
    "script": "qonnx.custom_op.general",
    "new": "qonnx.custom_op.general",
    "finn": "qonnx.custom_op.general",
}
OPSETS = {"old": 9, "script": 13, "new": 18, "finn": 13}


class Builder:
    """Collects nodes and initializers, then makes the model."""

    def __init__(self, style: str) -> None:
        self.style = style
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.annotations: list[onnx.TensorAnnotation] = []

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        self.initializers[name] = numpy_helper.from_array(np.asarray(value, dtype), name)
        return name

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(
                operator, list(inputs), [f"{name}_out"], name=name, domain=domain, **attributes
            )
        )
        return f"{name}_out"

    def quantizer(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return self.node(operator, *inputs, domain=DOMAINS[self.style], **attributes)

    def annotate(self, tensor: str, datatype: str) -> None:
        entry = onnx.StringStringEntryProto(key="finn_datatype", value=datatype)
        self.annotations.append(
            onnx.TensorAnnotation(tensor_name=tensor, quant_parameter_tensor_names=[entry])
        )

    def model(
        self, shape: list[int], output: tuple[str, int, list[int]], **preprocess: float
    ) -> onnx.ModelProto:
        """Preprocess: divisor, and perhaps mean and std."""
        inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)]
        if self.style != "finn":  # Brevitas lists the initializers as inputs too
            for tensor in self.initializers.values():
                info = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
                inputs.append(info)
        graph = helper.make_graph(
            self.nodes,
            f"{self.style}-network",
            inputs,
            [helper.make_tensor_value_info(*output)],
            list(self.initializers.values()),
        )
        graph.quantization_annotation.extend(self.annotations)
        opsets = [helper.make_opsetid("", OPSETS[self.style])]
        if self.style != "old":  # the old export used onnx.brevitas without importing it
            opsets.append(helper.make_opsetid(DOMAINS[self.style], 2))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        model.metadata_props.add(key="hwbnn.input", value=json.dumps(preprocess))
        return model
