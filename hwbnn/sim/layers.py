# SPDX-License-Identifier: Apache-2.0
"""Layers of the interpreter: operators of a Graph made ready for bit-packed execution."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np

from hwbnn.ir.dtype import DType, IntArray, Kind
from hwbnn.ir.ops import Dense, Staircase, Table
from hwbnn.sim import bitpack
from hwbnn.sim.bitpack import Words
from hwbnn.sim.native import LANES

MOST_PLANES = 8  # an input of more bits is multiplied as floats
MOST_STEPS = 15  # a longer staircase is searched, not counted


@dataclass(frozen=True, eq=False)
class Value:
    """Frames of a value: as integers, (frames, elements), or packed (hwbnn.sim.bitpack)."""

    dtype: DType
    elements: int
    integers: IntArray | None = None
    packed: Words | None = None

    def as_integers(self) -> IntArray:
        """Integers, int64 or uint8."""
        if self.integers is not None:
            return self.integers
        assert self.packed is not None
        frames, planes, _ = self.packed.shape
        codes = np.zeros((frames, self.elements), np.int64)
        for plane in range(planes):
            codes += bitpack.bits_of(self.packed[:, plane], self.elements) << plane
        return self.dtype.decode(codes)

    def as_packed(self) -> Words:
        """One plane a bit."""
        if self.packed is not None:
            return self.packed
        assert self.integers is not None
        out = _packed(len(self.integers), self.dtype.bits, self.elements)
        bitpack.pack(self.integers, self.dtype.kind is Kind.BIPOLAR, out)
        return out


Layer: TypeAlias = Callable[[Value], Value]


def _packed(frames: int, planes: int, elements: int) -> Words:
    return np.empty((frames, planes, -(-elements // LANES)), np.uint64)


# ---- dense --------------------------------------------------------------------------------


def is_binary(op: Dense, source: DType) -> bool:
    """Weights of -1 and +1 alone, on few enough planes: popcounts are faster than floats."""
    return source.bits <= MOST_PLANES and bool((np.abs(op.weights) == 1).all())


@dataclass(frozen=True, eq=False)
class _Binary:
    """sum[n] = offsets[n] - sum over planes k of scales[k] * mismatches(plane k, weights of n).

    A BIPOLAR input has one plane, x = 2 u - 1, and w x = 1 - 2 (u differs from w). Any other is
    the sum of planes u of worth s, and over a row s w u adds up to s (positive weights - u
    differing from w); the top plane of a two's complement input has negative worth.
    """

    weights: Words  # (blocks, words, 64)
    scales: IntArray
    offsets: IntArray  # (neurons,)

    @classmethod
    def of(cls, op: Dense, source: DType) -> Self:
        """Pack a dense operator's weights."""
        positive = (op.weights > 0).astype(np.int64)
        blocks = bitpack.blocks_of(bitpack.words_of(positive), 0)
        packed = np.ascontiguousarray(blocks.transpose(0, 2, 1))
        if source.kind is Kind.BIPOLAR:
            inputs = op.weights.shape[1]
            return cls(packed, np.array([2]), np.full(len(op.weights), inputs, np.int64))
        scales = 1 << np.arange(source.bits)
        if source.signed:
            scales[-1] = -scales[-1]
        return cls(packed, scales, positive.sum(axis=1) * scales.sum())


def product(op: Dense, source: DType) -> Layer:
    """Return the integer product of a dense operator."""
    if not is_binary(op, source):
        return _matrix_product(op, source)
    binary = _Binary.of(op, source)
    offsets = bitpack.blocks_of(binary.offsets, 0)

    def run(x: Value) -> Value:
        packed = x.as_packed()
        out = np.empty((len(packed), op.elements), np.int64)
        bitpack.product(packed, binary.weights, binary.scales, offsets, out)
        return Value(op.dtype, op.elements, integers=out)

    return run


def _matrix_product(op: Dense, source: DType) -> Layer:
    """Floats are exact as long as no sum of magnitudes leaves their integers."""
    largest = int(np.abs(op.weights).sum(axis=1).max()) * max(abs(source.min), source.max)
    exact: type[np.float32 | np.float64 | np.int64] = np.int64
    if largest < 1 << 53:
        exact = np.float32 if largest < 1 << 24 else np.float64
    transposed = np.ascontiguousarray(op.weights.T.astype(exact))

    def run(x: Value) -> Value:
        out = x.as_integers().astype(exact) @ transposed
        return Value(op.dtype, op.elements, integers=out.astype(np.int64))

    return run


