# SPDX-License-Identifier: Apache-2.0
"""Weights of a product as words of hwbnn_rom, one a firing; in block RAM several in a row.

A block RAM is full only if the words' bits are 9, 18, 36 or 72 times a power of two. So words that
stand `rows` apart lie side by side in one row of the memory: word a is bank a // rows of row
a % rows.
"""

import numpy as np

from hwbnn.ir.dtype import DType, IntArray
from hwbnn.ir.unit import Memory, MemoryShape, Style
from hwbnn.units import cost


def shape(depth: int, lanes: int, bits: int, style: Style) -> MemoryShape:
    """Return the shape of the memory that holds `depth` words, its style chosen.

    Style.STREAM: that of the words alone; there is no memory.
    """
    style = chosen_style(depth, lanes * bits, style)
    if style is Style.STREAM:
        return MemoryShape("weights", depth, lanes, bits, style)
    rows = cost.rom_rows(depth, lanes * bits) if style is Style.BLOCK else depth
    return MemoryShape("weights", rows, -(-depth // rows) * lanes, bits, style)


def chosen_style(depth: int, width: int, style: Style) -> Style:
    """Return the style of a memory of weights, chosen if it is AUTO."""
    if style is not Style.AUTO:
        return style
    return Style.BLOCK if cost.prefers_block(depth, width) else Style.DISTRIBUTED


def memory(words: IntArray, shape: MemoryShape) -> Memory:
    """Return words (depth, lanes) in rows; a bank's words that there are not are 0."""
    depth, lanes = words.shape
    banks = shape.lanes // lanes
    padded = np.zeros((banks * shape.depth, lanes), np.int64)
    padded[:depth] = words
    rows = padded.reshape(banks, shape.depth, lanes).swapaxes(0, 1)
    return Memory(shape, rows.reshape(shape.depth, -1))


def words(
    weights: IntArray, dtype: DType, *, groups: int, pe: int, simd: int, fill: int
) -> IntArray:
    """Return lane codes, int64 (depth, pe * simd), of weights (outputs, inputs of a group).

    Word (g * NF + nf) * SF + sf, lane p * simd + s is weight s + sf * simd of neuron p + nf * pe of
    group g; lanes that hold no weight have the code `fill`.
    """
    outputs, synapses = weights.shape
    neurons = outputs // groups
    rows, columns = -(-neurons // pe) * pe, -(-synapses // simd) * simd
    codes = np.full((groups, rows, columns), fill, np.int64)
    codes[:, :neurons, :synapses] = dtype.encode(weights).reshape(groups, neurons, synapses)
    folded = codes.reshape(-1, pe, columns // simd, simd)
    return folded.transpose(0, 2, 1, 3).reshape(-1, pe * simd)


def from_words(
    codes: IntArray, *, groups: int, neurons: int, synapses: int, pe: int, simd: int
) -> IntArray:
    """Return weights (frames or vectors, groups, neurons, synapses) of words in that order.

    codes: (.., words of a vector * pe * simd), the values of the lanes of `words`.
    """
    neuron_folds, synapse_folds = -(-neurons // pe), -(-synapses // simd)
    folded = codes.reshape(-1, groups, neuron_folds, synapse_folds, pe, simd)
    matrix = folded.transpose(0, 1, 2, 4, 3, 5)
    whole = matrix.reshape(-1, groups, neuron_folds * pe, synapse_folds * simd)
    return whole[:, :, :neurons, :synapses]
