# SPDX-License-Identifier: Apache-2.0
"""SlidingWindow: a line buffer that emits the windows of an image, by taps or columns of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hwbnn.errors import ConfigError, ModelError
from hwbnn.ir.dtype import DType, IntArray
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import (
    Actor,
    Buffer,
    Family,
    Folding,
    Memory,
    MemoryShape,
    Port,
    Read,
    Resources,
    Side,
    Style,
    Unit,
    Write,
    pops,
)
from hwbnn.ir.window import Window
from hwbnn.units import cost
from hwbnn.units.folds import divisors


@dataclass(frozen=True, eq=False)
class SlidingWindow(Unit):
    """Positions in; for every window, group and tap the position's channels of that group out.

    Taps come column by column. fill: int64 (channels or 1,), values of a tap in the padding.
    groups: of channels; the taps of a window come group by group. lanes: a divisor of a group's
    channels, or all channels of a column of taps, which come at once. capacity: words of `word`
    elements in the buffer; None: one window's extent, the fewest that work, or the lines it is in.
    """

    dtype: DType
    channels: int
    window: Window
    fill: IntArray
    groups: int = 1
    lanes: int = 1
    capacity: int | None = None
    style: Style = Style.AUTO

    module = "hwbnn_sliding_window"
    finn_nodes = ("ConvolutionInputGenerator", "FMPadding")

    def __post_init__(self) -> None:
        legal = [folding.simd for folding in self.foldings()]
        if self.lanes not in legal:
            column = f" or be {legal[-1]}, a column of taps" if self._columns_come else ""
            raise ConfigError(
                f"{self.origin}: simd must divide {self.channels // self.groups} channels{column}, "
                f"not {self.lanes}; choose {', '.join(map(str, legal))}"
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
    def wide(self) -> bool:
        """A beat out is a column of taps."""
        return self.lanes > self.channels

    @property
    def word(self) -> int:
        """Elements of a beat in, and of a word of the buffer."""
        return min(self.lanes, self.channels)

    @property
    def folds(self) -> int:
        """Words a position."""
        return self.channels // self.word

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
        line = self.kept[1] if self.wide else None
        least = self.least if line is None else self.window.span[0] * line
        capacity = least if self.capacity is None else self.capacity
        return (Buffer(capacity, self.least, self.word * self.dtype.bits, line),)

    def with_buffers(self, capacities: tuple[int, ...]) -> Self:
        (capacity,) = capacities
        return replace(self, capacity=capacity)

    def in_ultra_ram(self) -> Self:
        return replace(self, style=Style.ULTRA)

    # ---- streams and meaning -----------------------------------------------------------------

    @property
    def inputs(self) -> tuple[Stream, ...]:
        positions = self.window.height * self.window.width
        return (Stream(self.dtype, self.word, self.channels, positions),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        own, taps = self.channels // self.groups, self.window.positions * self.window.taps
        if self.wide:
            return (Stream(self.dtype, self.lanes, self.lanes, taps // self.window.kernel[0]),)
        return (Stream(self.dtype, self.lanes, own, taps * self.groups),)

    def run(self, *values: IntArray) -> tuple[IntArray, ...]:
        (x,) = values
        frames, sources = x.shape[0], self.window.sources[:, self.window.by_columns]
        outside = np.broadcast_to(self.fill, (frames, 1, self.channels))
        image = np.concatenate([x.reshape(frames, -1, self.channels), outside], axis=1)
        taps = image[:, sources]  # -1, in the padding, is the last
        grouped = taps.reshape(frames, *sources.shape, self.groups, -1)
        return (grouped.swapaxes(2, 3).reshape(frames, -1),)

    # ---- folding -----------------------------------------------------------------------------

    def foldings(self) -> Iterator[Folding]:
        for simd in divisors(self.channels // self.groups):
            yield Folding(simd=simd)
        if self._columns_come:
            yield Folding(simd=self.window.kernel[0] * self.channels)

    def fold(self, folding: Folding) -> Self:
        if folding.pe != 1:
            raise ConfigError(f"{self.origin}: pe must be 1, not {folding.pe}; windows have SIMD")
        capacity = self.capacity if folding.simd == self.lanes else None
        return replace(self, lanes=folding.simd, capacity=capacity)

    @property
    def _columns_come(self) -> bool:
        """A column of taps may be a beat: it has several taps, one after another."""
        return self.groups == 1 and self.window.kernel[0] > 1

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
        """Walk windows, groups, taps; peek at the word, release with a window's last one.

        Of a column of taps the word stored last.
        """
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
        rows = np.arange(kh - 1 if self.wide else 0, kh) * dh * self.kept[1]
        tap = np.arange(kw)[:, None] * dw + rows
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
        """Two counts of words, two addresses, counters; the memory; the padding's words.

        On 18 windows (benchmarks/cost_model.py) LUTs within 5 % on xc7, 17 % on ECP5.
        """
        (buffer,) = self.buffers()
        address, turns = max(1, (self._depth - 1).bit_length()), self._depth.bit_count() > 1
        count = max(address, buffer.capacity.bit_length()) + 1
        loops = sum((turn - 1).bit_length() for turn in self._loops)
        odd = sum(turn.bit_count() > 1 for turn in self._loops)
        lasts = sum(turn > 2 for turn in self._loops)
        lut = 1.2 * count + 2 * turns * address + 2.4 * loops + 2 * odd + 6
        logic = Resources(
            lut=lut * (1.0 if family is Family.XC7 else 1.6)
            + (buffer.bits if any(self.window.padding) else 0),
            ff=2 * count + 2 * address + loops + lasts + 1,
        )
        words = MemoryShape("words", self._depth, 1, buffer.bits)
        memory = cost.banks(words, self._banks, self._storage, family)
        return logic + self._taps_cost(family) + memory

    def _taps_cost(self, family: Family) -> Resources:
        """Choice of the memory that each tap of a column comes from, unless it is always one."""
        banks, taps = self._banks, self.window.kernel[0]
        if banks == 1 or not (self.step[0] % banks or self.window.span[0] % banks):
            return Resources()
        a_bit = max(1, banks - 3) if family is Family.XC7 else banks - 1
        (buffer,) = self.buffers()
        place = (banks - 1).bit_length()
        return Resources(lut=taps * buffer.bits * a_bit + 3 * place, ff=3 * place)

    @property
    def _loops(self) -> tuple[int, ...]:
        """Turns of the loops that the hardware counts: of the windows' words, of the image's."""
        w = self.window
        taps = w.kernel[1:] if self.wide else w.kernel
        windows = (self.folds // self.groups, *taps, self.groups, w.out_width, w.out_height)
        if self.kept == (w.height, w.width) and not any(w.padding):
            return windows
        return (*windows, w.padded[1] * self.folds, w.padded[0])

    def parameters(self) -> dict[str, int]:
        w = self.window
        (buffer,) = self.buffers()
        shape = {
            "WordBits": buffer.bits,
            "Folds": self.folds,
            "Rows": w.padded[0],
            "Columns": w.padded[1],
            "Top": w.padding[0],
            "Left": w.padding[1],
            "ImageRows": w.height,
            "ImageColumns": w.width,
            "Lines": w.out_height,
            "Windows": w.out_width,
            "StrideRows": w.stride[0],
            "StrideColumns": w.stride[1],
            "SpanRows": w.span[0],
            "SpanColumns": w.span[1],
            "KernelRows": w.kernel[0],
            "KernelColumns": w.kernel[1],
            "BeatTaps": w.kernel[0] if self.wide else 1,
            "Groups": self.groups,
        }
        storage = {
            "Capacity": buffer.capacity,
            "Banks": self._banks,
            "Depth": self._depth,
            "Block": (Style.DISTRIBUTED, Style.BLOCK, Style.ULTRA).index(self._storage),
            "FillFolds": self._fill_folds,
        }
        return shape | self._steps | storage

    @property
    def _steps(self) -> dict[str, int]:
        """How far a word is from the one emitted before it, and what windows release.

        Read off the schedule. A loop of one turn takes no step: any number.
        """
        w, offsets, moves = self.window, self.offsets, self.releases
        tap, group = self.folds // self.groups, len(offsets) // self.groups
        window, line, frame = int(moves[0]), int(moves[w.out_width - 1]), int(moves[-1])
        back = int(offsets[-1] - offsets[0])

        def step(at: int) -> int:
            return int(offsets[at % len(offsets)] - offsets[at - 1])

        return {
            "First": int(offsets[0]),
            "TapStep": step(tap),
            "ColumnStep": step(group // w.kernel[1]),
            "GroupStep": step(group),
            "WindowStep": window - back,
            "LineStep": line - back,
            "FrameStep": frame - back,
            "WindowMove": window,
            "LineMove": line,
            "FrameMove": frame,
        }

    @property
    def _storage(self) -> Style:
        if self.style is not Style.AUTO:
            return self.style
        (buffer,) = self.buffers()
        block = cost.prefers_block_ram(buffer.line or buffer.capacity, buffer.bits)
        return Style.BLOCK if block else Style.DISTRIBUTED

    @property
    def _banks(self) -> int:
        """Memories: one, or lines; as many as a window needs, or the capacity."""
        (b,) = self.buffers()
        return 1 if b.line is None else max(self.window.span[0], -(-b.capacity // b.line))

    @property
    def _depth(self) -> int:
        """Words of a memory: a power of two saves the test for the turn of the addresses."""
        (buffer,) = self.buffers()
        if buffer.line is not None:
            return buffer.line
        power = 1 << (buffer.capacity - 1).bit_length()
        exact, whole = self._memory_luts(buffer.capacity), self._memory_luts(power)
        return power if whole <= exact + 2 * power.bit_length() else buffer.capacity

    def _memory_luts(self, depth: int) -> float:
        """Share of a Zynq-7020 that the memory takes, in LUTs; of UltraRAM as of block RAM."""
        (buffer,) = self.buffers()
        if self._storage is not Style.DISTRIBUTED:
            return cost.LUT_A_BLOCK * 2 * cost.ram_blocks(depth, buffer.bits, Family.XC7)
        return cost.ram(depth, buffer.bits, Family.XC7)

    @property
    def _fill_folds(self) -> int:
        """Different words of a position in the padding: one, unless channels differ."""
        words = self._fill_words
        return 1 if (words == words[0]).all() else len(words)

    @property
    def _fill_words(self) -> IntArray:
        every = np.broadcast_to(self.fill, (self.channels,))
        return self.dtype.encode(every).reshape(self.folds, self.word)

    def memory_shapes(self) -> tuple[MemoryShape, ...]:
        if not any(self.window.padding):
            return ()
        return (MemoryShape("fill", self._fill_folds, self.word, self.dtype.bits),)

    def memories(self) -> tuple[Memory, ...]:
        """Words of a position in the padding, fold after fold; one if they are alike."""
        return tuple(Memory(s, self._fill_words[: s.depth]) for s in self.memory_shapes())

    # ---- example -------------------------------------------------------------------------------

    @classmethod
    def examples(cls) -> tuple[Unit, ...]:
        from hwbnn.units.sliding_window_examples import examples  # which are of this class

        return examples()
