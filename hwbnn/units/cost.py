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
    raise NotImplementedError


def thresholds(unit: Thresholds, family: Family) -> Resources:
    """Cost of a stand-alone staircase."""
    raise NotImplementedError


def lookup(unit: Lookup, family: Family) -> Resources:
    """Cost of a table."""
    raise NotImplementedError


def width_converter(unit: WidthConverter, family: Family) -> Resources:
    """Cost of a width converter."""
    raise NotImplementedError


def arg_max(unit: ArgMax, family: Family) -> Resources:
    """Cost of an argmax."""
    raise NotImplementedError
