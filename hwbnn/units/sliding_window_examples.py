# SPDX-License-Identifier: Apache-2.0
"""Sliding windows that reach every mode, for the registry's tests."""

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.unit import Style, Unit
from hwbnn.ir.window import Window
from hwbnn.units.sliding_window import SlidingWindow


def examples() -> tuple[Unit, ...]:
    """Every mode, storage and kind of geometry."""
    rng, zero, minus = np.random.default_rng(9), np.zeros(1, np.int64), -np.ones(1, np.int64)
    around = Window(5, 7, (3, 2), (2, 1), (1, 2), (1, 0, 2, 1))  # dilated, rows left over
    wide = Window(6, 9, (2, 3), (1, 2), (2, 3), (2, 3, 1, 4))
    line = Window(1, 19, (1, 5), (1, 2), (1, 3), (0, 4, 0, 4))  # a sequence
    apart = Window(7, 8, (2, 1), (3, 3), padding=(0, 0, 0, 2))  # columns that no window covers
    sparse = Window(6, 11, (1, 2), (4, 5), padding=(0, 1, 3, 1))
    three, pair = Window(5, 6, (3, 3), (1, 2), padding=(1, 1, 1, 1)), Window(7, 5, (2, 1), (3, 1))
    return (
        SlidingWindow(BIPOLAR, 4, Window(6, 6, (3, 3)), minus),
        SlidingWindow(unsigned(3), 4, around, zero, capacity=87),
        SlidingWindow(BIPOLAR, 6, wide, rng.choice([-1, 1], 6), groups=3, style=Style.BLOCK),
        SlidingWindow(signed(2), 6, wide, rng.integers(-2, 2, 6), groups=2, capacity=256),
        SlidingWindow(BIPOLAR, 3, line, np.ones(1, np.int64), capacity=64),
        SlidingWindow(BIPOLAR, 4, apart, minus, style=Style.ULTRA, capacity=70),
        SlidingWindow(unsigned(2), 2, sparse, 3 * np.ones(1, np.int64)),
        SlidingWindow(BIPOLAR, 1, Window(2, 2, (1, 1), (2, 2)), minus),  # one word at a time
        SlidingWindow(unsigned(8), 3, Window(8, 8, (2, 2), (2, 2)), zero, lanes=3, capacity=140),
        SlidingWindow(signed(2), 2, three, zero, lanes=6, capacity=29, style=Style.ULTRA),
        SlidingWindow(BIPOLAR, 70, pair, minus, lanes=140, capacity=11, style=Style.BLOCK),
    )
