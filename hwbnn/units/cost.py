# SPDX-License-Identifier: Apache-2.0
"""What the units are built of, in LUTs and block RAMs; constants fitted to Yosys counts.

LUTs are sites: memories and ECP5 carry cells included, small LUTs never paired. `rom` is exact in
block RAMs and, above 8 words, in the LUTs of distributed words (but for a last quarter of 256 that
holds no word); the choice behind packed blocks takes up to half more LUTs (benchmarks/memories.py).
Error of the units' formulas over a grid of foldings: binary Mvu with weights in block RAM or
unrolled 8 %, the other units: benchmarks/cost_model.py.
"""

import math
from collections.abc import Iterable
from functools import cache

from hwbnn.ir import ram as memory_costs
from hwbnn.ir.ram import BLOCK_SHAPES, SMALL_BLOCK_SHAPES, ULTRA_SHAPE, blocks_of
from hwbnn.ir.unit import Family, MemoryShape, Resources, Style

_ROM_SHAPES = (*BLOCK_SHAPES, (32768, 0.5))  # the last: a bit in two blocks, without a choice
ram, ram_blocks, written = memory_costs.ram, memory_costs.ram_blocks, memory_costs.written
ultra_ram, ultra_columns = memory_costs.ultra_ram, memory_costs.ultra_columns
LUT_A_BLOCK = 190.0  # LUTs for a RAMB18E1 on a Zynq-7020: 53 200 to 280


def prefers_block(depth: int, width: int) -> bool:
    """Return whether hwbnn_rom takes a smaller share of a device in block RAM."""
    if depth <= 16:
        return False
    block = rom(depth, width, Style.BLOCK, Family.XC7)
    return rom_luts(depth, width, Family.XC7) > block.lut + 2 * LUT_A_BLOCK * block.bram


@cache
def rom(depth: int, width: int, style: Style, family: Family) -> Resources:
    """Cost of hwbnn_rom without its registers: words in LUTs, or in blocks with a choice behind."""
    if depth == 1:
        return Resources()
    if style is not Style.BLOCK:
        return Resources(lut=rom_luts(depth, width, family))
    rows = rom_rows(depth, width)
    banks, blocks = _banked(depth, width, rows)
    lut = width * _choice(banks, family)
    if family is Family.ICE40:
        blocks, deep = _small_blocks(rows, banks * width)
        lut += banks * width * _choice(deep, family)
    return Resources(lut=lut, bram=blocks / 2 if family is Family.XC7 else float(blocks))


def loaded(depth: int, width: int) -> Resources:
    """Cost of hwbnn_ultra_rom and of the link that loads it; fitted to Yosys."""
    columns, row = ultra_columns(width), (depth - 1).bit_length()
    enables = columns if columns > 1 else 0  # which column is next: a bit each
    link = Resources(lut=columns + 3.0, ff=ULTRA_SHAPE[1] + 2.0 + row + enables)
    return ultra_ram(depth, width) + link


