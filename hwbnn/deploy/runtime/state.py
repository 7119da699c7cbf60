# SPDX-License-Identifier: Apache-2.0
"""State: what STATUS and the counters of a board say, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple, Sequence

from . import registers
from .weights import stalls_of_readers

if TYPE_CHECKING:
    from .back_end import Registers
    from .weights import Image

FLAGS = {registers.BUSY: "busy", registers.DONE: "done"}
MOST_FIFOS = (0x400 - registers.HIGH_WATER) // 4
WRITE_ONE_TO_CLEAR = registers.DONE | sum(registers.ERRORS)


class State(NamedTuple):
    """A snapshot. high_water: by FIFO, the most slots that were in use, with its name if known.

    weight_stalls: by image in memory, cycles in which the core had room and no word of it came.
    """

    status: int
    frames_done: int
    cycles: int
    in_stall: int
    out_stall: int
    in_room: int
    high_water: tuple[tuple[str, int], ...]
    weight_stalls: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        fifos = ", ".join(f"{name} {most}" for name, most in self.high_water) or "not counted"
        weights = ", ".join(f"{name} {stalls}" for name, stalls in self.weight_stalls)
        return (
            f"status {self.status:#x} ({describe(self.status)})\n"
            f"frames done {self.frames_done}, cycles {self.cycles}, input stalled {self.in_stall}, "
            f"output stalled {self.out_stall}\n"
            f"high water: {fifos}" + (f"\nweights stalled: {weights}" if weights else "")
        )


def describe(status: int) -> str:
    """Return the flags and errors of STATUS in words."""
    found = [text for bit, text in {**FLAGS, **registers.ERRORS}.items() if status & bit]
    return ", ".join(found) or "idle"


def errors_in(status: int) -> str:
    """Return the errors of STATUS in words; empty: none."""
    return ", ".join(text for bit, text in registers.ERRORS.items() if status & bit)


def read_double(read: Callable[[int], int], offset: int) -> int:
    """Return two registers as one number; reading the low one holds the high one."""
    low = read(offset)
    return low | read(offset + 4) << 32


def read_state(board: Registers, fifos: Sequence[str] = (), weights: Sequence[Image] = ()) -> State:
    """Read everything; fifos: names in the order of HIGH_WATER; weights: in that of the readers."""
    count = min(board.read(registers.FIFOS), MOST_FIFOS)
    names = [fifos[i] if i < len(fifos) else f"fifo {i}" for i in range(count)]
    return State(
        status=board.read(registers.STATUS),
        frames_done=board.read(registers.FRAMES_DONE),
        cycles=read_double(board.read, registers.CYCLES),
        in_stall=board.read(registers.IN_STALL),
        out_stall=board.read(registers.OUT_STALL),
        in_room=board.read(registers.IN_ROOM),
        high_water=tuple(
            (name, board.read(registers.HIGH_WATER + 4 * i)) for i, name in enumerate(names)
        ),
        weight_stalls=stalls_of_readers(board, weights),
    )


def state_text(board: Registers, fifos: Sequence[str] = (), weights: Sequence[Image] = ()) -> str:
    """Return the state for a fault's message, or why it cannot be read."""
    try:
        return str(read_state(board, fifos, weights))
    except Exception as error:  # of any back end; the fault that this is for must not be lost
        return f"its registers cannot be read: {error}"
