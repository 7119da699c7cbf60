# SPDX-License-Identifier: Apache-2.0
"""Adapt: put a width converter wherever producer and consumer disagree on the lanes."""

from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.verify import verify_design
from hwbnn.units.width_converter import WidthConverter


def adapt(design: Design) -> Design:
    """Return a design in which every edge carries one stream. Valid out."""
    edges: list[Edge] = []
    converters: dict[str, Instance] = {}  # by the edge it stands on
    for edge in design.edges:
        if edge.consumer is None:
            edges.append(edge)
            continue
        wanted = design[edge.consumer.instance].inputs[edge.consumer.port]
        if wanted == edge.stream:
            edges.append(edge)
            continue
        unit = WidthConverter(
            wanted.dtype,
            wanted.elements,
            edge.stream.lanes,
            wanted.lanes,
            wanted.vectors,
            origin=edge.consumer.instance,
        )
        name = f"{edge.consumer.instance}_width"
        converters[edge.consumer.instance] = Instance(name, unit)
        edges.append(Edge(edge.name, edge.fifo, edge.producer, End(name)))
        edges.append(Edge(f"{edge.consumer.instance}_in", Fifo(wanted), End(name), edge.consumer))
    instances: list[Instance] = []
    for instance in design.instances:
        if instance.name in converters:
            instances.append(converters[instance.name])
        instances.append(instance)
    adapted = Design(
        design.name, tuple(instances), tuple(edges), design.output_values, design.classes
    )
    verify_design(adapted)
    return adapted