# ---- staircases -----------------------------------------------------------------------------


def _start_and_sign(op: Staircase) -> tuple[IntArray, IntArray]:
    """Return the code of count 0, and what a threshold reached adds, by channel."""
    base = 0 if op.dtype.kind is Kind.BIPOLAR else op.base
    sign = np.where(op.descending, -1, 1)
    return base + np.where(op.descending, op.steps, 0), sign


def fuses(op: Staircase) -> bool:
    """The staircase can be counted right behind a binary product."""
    return op.steps <= MOST_STEPS


def product_and_staircase(dense: Dense, op: Staircase, source: DType) -> Layer:
    """Return a binary product and the staircase behind it, packed in and packed out."""
    binary = _Binary.of(dense, source)
    neurons = dense.elements
    rows = np.broadcast_to(op.thresholds, (neurons, op.steps))
    most = int(np.abs(binary.scales).sum() * dense.weights.shape[1])
    limits = binary.offsets[:, None] - np.clip(rows, -most, most + 1)
    start, sign = (np.broadcast_to(a, neurons) for a in _start_and_sign(op))
    if len(binary.scales) == 1 and binary.scales[0] > 0 and op.steps == 1 and op.dtype.bits == 1:
        bounds = bitpack.blocks_of(limits[:, 0] // binary.scales[0], -1)
        invert = bitpack.words_of((start & 1)[None])[0]

        def run_bits(x: Value) -> Value:
            packed = x.as_packed()
            out = _packed(len(packed), 1, neurons)
            bitpack.product_bits(packed, binary.weights, bounds, invert, out)
            return Value(op.dtype, neurons, packed=out)

        return run_bits
    bounds = bitpack.blocks_of(limits, -(1 << 62)).transpose(0, 2, 1)
    bounds = np.ascontiguousarray(bounds)
    starts, signs = bitpack.blocks_of(start, 0), bitpack.blocks_of(sign, 0)

    def run(x: Value) -> Value:
        packed = x.as_packed()
        out = _packed(len(packed), op.dtype.bits, neurons)
        bitpack.product_steps(packed, binary.weights, binary.scales, bounds, starts, signs, out)
        return Value(op.dtype, neurons, packed=out)

    return run


def staircase(op: Staircase) -> Layer:
    """Return a staircase that stands alone."""
    start, sign = _start_and_sign(op)
    if op.steps == 1 and op.dtype.bits == 1:
        return _comparison(op, start)
    if op.dtype.kind is Kind.BIPOLAR:
        start, sign = 2 * start - 1, 2 * sign
    rows = np.ascontiguousarray(op.thresholds)
    starts, signs = (np.broadcast_to(a, len(rows)).copy() for a in (start, sign))

    def run(x: Value) -> Value:
        integers = x.as_integers()
        out = np.empty((len(integers), op.elements), np.int64)
        bitpack.staircase(integers, rows, starts, signs, out)
        return Value(op.dtype, op.elements, integers=out)

    return run


def _comparison(op: Staircase, start: IntArray) -> Layer:
    invert = bitpack.words_of((np.broadcast_to(start, op.elements) & 1)[None])[0]
    row = np.broadcast_to(op.thresholds[:, 0], op.elements)
    bounds = bitpack.blocks_of(row, np.iinfo(np.int64).max).reshape(-1)
    for_bytes = np.clip(bounds, -1, 256).astype(np.int16)

    def run(x: Value) -> Value:
        integers = x.as_integers()
        out = _packed(len(integers), 1, op.elements)
        small = integers.dtype == np.uint8
        bitpack.compare(integers, for_bytes if small else bounds, invert, out)
        return Value(op.dtype, op.elements, packed=out)

    return run


# ---- others ---------------------------------------------------------------------------------


def table(op: Table) -> Layer:
    """Return a look-up."""
    values = np.ascontiguousarray(op.values)

    def run(x: Value) -> Value:
        integers = x.as_integers()
        out = np.empty((len(integers), op.elements), np.int64)
        bitpack.look_up(integers, values, op.low, out)
        return Value(op.dtype, op.elements, integers=out)

    return run


def arg_max(dtype: DType) -> Layer:
    """Return the index of the greatest element, the lowest of a tie."""

    def run(x: Value) -> Value:
        index = x.as_integers().argmax(axis=1)[:, None]
        return Value(dtype, 1, integers=index.astype(np.int64))

    return run
