# SPDX-License-Identifier: Apache-2.0
"""FINN back end: a design as a graph of finn-plus' operators (finn.custom_op.fpgadataflow)."""

import json

import numpy as np

from hwbnn.emit.file_set import FileSet
from hwbnn.emit.finn_graph import (
    FinnGraph,
    Implementation,
    Meaning,
    Tensor,
    Writer,
    as_numbers,
    like,
)
from hwbnn.emit.finn_refusals import refusals
from hwbnn.emit.finn_types import number_edges
from hwbnn.emit.finn_units import Emitted, operators
from hwbnn.errors import ModelError
from hwbnn.ir.design import Design, Edge, Instance
from hwbnn.ir.dtype import BIPOLAR, unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.units.arg_max import ArgMax
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.width_converter import WidthConverter

FIFO_STYLES = {
    Storage.SRL: "srl",
    Storage.LUTRAM: "distributed",
    Storage.BLOCK: "block",
    Storage.ULTRA: "ultra",
}
LEAST_DEPTH = 2  # of FINN's FIFOs


def emit_finn(design: Design) -> FinnGraph:
    """Return a design, folded in whole parts (`passes.whole_folds`), as a graph for FINN.

    Raises ModelError, all nodes at once, for what FINN has no operator for.
    """
    problems = [problem for instance in design.instances for problem in refusals(design, instance)]
    if problems:
        raise ModelError(problems)
    writer, links = Writer(), _Links(design)
    links.give_input(writer)
    for instance in design.instances:
        if isinstance(instance.unit, WidthConverter):
            links.pass_on(instance)
            continue
        made = operators(_Place(design, instance, links, writer))
        for edge, tensor in zip(design.out_of(instance.name), made, strict=True):
            links.give(edge, tensor)
    end = links.take(design.output, writer)
    return writer.graph(design.name, inputs=[design.input.name], outputs=[end.name])


def finn_files(graph: FinnGraph) -> FileSet:
    """Return `<name>.onnx`, and `folding_config.json` as FINN's own step applies it."""
    name = graph.model.graph.name
    config: dict[str, dict[str, object]] = {"Defaults": {}}
    for node in graph.model.graph.node:
        kept = {a.name: a for a in node.attribute if a.name in ("PE", "SIMD", "ram_style", "depth")}
        values = {key: a.s.decode() if a.s else a.i for key, a in kept.items()}
        if values:
            config[node.name] = dict(values)
    return FileSet.of(
        {
            f"{name}.onnx": graph.model.SerializeToString(deterministic=True),
            "folding_config.json": json.dumps(config, indent=2) + "\n",
        }
    )


