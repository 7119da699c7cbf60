# SPDX-License-Identifier: Apache-2.0
"""Load: an ONNX file as a model whose tensors hold what they claim, checked before use."""

from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, numpy_helper

from hwbnn.errors import ModelError

MAX_FILE_BYTES = 1 << 31  # the limit of protobuf
MAX_ELEMENTS = 1 << 20  # of an image, or of a batch of them
AGAIN = "export the model again"
TRAINED = "train the model again and look at the loss"
EXPORT = "brevitas.export.export_qonnx"
FIELDS: dict[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT64: "uint64_data",
    TensorProto.UINT32: "uint64_data",
}
ITEM_BYTES: dict[int, int] = {
    TensorProto.FLOAT: 4, TensorProto.DOUBLE: 8, TensorProto.FLOAT16: 2, TensorProto.BFLOAT16: 2,
    TensorProto.INT8: 1, TensorProto.UINT8: 1, TensorProto.INT16: 2, TensorProto.UINT16: 2,
    TensorProto.INT32: 4, TensorProto.UINT32: 4, TensorProto.INT64: 8, TensorProto.UINT64: 8,
    TensorProto.BOOL: 1,
}  # fmt: skip


def load_model(path: Path | str) -> onnx.ModelProto:
    """Read an ONNX file and its external data, which must lie in the file's own folder."""
    path = Path(path)
    model = _parse(path, _read(path))
    problems: list[str] = []
    for tensor in tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            problem = _load_external(tensor, path.parent)
            problems += [problem] if problem else []
    if problems:
        raise ModelError(problems)
    verify_model(model)
    return model


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ModelError(
                f"{path}: model must be a file, not a folder; name the .onnx file in it"
            )
        if not path.exists():
            raise ModelError(f"{path}: model must exist; check the path")
        if not path.is_file():  # it may have no end
            raise ModelError(f"{path}: model must be a file, not a pipe or device; save it in one")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ModelError(
                f"{path}: model must have at most {MAX_FILE_BYTES} bytes, not {size}; "
                "save its weights as external data"
            )
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: model must be readable, not «{error.strerror}»; check its path and rights"
        ) from error
    if not data:
        raise ModelError(f"{path}: model must be an ONNX file, not an empty one; {AGAIN}")
    return data


def _parse(path: Path, data: bytes) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        if data[0] == 0x08:  # the tag of ir_version, which every exporter writes first
            raise ModelError(
                f"{path}: model must be a whole ONNX file, not one that breaks off after "
                f"{len(data)} bytes; copy it or export it again"
            ) from error
        raise ModelError(f"{path}: model must be an ONNX file, not another format; {AGAIN}") from (
            error
        )
    if not model.HasField("graph") or not model.graph.node:
        raise ModelError(f"{path}: model must be an ONNX file with nodes, not one of none; {AGAIN}")
    if not model.opset_import:
        raise ModelError(
            f"{path}: model must be a whole ONNX file, not one without an opset; "
            "copy it or export it again"
        )
    if any(isinstance(text, bytes) for text in _texts(model)):  # how protobuf gives broken UTF-8
        raise ModelError(f"{path}: model must hold names in UTF-8, not damaged ones; {AGAIN}")
    return model


def _texts(model: onnx.ModelProto) -> Iterator[object]:
    """Every name in a model."""
    graph = model.graph
    yield from (graph.name, model.producer_name)
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    for value in (*graph.input, *graph.output):
        yield from (value.name, *(d.dim_param for d in value.type.tensor_type.shape.dim))
    for tensor in tensors(model):
        yield tensor.name
        yield from (text for entry in tensor.external_data for text in (entry.key, entry.value))
    for note in graph.quantization_annotation:
        yield note.tensor_name
        yield from (t for e in note.quant_parameter_tensor_names for t in (e.key, e.value))
    yield from (text for entry in model.metadata_props for text in (entry.key, entry.value))
    yield from (entry.domain for entry in model.opset_import)


