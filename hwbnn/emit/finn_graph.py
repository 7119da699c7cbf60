# SPDX-License-Identifier: Apache-2.0
"""FinnGraph: an ONNX graph of FINN's hardware operators, and what each of its tensors means."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, signed, smallest, unsigned

VERSION = "1.6.1"  # of finn-plus, whose operators these are
OPSET, IR_VERSION = 18, 8  # which finn-plus, qonnx and onnxruntime read
Attributes: TypeAlias = Mapping[str, Any]
_DOMAIN = "finn.custom_op.fpgadataflow"


class Implementation(Enum):
    """How FINN makes an operator; the value is the ending of its name, and of its domain."""

    HLS = "hls"
    RTL = "rtl"


@dataclass(frozen=True, eq=False)
class Meaning:
    """What a tensor holds, of the values x of an edge of the design.

    Element e is (factor * x[order[e]] + offset) / divisor; in the padding, where order[e] is -1,
    it is 0. order None: as on the edge. factor: one number, or one a channel (the last axis).
    """

    edge: str
    order: IntArray | None = None
    factor: IntArray = field(default_factory=lambda: np.ones(1, np.int64))
    offset: int = 0
    divisor: int = 1

    def of(self, values: IntArray) -> IntArray:
        """Return the tensor (frames, elements) of an edge's values (frames, elements)."""
        gathered = values if self.order is None else values[:, self.order]
        by_channel = gathered.reshape(len(values), -1, self.factor.size)
        numbers = (self.factor * by_channel + self.offset).reshape(len(values), -1)
        whole, rest = np.divmod(numbers, self.divisor)
        inside = np.ones(numbers.shape[1], np.bool_) if self.order is None else self.order >= 0
        assert not (rest[:, inside]).any(), self
        result: IntArray = np.where(inside, whole, 0)
        return result


