# SPDX-License-Identifier: Apache-2.0
"""Adapt: width converters where producer and consumer disagree, sources of streamed weights."""

from collections.abc import Iterator

from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.stream import Stream
from hwbnn.ir.verify import verify_design
from hwbnn.units.folds import divisors
from hwbnn.units.width_converter import WidthConverter


def adapt(design: Design) -> Design:
    """Return a design in which every edge carries one stream. Valid out.

    A layer with streamed weights gets the source of its words, at a word a cycle.
    """
    edges: list[Edge] = []
    instances: list[Instance] = []
    before: dict[str, list[Instance]] = {}  # by the instance that they stand in front of
    for edge in design.edges:
        if edge.consumer is None:
            edges.append(edge)
            continue
        name = edge.consumer.instance
        port = f"_p{edge.consumer.port}" if edge.consumer.port else ""  # not as add, add_1 end
        wanted = design[name].inputs[edge.consumer.port]
        label, fifo, producer = edge.name, edge.fifo, edge.producer
        for index, unit in enumerate(converters(edge.stream, wanted)):
            place = f"{name}_width{port}" + (f"_{index}" if index else "")
            before.setdefault(name, []).append(Instance(place, unit.named(name)))
            edges.append(Edge(label, fifo, producer, End(place)))
            label = f"{name}_in{port}" + (f"_{index}" if index else "")
            fifo, producer = Fifo(unit.outputs[0]), End(place)
        edges.append(Edge(label, fifo, producer, edge.consumer))
    for instance in design.instances:
        instances += before.get(instance.name, ())
        source = instance.unit.weight_source()
        if source is not None and len(design.into(instance.name)) < len(instance.unit.inputs):
            place, last = f"{instance.name}_weights", len(instance.unit.inputs) - 1
            instances.append(Instance(place, source.named(instance.unit.origin)))
            fifo = Fifo(source.outputs[0])
            edges.append(Edge(f"{place}_out", fifo, End(place), End(instance.name, last)))
        instances.append(instance)
    adapted = Design(
        design.name, tuple(instances), tuple(edges), design.output_values, design.classes
    )
    verify_design(adapted)
    return adapted


def converters(given: Stream, wanted: Stream) -> Iterator[WidthConverter]:
    """Return the units that make one stream of the other: none, one, or two.

    Vectors that are cut otherwise (an image's positions, one long vector) need no unit as long as
    neither stream has padding lanes: a converter to lanes that divide the one, if need be, and one
    from there.
    """
    if given.carries(wanted):
        return
    if given.elements == wanted.elements:
        yield _converter(given, wanted.lanes)
        return
    if given.elements % given.lanes:
        fitting = [d for d in divisors(given.elements) if d <= given.lanes]
        lanes = wanted.lanes if wanted.lanes in divisors(given.elements) else fitting[-1]
        yield _converter(given, lanes)
        given = Stream(given.dtype, lanes, given.elements, given.vectors)
    if given.carries(wanted):
        return
    fine, coarse = sorted((given.elements, wanted.elements))
    if coarse % fine or wanted.elements == fine:
        # The wanted vectors are the shorter ones: cut first, to lanes that divide them.
        lanes = given.lanes if wanted.elements % given.lanes == 0 else _largest(given, wanted)
        if lanes != given.lanes:
            yield _converter(given, lanes)
        given = Stream(given.dtype, lanes, given.elements, given.vectors)
    cut = Stream(given.dtype, given.lanes, wanted.elements, wanted.vectors)
    if cut != wanted:
        yield _converter(cut, wanted.lanes)


def _largest(given: Stream, wanted: Stream) -> int:
    """Return the most lanes that divide both streams' vectors, up to the given ones."""
    both = set(divisors(given.elements)) & set(divisors(wanted.elements))
    return max(d for d in both if d <= given.lanes)


def _converter(given: Stream, lanes: int) -> WidthConverter:
    return WidthConverter(given.dtype, given.elements, given.lanes, lanes, given.vectors)
