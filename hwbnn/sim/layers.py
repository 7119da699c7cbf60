# SPDX-License-Identifier: Apache-2.0
"""Layers of the interpreter: operators of a Graph made ready for bit-packed execution."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from hwbnn.ir.dtype import DType, IntArray, Kind
from hwbnn.ir.ops import Add, Concat, MaxPool, Permute, Staircase, SumPool, Table
from hwbnn.sim import bitpack, windows
from hwbnn.sim.bitpack import Words
from hwbnn.sim.native import LANES


@dataclass(frozen=True, eq=False)
class Value:
    """Frames of a value: as integers, (frames, elements), or packed (hwbnn.sim.bitpack)."""

    dtype: DType
    elements: int
    vectors: int = 1
    integers: IntArray | None = None
    packed: Words | None = None

    @property
    def channels(self) -> int:
        """Elements of a vector."""
        return self.elements // self.vectors

    @property
    def frames(self) -> int:
        """How many frames."""
        if self.integers is not None:
            return len(self.integers)
        assert self.packed is not None
        return len(self.packed) // self.vectors

    def as_integers(self) -> IntArray:
        """Integers, int64 or uint8."""
        if self.integers is not None:
            return self.integers
        assert self.packed is not None
        codes = np.zeros((len(self.packed), self.channels), np.int64)
        for plane in range(self.packed.shape[1]):
            codes += bitpack.bits_of(self.packed[:, plane], self.channels) << plane
        return self.dtype.decode(codes).reshape(self.frames, self.elements)

    def as_packed(self) -> Words:
        """One plane a bit."""
        if self.packed is not None:
            return self.packed
        assert self.integers is not None
        rows = self.integers.reshape(-1, self.channels)
        out = empty_words(len(rows), self.dtype.bits, self.channels)
        bitpack.pack(rows, self.dtype.kind is Kind.BIPOLAR, out)
        return out


Layer: TypeAlias = Callable[..., Value]  # of one Value, of a join several


def empty_words(rows: int, planes: int, channels: int) -> Words:
    """Room for packed rows."""
    return np.empty((rows, planes, -(-channels // LANES)), np.uint64)


def _start_and_sign(op: Staircase) -> tuple[IntArray, IntArray]:
    """Return the code of count 0, and what a threshold reached adds: (channels or 1,)."""
    base = 0 if op.dtype.kind is Kind.BIPOLAR else op.base
    sign = np.where(op.descending, -1, 1)
    return base + np.where(op.descending, op.steps, 0), sign


def staircase(op: Staircase) -> Layer:
    """Return a staircase that stands alone."""
    start, sign = _start_and_sign(op)
    if op.steps == 1 and op.dtype.bits == 1:
        return _comparison(op, start)
    if op.dtype.kind is Kind.BIPOLAR:
        start, sign = 2 * start - 1, 2 * sign
    thresholds, rows = _by_row(op)
    starts, signs = (np.resize(a, len(thresholds)) for a in (start, sign))

    def run(x: Value) -> Value:
        integers = x.as_integers()
        out = np.empty((len(integers), op.elements), np.int64)
        bitpack.staircase(integers, thresholds, rows, starts, signs, out)
        return Value(op.dtype, op.elements, op.vectors, integers=out)

    return run


def _by_row(op: Staircase) -> tuple[IntArray, IntArray]:
    """Return the rows of thresholds, at least one a channel if the directions differ, and which."""
    thresholds = np.ascontiguousarray(op.thresholds)
    if len(thresholds) >= len(op.descending):
        return thresholds, op.rows
    channels = np.tile(np.arange(op.channels), op.vectors)
    return np.repeat(thresholds, op.channels, axis=0), channels


def _comparison(op: Staircase, start: IntArray) -> Layer:
    channels = op.channels
    invert = bitpack.words_of((np.broadcast_to(start, channels) & 1)[None])[0]
    rows = op.thresholds[op.rows, 0].reshape(op.vectors, channels)
    if op.border is None:
        rows = rows[:1]
    bounds = np.full((len(rows), len(invert) * LANES), np.iinfo(np.int64).max)
    bounds[:, :channels] = rows
    for_bytes = np.clip(bounds, -1, 256).astype(np.int16)

    def run(x: Value) -> Value:
        integers = x.as_integers().reshape(-1, channels)
        out = empty_words(len(integers), 1, channels)
        small = integers.dtype == np.uint8
        bitpack.compare(integers, for_bytes if small else bounds, invert, out)
        return Value(op.dtype, op.elements, op.vectors, packed=out)

    return run


def table(op: Table) -> Layer:
    """Return a look-up."""
    values = np.ascontiguousarray(op.values)

    def run(x: Value) -> Value:
        integers = x.as_integers()
        out = np.empty((len(integers), op.elements), np.int64)
        bitpack.look_up(integers, values, op.low, out)
        return Value(op.dtype, op.elements, op.vectors, integers=out)

    return run


def max_pool(op: MaxPool) -> Layer:
    """Return the greatest of every window; bits stay packed."""
    sources, rows = op.window.sources, op.window.positions
    least = np.broadcast_to(op.minimum, op.channels).copy()
    mask = bitpack.words_of(least[None].astype(np.int64))[0]

    def run(x: Value) -> Value:
        result = Value(op.dtype, op.elements, op.vectors)
        if x.packed is not None:
            bits = np.empty((x.frames * rows, *x.packed.shape[1:]), np.uint64)
            windows.greatest_words(x.packed, x.vectors, sources, mask, op.dtype.signed, bits)
            return replace(result, packed=bits)
        image = x.as_integers().reshape(x.frames, x.vectors, op.channels)
        out = np.empty((x.frames * rows, op.channels), np.int64)
        windows.greatest(image, sources, least, out)
        return replace(result, integers=out.reshape(x.frames, op.elements))

    return run


def sum_pool(op: SumPool) -> Layer:
    """Return the sum of every window, times its factor."""
    sources, factors = op.window.sources, op.factors

    def run(x: Value) -> Value:
        image = x.as_integers().reshape(x.frames, x.vectors, op.channels)
        out = np.empty((x.frames * len(sources), op.channels), np.int64)
        windows.sums(image, sources, out)
        if factors is not None:
            out.reshape(x.frames, *factors.shape, -1)[:] *= factors[:, None]
        return Value(op.dtype, op.elements, op.vectors, integers=out.reshape(x.frames, -1))

    return run


def join(op: Add | Concat) -> Layer:
    """Return the sum, or all the channels, of several values."""
    return _add(op) if isinstance(op, Add) else _concat(op)


def _add(op: Add) -> Layer:
    factors = [factor for _, factor in op.terms]

    def run(*given: Value) -> Value:
        out = np.zeros((given[0].frames, op.elements), np.int64)
        for x, factor in zip(given, factors, strict=True):
            integers = x.as_integers()
            out += integers if factor == 1 else factor * integers.astype(np.int64, copy=False)
        return Value(op.dtype, op.elements, op.vectors, integers=out)

    return run


def _concat(op: Concat) -> Layer:
    # Bits stay packed where they fill whole words.
    whole = all(channels % LANES == 0 for channels in op.channels)

    def run(*given: Value) -> Value:
        result = Value(op.dtype, op.elements, op.vectors)
        if whole and all(x.packed is not None and x.dtype == op.dtype for x in given):
            return replace(result, packed=np.concatenate([x.as_packed() for x in given], axis=2))
        out = np.empty((given[0].frames * op.vectors, sum(op.channels)), np.int64)
        first = 0
        for x, channels in zip(given, op.channels, strict=True):
            out[:, first : first + channels] = x.as_integers().reshape(-1, channels)
            first += channels
        return replace(result, integers=out.reshape(-1, op.elements))

    return run


def permute(op: Permute) -> Layer:
    """Return the elements in another order."""

    def run(x: Value) -> Value:
        integers = np.ascontiguousarray(x.as_integers()[:, op.order])
        return Value(op.dtype, op.elements, op.vectors, integers=integers)

    return run


def arg_max(dtype: DType) -> Layer:
    """Return the index of the greatest element, the lowest of a tie."""

    def run(x: Value) -> Value:
        index = x.as_integers().argmax(axis=1)[:, None]
        return Value(dtype, 1, integers=index.astype(np.int64))

    return run
