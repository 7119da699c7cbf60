# SPDX-License-Identifier: Apache-2.0
"""Roofline: whether the accelerator, the memory port or the host's line bounds the rate."""

from dataclasses import dataclass
from enum import Enum

from hwbnn.board import Board, UartLink
from hwbnn.emit.transfer import Transfer
from hwbnn.ir.design import Design

MARGIN = 1.001  # what is this little faster is as fast
ASSUMPTION = (
    "bursts without gaps: latencies, refresh and other masters of the memory, and the host's own "
    "work are left out"
)


class Limit(Enum):
    """What bounds the frames a second."""

    ACCELERATOR = "accelerator"
    PORT = "port"
    LINK = "link"


@dataclass(frozen=True)
class Roofline:
    """Frames a second of each part by itself; link None: the port is the way to the host.

    port: words of the shell one a cycle each way and, of memory, its peak for both ways together.
    link: the serial line, packets included.
    """

    accelerator: float
    port: float
    link: float | None

    @property
    def board(self) -> float:
        """What port and link let through."""
        return self.port if self.link is None else min(self.port, self.link)

    @property
    def limit(self) -> Limit:
        """The slowest part; the accelerator only if the others are faster."""
        if self.board > self.accelerator * MARGIN:
            return Limit.ACCELERATOR
        return Limit.PORT if self.link is None or self.port < self.link else Limit.LINK


def roofline(design: Design, board: Board, *, period: float, clock_mhz: float) -> Roofline:
    """Return the bounds of a design that takes a frame every `period` cycles."""
    sizes = (
        Transfer(edge.stream, board.word_bytes).frame_bytes
        for edge in (design.input, design.output)
    )
    frame, result = sizes
    clock = clock_mhz * 1e6
    port = clock / board.port_cycles(frame, result, clock_mhz=clock_mhz)
    if isinstance(board.link, UartLink):
        return Roofline(clock / period, clock / board.word_cycles(frame, result), port)
    return Roofline(clock / period, port, None)
