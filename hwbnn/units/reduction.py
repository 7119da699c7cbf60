# SPDX-License-Identifier: Apache-2.0
"""The schedule and cost of units that reduce a window, tap after tap, to one vector."""

import numpy as np

from hwbnn.ir.unit import Actor, Family, Port, Resources, Side, Write, pops
from hwbnn.units import cost


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


def control(taps: int, folds: int, family: Family) -> Resources:
    """Cost of hwbnn_reduction and the push behind it: counters, first and last tap."""
    address, fold = (taps * folds - 1).bit_length(), (folds - 1).bit_length()
    lut = address + 3.0 if family is Family.XC7 else 2.0 * address + 6
    for number in (taps, folds):  # does not wrap by itself
        lut += 4 if number & (number - 1) else 0
    own = fold if folds & (folds - 1) else 0
    return Resources(lut=lut, ff=address + fold + own + 3)


def held(folds: int, width: int, family: Family) -> Resources:
    """Cost of hwbnn_held."""
    if folds == 1:
        return Resources(ff=width)
    return cost.written(folds, width, family)


def adder(width: int, folds: int, family: Family, *, steady: bool = True) -> float:
    """LUTs of a lane of hwbnn_partial_sum and the addition to it.

    A LUT6 also takes the choice between start and sum; on ECP5 that of a RAM of several banks does.
    """
    if family is Family.XC7:
        return width
    chosen = folds <= 16 if folds > 1 else not steady
    return 2 * ((width + 1) // 2) + (width if chosen else 0)
