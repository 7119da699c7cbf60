# SPDX-License-Identifier: Apache-2.0
"""What a memory that is written costs, in LUTs of distributed RAM, block RAMs or UltraRAMs."""

from functools import cache

from hwbnn.ir.unit import Family, Resources

# Depth and width of a block of 18 kbit: RAMB18E1 (UG473) and DP16KD (TN-02204) alike; of 4 kbit:
# SB_RAM40_4K (FPGA-TN-02002).
BLOCK_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
ULTRA_SHAPE = 4096, 72  # URAM288: depth and width, which cannot be traded (UG573)
LOAD_BYTES = 16  # in which a word of one comes to be loaded: a beat of a port of 128 bits
SMALL_BLOCK_SHAPES = ((256, 16), (512, 8), (1024, 4), (2048, 2))


@cache
def ram(depth: int, width: int, family: Family) -> float:
    """LUTs of a memory that is written, in distributed RAM, with the multiplexers of its banks.

    RAM32M, RAM64M: 32 x 6, 64 x 3 bits in four LUTs; TRELLIS_DPR16X4: 16 x 4 bits in three slices
    of two. A LUT6 chooses between four banks, a LUT4 between two. iCE40 has none: the LUTs are
    those that write and choose registers.
    """
    if family is Family.ICE40:
        return depth + register_choice(depth) * width
    if family is Family.ECP5:
        banks = -(-depth // 16)
        return banks * -(-width // 4) * 6 + 0.85 * (banks - 1) * width
    shapes = ((64, 3), (32, 6)) if depth > 32 else ((32, 6),)
    rows, bits = min(shapes, key=lambda shape: -(-depth // shape[0]) * -(-width // shape[1]))
    banks = -(-depth // rows)
    return float(banks * -(-width // bits) * 4 + -(-(banks - 1) // 3) * width)


def register_choice(depth: int) -> float:
    """LUTs of four inputs, a bit, that choose one of the words in registers; fitted to Yosys."""
    return min(depth - 1, 0.84 * depth)


@cache
def written(depth: int, width: int, family: Family) -> Resources:
    """Return the cost of a memory in distributed RAM whose address or word is registered.

    On iCE40, which has none, Yosys takes block RAM from 64 bits a block on (its library's price of
    one), whole powers of two deep; registers below.
    """
    if family is not Family.ICE40:
        return Resources(lut=ram(depth, width, family))
    blocks = blocks_of(depth, width, family)
    if width << (depth - 1).bit_length() > 64 * blocks:
        return Resources(bram=blocks)
    return Resources(lut=ram(depth, width, family), ff=depth * width)


def ram_blocks(depth: int, width: int, family: Family) -> float:
    """Block RAMs of a memory that is written."""
    blocks = float(blocks_of(depth, width, family))
    return blocks / 2 if family is Family.XC7 else blocks


@cache
def blocks_of(depth: int, width: int, family: Family = Family.XC7) -> int:
    """Return the blocks of 18 kbit (iCE40: 4 kbit) of a memory."""
    shapes = SMALL_BLOCK_SHAPES if family is Family.ICE40 else BLOCK_SHAPES
    return min(-(-depth // rows) * -(-width // bits) for rows, bits in shapes)


def ultra_columns(width: int) -> int:
    """Return the UltraRAMs that a word takes side by side."""
    return -(-width // ULTRA_SHAPE[1])


def ultra_ram(depth: int, width: int) -> Resources:
    """Cost of a memory in UltraRAMs; a LUT6 a bit chooses between four of them."""
    banks, wide = -(-depth // ULTRA_SHAPE[0]), ultra_columns(width)
    return Resources(lut=float(-(-(banks - 1) // 3) * width), uram=float(banks * wide))
