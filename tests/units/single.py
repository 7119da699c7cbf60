# SPDX-License-Identifier: Apache-2.0
"""A design of one unit with a FIFO at every port, and random jobs for it."""

import random
from collections.abc import Iterable

import numpy as np

from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR, IntArray
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Unit
from hwbnn.sim.gate import ALWAYS, Gate
from hwbnn.tools.cosim import Job

ASIDE = Stream(BIPOLAR, 1, 1)
GATES = ((256, 256), (128, 256), (230, 200), (60, 256), (256, 128))


def single(unit: Unit, *, before: Fifo, after: Fifo) -> Design:
    """Input FIFO, unit, output FIFO."""
    return joined(unit, [before], [after])


def joined(unit: Unit, before: Iterable[Fifo], after: Iterable[Fifo]) -> Design:
    """An input FIFO for each input port, the unit, an output FIFO for each output port.

    Beside a unit without inputs a FIFO from the design's input to its output.
    """
    aside = [] if unit.inputs else [Edge("aside", Fifo(ASIDE), None, None)]
    edges = [
        *aside,
        *(Edge(f"before{_number(i)}", f, None, End("dut", i)) for i, f in enumerate(before)),
        *(Edge(f"after{_number(i)}", f, End("dut", i), None) for i, f in enumerate(after)),
    ]
    return Design("single", (Instance("dut", unit),), tuple(edges))


def _number(port: int) -> str:
    return f"_{port}" if port else ""


def random_frames(stream: Stream, count: int, rng: random.Random) -> IntArray:
    """Frames of any values that the stream's element type has."""
    source = np.random.default_rng(rng.getrandbits(32))
    codes = source.integers(0, 1 << stream.dtype.bits, (count, stream.elements * stream.vectors))
    return stream.dtype.decode(codes)


def random_gate(rng: random.Random) -> Gate:
    """A border that stalls in single cycles, in blocks, or never."""
    return Gate(rng.getrandbits(31), *rng.choice(GATES))


def random_fifo(stream: Stream, rng: random.Random) -> Fifo:
    """A FIFO of any storage, often too shallow for full rate."""
    return Fifo(stream, rng.choice((1, 2, 2, 3, 4, 5, 9)), rng.choice(tuple(Storage)))


def given(unit: Unit, count: int, rng: random.Random) -> IntArray:
    """Random frames for all inputs of a unit, side by side; streamed weights are the unit's own."""
    data = [random_frames(stream, count, rng) for stream in unit.inputs or [ASIDE]]
    source = unit.weight_source()
    if source is not None:
        (words,) = source.run()
        data[-1] = np.repeat(words, count, axis=0)
    return np.concatenate(data, axis=1)


def random_job(unit: Unit, rng: random.Random, *, frames: int = 5) -> Job:
    """A unit between random FIFOs, with random data and stalls at every port."""
    before = [random_fifo(stream, rng) for stream in unit.inputs]
    after = [random_fifo(stream, rng) for stream in unit.outputs]
    data = given(unit, frames, rng)
    source, sink = random_gate(rng), random_gate(rng)
    if not unit.inputs:  # nor does what stands aside hold it up: the engine ends a frame later
        source = ALWAYS
    return Job(joined(unit, before, after), data, source, sink)
