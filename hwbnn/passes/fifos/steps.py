# SPDX-License-Identifier: Apache-2.0
"""Steps: the depths that memories really have, and what they cost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count, pairwise

from hwbnn.ir.dtype import unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Buffer, Family, Resources
from hwbnn.units import cost

# Of a block RAM at its widest: 36 bits, on iCE40 16.
BLOCK_ROWS = {Family.XC7: 512, Family.ECP5: 512, Family.ICE40: 256}
# SRLC32E, RAM32M (UG474); TRELLIS_DPR16X4; registers.
LUT_ROWS = {Family.XC7: 32, Family.ECP5: 16, Family.ICE40: 4}
FINE = 512  # steps of one row of memories
# What a block RAM is worth: 53200 LUTs to 140 on a Zynq-7020, 5280 to 30 on an iCE40UP5K.
LUTS_A_BLOCK = {Family.XC7: 380, Family.ECP5: 380, Family.ICE40: 176}


@dataclass(frozen=True)
class Step:
    """A memory of `depth` words: its bits, its modelled price in LUTs, and a FIFO's storage."""

    depth: int
    bits: int
    price: float
    storage: Storage

    @property
    def extra_latency(self) -> int:
        """X of the timing contract, for a FIFO."""
        return self.storage.extra_latency


def fifo_steps(stream: Stream, family: Family, *, enough: int) -> tuple[Step, ...]:
    """Return the steps of a stream's FIFO, the last of at least `enough` words."""
    rounded = _fifo_steps(stream.bits, family, 1 << (enough - 1).bit_length())
    return rounded[: next(i for i, step in enumerate(rounded, 1) if step.depth >= enough)]


@cache
def _fifo_steps(bits: int, family: Family, enough: int) -> tuple[Step, ...]:
    def small(depth: int) -> Step:
        return min(of(depth, Storage.SRL), of(depth, Storage.LUTRAM), key=lambda step: step.price)

    def block(depth: int) -> Step:
        return of(depth, Storage.BLOCK)

    def of(depth: int, storage: Storage) -> Step:
        return _fifo_step(bits, depth, storage, family)

    def in_block(depth: int) -> bool:
        return small(depth).price >= block(_up(depth, BLOCK_ROWS[family])).price

    rows = LUT_ROWS[family], BLOCK_ROWS[family]
    return tuple(_steps(small, block, in_block, rows, least=1, enough=enough))


@cache
def _fifo_step(bits: int, depth: int, storage: Storage, family: Family) -> Step:
    beat = Stream(unsigned(1), bits, bits)
    resources = Fifo(beat, depth, storage).resources(family)
    return Step(depth, depth * bits, price(resources, family), storage)


def buffer_steps(buffer: Buffer, family: Family, *, enough: int) -> tuple[Step, ...]:
    """Return the steps of a unit's internal buffer, the last of at least `enough` words."""

    def small(depth: int) -> Step:
        paid = price(cost.written(depth, buffer.bits, family), family)
        return Step(depth, depth * buffer.bits, paid, Storage.LUTRAM)

    def block(depth: int) -> Step:
        paid = LUTS_A_BLOCK[family] * cost.ram_blocks(depth, buffer.bits, family)
        return Step(depth, depth * buffer.bits, paid, Storage.BLOCK)

    def in_block(depth: int) -> bool:
        return cost.prefers_block_ram(depth, buffer.bits)

    least = buffer.least
    if buffer.line is not None:
        return tuple(_line_steps(buffer, buffer.line, family, enough=enough))
    rows = LUT_ROWS[family], BLOCK_ROWS[family]
    steps = _steps(small, block, in_block, rows, least=least, enough=enough)
    return tuple(_distinct(list(steps)))


def _line_steps(buffer: Buffer, line: int, family: Family, *, enough: int) -> Iterator[Step]:
    """Memories of a line each, one more at a time."""
    in_block = cost.prefers_block_ram(line, buffer.bits)
    paid = price(cost.written(line, buffer.bits, family), family)
    if in_block:
        paid = LUTS_A_BLOCK[family] * cost.ram_blocks(line, buffer.bits, family)

    def lines(depth: int) -> Step:
        storage = Storage.BLOCK if in_block else Storage.LUTRAM
        return Step(depth, depth * buffer.bits, depth // line * paid, storage)

    return _steps(lines, lines, lambda _: False, (line, line), least=buffer.least, enough=enough)


def cheapest_fifo(stream: Stream, depth: int, family: Family) -> Fifo:
    """Return the FIFO of a depth in the storage that costs least."""
    kinds = (kind for kind in Storage if kind is not Storage.ULTRA)  # as block RAM: ultra_ram.py
    fifos = [Fifo(stream, depth, storage) for storage in kinds]
    return min(fifos, key=lambda fifo: price(fifo.resources(family), family))


def price(resources: Resources, family: Family) -> float:
    """LUTs, with block RAMs for what they are worth; of iCE40 cells, which flip-flops take too."""
    cells = resources.lut + (resources.ff if family is Family.ICE40 else 0)
    return cells + LUTS_A_BLOCK[family] * resources.bram


def _distinct(steps: list[Step]) -> Iterator[Step]:
    """The steps that cost less than the next one: others are the same memory, not all of it."""
    for step, after in pairwise(steps):
        if step.price < after.price:
            yield step
    yield steps[-1]


def _steps(
    small: Callable[[int], Step],
    block: Callable[[int], Step],
    in_block: Callable[[int], bool],
    steps: tuple[int, int],
    *,
    least: int,
    enough: int,
) -> Iterator[Step]:
    """Memories of LUTs, so many words more at a time, until one is better in block RAM.

    After the first `FINE` steps each is an eighth deeper than the one before.
    """
    rows, block_rows = steps
    depth, make = _up(least, rows), small
    for index in count():
        if make is small and in_block(depth):
            depth, rows, make = _up(depth, block_rows), block_rows, block
        yield make(depth)
        if depth >= enough:
            return
        depth += rows if index < FINE else _up(depth // 8, rows)


def _up(depth: int, rows: int) -> int:
    return -(-depth // rows) * rows
