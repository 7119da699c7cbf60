# SPDX-License-Identifier: Apache-2.0
"""SlidingWindow: a line buffer that emits the windows of an image, tap by tap."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.errors import ConfigError, ModelError
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, unsigned
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import (
    Actor,
    Buffer,
    Family,
    Folding,
    Port,
    Read,
    Resources,
    Side,
    Unit,
    Write,
    pops,
)
from hwbnn.ir.window import Window
from hwbnn.units.folds import divisors


@dataclass(frozen=True, eq=False)
class SlidingWindow(Unit):
    """Positions in; for every window, group and tap the position's channels of that group out.

    fill: int64 (channels or 1,), values of a tap in the padding. groups: of channels; the taps of
    a window come group by group. capacity: words of `lanes` elements in the buffer; None: the
    fewest that work, one window's extent.
    """

    dtype: DType
    channels: int
    window: Window
    fill: IntArray
    groups: int = 1
    lanes: int = 1
    capacity: int | None = None

    module = "hwbnn_sliding_window"
    finn_nodes = ("ConvolutionInputGenerator", "FMPadding")

    def __post_init__(self) -> None:
        own = self.channels // self.groups
        if self.lanes not in divisors(own):
            raise ConfigError(
                f"{self.origin}: simd must divide {own} channels, not {self.lanes}; choose "
                f"{', '.join(map(str, divisors(own)))}"
            )
        top, left = self.window.padding[:2]
        if top >= self.window.span[0] or left >= self.window.span[1]:
            raise ModelError(
                f"{self.origin}: padding must be less than the kernel's extent "
                f"{self.window.span[0]} x {self.window.span[1]}, not {top} and {left} at the top "
                "and left; windows wholly in the padding are constants"
            )
        if self.capacity is not None and self.capacity < self.least:
            raise ConfigError(
                f"{self.origin}: buffer must hold at least {self.least} words, one window's "
                f"extent, not {self.capacity}"
            )

    # ---- shape -------------------------------------------------------------------------------

    @property
    def folds(self) -> int:
        """Words a position."""
        return self.channels // self.lanes

    @property
    def step(self) -> tuple[int, int]:
        """Stride among the rows, and columns, that are stored: never more than the extent."""
        (sh, sw), (high, wide) = self.window.stride, self.window.span
        return min(sh, high), min(sw, wide)

    @property
    def kept(self) -> tuple[int, int]:
        """Rows and columns of the padded image that are stored: those that windows cover."""
        w = self.window
        down, right = self.step
        return (w.out_height - 1) * down + w.span[0], (w.out_width - 1) * right + w.span[1]

    @property
    def least(self) -> int:
        """Words of one window's extent."""
        high, wide = self.window.span
        return ((high - 1) * self.kept[1] + wide) * self.folds

    def buffers(self) -> tuple[Buffer, ...]:
        capacity = self.least if self.capacity is None else self.capacity
        return (Buffer(capacity, self.least, self.lanes * self.dtype.bits),)

    def with_buffers(self, capacities: tuple[int, ...]) -> Self:
        (capacity,) = capacities
        return replace(self, capacity=capacity)

    # ---- streams and meaning -----------------------------------------------------------------

    @property
    def inputs(self) -> tuple[Stream, ...]:
        positions = self.window.height * self.window.width
        return (Stream(self.dtype, self.lanes, self.channels, positions),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        own, words = self.channels // self.groups, self.window.positions * self.window.taps
        return (Stream(self.dtype, self.lanes, own, words * self.groups),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        (x,) = values
        frames, sources = x.shape[0], self.window.sources
        image = x.reshape(frames, -1, self.channels)
        taps = np.where(sources[..., None] >= 0, image[:, sources], self.fill)
        grouped = taps.reshape(frames, *sources.shape, self.groups, -1)
        return (grouped.swapaxes(2, 3).reshape(frames, -1),)

    # ---- folding -----------------------------------------------------------------------------

    def foldings(self) -> Iterator[Folding]:
        for simd in divisors(self.channels // self.groups):
            yield Folding(simd=simd)

    def fold(self, folding: Folding) -> Self:
        if folding.pe != 1:
            raise ConfigError(f"{self.origin}: pe must be 1, not {folding.pe}; windows have SIMD")
        capacity = self.capacity if folding.simd == self.lanes else None
        return replace(self, lanes=folding.simd, capacity=capacity)

    @property
    def folding(self) -> Folding:
        return Folding(simd=self.lanes)

    @property
    def cycles(self) -> int:
        rows, columns = self.window.padded
        return max(rows * columns * self.folds, self.outputs[0].beats)

    # ---- timing (timing.md rule 7) -------------------------------------------------------------

    def actors(self) -> tuple[Actor, ...]:
        return self._fill_actor(), self._drain_actor()

    def _fill_actor(self) -> Actor:
        """Walk the padded image; read inside it, store what some window covers."""
        w, folds = self.window, self.folds
        rows, columns = w.padded
        top, left = w.padding[:2]
        y, x = np.arange(rows)[:, None], np.arange(columns)[None, :]
        inside = (y >= top) & (y < top + w.height) & (x >= left) & (x < left + w.width)
        high = (y % w.stride[0] < w.span[0]) & (y < (w.out_height - 1) * w.stride[0] + w.span[0])
        wide = (x % w.stride[1] < w.span[1]) & (x < (w.out_width - 1) * w.stride[1] + w.span[1])
        reads, stores = np.repeat(inside.ravel(), folds), np.repeat((high & wide).ravel(), folds)
        at = np.flatnonzero(reads | stores)
        return Actor(
            name="fill",
            at=at,
            cycle=rows * columns * folds,
            repeats=1,
            latency=1,
            reads=(pops(Port(Side.INPUT), reads[at]),),
            writes=(Write(Port(Side.BUFFER), stores[at]),),
        )

    def _drain_actor(self) -> Actor:
        """Walk windows, groups, taps; peek at the word, release with a window's last one."""
        offset, release = self.offsets, self.releases
        firings = np.tile(offset, self.window.positions)
        released = np.zeros((self.window.positions, offset.size), np.int64)
        released[:, -1] = release
        return Actor(
            name="drain",
            at=np.arange(firings.size),
            cycle=firings.size,
            repeats=1,
            latency=2,
            reads=(Read(Port(Side.BUFFER), firings, released.ravel()),),
            writes=(Write(Port(Side.OUTPUT), np.ones(firings.size, np.bool_)),),
        )

    @property
    def offsets(self) -> IntArray:
        """Words from a window's first to each word that it emits, int64 (words a window,)."""
        (kh, kw), (dh, dw) = self.window.kernel, self.window.dilation
        tap = np.arange(kh)[:, None] * dh * self.kept[1] + np.arange(kw) * dw
        own = self.folds // self.groups
        first = np.arange(self.groups)[:, None, None] * own
        return (first + tap.reshape(-1, 1) * self.folds + np.arange(own)).reshape(-1)

    @property
    def releases(self) -> IntArray:
        """Words from each window's first to the next one's, int64 (positions,)."""
        w, (down, right), columns = self.window, self.step, self.kept[1]
        moves = np.full((w.out_height, w.out_width), right)
        moves[:, -1] = w.span[1] + (down - 1) * columns
        moves[-1, -1] = w.span[1] + (w.span[0] - 1) * columns
        return moves.reshape(-1) * self.folds

    # ---- cost and parameters -------------------------------------------------------------------

    def resources(self, family: Family) -> Resources:
        return Resources(lut=60)

    def parameters(self) -> dict[str, int]:
        return {}

    # ---- example -------------------------------------------------------------------------------

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        zero, plain = np.zeros(1, np.int64), Window(6, 6, (3, 3))
        return (
            SlidingWindow(BIPOLAR, 4, plain, -np.ones(1, np.int64)),
            SlidingWindow(unsigned(3), 4, Window(5, 7, (3, 2), (2, 1), (1, 2), (1, 0, 2, 1)), zero),
        )
