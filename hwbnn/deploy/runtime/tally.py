# SPDX-License-Identifier: Apache-2.0
"""Tally: where the time of a run went, by stage in seconds and by batch in cycles."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Iterator

STAGES = ("pack", "copy", "execute", "unpack")


class Tally:
    """Adds up while a run goes on.

    seconds: wall clock by stage: `pack` (images to bytes), `copy` (bytes to and from memory that
    the board sees), `execute` (until the board is done, on a UART the transfer too) and `unpack`
    (bytes to integers). batches: frames, and what the register CYCLES said, of each.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self.batches: list[tuple[int, int]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time that the body takes to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started

    def batch(self, frames: int, cycles: int) -> None:
        """Note a batch that is done."""
        self.batches.append((frames, cycles))

    @property
    def cycles(self) -> int:
        """Cycles of all batches."""
        return sum(cycles for _, cycles in self.batches)