def _small_blocks(depth: int, width: int) -> tuple[int, int]:
    """Return blocks of 4 kbit, and how many of them make up the depth."""
    found = ((-(-depth // rows), -(-width // bits)) for rows, bits in SMALL_BLOCK_SHAPES)
    return min((deep * wide, deep) for deep, wide in found)


@cache
def rom_rows(depth: int, width: int) -> int:
    """Rows of the block RAM of hwbnn_rom that take the smallest share, words side by side."""
    rows = [count for count, _ in _ROM_SHAPES if count < depth]
    if depth <= _ROM_SHAPES[-1][0]:
        rows.insert(0, depth)

    def share(count: int) -> float:
        banks, blocks = _banked(depth, width, count)
        return LUT_A_BLOCK * blocks + width * _choice(banks, Family.XC7)

    return min(rows, key=share)


@cache
def rom_luts(depth: int, width: int, family: Family) -> float:
    """LUTs of distributed words: rtl/yosys/rom.v, cell by cell; up to 8 words, what abc shares."""
    if depth <= 8:
        functions = 2.0 ** (depth - 1)
        return functions * (1 - math.exp(-width / functions)) if depth > 2 else 0.0
    if family is Family.XC7 and depth <= 32:
        return float(-(-width // 2))
    return float(width * _column(depth, family))


def _column(depth: int, family: Family) -> int:
    if family is Family.ICE40:  # rtl/yosys/rom_ice40.v: leaves of 16 words, a tree behind
        return 2 * -(-depth // 16) - 1
    if family is Family.ECP5:
        if depth <= 128:
            return 1 << max(0, (depth - 1).bit_length() - 4)
        half = 1 << ((depth - 1).bit_length() - 1)
        return _column(half, family) + _column(depth - half, family) + 1
    if depth <= 64:
        return 1
    if depth <= 256:
        return 2 if depth <= 128 else 3 if depth <= 144 else 4
    step = 1 << (((depth - 1).bit_length() - 1) & ~1)
    whole, rest = divmod(depth, step)
    return whole * _column(step, family) + (_column(rest, family) if rest else 0) + 1


def _choice(banks: int, family: Family) -> float:
    # LUTs of a multiplexer, a bit: of four inputs each, or of two.
    if banks == 1:
        return 0.0
    return float(-(-(banks - 1) // 3)) if family is Family.XC7 else float(banks - 1)


def _banked(depth: int, width: int, rows: int) -> tuple[int, int]:
    """Return words a row, and blocks of 18 kbit."""
    banks = -(-depth // rows)
    bits = next(bits for count, bits in _ROM_SHAPES if count >= rows)
    return banks, math.ceil(banks * width / bits)


@cache
def write_enables(depth: int, banks: int, family: Family) -> float:
    """LUTs that choose which distributed RAM is written; fitted to Yosys."""
    rows, each = (64, 1.6) if family is Family.XC7 else (16, 1.15)
    memories = banks * -(-depth // rows)
    return each * memories if memories > 1 else 0.0


def banks(words: MemoryShape, count: int, style: Style, family: Family) -> Resources:
    """Cost of so many memories that are written, each with a register of the word that it reads."""
    shape = words.depth, words.width, family
    distributed = written(*shape)
    if style is Style.ULTRA:
        ultra = ultra_ram(words.depth, words.width)
        return Resources(lut=count * ultra.lut, uram=count * ultra.uram)
    if bram := ram_blocks(*shape) if style is Style.BLOCK else distributed.bram:
        return Resources(bram=count * bram)  # a word comes out of its register
    lut = count * distributed.lut + write_enables(words.depth, count, family)
    return Resources(lut=lut, ff=count * (distributed.ff + words.width))


def memories(shapes: Iterable[MemoryShape], family: Family) -> Resources:
    """Cost of read-only memories."""
    return sum((memory(shape, family) for shape in shapes), Resources())


@cache
def popcount(inputs: int, *, pe: int, constant: bool, family: Family) -> float:
    """LUTs of one lane's XNOR-popcount: hwbnn_popcount and below, cell by cell.

    On iCE40 Yosys makes what it likes of a sum of bits; fitted.
    """
    if family is Family.ICE40:
        if not constant:
            return 2.6 * inputs
        each = 0.31 * math.log2(inputs) - 0.13 * math.log2(pe)  # lanes share what is constant
        return max(0.3, each) * inputs
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


def products(
    inputs: int, depth: int, *, pe: int, bits: int, weight_bits: int | None, family: Family
) -> float:
    """LUTs of one lane's sum of products; weight_bits None: weights only add or subtract.

    A product is a row of adders a weight bit. Inputs that are added or subtracted: on xc7 Yosys
    compresses them, two LUTs a bit for all but the last. depth: words of the weights' memory; lanes
    share more the fewer they are. Fitted to depths of 3, 8, 24, 32 and 144.
    """
    scale = 1.0 if family is Family.XC7 else 1.8
    if weight_bits is not None:
        rows = 1 if bits == 1 else max(1, min(bits, weight_bits) - 1)
        return scale * (inputs * ((bits + weight_bits) * rows + bits + weight_bits + 2))
    shared = inputs * (bits + 2) / pe
    if family.lut4:
        return scale * (inputs * (bits + 2) + shared + bits)
    compressed = 2 * max(0.0, inputs - 1.5) * 1.3 * bits
    own = max(0.45, 1 - 3.5 / depth**2)
    return own * compressed + shared + bits + inputs.bit_length()


@cache
def memory(shape: MemoryShape, family: Family) -> Resources:
    """Cost of a read-only memory."""
    if shape.style is Style.BLOCK:
        blocks = float(blocks_of(shape.depth, shape.width, family))
        return Resources(bram=blocks / 2 if family is Family.XC7 else blocks)
    return Resources(lut=_rom(shape.depth, shape.width, family))


def table(shape: MemoryShape, family: Family) -> Resources:
    """Cost of a table that a unit reads and then registers what it makes of the word."""
    if shape.style is Style.BLOCK:
        return memory(shape, family)
    if family is Family.XC7 or shape.depth <= 8:
        return Resources(lut=rom_luts(shape.depth, shape.width, family))
    return Resources(lut=1.17 * _rom(shape.depth, shape.width, family))


def starts(shape: MemoryShape, family: Family) -> Resources:
    """Cost of the thresholds of a one-step staircase: one read port for all lanes."""
    if shape.style is Style.BLOCK or family.lut4 or shape.depth == 1:
        return memory(shape, family)
    return Resources(lut=shape.width * max(0.8, shape.depth / 32))


def _rom(depth: int, width: int, family: Family) -> float:
    # A bit of a word is a function of the address: a LUT, then multiplexers by abc's account.
    if depth == 1:
        return 0.0
    rows = 16 if family is Family.XC7 else 8
    return width * max(0.8, depth / rows)


def prefers_block_ram(depth: int, width: int) -> bool:
    """Return whether a memory that is written takes a smaller share of a device in block RAM."""
    return ram(depth, width, Family.XC7) > LUT_A_BLOCK * blocks_of(depth, width)
