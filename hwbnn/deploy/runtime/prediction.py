# SPDX-License-Identifier: Apache-2.0
"""Prediction: the cycles that frames take by hwbnn's timing engine, for any number of them."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple


class Prediction(NamedTuple):
    """Cycles from the first input beat to the last output beat, both included.

    ends: of 1, 2, ... frames. Behind them each `repeat` frames take `span` cycles more than those
    before: the state of the core repeats. exact: False if none was found, and span is a mean.
    """

    ends: tuple[int, ...]
    repeat: int
    span: int
    exact: bool

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Prediction:
        """Return that of a manifest's `cycles`."""
        ends = tuple(int(end) for end in entry["ends"])
        return cls(ends, int(entry["repeat"]), int(entry["span"]), bool(entry["exact"]))

    def cycles(self, frames: int) -> int:
        """Return the cycles of so many frames, if neither side makes the core wait."""
        if frames <= len(self.ends):
            return self.ends[frames - 1] if frames else 0
        periods, rest = divmod(frames - len(self.ends) - 1, self.repeat)
        return self.ends[len(self.ends) - self.repeat + rest] + (periods + 1) * self.span
