# SPDX-License-Identifier: Apache-2.0
"""Willing sources: those that give a word in every cycle, so that nobody waits for them.

Behind a FIFO of LEAST words such a source is as good as a memory in its reader, and is one while
FIFOs are sized: it would multiply the firings that are simulated.
"""

from dataclasses import replace

from hwbnn.ir.design import Design, Instance
from hwbnn.ir.unit import Family, Style
from hwbnn.passes.fifos.steps import cheapest_fifo

LEAST = 3  # words: latency, a block RAM's cycle, and that in which a slot comes back (timing.md)


def without_sources(design: Design) -> Design:
    """Return a design whose readers of willing sources hold their weights themselves."""
    gone = _willing(design)
    into = [(e.producer.instance, e.consumer) for e in design.edges if e.producer is not None]
    readers = {end.instance for name, end in into if end is not None and name in gone}
    instances = tuple(
        Instance(i.name, i.unit.with_knobs(replace(i.unit.knobs, weight_style=Style.BLOCK)))
        if i.name in readers
        else i
        for i in design.instances
        if i.name not in gone
    )
    edges = tuple(e for e in design.edges if e.producer is None or e.producer.instance not in gone)
    return replace(design, instances=instances, edges=edges)


def with_sources(sized: Design, design: Design, *, family: Family) -> Design:
    """Return a design with the FIFOs and window buffers of what it was without sources."""
    windows = {i.name: i for i in sized.instances if i.unit.buffers()}
    fifos = {edge.name: edge.fifo for edge in sized.edges}
    for edge in design.edges:
        if edge.name not in fifos:
            fifos[edge.name] = cheapest_fifo(edge.stream, LEAST, family)
    instances = tuple(windows.get(i.name, i) for i in design.instances)
    return replace(design, instances=instances).with_fifos(fifos)


def _willing(design: Design) -> set[str]:
    actors = {i.name: i.unit.actors() for i in design.sources}
    return {name for name, (actor,) in actors.items() if actor.cycle == len(actor.at)}
