# SPDX-License-Identifier: Apache-2.0
"""Fitting: FIFOs sized for a board, and a folding that fits it with them."""

from functools import partial

from hwbnn.board import Board
from hwbnn.emit.shell import core_cost, room
from hwbnn.ir.design import Design
from hwbnn.passes import adapt
from hwbnn.passes.fifos.size_fifos import Sizing, size
from hwbnn.passes.search.fit import Searched
from hwbnn.passes.search.refit import fit_sized
from hwbnn.passes.stream_weights import WeightMemory, pace
from hwbnn.passes.ultra_ram import in_ultra_ram


def sized(
    design: Design, board: Board, memory: WeightMemory, *, effort: int | None = None
) -> Sizing:
    """Return a folded design, adapted and sized, not yet in UltraRAM."""
    adapted = pace(adapt(design), memory)
    return size(adapted, family=board.cost_family, effort=effort)


def on_board(design: Design, board: Board) -> Design:
    """Return a sized design with what goes to a board's UltraRAMs there."""
    family = board.cost_family
    besides = core_cost(design, board).less(design.resources(family))
    return in_ultra_ram(design, limit=room(board).less(besides), family=family)


def fitted(searched: Searched, board: Board, memory: WeightMemory) -> tuple[Searched, Sizing]:
    """Return a searched folding that fits a board, shell and sized FIFOs included; refit.py."""
    return fit_sized(
        searched,
        limit=room(board),
        cost=partial(core_cost, board=board),
        family=board.cost_family,
        size=lambda design, effort: sized(design, board, memory, effort=effort),
        settle=partial(on_board, board=board),
    )
