# SPDX-License-Identifier: Apache-2.0
"""A small design as the chip of a Zynq board, for tests."""

import random
from functools import cache

from hwbnn.board import find_board
from hwbnn.emit.chip_zynq import BackEnd, ZynqChip, emit_zynq_chip
from hwbnn.ir.design import Design
from hwbnn.units import Mvu
from tests.units.single import joined, random_fifo

CLOCK_MHZ = 100.0
BOARDS = ("pynq-z2", "zcu104")


@cache
def design() -> Design:
    """One Mvu between two FIFOs."""
    rng = random.Random(5)
    unit = Mvu.examples()[4]
    before, after = (
        [random_fifo(s, rng) for s in streams] for streams in (unit.inputs, unit.outputs)
    )
    return joined(unit, before, after)


@cache
def chip(
    board: str = "pynq-z2", back_end: BackEnd = BackEnd.RTL, *, pads: bool = False
) -> ZynqChip:
    """Its chip."""
    where = find_board(board)
    return emit_zynq_chip(
        design(), where, clock_mhz=where.clock(CLOCK_MHZ), back_end=back_end, pads=pads
    )
