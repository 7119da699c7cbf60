# SPDX-License-Identifier: Apache-2.0
"""Design: units joined by streams, each through a FIFO."""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.graph import OutputSteps, OutputValues
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Family, Resources, Unit

_ELEMENTS = 1 << 20  # of a stream, evaluated at once: a processor's cache holds them


@dataclass(frozen=True)
class End:
    """One end of an edge: port `port` of instance `instance`."""

    instance: str
    port: int = 0


@dataclass(frozen=True, eq=False)
class Instance:
    """A named unit. The name is a SystemVerilog and C identifier."""

    name: str
    unit: Unit


@dataclass(frozen=True, eq=False)
class Edge:
    """A stream from a producer to a consumer through a FIFO.

    producer None: the design's input; consumer None: the design's output.
    """

    name: str
    fifo: Fifo
    producer: End | None
    consumer: End | None

    @property
    def stream(self) -> Stream:
        """The stream that the FIFO carries."""
        return self.fifo.stream


Wired: TypeAlias = tuple[Unit, tuple[Edge, ...], tuple[Edge, ...]]  # what it reads and writes


@dataclass(frozen=True, eq=False)
class Design:
    """Instances in topological order and the edges between them.

    A compiled design has one input and one output. One of a single unit, for its proof, may have
    several; their frames then lie side by side, in the order of the edges.
    """

    name: str
    instances: tuple[Instance, ...]
    edges: tuple[Edge, ...]
    output_values: OutputValues | OutputSteps | None = None
    classes: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[Edge, ...]:
        """The edges through which frames enter."""
        return tuple(edge for edge in self.edges if edge.producer is None)

    @property
    def outputs(self) -> tuple[Edge, ...]:
        """The edges through which results leave."""
        return tuple(edge for edge in self.edges if edge.consumer is None)

    @property
    def input(self) -> Edge:
        """The only edge through which frames enter."""
        (edge,) = self.inputs
        return edge

    @property
    def output(self) -> Edge:
        """The only edge through which results leave."""
        (edge,) = self.outputs
        return edge

    @property
    def sources(self) -> tuple[Instance, ...]:
        """The instances without inputs: they stand for memory outside the chip (decision 11)."""
        return tuple(instance for instance in self.instances if not instance.unit.inputs)

    @property
    def loaded(self) -> tuple[Instance, ...]:
        """The instances with a memory that is written before the first frame (decision 12)."""
        return tuple(i for i in self.instances if i.unit.loaded_memory is not None)

    def __getitem__(self, name: str) -> Unit:
        for instance in self.instances:
            if instance.name == name:
                return instance.unit
        names = ", ".join(instance.name for instance in self.instances)
        raise ConfigError(f"{self.name}: layer must be one of {names}, not {name}")

    def into(self, name: str) -> tuple[Edge, ...]:
        """Edges that an instance reads, by port."""
        found = [e for e in self.edges if e.consumer is not None and e.consumer.instance == name]
        return tuple(sorted(found, key=lambda e: e.consumer.port if e.consumer else 0))

    def out_of(self, name: str) -> tuple[Edge, ...]:
        """Edges that an instance writes, by port."""
        found = [e for e in self.edges if e.producer is not None and e.producer.instance == name]
        return tuple(sorted(found, key=lambda e: e.producer.port if e.producer else 0))

    def with_fifos(self, fifos: dict[str, Fifo]) -> "Design":
        """Return this design with other FIFOs on the named edges."""
        edges = tuple(replace(e, fifo=fifos.get(e.name, e.fifo)) for e in self.edges)
        return replace(self, edges=edges)

    def run(self, frames: IntArray) -> IntArray:
        """Integer meaning: (frames, elements) in and out, unit by unit; the plain definition."""
        constant = {instance.name for instance in self.sources}  # one frame for all
        streams = (
            e.stream
            for e in self.edges
            if e.producer is None or e.producer.instance not in constant
        )
        widest = max(stream.elements * stream.vectors for stream in streams)
        batch = max(1, _ELEMENTS // widest)
        wired = [(i.unit, self.into(i.name), self.out_of(i.name)) for i in self.instances]
        cuts = range(0, max(1, len(frames)), batch)
        return np.concatenate([self._run(wired, frames[at : at + batch]) for at in cuts])

    def _run(self, wired: list[Wired], frames: IntArray) -> IntArray:
        values = {
            e.name: part for e, part in zip(self.inputs, parts(frames, self.inputs), strict=True)
        }
        for unit, into, out_of in wired:
            results = unit.run(*(values.pop(edge.name) for edge in into))
            for edge, value in zip(out_of, results, strict=True):
                values[edge.name] = value
        # What a source writes is one frame, of which every frame has the same.
        written = (values[edge.name] for edge in self.outputs)
        every = [np.broadcast_to(value, (len(frames), value.shape[1])) for value in written]
        return np.concatenate(every, axis=1)

    def resources(self, family: Family) -> Resources:
        """Modelled cost: all units and FIFOs."""
        units = [instance.unit.resources(family) for instance in self.instances]
        fifos = [edge.fifo.resources(family) for edge in self.edges]
        return sum([*units, *fifos], Resources())

    @property
    def bound(self) -> int:
        """Fewest cycles a frame that the folding allows: the busiest actor, or the borders."""
        borders = [edge.stream.beats for edge in (*self.inputs, *self.outputs)]
        return max([*borders, *(instance.unit.cycles for instance in self.instances)])


def parts(frames: IntArray, borders: tuple[Edge, ...]) -> list[IntArray]:
    """Cut frames (frames, elements of all borders) into those of each border."""
    sizes = [edge.stream.elements * edge.stream.vectors for edge in borders]
    return np.split(frames, np.cumsum(sizes)[:-1], axis=1)
