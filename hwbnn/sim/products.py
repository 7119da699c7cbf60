# SPDX-License-Identifier: Apache-2.0
"""Products: rows of values with weights, 64 neurons at a time, and the staircase behind them.

A row is what one product reads: a frame, or a window of it. Row r is of the border's class
classes[r % len(classes)]. Neurons come in blocks of 64 lanes: weights of popcounts are (blocks,
words, 64), of numbers (blocks, inputs, 64), offsets (classes, blocks, 64), limits (classes, blocks,
steps, 64). Words of start (planes, blocks) and invert (blocks,) are codes and flags by lane. Sums
go to columns[0], ..., columns[1] - 1 of out.
"""

from typing import TypeAlias

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.sim.bitpack import Words
from hwbnn.sim.compiled import compiled
from hwbnn.sim.native import LANES, at_least, dot, first_item, mismatches

Numbers: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float32 | np.float64 | np.int64]]


@compiled(nogil=True)
def popcount_bits(
    x: Words, weights: Words, limits: IntArray, classes: IntArray, invert: Words, out: Words
) -> None:
    """One plane in, one step: bit n is (mismatches <= limits[class, n]) xor invert's bit n."""
    rows, _, words = x.shape
    blocks = len(weights)
    counts = np.empty(LANES, np.int64)
    counts_p, x_p, weights_p = first_item(counts), first_item(x), first_item(weights)
    limits_p, classes_p = first_item(limits), first_item(classes)
    for block in range(blocks):
        first, position = block * LANES, 0
        for row in range(rows):
            mismatches(counts_p, x_p, row * words, weights_p, first * words, words)
            limit = classes_p[position] * blocks * LANES + first
            out[row, 0, block] = at_least(limits_p, limit, counts_p, 0) ^ invert[block]
            position = position + 1 if position + 1 < len(classes) else 0  # faster than row % ...


@compiled(nogil=True)
def popcount_steps(
    x: Words,
    weights: Words,
    scales: IntArray,
    limits: IntArray,
    classes: IntArray,
    start: Words,
    invert: Words,
    out: Words,
) -> None:
    """Any planes and steps: pack the code of the staircase behind - (scaled mismatches)."""
    counts, sums = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    for block in range(len(weights)):
        for row in range(len(x)):
            _count(x, weights, scales, row, block, counts, sums)
            _climb(sums, limits, classes[row % len(classes)], block, start, invert, row, out)


@compiled(nogil=True)
def popcount_sums(
    x: Words,
    weights: Words,
    scales: IntArray,
    offsets: IntArray,
    classes: IntArray,
    columns: tuple[int, int],
    out: IntArray,
) -> None:
    """Write out[r, n] = offsets[class, n] - sum over planes of scales[k] * mismatches."""
    counts, sums = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    for block in range(len(weights)):
        for row in range(len(x)):
            _count(x, weights, scales, row, block, counts, sums)
            kind, first = classes[row % len(classes)], columns[0] + block * LANES
            for lane in range(min(LANES, columns[1] - first)):
                out[row, first + lane] = sums[lane] + offsets[kind, block, lane]


@compiled(nogil=True)
def number_steps(
    x: Numbers,
    weights: Numbers,
    limits: Numbers,
    classes: IntArray,
    start: Words,
    invert: Words,
    out: Words,
) -> None:
    """Pack the code of the staircase behind sum over i of x[r, i] * weights[n, i]."""
    sums = np.empty(LANES, x.dtype)
    for block in range(len(weights)):
        for row in range(len(x)):
            _multiply(x, weights, row, block, sums)
            _climb(sums, limits, classes[row % len(classes)], block, start, invert, row, out)


@compiled(nogil=True)
def number_sums(x: Numbers, weights: Numbers, columns: tuple[int, int], out: IntArray) -> None:
    """Write out[r, n] = sum over i of x[r, i] * weights[n, i]."""
    sums = np.empty(LANES, x.dtype)
    for block in range(len(weights)):
        for row in range(len(x)):
            _multiply(x, weights, row, block, sums)
            first = columns[0] + block * LANES
            for lane in range(min(LANES, columns[1] - first)):
                out[row, first + lane] = np.int64(sums[lane])


@compiled(nogil=True)
def direct_sums(
    x: IntArray, sources: IntArray, weights: IntArray, groups: int, fill: int, out: IntArray
) -> None:
    """Convolution in groups of few outputs; x, out: (frames, elements).

    sources: (positions, taps), -1 in the padding; weights: (taps, channels of a group, outputs).
    """
    taps, share, outputs = weights.shape
    each = outputs // groups
    for frame in range(len(x)):
        for position in range(len(sources)):
            first = position * outputs
            out[frame, first : first + outputs] = 0
            for tap in range(taps):
                source = sources[position, tap]
                for channel in range(share):
                    for group in range(groups):
                        value = np.int64(fill)
                        if source >= 0:
                            value = x[frame, (source * groups + group) * share + channel]
                        for output in range(group * each, (group + 1) * each):
                            out[frame, first + output] += value * weights[tap, channel, output]


@compiled(nogil=True, forceinline=True)
def _count(
    x: Words,
    weights: Words,
    scales: IntArray,
    row: int,
    block: int,
    counts: IntArray,
    sums: IntArray,
) -> None:
    planes, words = x.shape[1:]
    sums[:] = 0
    for plane in range(planes):
        at = (row * planes + plane) * words
        mismatches(
            first_item(counts), first_item(x), at, first_item(weights), block * LANES * words, words
        )
        for lane in range(LANES):
            sums[lane] -= scales[plane] * counts[lane]


@compiled(nogil=True, forceinline=True)
def _multiply(x: Numbers, weights: Numbers, row: int, block: int, sums: Numbers) -> None:
    inputs = x.shape[1]
    at = block * LANES * inputs
    dot(first_item(sums), first_item(x), row * inputs, first_item(weights), at, inputs)


@compiled(nogil=True, forceinline=True)
def _climb(
    sums: Numbers,
    limits: Numbers,
    kind: int,
    block: int,
    start: Words,
    invert: Words,
    row: int,
    out: Words,
) -> None:
    """Add to the code `start`, in all lanes at once, a 1 for each limit (not) reached."""
    planes, steps = out.shape[1], limits.shape[2]
    for plane in range(planes):
        out[row, plane, block] = start[plane, block]
    first = (kind * limits.shape[1] + block) * steps
    for step in range(steps):
        reached = at_least(first_item(sums), 0, first_item(limits), (first + step) * LANES)
        carry = reached ^ invert[block]
        for plane in range(planes):
            bits = out[row, plane, block]
            out[row, plane, block] = bits ^ carry
            carry &= bits
