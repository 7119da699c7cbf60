# SPDX-License-Identifier: Apache-2.0
"""Bitstream: a design as a chip, at the highest clock that its routed timing allows."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from hwbnn.board import Board
from hwbnn.emit.chip_open import (
    FLOWS,
    bit_cycles_256,
    emit_open_chip,
    least_clock_mhz,
)
from hwbnn.emit.chip_zynq import emit_zynq_chip, is_zynq
from hwbnn.errors import ToolError
from hwbnn.ir.design import Design
from hwbnn.tools import vivado
from hwbnn.tools.nextpnr import Bitstream, check_tools, route
from hwbnn.tools.scratch import scratch

ROUTINGS = 3
MARGIN = 0.95  # another clock is another placement, whose Fmax is some percent off

Say = Callable[[str], None]
Made = Bitstream | vivado.ZynqBitstream


def check(board: Board, *, clock_mhz: float) -> None:
    """Raise before the work starts what would stop it: board, clock or tools."""
    if is_zynq(board):
        vivado.check_part(vivado.find_vivado(), board.part)
        return
    bit_cycles_256(board, clock_mhz)
    flow = FLOWS[board.family]
    check_tools(flow.place, flow.pack[0])


def clock_choices(board: Board, *, least_mhz: float = 0.0) -> tuple[float, ...]:
    """Return the clocks to choose from: whole MHz that the serial line can be timed with.

    None for a Zynq: Vivado takes too long to try several.
    """
    if is_zynq(board):
        return ()
    return tuple(
        clock
        for clock in board.clocks.achievable
        if clock == round(clock) and clock >= max(least_mhz, least_clock_mhz(board))
    )


def make_bitstream(
    design: Design, board: Board, *, clock_mhz: float, choices: Sequence[float], say: Say
) -> Made:
    """Route a design at a clock, then at the highest of `choices` that its Fmax allows.

    At most ROUTINGS times; the highest clock that closed is kept. ToolError if none did.
    """
    if is_zynq(board):
        with scratch() as work:
            chip = emit_zynq_chip(design, board, clock_mhz=clock_mhz)
            return vivado.make_bitstream(chip, board, work=work, say=say)
    best: Bitstream | None = None
    tried: list[tuple[float, float]] = []
    wanted: float | None = clock_mhz
    while wanted is not None and len(tried) < ROUTINGS:
        say(f"place and route at {wanted:.6g} MHz")
        with scratch() as work:
            found = route(emit_open_chip(design, board, clock_mhz=wanted), work=work)
        tried.append((wanted, found.routed.fmax_mhz))
        say(f"Fmax {found.routed.fmax_mhz:.1f} MHz at {wanted:.6g} MHz")
        if found.routed.fmax_mhz >= wanted:
            best = found
        wanted = _next_clock(tried, choices)
    if best is None:
        raise _too_slow(design, board, tried)
    return replace(best, routed=replace(best.routed, tried=tuple(tried)))


def _next_clock(tried: Sequence[tuple[float, float]], choices: Sequence[float]) -> float | None:
    """Return the highest choice that the last Fmax allows, between what closed and what did not."""
    closed = max((clock for clock, fmax in tried if fmax >= clock), default=0.0)
    missed = min((clock for clock, fmax in tried if fmax < clock), default=float("inf"))
    most = MARGIN * tried[-1][1]
    return max((c for c in choices if closed < c < missed and c <= most), default=None)


def _too_slow(design: Design, board: Board, tried: Sequence[tuple[float, float]]) -> ToolError:
    clock, fmax = max(tried, key=lambda pair: pair[1])
    lower = [c for c in board.clocks.achievable if least_clock_mhz(board) <= c <= fmax]
    mend = f"choose --clock-mhz {lower[-1]:.6g}" if lower else "choose more cycles a frame"
    return ToolError(
        f"{design.name}: clock must be at most the routed design's Fmax of {fmax:.2f} MHz, not "
        f"{clock:.6g} MHz; {mend}"
    )
