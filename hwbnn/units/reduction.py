# SPDX-License-Identifier: Apache-2.0
"""The schedule of units that reduce a window, tap after tap, to one vector."""

import numpy as np

from hwbnn.ir.unit import Actor, Port, Side, Write, pops


def reduction_actor(name: str, *, taps: int, folds: int, vectors: int, latency: int) -> Actor:
    """Firing (tap, fold) reads a word; with the last tap it writes one."""
    at = np.arange(taps * folds)
    return Actor(
        name=name,
        at=at,
        cycle=at.size,
        repeats=vectors,
        latency=latency,
        reads=(pops(Port(Side.INPUT), np.ones(at.size, np.bool_)),),
        writes=(Write(Port(Side.OUTPUT), at >= (taps - 1) * folds),),
    )