def tensors(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """Return all tensors: initializers, and attributes of nodes."""
    found = list(model.graph.initializer)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                found.append(attribute.t)
    return found


def _load_external(tensor: onnx.TensorProto, folder: Path) -> str | None:
    """Put a tensor's external data into it; return the problem if that is impossible."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    where = f"{tensor.name}: external data"
    try:
        file = (folder / location).resolve()
        offset, claimed = int(entries.get("offset", 0)), _bytes(tensor)
        length = int(entries.get("length", claimed or 0))
    except (OSError, ValueError):
        return f"{where} must have a path, an offset and a length, not {entries}; {AGAIN}"
    if Path(location).is_absolute() or not file.is_relative_to(folder.resolve()):
        return (
            f"{where} must lie in the model's own folder, not at {location}; "
            "save the model in one file, or beside its data"
        )
    if not location or not file.is_file():
        return f"{where} must exist, but {location or 'it'} does not; copy it beside the model"
    if claimed is None or length != claimed:
        return f"{where} must have {claimed} bytes, as its shape says, not {length}; {AGAIN}"
    if offset < 0 or offset + length > file.stat().st_size:
        return (
            f"{where} must lie within {location} of {file.stat().st_size} bytes, not at "
            f"{offset} to {offset + length}; copy the file again"
        )
    with file.open("rb") as stream:
        stream.seek(offset)
        tensor.raw_data = stream.read(length)
    tensor.ClearField("data_location")
    tensor.ClearField("external_data")
    return None


def verify_model(model: onnx.ModelProto) -> None:
    """Raise ModelError with every tensor that is not what it claims, and every border at fault."""
    problems = [problem for tensor in tensors(model) if (problem := _tensor_problem(tensor))]
    problems += _border_problems(model.graph)
    if model.graph.sparse_initializer:
        problems.append(f"{model.graph.name}: initializers must be dense, not sparse; {AGAIN}")
    if not problems:
        problems += [problem for tensor in tensors(model) if (problem := _number_problem(tensor))]
        problems += _order_problems(model.graph)
    if problems:
        raise ModelError(problems)


def _type_name(kind: int) -> str:
    known: dict[int, str] = {number: name for name, number in TensorProto.DataType.items()}
    return known.get(kind, f"type {kind}")


def _bytes(tensor: onnx.TensorProto) -> int | None:
    """Bytes that the tensor's shape and type claim; None if they make no sense."""
    if tensor.data_type not in ITEM_BYTES or any(extent < 0 for extent in tensor.dims):
        return None
    elements: int = prod(tensor.dims)
    return elements * ITEM_BYTES[tensor.data_type]


def _tensor_problem(tensor: onnx.TensorProto) -> str | None:
    where, shape = tensor.name or "constant", " x ".join(str(extent) for extent in tensor.dims)
    claimed = _bytes(tensor)
    if claimed is None:
        kind = _type_name(tensor.data_type)
        return f"{where}: tensor must hold numbers of up to 64 bits, not {shape} {kind}; {AGAIN}"
    if tensor.data_location == TensorProto.EXTERNAL:
        return f"{where}: data must be in the model; read the model with load_model"
    if claimed == 0:
        return f"{where}: tensor must have elements, not the shape {shape}; {AGAIN}"
    if tensor.HasField("raw_data"):
        held = len(tensor.raw_data)
    else:
        entries = len(_numbers(tensor))
        held = entries * ITEM_BYTES[tensor.data_type]
    if held != claimed:
        return (
            f"{where}: tensor must hold {claimed} bytes, as its shape {shape or '()'} says, "
            f"not {held}; {AGAIN}"
        )
    return None


def _numbers(tensor: onnx.TensorProto) -> list[float]:
    """The repeated field that holds a tensor's numbers when raw_data does not."""
    match FIELDS.get(tensor.data_type, "int32_data"):
        case "float_data":
            return list(tensor.float_data)
        case "double_data":
            return list(tensor.double_data)
        case "int64_data":
            return list(tensor.int64_data)
        case "uint64_data":
            return list(tensor.uint64_data)
        case _:
            return list(tensor.int32_data)


def _number_problem(tensor: onnx.TensorProto) -> str | None:
    if tensor.data_type not in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16):
        return None
    values = numpy_helper.to_array(tensor)
    finite = np.isfinite(values)
    if finite.all():
        return None
    place = tuple(int(i) for i in np.argwhere(~finite)[0])
    where = f"{tensor.name or 'constant'}{list(place) if place else ''}"
    return f"{where}: weights must be finite, not {values[place]}; {TRAINED}"


def model_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that are no initializers."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def input_shape(model: onnx.ModelProto) -> tuple[int, ...]:
    """Return the shape of one image; 0 where the model does not say."""
    (value,) = model_inputs(model.graph)
    return tuple(int(extent.dim_value) for extent in value.type.tensor_type.shape.dim[1:])


def _border_problems(graph: onnx.GraphProto) -> list[str]:
    problems = []
    inputs = model_inputs(graph)
    for what, values in (("input", inputs), ("output", list(graph.output))):
        if len(values) != 1:
            names = ", ".join(value.name for value in values) or "none"
            problems.append(
                f"{graph.name}: model must have one {what}, not {names}; export it with one {what}"
            )
    return problems + (_input_problems(inputs[0]) if len(inputs) == 1 else [])


def _input_problems(value: onnx.ValueInfoProto) -> list[str]:
    tensor = value.type.tensor_type
    extents = [
        extent.dim_value if extent.HasField("dim_value") else None for extent in tensor.shape.dim
    ]
    text = " x ".join(
        d.dim_param or str(d.dim_value if d.HasField("dim_value") else "?")
        for d in tensor.shape.dim
    )
    if tensor.elem_type != TensorProto.FLOAT:
        kind = _type_name(tensor.elem_type)
        return [f"{value.name}: input must be FLOAT, not {kind}; {AGAIN}"]
    if len(extents) < 2:
        return [f"{value.name}: input must have a batch and features, not shape {text}; {AGAIN}"]
    if (extents[0] is not None and extents[0] < 1) or any(extent == 0 for extent in extents):
        return [f"{value.name}: input must have elements, not the shape {text}; {AGAIN}"]
    if any(extent is None or extent < 0 for extent in extents[1:]):
        return [
            f"{value.name}: input must have a fixed shape behind the batch, not {text}; "
            "export it with fixed image sizes"
        ]
    elements = prod(extent or 1 for extent in extents)
    if elements > MAX_ELEMENTS:
        return [
            f"{value.name}: input must have at most {MAX_ELEMENTS} elements, not {elements}; "
            "export it with a batch of 1"
        ]
    return []


def _order_problems(graph: onnx.GraphProto) -> list[str]:
    """Every value is made once, before it is read."""
    problems = []
    known = {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}
    for node in graph.node:
        where = node.name or node.op_type
        problems += [
            f"{where} ({node.op_type}): input {name} must be made by a node before it; {AGAIN}"
            for name in node.input
            if name and name not in known
        ]
        problems += [
            f"{where} ({node.op_type}): output {name} must be made once; {AGAIN}"
            for name in node.output
            if name and name in known
        ]
        known |= {name for name in node.output if name}
    missing = [value.name for value in graph.output if value.name not in known]
    return problems + [f"{name}: output must be made by a node; {AGAIN}" for name in missing]
