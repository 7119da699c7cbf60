# SPDX-License-Identifier: Apache-2.0
"""Elementwise: the schedule of units of which every firing reads a beat and writes one."""

import numpy as np

from hwbnn.ir.unit import Actor, Port, Side, Write, pops


def every_firing(name: str, *, beats: int, latency: int) -> tuple[Actor, ...]:
    """Return the only actor of such a unit; beats: of a frame."""
    always = np.ones(1, np.bool_)
    return (
        Actor(
            name=name,
            at=np.zeros(1, np.int64),
            cycle=1,
            repeats=beats,
            latency=latency,
            reads=(pops(Port(Side.INPUT), always),),
            writes=(Write(Port(Side.OUTPUT), always),),
        ),
    )