@dataclass(frozen=True, eq=False)
class Tensor:
    """A stream between two operators: its shape, element type and lanes, and what it holds."""

    name: str
    shape: tuple[int, ...]
    dtype: DType
    lanes: int
    meaning: Meaning

    @property
    def channels(self) -> int:
        """Elements of the last axis."""
        return self.shape[-1]

    @property
    def vectors(self) -> list[int]:
        """The other axes, as attribute numInputVectors."""
        return list(self.shape[:-1])

    @property
    def folded(self) -> list[int]:
        """Shape of beats and lanes."""
        if self.channels % self.lanes:
            return [1, int(np.prod(self.shape)) // self.lanes, self.lanes]
        return [*self.shape[:-1], self.channels // self.lanes, self.lanes]

    @property
    def type_name(self) -> str:
        """The element type as FINN names it."""
        return finn_name(self.dtype)

    @property
    def bits(self) -> int:
        """Bits of a beat."""
        return self.lanes * finn_bits(self.dtype)


def finn_name(dtype: DType) -> str:
    """Return FINN's name of a type; one of a single bit (0 and 1) is BINARY."""
    if dtype == unsigned(1):
        return "BINARY"
    return str(dtype)


def finn_bits(dtype: DType) -> int:
    """Return the bits of an element on FINN's streams."""
    return dtype.bits


def number_type(low: int, high: int) -> DType:
    """Return the narrowest type of numbers in FINN: two bits or more."""
    found = smallest(low, high)
    if found.bits == 1:
        return signed(2) if low < 0 else unsigned(2)
    return found


def as_numbers(dtype: DType) -> DType:
    """Return the type in which FINN calculates with values of a type."""
    if dtype == BIPOLAR:
        return signed(2)
    return number_type(dtype.min, dtype.max) if dtype.bits == 1 else dtype


@dataclass(frozen=True)
class Node:
    """An operator of the graph, and the unit of the design that it does the work of ("": none)."""

    name: str
    kind: str
    instance: str


@dataclass(frozen=True, eq=False)
class FinnGraph:
    """A design for FINN."""

    model: onnx.ModelProto
    tensors: tuple[Tensor, ...]  # all but constants
    nodes: tuple[Node, ...]


class Writer:
    """A graph so far; operators are named as FINN numbers them: kind, backend, index."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._owners: list[Node] = []
        self._tensors: dict[str, Tensor] = {}
        self._constants: dict[str, tuple[onnx.TensorProto, DType]] = {}
        self._counts: dict[str, int] = {}

    def add(
        self,
        kind: str,
        backend: Implementation,
        inputs: Iterable[str],
        outputs: Iterable[Tensor],
        attributes: Attributes,
        *,
        instance: str = "",
    ) -> str:
        """Add an operator; return its name."""
        outputs = list(outputs)
        count = self._counts.get(kind, 0)  # whether hls or rtl
        self._counts[kind] = count + 1
        name = f"{kind}_{backend.value}_{count}"
        node = helper.make_node(
            f"{kind}_{backend.value}",
            list(inputs),
            [tensor.name for tensor in outputs],
            name=name,
            domain=f"{_DOMAIN}.{backend.value}",
            backend="fpgadataflow",
            **attributes,
        )
        self._nodes.append(node)
        self._owners.append(Node(name, node.op_type, instance))
        for tensor in outputs:
            self.note(tensor)
        return name

    def note(self, tensor: Tensor) -> Tensor:
        """Declare a tensor that no operator makes."""
        assert tensor.name not in self._tensors, tensor.name
        self._tensors[tensor.name] = tensor
        return tensor

    def constant(self, name: str, values: IntArray, dtype: DType) -> str:
        """Declare constants; return their name."""
        array = np.asarray(values, np.float32)
        assert (array == values).all(), f"{name}: 24 bits at most"
        self._constants[name] = (numpy_helper.from_array(array, name), dtype)
        return name

    def graph(self, name: str, *, inputs: Iterable[str], outputs: Iterable[str]) -> FinnGraph:
        """Return the graph."""
        infos = {tensor.name: _info(tensor) for tensor in self._tensors.values()}
        ends = [infos.pop(end) for end in inputs], [infos.pop(end) for end in outputs]
        self._note_fifos()
        graph = helper.make_graph(
            self._nodes,
            name,
            *ends,
            initializer=[proto for proto, _ in self._constants.values()],
            value_info=list(infos.values()),
        )
        types = {tensor.name: tensor.type_name for tensor in self._tensors.values()}
        types |= {name: finn_name(dtype) for name, (_, dtype) in self._constants.items()}
        for tensor, dtype in types.items():
            note = graph.quantization_annotation.add(tensor_name=tensor)
            note.quant_parameter_tensor_names.add(key="finn_datatype", value=dtype)
        domains = sorted({node.domain for node in self._nodes})
        imports = [helper.make_opsetid(domain, 1) for domain in domains]
        model = helper.make_model(
            graph,
            producer_name="hwbnn",
            opset_imports=[helper.make_opsetid("", OPSET), *imports],
            ir_version=IR_VERSION,
        )
        return FinnGraph(model, tuple(self._tensors.values()), tuple(self._owners))

    def _note_fifos(self) -> None:
        """Tell the operators on both sides of a FIFO its depth, as FINN's own insertion does."""
        before = {name: _attribute(node, "depth") for node in self._nodes for name in node.input}
        after = {name: _attribute(node, "depth") for node in self._nodes for name in node.output}
        for node in self._nodes:
            if _attribute(node, "depth"):
                continue
            streams = [name for name in node.input if name in self._tensors]
            depths = {
                "inFIFODepths": [after.get(name) or 2 for name in streams],
                "outFIFODepths": [before.get(name) or 2 for name in node.output],
            }
            for key, values in depths.items():
                node.attribute.append(helper.make_attribute(key, values))


def _attribute(node: onnx.NodeProto, name: str) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), 0)


def _info(tensor: Tensor) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, onnx.TensorProto.FLOAT, tensor.shape)


def like(tensor: Tensor, suffix: str, **changes: object) -> Tensor:
    """Return a tensor that comes of another, with what is different."""
    return replace(tensor, name=tensor.name + suffix, **changes)  # type: ignore[arg-type]


def ends(dtype: DType) -> tuple[int, int]:
    """Return the least and the greatest value of a type."""
    return dtype.min, dtype.max


def renamed(tensor: Tensor, edge: str) -> Tensor:
    """Return the same values, as those of another edge."""
    return replace(tensor, name=edge, meaning=replace(tensor.meaning, edge=edge))
