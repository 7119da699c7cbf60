# SPDX-License-Identifier: Apache-2.0
"""A design of one unit between two FIFOs, and random jobs for it."""

import random

import numpy as np

from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Unit
from hwbnn.sim.gate import Gate
from hwbnn.tools.cosim import Job

GATES = ((256, 256), (128, 256), (230, 200), (60, 256), (256, 128))


def single(unit: Unit, *, before: Fifo, after: Fifo) -> Design:
    """Input FIFO, unit, output FIFO."""
    edges = (
        Edge("before", before, None, End("dut")),
        Edge("after", after, End("dut"), None),
    )
    return Design("single", (Instance("dut", unit),), edges)


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


def random_job(unit: Unit, rng: random.Random, *, frames: int = 5) -> Job:
    """A unit between random FIFOs, with random data and stalls on both sides."""
    before, after = unit.inputs[0], unit.outputs[0]
    design = single(unit, before=random_fifo(before, rng), after=random_fifo(after, rng))
    data = random_frames(before, frames, rng)
    return Job(design, data, random_gate(rng), random_gate(rng))
