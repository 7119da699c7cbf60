# SPDX-License-Identifier: Apache-2.0
"""Shell cost: what a chip has besides its core (decision 8), modelled.

Fitted to Yosys counts of module `accelerator` (Zynq) and `chip` (UART) around binary networks of
one and of eight layers, whose gearboxes have words of up to 16 bits, of hwbnn_high_water at depths
of 2 to 2000, and of hwbnn_weight_reader and hwbnn_weight_control with words of 1 to 16 bytes, and 1
to 5 of them. Routed on a ULX3S, by benchmarks/results/routed.md, the chips of tfc-w1a1 and cnn-w1a1
have 1235 and 1904 LUTs more than their cores.
"""

from hwbnn.board import AxiLink, Board
from hwbnn.emit.chip import MONITORED_FIFOS
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Family, Resources

_AXI = {64: Resources(lut=1135, ff=1263), 128: Resources(lut=1514, ff=1533)}  # by bits of the port
_READER = {64: Resources(lut=375, ff=190), 128: Resources(lut=645, ff=225)}  # likewise
_LOADER = Resources(lut=415, ff=175)  # a reader of words that are whole beats of 128 bits
_READERS = Resources(lut=230, ff=226)  # their registers: fixed, and for each of them
_READER_REGISTERS = Resources(lut=95, ff=97)
_UART = {
    Family.ECP5: Resources(lut=971, ff=775, bram=5),
    Family.ICE40: Resources(lut=876, ff=748, bram=5),
}


def shell_cost(board: Board) -> Resources:
    """Return the cost of the shell, gearboxes included, without what it has for each FIFO."""
    if isinstance(board.link, AxiLink):
        return _AXI[board.data.bits]
    return _UART[board.cost_family]


def monitor_cost(design: Design, family: Family) -> Resources:
    """Return what the counters of the FIFOs' high water cost, and the choice between them."""
    if len(design.edges) > MONITORED_FIFOS:
        return Resources()
    bits = sum((edge.fifo.depth + 1).bit_length() for edge in design.edges)
    chosen, counted = (20.0, 4.3) if family.lut4 else (8.0, 1.0)
    fixed = 0 if family.lut4 else 2
    lut = (chosen + fixed) * len(design.edges) + counted * bits
    return Resources(lut=lut, ff=2.0 * bits)


def readers_cost(design: Design, board: Board) -> Resources:
    """Return what the readers of weights that lie in memory cost, and their registers."""
    count = len(design.sources)
    if not count and not design.loaded:
        return Resources()
    each = _READER[board.data.bits] + _READER_REGISTERS
    cost = Resources(lut=count * each.lut, ff=count * each.ff) + _READERS
    return cost + _LOADER + _READER_REGISTERS if design.loaded else cost


def room(board: Board) -> Resources:
    """Return what the shell leaves of the board's limit, for a core, its monitors and readers."""
    limit, shell = board.limit, shell_cost(board)
    return limit.less(shell)


def core_cost(design: Design, board: Board) -> Resources:
    """Return what a design costs in that room."""
    family = board.cost_family
    cost = design.resources(family) + monitor_cost(design, family)
    return cost + readers_cost(design, board)
