# SPDX-License-Identifier: Apache-2.0
"""Modelled cost of the units: structural formulas, their constants fitted to Yosys counts.

LUTs are sites: memories and ECP5 carry cells included, small LUTs never paired. Against Yosys on
binary Mvu with weights in block RAM (benchmarks/results/mvu_luts.json): LUTs within 8 %. On small
units of every kind: within 25 %, but up to 60 % on tables of thresholds, odd width converters and
argmax, whose logic depends on the numbers in them.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from hwbnn.ir.unit import Family, MemoryShape, Resources, Style

if TYPE_CHECKING:
    from hwbnn.units.arg_max import ArgMax
    from hwbnn.units.lookup import Lookup
    from hwbnn.units.mvu import Mvu
    from hwbnn.units.thresholds import Thresholds
    from hwbnn.units.width_converter import WidthConverter

# Depth and width of a block of 18 kbit: RAMB18E1 (UG473) and DP16KD (TN-02204) alike.
_BLOCK_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
_LUT_A_BLOCK = 190.0  # LUTs for a RAMB18E1 on a Zynq-7020: 53 200 to 280


def prefers_block(depth: int, width: int) -> bool:
    """Return whether a memory takes a smaller share of a device in block RAM."""
    if depth <= 16:
        return False
    return _rom(depth, width, Family.XC7) > _LUT_A_BLOCK * _blocks(depth, width)


def mvu(unit: Mvu, family: Family) -> Resources:
    """Cost of a matrix-vector unit."""
    memories = unit.memory_shapes()
    weights, tables = memories[0], memories[1:]
    threshold_bits = tables[0].lane_bits if tables else 0
    width = unit.accumulator.bits
    if len(tables) == 1:
        width = max(width, threshold_bits) + 1
    constant = weights.depth == 1
    sums = _popcount(unit, family, constant) if unit.mode.value == 0 else _products(unit, family)
    lane = sums + width * (1.0 if family is Family.XC7 else 2.5) + 1
    if len(tables) > 1:
        lane += (len(tables) * threshold_bits) / 2 + 2 * len(tables)
    data = unit.simd * unit.input_dtype.bits
    folds, depth = unit.synapse_folds, weights.depth
    lut = unit.pe * lane + 12 + 3 * depth.bit_length()
    if unit.neuron_folds > 1:
        lut += data + (_ram(folds, data, family) if folds > 1 else 0)
    held = 0 if constant else weights.width
    stages = unit.stages * unit.pe * unit.simd * unit.input_dtype.bits / 3
    result = 1 if len(tables) == 1 else width
    ff = (
        data
        + unit.pe * (result + (width if folds > 1 else 0))
        + 3 * depth.bit_length()
        + 8
        + stages
    )
    if unit.neuron_folds > 1 and folds == 1:
        ff += data
    ff += unit.pe * sum(width + step + 1 for step in range(len(tables))) if len(tables) > 1 else 0
    if weights.style is not Style.BLOCK:
        ff += held
    total = Resources(lut=lut, ff=ff)
    for memory in memories:
        total += _memory(memory, family)
    return total


def thresholds(unit: Thresholds, family: Family) -> Resources:
    """Cost of a stand-alone staircase."""
    tables = unit.memory_shapes()[:-1]
    bits = unit.input_dtype.bits + 1
    compare = tables[0].lane_bits / (2 if tables[0].depth > 1 else 5)
    lanes = unit.pe * len(tables)
    total = Resources(
        lut=lanes * compare + 2 * len(tables),
        ff=unit.pe * (bits + sum(bits + step for step in range(1, len(tables)))) + lanes,
    )
    for memory in tables:
        copies = unit.pe if unit.shared else 1
        for _ in range(copies):
            total += _memory(memory, family)
    return total


def lookup(unit: Lookup, family: Family) -> Resources:
    """Cost of a table."""
    total = Resources(ff=unit.pe * unit.output_dtype.bits + 2)
    rows = 64 if family is Family.XC7 else 6.4  # a narrow table maps well: LUT6 and MUXF7, MUXF8
    memories = unit.memory_shapes() * (unit.pe if unit.shared else 1)
    for memory in memories:
        if memory.style is Style.BLOCK:
            total += _memory(memory, family)
        else:
            total += Resources(lut=memory.width * max(0.5, memory.depth / rows))
    return total


def width_converter(unit: WidthConverter, family: Family) -> Resources:
    """Cost of a width converter: a selection of offsets for every place, and what is kept."""
    if unit.in_lanes == unit.out_lanes:
        return Resources(lut=1)
    unit_lanes = gcd(unit.in_lanes, unit.out_lanes)
    small, large = sorted((unit.in_lanes, unit.out_lanes))
    places = (small + large - unit_lanes) * unit.dtype.bits
    scale = 0.8 if family is Family.XC7 else 1.1  # a choice of an offset at a place
    lut = places * max(1.0, scale * small / unit_lanes) + 10
    return Resources(lut=lut, ff=(large - unit_lanes) * unit.dtype.bits + 4)


def arg_max(unit: ArgMax, family: Family) -> Resources:
    """Cost of an argmax: a comparison and two selections a node."""
    bits, index = unit.input_dtype.bits, unit.outputs[0].dtype.bits
    nodes = unit.pe - 1 + (unit.inputs[0].vector_beats > 1)
    each = 1.5 * bits + index if family is Family.XC7 else 3.0 * bits + index
    return Resources(lut=nodes * each + 8, ff=(nodes + 1) * (bits + index) / 2 + 10)


def _popcount(unit: Mvu, family: Family, constant: bool) -> float:
    # hwbnn_popcount and hwbnn_compress: the plan, cell by cell.
    inputs = unit.simd
    if family is Family.ECP5:
        return inputs * (0.7 if constant else 2.3)
    chains = -(-inputs // 5)
    if constant:
        adders = (inputs - 1) // 2
        cells = 4.5 * adders / unit.pe + 0.5 * adders / max(1, unit.pe // 8)
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


def _products(unit: Mvu, family: Family) -> float:
    # Adders of a tree grow by a bit a level; a product is a row of adders a weight bit.
    bits, weight = unit.input_dtype.bits, unit.weight_dtype.bits
    scale = 1.25 if family is Family.XC7 else 1.65
    if unit.mode.value == 1:
        shared = unit.simd * (bits + 2) / unit.pe
        return scale * (unit.simd * (bits + 2) + shared + bits)
    product = 1 if unit.input_dtype.bits == 1 else max(1, min(bits, weight) - 1)
    return scale * (unit.simd * ((bits + weight) * product + bits + weight + 2))


def _memory(memory: MemoryShape, family: Family) -> Resources:
    if memory.style is Style.BLOCK:
        blocks = float(_blocks(memory.depth, memory.width))
        return Resources(bram=blocks / 2 if family is Family.XC7 else blocks)
    return Resources(lut=_rom(memory.depth, memory.width, family))


def _rom(depth: int, width: int, family: Family) -> float:
    # A bit of a word is a function of the address: a LUT, then multiplexers by abc's account.
    if depth == 1:
        return 0.0
    rows = 16 if family is Family.XC7 else 8
    return width * max(0.8, depth / rows)


def _ram(depth: int, width: int, family: Family) -> float:
    # RAM32M: 32 x 6 bits in four LUTs; TRELLIS_DPR16X4: 16 x 4 bits in three slices of two.
    if family is Family.XC7:
        return -(-depth // 32) * -(-width // 6) * 4.0
    return -(-depth // 16) * -(-width // 4) * 6.0


def _blocks(depth: int, width: int) -> int:
    return min(-(-depth // rows) * -(-width // bits) for rows, bits in _BLOCK_SHAPES)
