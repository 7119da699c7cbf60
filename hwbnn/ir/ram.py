# SPDX-License-Identifier: Apache-2.0
"""What a memory that is written costs, in LUTs of distributed RAM or in block RAMs."""

from hwbnn.ir.unit import Family

# Depth and width of a block of 18 kbit: RAMB18E1 (UG473) and DP16KD (TN-02204) alike.
BLOCK_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))


def ram(depth: int, width: int, family: Family) -> float:
    """LUTs of a memory that is written, in distributed RAM, with the multiplexers of its banks.

    RAM32M, RAM64M: 32 x 6, 64 x 3 bits in four LUTs; TRELLIS_DPR16X4: 16 x 4 bits in three slices
    of two. A LUT6 chooses between four banks, a LUT4 between two.
    """
    if family is Family.ECP5:
        banks = -(-depth // 16)
        return banks * -(-width // 4) * 6 + 0.85 * (banks - 1) * width
    shapes = ((64, 3), (32, 6)) if depth > 32 else ((32, 6),)
    rows, bits = min(shapes, key=lambda shape: -(-depth // shape[0]) * -(-width // shape[1]))
    banks = -(-depth // rows)
    return float(banks * -(-width // bits) * 4 + -(-(banks - 1) // 3) * width)


def ram_blocks(depth: int, width: int, family: Family) -> float:
    """Block RAMs of a memory that is written."""
    blocks = float(blocks_of(depth, width))
    return blocks / 2 if family is Family.XC7 else blocks


def blocks_of(depth: int, width: int) -> int:
    """Return the blocks of 18 kbit of a memory."""
    return min(-(-depth // rows) * -(-width // bits) for rows, bits in BLOCK_SHAPES)
