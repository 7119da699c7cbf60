# SPDX-License-Identifier: Apache-2.0
"""Bit-packed values: packing, comparing, unpacking; and staircases and tables of integers.

A packed value is uint64 (rows, planes, words), a row for each vector of each frame: bit c % 64 of
word c // 64 of plane k is bit k of the code of channel c; bits of no channel are 0.
"""

from typing import TypeAlias, TypeVar

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.sim.compiled import compiled
from hwbnn.sim.native import LANES, at_least, first_item

Words: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]
Bounds: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.int16 | np.int64]]
AnyArray = TypeVar("AnyArray", IntArray, Words)


@compiled(nogil=True)
def spread(codes: IntArray, row: int, block: int, out: Words) -> None:
    """Deal 64 codes to the planes of a packed value."""
    bits, ones = np.empty(LANES, np.int64), np.ones(LANES, np.int64)
    for plane in range(out.shape[1]):
        for lane in range(LANES):
            bits[lane] = (codes[lane] >> plane) & 1
        out[row, plane, block] = at_least(first_item(bits), 0, first_item(ones), 0)


@compiled(nogil=True)
def compare(x: IntArray, bounds: Bounds, invert: Words, out: Words) -> None:
    """Pack bits: (x[r, c] >= bounds[r % vectors, c]) xor invert's bit c.

    bounds: (vectors, channels in whole blocks of 64).
    """
    rows, channels = x.shape
    x_p, bounds_p = first_item(x), first_item(bounds)
    tail, whole = np.zeros(LANES, x.dtype), channels // LANES
    for row in range(rows):
        bound_at = row % len(bounds) * bounds.shape[1]
        for block in range(whole):
            at = block * LANES
            reached = at_least(x_p, row * channels + at, bounds_p, bound_at + at)
            out[row, 0, block] = reached ^ invert[block]
        if whole * LANES < channels:
            for lane in range(channels - whole * LANES):
                tail[lane] = x[row, whole * LANES + lane]
            reached = at_least(first_item(tail), 0, bounds_p, bound_at + whole * LANES)
            out[row, 0, whole] = reached ^ invert[whole]


@compiled(nogil=True)
def pack(x: IntArray, bipolar: bool, out: Words) -> None:
    """Pack the codes of integers (rows, channels)."""
    rows, channels = x.shape
    codes = np.zeros(LANES, np.int64)
    for row in range(rows):
        for block in range(out.shape[2]):
            first = block * LANES
            codes[:] = 0
            for lane in range(min(LANES, channels - first)):
                value = np.int64(x[row, first + lane])
                codes[lane] = (value + 1) >> 1 if bipolar else value
            spread(codes, row, block, out)


@compiled(nogil=True)
def staircase(
    x: IntArray,
    thresholds: IntArray,
    rows: IntArray,
    start: IntArray,
    sign: IntArray,
    out: IntArray,
) -> None:
    """Integers to integers: start + sign * (number of thresholds reached), by binary search.

    rows: of thresholds, start and sign, for each element.
    """
    frames, elements = x.shape
    for frame in range(frames):
        for element in range(elements):
            row, value = rows[element], np.int64(x[frame, element])
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
    """Integers to integers: values[c or 0, x - low], c the channel of an element."""
    frames, elements = x.shape
    channels = len(values)
    for frame in range(frames):
        for first in range(0, elements, channels):
            for channel in range(channels):
                at = np.int64(x[frame, first + channel]) - low
                out[frame, first + channel] = values[channel, at]


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
