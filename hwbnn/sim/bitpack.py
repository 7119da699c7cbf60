# SPDX-License-Identifier: Apache-2.0
"""Bit-packed layers: XNOR-popcount products and staircases, 64 neurons at a time.

A packed value is uint64 (frames, planes, words): bit e % 64 of word e // 64 of plane k is bit k of
element e's code; bits of no element are 0. Neurons come in blocks of 64 lanes.
"""

from typing import TypeAlias, TypeVar

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.sim.compiled import compiled
from hwbnn.sim.native import LANES, at_least, first_item, mismatches

Words: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]
Bounds: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.int16 | np.int64]]
AnyArray = TypeVar("AnyArray", IntArray, Words)


@compiled(nogil=True)
def product(x: Words, weights: Words, scales: IntArray, offsets: IntArray, out: IntArray) -> None:
    """Write out[f, n] = offsets[n] - sum over planes of scales[k] * mismatches.

    weights: (blocks, words, 64); offsets: (blocks, 64); out: int64 (frames, neurons).
    """
    frames, planes, words = x.shape
    neurons = out.shape[1]
    counts, sums = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    counts_p, x_p, weights_p = first_item(counts), first_item(x), first_item(weights)
    for block in range(len(weights)):
        first = block * LANES
        for frame in range(frames):
            sums[:] = offsets[block]
            for plane in range(planes):
                at = (frame * planes + plane) * words
                mismatches(counts_p, x_p, at, weights_p, first * words, words)
                for lane in range(LANES):
                    sums[lane] -= scales[plane] * counts[lane]
            for lane in range(min(LANES, neurons - first)):
                out[frame, first + lane] = sums[lane]


@compiled(nogil=True)
def product_bits(x: Words, weights: Words, limits: IntArray, invert: Words, out: Words) -> None:
    """One plane in, one step: bit n is (mismatches <= limits[n]) xor invert's bit n."""
    frames, _, words = x.shape
    blocks = len(weights)
    counts = np.empty(LANES, np.int64)
    counts_p, x_p, weights_p = first_item(counts), first_item(x), first_item(weights)
    limits_p = first_item(limits)
    for block in range(blocks):
        first = block * LANES
        for frame in range(frames):
            mismatches(counts_p, x_p, frame * words, weights_p, first * words, words)
            out[frame, 0, block] = at_least(limits_p, first, counts_p, 0) ^ invert[block]


@compiled(nogil=True)
def product_steps(
    x: Words,
    weights: Words,
    scales: IntArray,
    limits: IntArray,
    start: IntArray,
    sign: IntArray,
    out: Words,
) -> None:
    """Any planes and steps: the code is start + sign * count of (scaled mismatches <= limits).

    limits: (blocks, steps, 64); start, sign: (blocks, 64).
    """
    frames, planes, words = x.shape
    counts, sums = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    counts_p, x_p, weights_p = first_item(counts), first_item(x), first_item(weights)
    codes = np.empty(LANES, np.int64)
    for block in range(len(weights)):
        for frame in range(frames):
            sums[:] = 0
            for plane in range(planes):
                at = (frame * planes + plane) * words
                mismatches(counts_p, x_p, at, weights_p, block * LANES * words, words)
                for lane in range(LANES):
                    sums[lane] += scales[plane] * counts[lane]
            codes[:] = start[block]
            for step in range(limits.shape[1]):
                for lane in range(LANES):
                    reached = sums[lane] <= limits[block, step, lane]
                    codes[lane] += sign[block, lane] if reached else 0
            _spread(codes, frame, block, out)


@compiled(nogil=True)
def _spread(codes: IntArray, frame: int, block: int, out: Words) -> None:
    """Deal 64 codes to the planes of a packed value."""
    bits, ones = np.empty(LANES, np.int64), np.ones(LANES, np.int64)
    for plane in range(out.shape[1]):
        for lane in range(LANES):
            bits[lane] = (codes[lane] >> plane) & 1
        out[frame, plane, block] = at_least(first_item(bits), 0, first_item(ones), 0)


@compiled(nogil=True)
def compare(x: IntArray, bounds: Bounds, invert: Words, out: Words) -> None:
    """Pack bits: (x[f, e] >= bounds[e]) xor invert's bit e; bounds has whole blocks of 64."""
    frames, elements = x.shape
    x_p, bounds_p = first_item(x), first_item(bounds)
    tail, whole = np.zeros(LANES, x.dtype), elements // LANES
    for frame in range(frames):
        for block in range(whole):
            at = frame * elements + block * LANES
            out[frame, 0, block] = at_least(x_p, at, bounds_p, block * LANES) ^ invert[block]
        if whole * LANES < elements:
            for lane in range(elements - whole * LANES):
                tail[lane] = x[frame, whole * LANES + lane]
            reached = at_least(first_item(tail), 0, bounds_p, whole * LANES)
            out[frame, 0, whole] = reached ^ invert[whole]


@compiled(nogil=True)
def pack(x: IntArray, bipolar: bool, out: Words) -> None:
    """Pack the codes of integers."""
    frames, elements = x.shape
    codes = np.zeros(LANES, np.int64)
    for frame in range(frames):
        for block in range(out.shape[2]):
            first = block * LANES
            codes[:] = 0
            for lane in range(min(LANES, elements - first)):
                value = np.int64(x[frame, first + lane])
                codes[lane] = (value + 1) >> 1 if bipolar else value
            _spread(codes, frame, block, out)


@compiled(nogil=True)
def staircase(
    x: IntArray, thresholds: IntArray, start: IntArray, sign: IntArray, out: IntArray
) -> None:
    """Integers to integers: start + sign * (number of thresholds reached), by binary search."""
    frames, elements = x.shape
    shared = len(thresholds) == 1
    for frame in range(frames):
        for element in range(elements):
            row = 0 if shared else element
            value = np.int64(x[frame, element])
            low, high = 0, thresholds.shape[1]
            while low < high:
                middle = (low + high) >> 1
                if value >= thresholds[row, middle]:
                    low = middle + 1
                else:
                    high = middle
            out[frame, element] = start[row] + sign[row] * low


@compiled(nogil=True)
def look_up(x: IntArray, values: IntArray, low: int, out: IntArray) -> None:
    """Integers to integers: values[element or 0, x - low]."""
    frames, elements = x.shape
    shared = len(values) == 1
    for frame in range(frames):
        for element in range(elements):
            at = np.int64(x[frame, element]) - low
            out[frame, element] = values[0 if shared else element, at]


def blocks_of(rows: AnyArray, fill: int) -> AnyArray:
    """Pad (neurons, ...) to whole blocks: (blocks, 64, ...)."""
    blocks = -(-len(rows) // LANES)
    padded = np.full((blocks * LANES, *rows.shape[1:]), fill, rows.dtype)
    padded[: len(rows)] = rows
    return padded.reshape(blocks, LANES, *rows.shape[1:])


def words_of(bits: IntArray) -> Words:
    """Pack 0/1 (rows, elements) into (rows, words)."""
    words = -(-bits.shape[1] // LANES)
    padded = np.zeros((len(bits), words * LANES), np.uint8)
    padded[:, : bits.shape[1]] = bits
    packed = np.packbits(padded, axis=1, bitorder="little")
    return packed.view("<u8").astype(np.uint64)


def bits_of(words: Words, elements: int) -> IntArray:
    """Unpack (rows, words) into 0/1 (rows, elements)."""
    flat = np.ascontiguousarray(words.astype("<u8")).view(np.uint8)
    return np.unpackbits(flat, axis=1, count=elements, bitorder="little").astype(np.int64)
