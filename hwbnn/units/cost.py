# SPDX-License-Identifier: Apache-2.0
"""What the units are built of, in LUTs and block RAMs; constants fitted to Yosys counts.

LUTs are sites: memories and ECP5 carry cells included, small LUTs never paired. Error of the units'
formulas over a grid of foldings: binary Mvu with weights in block RAM or unrolled 8 %, most others
25 %, wide threshold tables and odd width converters up to 63 % (benchmarks/mvu_luts.py).
"""

from collections.abc import Iterable

from hwbnn.ir.unit import Family, MemoryShape, Resources, Style

# Depth and width of a block of 18 kbit: RAMB18E1 (UG473) and DP16KD (TN-02204) alike.
_BLOCK_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
_LUT_A_BLOCK = 190.0  # LUTs for a RAMB18E1 on a Zynq-7020: 53 200 to 280


def prefers_block(depth: int, width: int) -> bool:
    """Return whether a memory takes a smaller share of a device in block RAM."""
    if depth <= 16:
        return False
    return _rom(depth, width, Family.XC7) > _LUT_A_BLOCK * _blocks(depth, width)


def memories(shapes: Iterable[MemoryShape], family: Family) -> Resources:
    """Cost of read-only memories."""
    return sum((memory(shape, family) for shape in shapes), Resources())


def popcount(inputs: int, *, pe: int, constant: bool, family: Family) -> float:
    """LUTs of one lane's XNOR-popcount: hwbnn_popcount and below, cell by cell."""
    if family is Family.ECP5:
        adders = (inputs - 1) // 2 if constant else 0  # shared by the lanes
        shared = adders * min(2.0, 10 / pe)
        return shared + _chains(adders or inputs, extra=adders == 0)
    chains = -(-inputs // 5)
    if constant:
        adders = (inputs - 1) // 2
        cells = 4.5 * adders / pe + 0.5 * adders / max(1, pe // 8)
    else:
        adders = (inputs - chains) // 2
        cells = adders + (chains + 1) // 2
    columns = [inputs - 2 * adders, adders]
    while max(columns) > 2:
        after = [0] * (len(columns) + 2)
        for place, height in enumerate(columns):
            counters = (height + 1) // 7
            rest = max(0, height - 7 * counters)
            cells += 2 * counters + rest // 3
            after[place] += counters + rest // 3 + rest % 3
            after[place + 1] += counters + rest // 3
            after[place + 2] += counters
        columns = after
    return cells


def _chains(inputs: int, *, extra: bool) -> int:
    # hwbnn_count_ecp5: a level's chains, a carry and their adders, in cells of two LUT4s.
    numbers, bits = (inputs + (3 if extra else 4)) // 4, 1
    cells = numbers + 1
    while numbers > 1:
        bits += 1
        cells += (numbers // 2 * (bits + 1) + 1) // 2
        numbers -= numbers // 2
    return 2 * cells + extra


def products(inputs: int, *, pe: int, bits: int, weight_bits: int | None, family: Family) -> float:
    """LUTs of one lane's sum of products; weight_bits None: weights only add or subtract.

    Adders of a tree grow by a bit a level; a product is a row of adders a weight bit.
    """
    scale = 1.0 if family is Family.XC7 else 1.8
    if weight_bits is None:
        shared = inputs * (bits + 2) / pe
        return scale * (inputs * (bits + 2) + shared + bits)
    rows = 1 if bits == 1 else max(1, min(bits, weight_bits) - 1)
    return scale * (inputs * ((bits + weight_bits) * rows + bits + weight_bits + 2))


def memory(shape: MemoryShape, family: Family) -> Resources:
    """Cost of a read-only memory."""
    if shape.style is Style.BLOCK:
        blocks = float(_blocks(shape.depth, shape.width))
        return Resources(bram=blocks / 2 if family is Family.XC7 else blocks)
    return Resources(lut=_rom(shape.depth, shape.width, family))


def _rom(depth: int, width: int, family: Family) -> float:
    # A bit of a word is a function of the address: a LUT, then multiplexers by abc's account.
    if depth == 1:
        return 0.0
    rows = 16 if family is Family.XC7 else 8
    return width * max(0.8, depth / rows)


def ram(depth: int, width: int, family: Family) -> float:
    """LUTs of a small memory that is written.

    RAM32M: 32 x 6 bits in four LUTs; TRELLIS_DPR16X4: 16 x 4 bits in three slices of two.
    """
    if family is Family.XC7:
        return -(-depth // 32) * -(-width // 6) * 4.0
    return -(-depth // 16) * -(-width // 4) * 6.0


def _blocks(depth: int, width: int) -> int:
    return min(-(-depth // rows) * -(-width // bits) for rows, bits in _BLOCK_SHAPES)
