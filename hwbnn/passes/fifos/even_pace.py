# SPDX-License-Identifier: Apache-2.0
"""Even pace: depths with which a design is fast for certain, from one schedule of all actors.

Every actor fires evenly through the frame's time, so that only when it begins is to be chosen. What
must arrive before it is read makes differences of beginnings at least so long; the bits that wait
in all channels are least by a linear program. A schedule that keeps to such depths exists, so a
design that fires as soon as it can is no slower (Wiggers et al., DAC 2007: linear bounds of the
buffers of cyclo-static dataflow).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.unit import Actor, Read, Write
from hwbnn.sim.schedule import Schedule, schedule

Times = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

_NEAR = 1e-6  # cycles: the linear program's beginnings are numbers of the machine


@dataclass(frozen=True, eq=False)
class _Channel:
    """Who writes a channel and who reads it, by row, and how."""

    writer: int
    write: Write
    reader: int
    read: Read


def even_depths(design: Design) -> IntArray:
    """Return words, by edge and then by buffer, with which a frame takes `design.bound` cycles.

    Without X, the further cycle of block RAM.
    """
    plan, period = schedule(design), design.bound
    channels = _channels(plan)
    actors = [item.actor for item in plan.placed]
    after = np.array([_after(actors, channel, period) for channel in channels])
    buffers = [buffer for instance in design.instances for buffer in instance.unit.buffers()]
    bits = [*(edge.stream.bits for edge in design.edges), *(buffer.bits for buffer in buffers)]
    rates = np.array(bits) * plan.words / period
    apart = _apart(channels, len(actors), after, rates)
    depths = (_depth(actors, *pair, period) for pair in zip(channels, apart, strict=True))
    return np.array(list(depths), np.int64)


def _channels(plan: Schedule) -> list[_Channel]:
    writers: dict[int, tuple[int, Write]] = {}
    readers: dict[int, tuple[int, Read]] = {}
    for row, item in enumerate(plan.placed):
        writers |= {c: (row, w) for c, w in zip(item.writes, item.actor.writes, strict=True)}
        readers |= {c: (row, r) for c, r in zip(item.reads, item.actor.reads, strict=True)}
    return [_Channel(*writers[c], *readers[c]) for c in range(len(plan.names))]


def _apart(channels: list[_Channel], count: int, after: Times, rates: Times) -> Times:
    """Return how long after its writer each channel's reader begins: the fewest bits wait."""
    if len(channels) == count - 1:  # no branches meet: every reader begins as early as it may
        return after
    from scipy.optimize import linprog  # takes half a second, which most designs spare
    from scipy.sparse import csr_array

    ends = np.array([(channel.writer, channel.reader) for channel in channels])
    cost = np.zeros(count)
    np.add.at(cost, ends[:, 1], rates)
    np.add.at(cost, ends[:, 0], -rates)
    rows = np.repeat(np.arange(len(channels)), 2)
    signs = np.tile([1.0, -1.0], len(channels))
    table = csr_array((signs, (rows, ends.ravel())), shape=(len(channels), count))
    bounds = [(0, 0), *[(None, None)] * (count - 1)]
    found = linprog(cost, A_ub=table, b_ub=-after, bounds=bounds, method="highs")
    assert found.success, "the longest ways from the source are a solution, and bits are positive"
    begin: Times = found.x
    return np.asarray(np.maximum(begin[ends[:, 1]] - begin[ends[:, 0]], after))


def _after(actors: Sequence[Actor], channel: _Channel, period: int) -> float:
    """Return the fewest cycles after its writer at which a channel's reader may begin."""
    writer, reader = actors[channel.writer], actors[channel.reader]
    read = channel.read
    released = _sums(reader, read.release)
    before = released - np.tile(read.release, reader.repeats)
    offset = np.tile(read.offset, reader.repeats)
    reach = np.maximum(np.where(offset >= 0, before + offset + 1, 0), released)
    words = np.arange(1, int(released[-1]) + 1)
    first = np.searchsorted(np.maximum.accumulate(reach), words)
    needed = _times(reader, period)[first]
    return float((_written(writer, channel.write, period) - needed).max()) + writer.latency


def _depth(actors: Sequence[Actor], channel: _Channel, apart: float, period: int) -> int:
    """Return the most words of a channel that are reserved and not yet free again."""
    reader = actors[channel.reader]
    written = _written(actors[channel.writer], channel.write, period)
    released = _sums(reader, channel.read.release)
    words = np.arange(1, int(released[-1]) + 1)
    freed = _times(reader, period)[np.searchsorted(released, words)] + apart + 1 - _NEAR
    frames = np.arange((written[0] - freed[-1]) // period, (written[-1] - freed[0]) // period + 1)
    every = (freed + frames[:, None] * period).ravel()
    free = np.searchsorted(every, written, side="right") + int(frames[0]) * len(words)
    return int((words - free).max())


def _written(actor: Actor, write: Write, period: int) -> Times:
    """Return when each word of a frame is written."""
    return _times(actor, period)[np.tile(write.writes, actor.repeats)]


def _times(actor: Actor, period: int) -> Times:
    """Return the times of a frame's firings, evenly through the period, from 0 on."""
    passes = np.arange(actor.repeats)[:, None] * actor.cycle
    return np.asarray((passes + actor.at).ravel() * (period / actor.firings))


def _sums(actor: Actor, each: IntArray) -> IntArray:
    """Return sums, firing by firing of a frame, of what each does in a pass."""
    return np.asarray(np.cumsum(np.tile(each, actor.repeats)))