class _Links:
    """Streams between the units so far: what is on an edge, and the FIFOs it has yet to cross."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.numbers = number_edges(design)
        self.given: dict[str, tuple[Tensor, list[Fifo]]] = {}

    def give_input(self, writer: Writer) -> None:
        """Declare the frame."""
        edge = self.design.input
        stream, dtype = edge.stream, edge.stream.dtype
        meaning = Meaning(edge.name)
        if dtype.bits == 1 and edge.name in self.numbers:
            dtype = as_numbers(dtype)
        elif dtype == BIPOLAR:
            dtype, meaning = unsigned(1), Meaning(edge.name, offset=1, divisor=2)
        shape = (1, *_image(self.design, edge), stream.elements)
        tensor = Tensor(edge.name, shape, dtype, stream.lanes, meaning)
        self.give(edge, writer.note(tensor))

    def give(self, edge: Edge, tensor: Tensor) -> None:
        """Note what a unit writes."""
        self.given[edge.name] = tensor, [edge.fifo]

    def pass_on(self, instance: Instance) -> None:
        """Leave a width converter to whoever reads."""
        (before,), (after,) = self.design.into(instance.name), self.design.out_of(instance.name)
        tensor, fifos = self.given.pop(before.name)
        self.given[after.name] = tensor, [*fifos, after.fifo]

    def take(
        self,
        edge: Edge,
        writer: Writer,
        *,
        shape: tuple[int, ...] | None = None,
        lanes: int | None = None,
    ) -> Tensor:
        """Bring what is on an edge in a shape and to lanes: FIFO, reshape, converter, FIFO."""
        tensor, fifos = self.given.pop(edge.name)
        lanes = tensor.lanes if lanes is None else lanes
        converts = lanes != tensor.lanes
        first, last = (fifos[:1], fifos[1:]) if converts else (fifos, [])
        tensor = _fifo(writer, tensor, first)
        if shape is not None and shape != tensor.shape:
            tensor = _reshape(writer, tensor, shape)
        if converts:
            made = like(tensor, "_lanes", lanes=lanes)
            attributes = {
                "inShape": list(tensor.shape),
                "outShape": list(tensor.shape),
                "inWidth": tensor.bits,
                "outWidth": made.bits,
                "dataType": tensor.type_name,
            }
            kind = "StreamingDataWidthConverter"
            writer.add(kind, Implementation.RTL, [tensor.name], [made], attributes)
            tensor = _fifo(writer, made, last)
        return tensor


class _Place(Emitted):
    """An instance with the streams around it, as its operators' functions see them."""

    def __init__(self, design: Design, instance: Instance, links: _Links, writer: Writer) -> None:
        self.design, self.instance = design, instance
        self.writer, self._links = writer, links

    def shape(self, port: int = 0) -> tuple[int, ...]:
        edge = self.design.into(self.instance.name)[port]
        return self._links.given[edge.name][0].shape

    def take(
        self, port: int = 0, *, shape: tuple[int, ...] | None = None, lanes: int | None = None
    ) -> Tensor:
        edge = self.design.into(self.instance.name)[port]
        return self._links.take(edge, self.writer, shape=shape, lanes=lanes)

    def edge(self, port: int = 0) -> str:
        return self.design.out_of(self.instance.name)[port].name

    def numbers(self, port: int = 0) -> bool:
        return self.edge(port) in self._links.numbers

    def labelled(self) -> bool:
        (edge,) = self.design.out_of(self.instance.name)
        while edge.consumer is not None:
            name = edge.consumer.instance
            if not isinstance(self.design[name], WidthConverter):
                return isinstance(self.design[name], ArgMax)
            (edge,) = self.design.out_of(name)
        return False


def _fifo(writer: Writer, tensor: Tensor, fifos: list[Fifo]) -> Tensor:
    if not fifos:
        return tensor
    made = like(tensor, "_fifo")
    attributes = {
        "depth": max(LEAST_DEPTH, sum(fifo.depth for fifo in fifos)),
        "folded_shape": tensor.folded,
        "normal_shape": list(tensor.shape),
        "dataType": tensor.type_name,
        "ram_style": FIFO_STYLES[fifos[-1].storage] if len(fifos) == 1 else "auto",
    }
    writer.add("StreamingFIFO", Implementation.RTL, [tensor.name], [made], attributes)
    return made


def _reshape(writer: Writer, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    assert int(np.prod(shape)) == int(np.prod(tensor.shape)), (tensor.name, shape)
    made = like(tensor, "_flat", shape=shape)
    attributes = {
        "inp_shape": list(tensor.shape),
        "out_shape": list(shape),
        "dtype": tensor.type_name,
        "PE": tensor.lanes,
    }
    writer.add("Reshape", Implementation.RTL, [tensor.name], [made], attributes)
    return made


def _image(design: Design, edge: Edge) -> tuple[int, ...]:
    """Return height and width of an image of as many vectors, () of a plain vector."""
    vectors = edge.stream.vectors
    for instance in design.instances:
        unit = instance.unit
        if isinstance(unit, SlidingWindow) and unit.window.height * unit.window.width == vectors:
            return unit.window.height, unit.window.width
    return () if vectors == 1 else (1, vectors)
