# SPDX-License-Identifier: Apache-2.0
"""Facts that a model states beside its nodes: its dialect, its pixels, its classes."""

import json
import math

import onnx

from hwbnn.errors import ModelError
from hwbnn.frontend.load import EXPORT, model_inputs
from hwbnn.frontend.names import title
from hwbnn.frontend.run_node import is_quantizer
from hwbnn.ir.graph import Preprocess

INPUT_KEY, CLASSES_KEY = "hwbnn.input", "hwbnn.classes"


def annotations(graph: onnx.GraphProto) -> dict[str, str]:
    """Return FINN's data types of tensors."""
    return {
        entry.tensor_name: pair.value
        for entry in graph.quantization_annotation
        for pair in entry.quant_parameter_tensor_names
        if pair.key == "finn_datatype"
    }


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    """Return the model's metadata properties."""
    return {entry.key: entry.value for entry in model.metadata_props}


def preprocess_of(model: onnx.ModelProto) -> Preprocess:
    """Return how pixels become the model's input: as stated, raw if UINT8, else divided by 255."""
    text = metadata(model).get(INPUT_KEY)
    if text is None:
        raw = annotations(model.graph).get(model_inputs(model.graph)[0].name) == "UINT8"
        return Preprocess(divisor=1.0 if raw else 255.0)
    known = {"divisor": 255.0, "mean": 0.0, "std": 1.0}
    try:
        entries = json.loads(text)
        if not isinstance(entries, dict) or set(entries) - set(known):
            raise ValueError
        numbers = {key: float(value) for key, value in entries.items()}
        if not all(math.isfinite(value) for value in numbers.values()):
            raise ValueError
        stated = Preprocess(**{**known, **numbers})
        if stated.divisor == 0 or stated.std == 0:
            raise ValueError
    except (ValueError, TypeError):
        raise ModelError(
            f"metadata {INPUT_KEY}: must be JSON like "
            f'{{"divisor": 255.0, "mean": 0.0, "std": 1.0}}, not {text[:80]}; mend or remove it'
        ) from None
    return stated


def classes_of(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the names of the outputs, if the model states them."""
    text = metadata(model).get(CLASSES_KEY)
    if text is None:
        return ()
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelError(
            f"metadata {CLASSES_KEY}: must be a JSON list of names, not {text[:80]}; "
            "mend or remove it"
        )
    return tuple(names)


def dialect_problem(model: onnx.ModelProto, name: str) -> str | None:
    """Return why the model as a whole is not one of quantizers, if it is not."""
    nodes = model.graph.node
    foreign = [n for n in nodes if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    if any(is_quantizer(node) for node in nodes):
        return None
    if foreign:
        return (
            f"{name}: model must be QONNX, not QCDQ ({title(foreign[0])} and {len(foreign) - 1} "
            f"more); export it with {EXPORT} in place of export_onnx_qcdq"
        )
    return (
        f"{name}: model must be quantized, not float32 (it has no Quant, BipolarQuant or "
        "MultiThreshold node); train it with Brevitas (QuantLinear, QuantIdentity) and export it "
        f"with {EXPORT}"
    )
