# SPDX-License-Identifier: Apache-2.0
"""Size FIFOs: the least storage, window buffers included, at the full speed of the folding."""

from dataclasses import dataclass, replace

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.unit import Family
from hwbnn.passes.fifos.cut_search import CutSearch
from hwbnn.passes.fifos.even_pace import even_depths
from hwbnn.passes.fifos.steps import Step, buffer_steps, cheapest_fifo, fifo_steps
from hwbnn.passes.fifos.willing_sources import LEAST, with_sources, without_sources
from hwbnn.sim.paced import Paced
from hwbnn.sim.schedule import schedule

EFFORT = 250_000_000  # firings that are simulated; about four seconds
QUICK = EFFORT // 8  # the even pace, and what little more is found at once
EFFORT_FRAMES = 100  # that EFFORT must be, to be worth its time


@dataclass(frozen=True, eq=False)
class Sizing:
    """A design with its FIFOs and window buffers sized, and how good that is.

    bits: of the memories, each of the depth that it really has. bound: bits that every design of
    the same speed needs at least, proved. simulations: depths that were tried. hasty: more effort
    was worth its time, and may find fewer bits.
    """

    design: Design
    bits: int
    bound: int
    simulations: int
    hasty: bool = False

    @property
    def optimal(self) -> bool:
        """Proved: no design of this speed has fewer bits."""
        return self.bits == self.bound


def size_fifos(design: Design, *, family: Family = Family.XC7, effort: int | None = None) -> Design:
    """Return the design with the least storage at full speed: see `size`."""
    return size(design, family=family, effort=effort).design


def size(design: Design, *, family: Family = Family.XC7, effort: int | None = None) -> Sizing:
    """Choose every FIFO's depth and storage, and every window buffer's capacity.

    Full speed: a frame every `design.bound` cycles. Counted are the bits of the memories, 32 words
    of LUTs or 512 of block RAM at a time (ECP5: 16, 512); of equal ones the cheaper by the model.
    In its memory a FIFO is as shallow as full speed allows. `effort`, in firings that are
    simulated, limits the search; without, it is QUICK for designs whose frames are long.
    """
    inner = without_sources(design)
    if len(inner.instances) == len(design.instances):
        return _size(design, family, effort)
    found = _size(inner, family, effort)
    whole = with_sources(found.design, design, family=family)
    names = {edge.name for edge in inner.edges}
    streams = [edge.stream for edge in design.edges if edge.name not in names]
    bits = sum(fifo_steps(stream, family, enough=LEAST)[0].bits for stream in streams)
    return replace(found, design=whole, bits=found.bits + bits, bound=found.bound + bits)


