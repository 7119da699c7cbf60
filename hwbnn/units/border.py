# SPDX-License-Identifier: Apache-2.0
"""Where the thresholds of a border class begin: tables of rows and columns for hwbnn_border."""

import numpy as np

from hwbnn.ir.dtype import IntArray
from hwbnn.ir.unit import Family, Memory, MemoryShape
from hwbnn.ir.window import Border


def shapes(border: Border, *, folds: int) -> tuple[MemoryShape, ...]:
    """Return the shapes of `tables`."""
    bits = index_bits(border, folds=folds)
    return (
        MemoryShape("border_rows", border.rows.size, 1, bits),
        MemoryShape("border_columns", border.columns.size, 1, bits),
    )


def tables(border: Border, *, folds: int) -> tuple[Memory, ...]:
    """Return two tables; the sum of a word of each is class * folds.

    folds: words of thresholds a class. The first position must be of class 0.
    """
    assert border.rows[0] == border.columns[0] == 0
    bases: tuple[IntArray, ...] = (
        border.rows * (border.column_classes * folds),
        border.columns * folds,
    )
    pairs = zip(shapes(border, folds=folds), bases, strict=True)
    return tuple(Memory(shape, words[:, np.newaxis]) for shape, words in pairs)


def index_bits(border: Border, *, folds: int) -> int:
    """Bits of the number of a word of thresholds."""
    return max(1, (border.classes * folds - 1).bit_length())


def luts(border: Border, *, folds: int, family: Family) -> float:
    """LUTs of hwbnn_border without its tables: two counters, their sum, the number's next value."""
    counters = border.rows.size.bit_length() + border.columns.size.bit_length()
    scale = 1.0 if family is Family.XC7 else 1.6
    return scale * (counters + 3 * index_bits(border, folds=folds))
