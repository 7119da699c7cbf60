# SPDX-License-Identifier: Apache-2.0
"""Modelled cost of the units; calibrated on yosys counts (benchmarks/)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwbnn.ir.unit import Family, Resources

if TYPE_CHECKING:
    from hwbnn.units.arg_max import ArgMax
    from hwbnn.units.lookup import Lookup
    from hwbnn.units.mvu import Mvu
    from hwbnn.units.thresholds import Thresholds
    from hwbnn.units.width_converter import WidthConverter


def prefers_block(words: tuple[int, ...]) -> bool:
    """Return whether a memory of (depth, lanes) is better in block RAM: deeper than 64 words."""
    return words[0] > 64


def mvu(unit: Mvu, family: Family) -> Resources:
    """Cost of a matrix-vector unit."""
    per_synapse = 1.5 if family is Family.XC7 else 2.7
    lanes = unit.pe * unit.simd * max(1, unit.weight_dtype.bits * unit.input_dtype.bits)
    bits = sum(memory.width * memory.depth for memory in unit.memories())
    return Resources(lut=per_synapse * lanes + 12 * unit.pe + 20, ff=lanes / 2, bram=bits / 36864)


def thresholds(unit: Thresholds, family: Family) -> Resources:
    """Cost of a stand-alone staircase."""
    return Resources(lut=unit.pe * unit.output_dtype.bits * 6.0, ff=unit.pe * 8.0)


def lookup(unit: Lookup, family: Family) -> Resources:
    """Cost of a table."""
    return Resources(lut=unit.pe * unit.output_dtype.bits * 6.0, ff=unit.pe * 8.0)


def width_converter(unit: WidthConverter, family: Family) -> Resources:
    """Cost of a width converter."""
    return Resources(lut=unit.dtype.bits * float(unit.in_lanes + unit.out_lanes), ff=8.0)


def arg_max(unit: ArgMax, family: Family) -> Resources:
    """Cost of an argmax."""
    return Resources(lut=unit.pe * 16.0, ff=unit.pe * 8.0)
