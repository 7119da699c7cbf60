# SPDX-License-Identifier: Apache-2.0
"""The binary search that counts thresholds, one bit of the count a step: tables and latency.

Step s (most significant bit first) compares x with one threshold per lane: with the s bits found
so far as `prefix`, bit s is x >= T[(prefix << (b - s)) + (1 << (b - 1 - s)) - 1], b = bits of the
count. Table s holds that threshold at word (fold << s) + prefix. The hardware is hwbnn_search.
"""

import numpy as np

from hwbnn.ir.dtype import IntArray, smallest
from hwbnn.ir.unit import Memory, MemoryShape, Style

BLOCK_BITS = 1 << 14  # a table above this goes to block RAM, which costs a second cycle a step


def shapes(
    rows: int, steps: int, *, low: int, high: int, lanes: int, blocks: int = 1
) -> tuple[MemoryShape, ...]:
    """Return the shapes of `tables`."""
    folds = blocks * -(-rows // blocks // lanes)
    bits = smallest(low, high + 1).bits
    result = []
    for step in range(steps.bit_length()):
        depth = folds << step
        style = Style.BLOCK if depth * lanes * bits > BLOCK_BITS else Style.DISTRIBUTED
        result.append(MemoryShape(f"thresholds{step:03d}", depth, lanes, bits, style))
    return tuple(result)


def tables(
    thresholds: IntArray, *, low: int, high: int, lanes: int, blocks: int = 1
) -> tuple[Memory, ...]:
    """Return one table a step for thresholds (rows, steps) on an x of [low, high].

    Rows come in as many blocks of equal size (border classes, groups), each of which begins a new
    fold. The rows of a block are dealt to `lanes` lanes; lanes of its last fold without a row, and
    steps up to the next power of two, hold high + 1, which is never reached.
    """
    rows, steps = thresholds.shape
    bits, channels = steps.bit_length(), rows // blocks
    folds = -(-channels // lanes)
    padded = np.full((blocks, folds * lanes, (1 << bits) - 1), high + 1, np.int64)
    clipped = np.clip(thresholds, low, high + 1)
    padded[:, :channels, :steps] = clipped.reshape(blocks, channels, steps)
    dtype = smallest(low, high + 1)
    result = []
    for step, shape in enumerate(
        shapes(rows, steps, low=low, high=high, lanes=lanes, blocks=blocks)
    ):
        index = (np.arange(1 << step) << (bits - step)) + (1 << (bits - 1 - step)) - 1
        words = padded[..., index].reshape(-1, lanes, 1 << step).transpose(0, 2, 1)
        result.append(Memory(shape, dtype.encode(words.reshape(-1, lanes))))
    return tuple(result)


def cycles_per_step(steps: tuple[MemoryShape, ...]) -> int:
    """Cycles of a search step: 2 where any table is block RAM (registered read), else 1."""
    return 2 if any(table.style is Style.BLOCK for table in steps) else 1


def latency(steps: tuple[MemoryShape, ...]) -> int:
    """Registers from x to count."""
    return len(steps) * cycles_per_step(steps)
