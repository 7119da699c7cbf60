# SPDX-License-Identifier: Apache-2.0
"""Steps: the depths that memories really have, and what they cost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, pairwise

from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Buffer, Family, Resources
from hwbnn.units import cost

BLOCK_ROWS = 512  # of a block RAM 36 bits wide
LUT_ROWS = {Family.XC7: 32, Family.ECP5: 16}  # SRLC32E, RAM32M (UG474); TRELLIS_DPR16X4
FINE = 512  # steps of one row of memories
LUTS_A_BLOCK = 380  # what a block RAM is worth: 53200 LUTs to 140 on a Zynq-7020


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
        return int(self.storage is Storage.BLOCK)


def fifo_steps(stream: Stream, family: Family, *, enough: int) -> tuple[Step, ...]:
    """Return the steps of a stream's FIFO, the last of at least `enough` words."""

    def small(depth: int) -> Step:
        return min(of(depth, Storage.SRL), of(depth, Storage.LUTRAM), key=lambda step: step.price)

    def block(depth: int) -> Step:
        return of(depth, Storage.BLOCK)

    def of(depth: int, storage: Storage) -> Step:
        resources = Fifo(stream, depth, storage).resources(family)
        return Step(depth, depth * stream.bits, price(resources), storage)

    def in_block(depth: int) -> bool:
        return small(depth).price >= block(_up(depth, BLOCK_ROWS)).price

    return tuple(_steps(small, block, in_block, LUT_ROWS[family], least=1, enough=enough))


def buffer_steps(buffer: Buffer, family: Family, *, enough: int) -> tuple[Step, ...]:
    """Return the steps of a unit's internal buffer, the last of at least `enough` words."""

    def small(depth: int) -> Step:
        paid = cost.ram(depth, buffer.bits, family)
        return Step(depth, depth * buffer.bits, paid, Storage.LUTRAM)

    def block(depth: int) -> Step:
        paid = LUTS_A_BLOCK * cost.ram_blocks(depth, buffer.bits, family)
        return Step(depth, depth * buffer.bits, paid, Storage.BLOCK)

    def in_block(depth: int) -> bool:
        return cost.prefers_block_ram(depth, buffer.bits)

    least = buffer.least
    if buffer.line is not None:
        return tuple(_line_steps(buffer, buffer.line, family, enough=enough))
    steps = _steps(small, block, in_block, LUT_ROWS[family], least=least, enough=enough)
    return tuple(_distinct(list(steps)))


def _line_steps(buffer: Buffer, line: int, family: Family, *, enough: int) -> Iterator[Step]:
    """Memories of a line each, one more at a time."""
    in_block = cost.prefers_block_ram(line, buffer.bits)
    paid = cost.ram(line, buffer.bits, family)
    if in_block:
        paid = LUTS_A_BLOCK * cost.ram_blocks(line, buffer.bits, family)

    def lines(depth: int) -> Step:
        storage = Storage.BLOCK if in_block else Storage.LUTRAM
        return Step(depth, depth * buffer.bits, depth // line * paid, storage)

    return _steps(lines, lines, lambda _: False, line, least=buffer.least, enough=enough)


def cheapest_fifo(stream: Stream, depth: int, family: Family) -> Fifo:
    """Return the FIFO of a depth in the storage that costs least."""
    fifos = [Fifo(stream, depth, storage) for storage in Storage]
    return min(fifos, key=lambda fifo: price(fifo.resources(family)))


def price(resources: Resources) -> float:
    """LUTs, with block RAMs for what they are worth."""
    return resources.lut + LUTS_A_BLOCK * resources.bram


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
    rows: int,
    *,
    least: int,
    enough: int,
) -> Iterator[Step]:
    """Memories of LUTs, `rows` words more at a time, until one is better in block RAM.

    After the first `FINE` steps each is an eighth deeper than the one before.
    """
    depth, make = _up(least, rows), small
    for index in count():
        if make is small and in_block(depth):
            depth, rows, make = _up(depth, BLOCK_ROWS), BLOCK_ROWS, block
        yield make(depth)
        if depth >= enough:
            return
        depth += rows if index < FINE else _up(depth // 8, rows)


def _up(depth: int, rows: int) -> int:
    return -(-depth // rows) * rows