def _size(design: Design, family: Family, effort: int | None) -> Sizing:
    paced = Paced(design, design.bound)
    worth = EFFORT if EFFORT_FRAMES * paced.frame <= EFFORT else QUICK
    effort = worth if effort is None else effort
    steps = _steps(design, family)
    search = CutSearch(paced, steps, enough=even_depths(design), effort=effort)
    found = search.run()
    depths, extra = search.depths(found.vector), search.latencies(found.vector)
    widths = [edge.stream.bits for edge in design.edges]
    depths = _shallow(paced, depths, extra, widths, effort=effort * 5 // 4)
    # What is shallow now may need no block RAM: without its cycle nothing is slower.
    pairs = zip(steps, depths, strict=True)
    least = [next(step for step in choices if step.depth >= depth) for choices, depth in pairs]
    sized = with_choice(design, [int(depth) for depth in depths], [step.storage for step in least])
    bits = sum(step.bits for step in least)
    hasty = effort < worth and bits > found.bound
    return Sizing(sized, bits, found.bound, paced.simulations, hasty)


def with_depths(design: Design, depths: dict[str, int], *, family: Family = Family.XC7) -> Design:
    """Return the design with FIFOs as deep as a user wants, by edge; in the cheapest storage."""
    streams = {edge.name: edge.stream for edge in design.edges}
    problems = []
    for name, depth in depths.items():
        if name not in streams:
            problems.append(
                f"{design.name}: FIFO must be one of {', '.join(streams)}, not {name}; rename it"
            )
        elif depth < 1:
            problems.append(f"{name}: depth must be at least 1, not {depth}; deepen the FIFO")
    if problems:
        raise ConfigError(problems)
    return design.with_fifos({n: cheapest_fifo(streams[n], d, family) for n, d in depths.items()})


def with_choice(design: Design, depths: list[int], kinds: list[Storage]) -> Design:
    """Return the design with depths and storage by edge, then capacities by window buffer."""
    chosen = zip(design.edges, depths, kinds, strict=False)
    fifos = {edge.name: Fifo(edge.stream, depth, kind) for edge, depth, kind in chosen}
    capacities = iter(depths[len(design.edges) :])
    instances = []
    for instance in design.instances:
        own = tuple(next(capacities) for _ in instance.unit.buffers())
        unit = instance.unit.with_buffers(own) if own else instance.unit
        instances.append(replace(instance, unit=unit))
    return replace(design, instances=tuple(instances)).with_fifos(fifos)


def enough(design: Design) -> tuple[int, ...]:
    """Words, by edge and then by buffer, with which a design reaches its bound for certain.

    Every actor does a frame in a stretch of time of its own: if its rank (the longest way from
    the source) is r, from cycle f * bound + r * (bound + latency) on for frame f, at its own pace;
    all that it reads has arrived then. A word is held from its writer's stretch to its reader's.
    """
    plan, bound = schedule(design), design.bound
    rank = [0] * len(plan.placed)
    writer = {c: row for row, item in enumerate(plan.placed) for c in item.writes}
    latency = 1 + max(item.actor.latency for item in plan.placed)
    words = [0] * len(plan.names)
    before: list[int] = []
    while rank != before:  # ranks rise, at most to the number of actors
        before = rank.copy()
        for row, item in enumerate(plan.placed):
            rank[row] = max((rank[writer[c]] + 1 for c in item.reads), default=0)
    for row, item in enumerate(plan.placed):
        if row >= plan.sources and not item.reads:  # it may wait, and start before its reader
            readers = (r for r, i in enumerate(plan.placed) if set(i.reads) & set(item.writes))
            rank[row] = max(0, min(rank[r] for r in readers) - 1)
    for row, item in enumerate(plan.placed):
        for channel in item.reads:
            apart = rank[row] - rank[writer[channel]]
            held = apart * (bound + latency) + bound + 1
            words[channel] = int(plan.words[channel]) * (held // bound + 1)
    return tuple(words)


def _steps(design: Design, family: Family) -> tuple[tuple[Step, ...], ...]:
    """The steps of every edge and then of every buffer, up to what is enough for certain."""
    words = iter(enough(design))
    buffers = [buffer for instance in design.instances for buffer in instance.unit.buffers()]
    fifos = [fifo_steps(edge.stream, family, enough=next(words)) for edge in design.edges]
    return (*fifos, *(buffer_steps(buffer, family, enough=next(words)) for buffer in buffers))


def _shallow(
    paced: Paced, depths: IntArray, extra: IntArray, widths: list[int], *, effort: int
) -> IntArray:
    """Lower the FIFOs, the first channels, as far as the design stays fast, the widest first."""
    water = paced.high_water(depths, extra)[: len(widths)]
    lowered = depths.copy()
    lowered[: len(widths)] = np.maximum(1, np.minimum(water, depths[: len(widths)]))
    if not paced.fast(lowered, extra):  # the water stood higher after the frames looked at
        return depths
    for channel in sorted(range(len(widths)), key=lambda c: -widths[c]):
        low = 1
        while low < lowered[channel] and paced.firings < effort:
            tried = lowered.copy()
            tried[channel] = (low + lowered[channel]) // 2
            if paced.fast(tried, extra):
                lowered = tried
            else:
                low = int(tried[channel]) + 1
    return lowered
