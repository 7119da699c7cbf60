# SPDX-License-Identifier: Apache-2.0
"""Product layers: convolutions, and dense operators as windows that hold the whole frame.

The windows are gathered into rows a few frames at a time, as bits where the weights are bipolar and
popcounts are faster, else as numbers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeAlias

import numpy as np

from hwbnn.ir.dtype import DType, IntArray, Kind
from hwbnn.ir.ops import Conv, Dense, Op, Staircase
from hwbnn.sim import bitpack, products, windows
from hwbnn.sim.bitpack import Words
from hwbnn.sim.layers import Layer, Value, empty_words
from hwbnn.sim.native import LANES
from hwbnn.sim.products import Numbers

MOST_STEPS = 15  # a longer staircase is searched, not counted
MOST_PLANES = 8  # an input of more bits is multiplied as numbers
INPUTS_A_PLANE = 16  # of a row, at least, to be worth popcounts
FEWEST_OUTPUTS = 16  # of a group, to be worth rows of its own
SCRATCH_BYTES = 1 << 18  # of gathered rows, at a time
_FAR = 1 << 53  # beyond every sum of popcounts
_GREATEST = (1 << 63) - 1  # integer of 64 bits

Multiplied: TypeAlias = Any  # Words or Numbers, as a multiplier's own `read` yields them
Climb: TypeAlias = Callable[[Multiplied, Words], None]  # rows, where to pack their codes


@dataclass(frozen=True, eq=False)
class _Rows:
    """What a product reads of an image: in each window `count` channels of every tap."""

    sources: IntArray  # (positions, taps), -1 in the padding
    image: int  # positions of the source
    first: int
    count: int
    fill: int

    @cached_property
    def whole(self) -> bool:
        """The rows are the image's positions in order, or the image itself."""
        return bool(np.array_equal(self.sources.reshape(-1), np.arange(self.image)))

    @property
    def inputs(self) -> int:
        """Elements of a row."""
        return self.sources.shape[1] * self.count

    def words(self, x: Words, channels: int) -> Words:
        """Gather packed vectors (frames * image, planes, words) of that many channels."""
        positions, taps = self.sources.shape
        if self.count != channels or (channels % LANES and taps > 1):
            out = empty_words(len(x) // self.image * positions, x.shape[1], self.inputs)
            windows.gather_bits(x, self.image, self.sources, self.first, self.count, out)
        elif self.whole and 1 in (taps, x.shape[1]):
            return x.reshape(-1, x.shape[1], taps * x.shape[2])
        else:
            rows = len(x) // self.image * positions
            out = np.empty((rows, x.shape[1], taps * x.shape[2]), np.uint64)
            windows.gather_words(x, self.image, self.sources, out)
        return out

    def numbers(self, x: IntArray, kind: type[np.float32 | np.float64 | np.int64]) -> Numbers:
        """Gather integers (frames, elements)."""
        image = x.reshape(len(x), self.image, -1)
        if self.whole and self.count == image.shape[2]:
            return x.reshape(-1, self.inputs).astype(kind)
        positions, taps = self.sources.shape
        out = np.empty((len(x) * positions, taps, self.count), kind)
        windows.gather_numbers(image, self.sources, self.first, self.fill, out)
        return out.reshape(len(out), self.inputs)


@dataclass(frozen=True, eq=False)
class _Classes:
    """Positions that have the same taps in the padding and the same thresholds."""

    of: IntArray  # class of each position
    examples: IntArray  # a position of each class

    @classmethod
    def by(cls, op: Dense | Conv, follower: Staircase | None) -> Self:
        """Tell apart the positions of a product and of the staircase behind it."""
        label: IntArray = np.zeros(op.vectors, np.int64)
        if isinstance(op, Conv):
            label = op.window.border.positions
        if follower is not None and follower.border is not None:
            label = label * follower.classes + follower.border
        _, examples, of = np.unique(label, return_index=True, return_inverse=True)
        return cls(of.reshape(-1), examples)


@dataclass(frozen=True, eq=False)
class _Popcounts:
    """sum[n] = offsets[n] - sum over planes k of scales[k] * mismatches(plane k, weights of n).

    A BIPOLAR input has one plane, x = 2 u - 1, and w x = 1 - 2 (u differs from w). Any other is
    the sum of planes u of worth s, and over a row s w u adds up to s (positive weights - u
    differing from w); the top plane of a two's complement input has negative worth. A tap in the
    padding has the bits 0; the offsets of its class make it `fill`.
    """

    rows: _Rows
    classes: _Classes
    weights: Words  # (blocks, words, 64)
    scales: IntArray
    offsets: IntArray  # (classes, neurons)

    @classmethod
    def of(cls, weights: IntArray, rows: _Rows, classes: _Classes, source: DType) -> Self:
        """Pack weights (neurons, inputs) of -1 and 1."""
        positive = (weights > 0).astype(np.int64)
        blocks = bitpack.blocks_of(bitpack.words_of(positive), 0)
        if source.kind is Kind.BIPOLAR:
            scales, zeros = np.array([2], np.int64), -1  # zeros: what the bits 0 mean
            offsets: IntArray = np.full(len(weights), weights.shape[1], np.int64)
        else:
            scales, zeros = 1 << np.arange(source.bits), 0
            if source.signed:
                scales[-1] = -scales[-1]
            offsets = positive.sum(axis=1) * scales.sum()
        outside = (rows.sources[classes.examples] < 0).astype(np.int64)
        by_tap = weights.reshape(len(weights), outside.shape[1], -1).sum(axis=2)
        offsets = offsets + outside @ by_tap.T * (rows.fill - zeros)
        return cls(rows, classes, np.ascontiguousarray(blocks.transpose(0, 2, 1)), scales, offsets)

    @cached_property
    def offsets_by_lane(self) -> IntArray:
        """Offsets (classes, blocks, 64)."""
        return _by_lane(self.offsets, 0)

    def read(self, x: Value) -> Iterator[tuple[slice, Words]]:
        """Yield rows of the result and what to multiply for them."""
        packed, image = x.as_packed(), self.rows.image
        positions = len(self.rows.sources)
        size = positions * packed.shape[1] * self.weights.shape[1] * 8
        for start, stop in _parts(x.frames, size):
            rows = self.rows.words(packed[start * image : stop * image], x.channels)
            yield slice(start * positions, stop * positions), rows

    def sums(self, rows: Multiplied, columns: tuple[int, int], out: IntArray) -> None:
        """Write the sums into columns[0] to columns[1] - 1 of out (rows, outputs)."""
        offsets, classes = self.offsets_by_lane, self.classes.of
        products.popcount_sums(rows, self.weights, self.scales, offsets, classes, columns, out)

    def climb(self, op: Staircase) -> Climb:
        """Return the product with the staircase behind it."""
        thresholds = np.clip(_thresholds(op, self.classes), -_FAR, _FAR)
        limits = _limits(thresholds - self.offsets[..., None], 2 * _FAR)
        weights, scales, classes = self.weights, self.scales, self.classes.of
        start, invert = _start(op), _flags(op)
        if len(scales) == 1 and scales[0] > 0 and op.steps == 1 and op.dtype.bits == 1:
            bounds = np.ascontiguousarray(-limits[:, :, 0] // scales[0])
            flips = start[0] ^ invert

            def bits(rows: Words, out: Words) -> None:
                products.popcount_bits(rows, weights, bounds, classes, flips, out)

            return bits

        def steps(rows: Words, out: Words) -> None:
            products.popcount_steps(rows, weights, scales, limits, classes, start, invert, out)

        return steps


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Sums of products in a type whose integers are exact for every sum of magnitudes."""

    rows: _Rows
    classes: _Classes
    weights: Numbers  # (blocks, inputs, 64)
    largest: int  # bound of a sum's magnitude

    @classmethod
    def of(cls, weights: IntArray, rows: _Rows, classes: _Classes, source: DType) -> Self:
        """Lay out weights (neurons, inputs) by lane."""
        most = max(-source.min, source.max, abs(rows.fill))
        largest = min(int(np.abs(weights).sum(axis=1).max()) * most, _GREATEST - 1)
        exact: type[np.float32 | np.float64 | np.int64] = np.int64
        if largest < 1 << 53:
            exact = np.float32 if largest < 1 << 24 else np.float64
        blocks = bitpack.blocks_of(weights, 0).transpose(0, 2, 1)
        return cls(rows, classes, np.ascontiguousarray(blocks.astype(exact)), largest)

    def read(self, x: Value) -> Iterator[tuple[slice, Numbers]]:
        """Yield rows of the result and what to multiply for them."""
        integers, positions = x.as_integers(), len(self.rows.sources)
        size = positions * self.rows.inputs * self.weights.itemsize
        for start, stop in _parts(x.frames, size):
            rows = self.rows.numbers(integers[start:stop], self.weights.dtype.type)
            yield slice(start * positions, stop * positions), rows

    def sums(self, rows: Multiplied, columns: tuple[int, int], out: IntArray) -> None:
        """Write the sums into columns[0] to columns[1] - 1 of out (rows, outputs)."""
        products.number_sums(rows, self.weights, columns, out)

    def climb(self, op: Staircase) -> Climb:
        """Return the product with the staircase behind it."""
        weights, classes = self.weights, self.classes.of
        far = self.largest + 1
        thresholds = np.clip(_thresholds(op, self.classes), -self.largest, far)
        limits = _limits(thresholds, far).astype(weights.dtype)
        start, invert = _start(op), _flags(op)

        def steps(rows: Numbers, out: Words) -> None:
            products.number_steps(rows, weights, limits, classes, start, invert, out)

        return steps


def _parts(frames: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (first, beyond the last) of frames; their rows of `size` bytes fit the scratch."""
    step = max(1, SCRATCH_BYTES // size)
    for start in range(0, frames, step):
        yield start, min(start + step, frames)


def _thresholds(op: Staircase, classes: _Classes) -> IntArray:
    """Return thresholds (classes, channels, steps)."""
    rows = op.rows.reshape(op.vectors, op.channels)[classes.examples]
    return np.asarray(op.thresholds[rows])


def _by_lane(rows: IntArray, fill: int) -> IntArray:
    """Pad (classes, neurons, ...) to whole blocks: (classes, blocks, 64, ...)."""
    return np.stack([bitpack.blocks_of(row, fill) for row in rows])


def _limits(thresholds: IntArray, never: int) -> IntArray:
    """Return (classes, blocks, steps, 64); lanes of no neuron have a limit never reached."""
    return np.ascontiguousarray(_by_lane(thresholds, never).swapaxes(2, 3))


def _start(op: Staircase) -> Words:
    """Return the code before the first step, (planes, blocks)."""
    code = 0 if op.dtype.kind is Kind.BIPOLAR else op.base
    planes: IntArray = (code >> np.arange(op.dtype.bits)) & 1
    return bitpack.words_of(np.repeat(planes[:, None], op.channels, axis=1))


def _flags(op: Staircase) -> Words:
    """Return whether limits not reached count instead, (blocks,)."""
    down = np.broadcast_to(op.descending, (1, op.channels))
    words: Words = bitpack.words_of(down.astype(np.int64))[0]
    return words


# ---- layers ---------------------------------------------------------------------------------


def fuses(op: Dense | Conv, follower: Staircase) -> bool:
    """The staircase can be counted right behind the product."""
    whole = isinstance(op, Dense) or op.groups == 1
    return whole and follower.vectors == op.vectors and follower.steps <= MOST_STEPS


def product(op: Dense | Conv, source: Op, follower: Staircase | None = None) -> Layer:
    """Return a product, with the staircase behind it if that fuses."""
    if isinstance(op, Conv) and op.groups > 1 and op.outputs // op.groups < FEWEST_OUTPUTS:
        return _direct(op)
    classes = _Classes.by(op, follower)
    groups = [
        _multiplier(weights, rows, classes, source.dtype) for weights, rows in _groups(op, source)
    ]
    if follower is not None:
        return _with_staircase(groups[0], follower)
    outputs = op.elements // op.vectors
    each = outputs // len(groups)

    def run(x: Value) -> Value:
        out = np.empty((x.frames * op.vectors, outputs), np.int64)
        for group, multiplier in enumerate(groups):
            for part, rows in multiplier.read(x):
                multiplier.sums(rows, (group * each, group * each + each), out[part])
        return Value(op.dtype, op.elements, op.vectors, integers=out.reshape(x.frames, -1))

    return run


def _groups(op: Dense | Conv, source: Op) -> Iterator[tuple[IntArray, _Rows]]:
    """Yield weights (neurons, inputs) of each group, and what they read."""
    if isinstance(op, Dense):
        taps, channels = source.vectors, source.elements // source.vectors
        yield op.weights, _Rows(np.arange(taps)[None], taps, 0, channels, 0)
        return
    share = op.channels // op.groups
    for group, weights in enumerate(np.split(op.matrix, op.groups)):
        yield weights, _Rows(op.window.sources, source.vectors, group * share, share, op.fill)


def _multiplier(
    weights: IntArray, rows: _Rows, classes: _Classes, source: DType
) -> _Popcounts | _Numbers:
    """Choose popcounts for weights of -1 and 1 where the planes are few for a row's length."""
    binary = bool((np.abs(weights) == 1).all()) and source.bits <= MOST_PLANES
    if binary and (source.bits == 1 or source.bits * INPUTS_A_PLANE <= rows.inputs):
        return _Popcounts.of(weights, rows, classes, source)
    return _Numbers.of(weights, rows, classes, source)


def _with_staircase(multiplier: _Popcounts | _Numbers, op: Staircase) -> Layer:
    climb = multiplier.climb(op)

    def run(x: Value) -> Value:
        out = empty_words(x.frames * op.vectors, op.dtype.bits, op.channels)
        for part, rows in multiplier.read(x):
            climb(rows, out[part])
        return Value(op.dtype, op.elements, op.vectors, packed=out)

    return run


def _direct(op: Conv) -> Layer:
    """Return a convolution in groups of few outputs, depthwise above all."""
    weights = np.ascontiguousarray(op.weights.transpose(1, 2, 0))
    sources = op.window.sources

    def run(x: Value) -> Value:
        integers = x.as_integers().astype(np.int64)
        out = np.empty((len(integers), op.elements), np.int64)
        products.direct_sums(integers, sources, weights, op.groups, op.fill, out)
        return Value(op.dtype, op.elements, op.vectors, integers=out)

    return run
