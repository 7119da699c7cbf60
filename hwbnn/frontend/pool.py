# SPDX-License-Identifier: Apache-2.0
"""Pool: averages as sums of integers, and what the sums stand for."""

from dataclasses import dataclass

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.frontend.chain import Affine, Chain, Step, merged
from hwbnn.frontend.dense import MAX_EXACT
from hwbnn.frontend.weights import binary_grid
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, smallest
from hwbnn.ir.graph import DoubleArray, FloatArray
from hwbnn.ir.ops import SumPool
from hwbnn.ir.ranges import pool_range
from hwbnn.ir.window import Window

MAX_LONGER = 4  # a sum with its factor may be so many times as great
MAX_POINTS = 1 << 22  # floats of affine functions that are looked at, one by one if possible


@dataclass(frozen=True, eq=False)
class Terms:
    """What a sum adds: integer k of element e is about scale[channel] * k + offset[e]."""

    scale: DoubleArray  # (channels,)
    offset: DoubleArray  # (positions, channels)
    low: int
    high: int
    size: float  # the greatest term, as a multiple of a power of two that divides all of them
    padded: float  # the float of a tap outside
    exact: bool


def terms(chain: Chain, dtype: DType | None, channels: int, padded: float, where: str) -> Terms:
    """Return the floats of a chain without pools, which must be affine."""
    assert chain.entry is not None
    low, high = chain.entry.low, chain.entry.high
    every = 2 if dtype == BIPOLAR else 1
    step = max(every, (high - low) * chain.functions[0].size // MAX_POINTS)
    points = np.unique(np.append(np.arange(low, high + 1, step), high))
    floats = chain.spread(points).astype(np.float64)
    scale = (floats[-1] - floats[0]) / max(1, high - low)
    offset = floats[0] - scale * low
    error = np.abs(points[:, None] * scale + offset - floats).max()
    if error > np.abs(floats).max() * 2.0**-20:
        raise ModelError(
            f"{where}: input must be integers times a scale plus an offset; put a quantizer before "
            "the pool"
        )
    _, function = chain.functions
    function = function.reshape(-1, channels)
    if np.abs(scale[function] - scale[function[:1]]).max() > np.abs(scale).max() * 2.0**-18:
        raise ModelError(
            f"{where}: input must have one scale at all positions of a channel; put a quantizer "
            "before the pool"
        )
    exact = chain.exact and error == 0 and step == every
    size = float(binary_grid(np.append(floats, padded)[None])[1].max())
    return Terms(scale[function[0]], offset[function], low, high, size, padded, exact)


def one_divisor(
    given: Terms, window: Window, divisors: IntArray
) -> tuple[IntArray | None, IntArray]:
    """Return factors of the sums that give all positions one divisor, and the divisors.

    No factors where they would not be exact: a / b and (n * a) / (n * b) are one float if all of
    these are integers that float32 holds, times a power of two. Nor where they would be long.
    """
    whole = int(np.lcm.reduce(divisors))
    exact = given.exact and given.size * whole <= MAX_EXACT
    short = 0 < whole <= MAX_LONGER * window.taps
    if (divisors == whole).all() or not exact or not short:
        return None, divisors
    return whole // divisors, np.full_like(divisors, whole)


def sum_pool(
    name: str,
    source: str,
    ends: tuple[int, int],
    window: Window,
    channels: int,
    factors: IntArray | None,
) -> SumPool:
    """Return the sum; ends: of the source's elements."""
    dtype = smallest(*pool_range(window, *ends, factors=factors))
    return SumPool(name, source, window, channels, dtype, factors)


def average(
    given: Terms, window: Window, factors: IntArray | None, divisors: IntArray, where: str
) -> tuple[Affine, Step]:
    """Return the floats of the sums, and the step that divides; divisors: of each position."""
    channels, outside = given.scale.size, window.sources < 0
    offset = np.where(outside[..., None], given.padded, given.offset[window.sources]).sum(axis=1)
    if factors is not None:
        offset = offset * factors[:, None]
    low, high = pool_range(window, given.low, given.high, factors=factors)
    exact = given.exact and (factors is not None or given.size * window.taps <= MAX_EXACT)
    scale = np.broadcast_to(given.scale, offset.shape).reshape(-1)
    every = np.arange(offset.size)
    entry = merged(Affine(scale, offset.reshape(-1), low, high, exact, every))
    kinds, kind = np.unique(divisors, return_inverse=True)
    labels, divisor = np.repeat(kind.reshape(-1), channels), kinds.astype(np.float32)

    def divide(x: FloatArray, columns: IntArray) -> FloatArray:
        return np.asarray(x / divisor[labels[columns]])

    return entry, Step(where, divide, labels)
