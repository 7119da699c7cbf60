# SPDX-License-Identifier: Apache-2.0
"""Windows over images: their taps gathered into rows, and their greatest elements and sums.

sources (positions, taps) is the image position of each tap, -1 in the padding; a row of the result
is a position of a frame.
"""

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.ir.window import BoolArray
from hwbnn.sim.bitpack import Words
from hwbnn.sim.compiled import compiled
from hwbnn.sim.native import LANES, first_item
from hwbnn.sim.products import Numbers

_WORD = np.uint64(LANES)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@compiled(nogil=True)
def gather_words(x: Words, image: int, sources: IntArray, out: Words) -> None:
    """Every tap's words, one after another; those of the padding are 0.

    x: (frames * image, planes, words); out: (frames * positions, planes, taps * words).
    """
    planes, words = x.shape[1:]
    positions, taps = sources.shape
    x_p, out_p, to = first_item(x), first_item(out), 0
    for row in range(len(out)):
        first, position = row // positions * image, row % positions
        for plane in range(planes):
            for tap in range(taps):
                source = sources[position, tap]
                if source < 0:
                    for _ in range(words):
                        out_p[to] = np.uint64(0)
                        to += 1
                else:
                    at = ((first + source) * planes + plane) * words
                    for word in range(words):
                        out_p[to] = x_p[at + word]
                        to += 1


@compiled(nogil=True)
def gather_bits(
    x: Words, image: int, sources: IntArray, first: int, count: int, out: Words
) -> None:
    """Every tap's bits of the channels first, ..., first + count - 1, without gaps.

    x: (frames * image, planes, words); out: (frames * positions, planes, words).
    """
    positions, taps = sources.shape
    out[:] = 0
    for row in range(len(out)):
        frame, position = row // positions, row % positions
        for tap in range(taps):
            source = sources[position, tap]
            if source >= 0:
                for plane in range(x.shape[1]):
                    line = x[frame * image + source, plane]
                    for done in range(0, count, LANES):
                        size = min(LANES, count - done)
                        bits = _read(line, first + done, size)
                        _write(bits, tap * count + done, size, out[row, plane])


@compiled(nogil=True, forceinline=True)
def _read(line: Words, at: int, size: int) -> np.uint64:
    word, shift = at // LANES, np.uint64(at % LANES)
    bits = line[word] >> shift
    if at % LANES + size > LANES:
        bits |= line[word + 1] << (_WORD - shift)
    return np.uint64(bits & (_ALL >> np.uint64(LANES - size)))


@compiled(nogil=True, forceinline=True)
def _write(bits: np.uint64, at: int, size: int, line: Words) -> None:
    word, shift = at // LANES, np.uint64(at % LANES)
    line[word] |= bits << shift
    if at % LANES + size > LANES:
        line[word + 1] |= bits >> (_WORD - shift)


@compiled(nogil=True)
def gather_numbers(x: IntArray, sources: IntArray, first: int, fill: int, out: Numbers) -> None:
    """Every tap's channels first, first + 1, ...; a tap in the padding is `fill`.

    x: (frames, image, channels); out: (frames * positions, taps, channels of the group).
    """
    positions, taps = sources.shape
    for row in range(len(out)):
        frame, position = row // positions, row % positions
        for tap in range(taps):
            source = sources[position, tap]
            for channel in range(out.shape[2]):
                value = np.int64(fill)
                if source >= 0:
                    value = np.int64(x[frame, source, first + channel])
                out[row, tap, channel] = value


@compiled(nogil=True)
def greatest_words(
    x: Words, image: int, sources: IntArray, least: Words, signed: bool, out: Words
) -> None:
    """Greatest code of each window, per channel; the least where the bit of `least` is 1."""
    positions, taps = sources.shape
    planes, words = x.shape[1:]
    for row in range(len(out)):
        first, position = row // positions * image, row % positions
        out[row] = 0
        empty = True
        for tap in range(taps):
            source = first + sources[position, tap]
            if source < first:
                continue
            for word in range(words):
                above = np.uint64(0)  # the tap's code is greater
                level = _ALL  # equal, as far as compared
                for plane in range(planes - 1, -1, -1):
                    one, other = x[source, plane, word], out[row, plane, word]
                    unequal = level & (one ^ other)
                    negative = signed and plane == planes - 1
                    above |= unequal & (other if negative else one)
                    level &= ~unequal
                take = (above ^ least[word]) & ~level
                if empty:
                    take = _ALL
                for plane in range(planes):
                    out[row, plane, word] ^= take & (x[source, plane, word] ^ out[row, plane, word])
            empty = False


@compiled(nogil=True)
def greatest(x: IntArray, sources: IntArray, least: BoolArray, out: IntArray) -> None:
    """Greatest element of each window, per channel; the least where `least` (channels,) says so.

    x: (frames, image, channels); out: (frames * positions, channels).
    """
    positions, taps = sources.shape
    for row in range(len(out)):
        frame, position = row // positions, row % positions
        empty = True
        for tap in range(taps):
            source = sources[position, tap]
            if source >= 0:
                for channel in range(out.shape[1]):
                    value = x[frame, source, channel]
                    if empty or (value < out[row, channel]) == least[channel]:
                        out[row, channel] = value
                empty = False


@compiled(nogil=True)
def sums(x: IntArray, sources: IntArray, out: IntArray) -> None:
    """Sum of each window, per channel; x, out: as `greatest`."""
    positions, taps = sources.shape
    out[:] = 0
    for row in range(len(out)):
        frame, position = row // positions, row % positions
        for tap in range(taps):
            source = sources[position, tap]
            if source >= 0:
                for channel in range(out.shape[1]):
                    out[row, channel] += x[frame, source, channel]
