# SPDX-License-Identifier: Apache-2.0
"""Integer element types, and how their values are coded in bits."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np

from hwbnn.errors import ModelError

IntArray: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


class Kind(Enum):
    """What the bits of an element mean."""

    BIPOLAR = "BIPOLAR"  # one bit: 0 means -1, 1 means +1
    UNSIGNED = "UINT"
    SIGNED = "INT"  # two's complement


@dataclass(frozen=True)
class DType:
    """An element type of 1 to 64 bits; `str()` is its QONNX name."""

    kind: Kind
    bits: int

    def __post_init__(self) -> None:
        if self.kind is Kind.BIPOLAR and self.bits != 1:
            raise ModelError(f"element type: BIPOLAR must have 1 bit, not {self.bits}")
        if not 1 <= self.bits <= 64:
            raise ModelError(f"element type: bits must be 1 to 64, not {self.bits}")

    @property
    def min(self) -> int:
        """The least value."""
        match self.kind:
            case Kind.BIPOLAR:
                return -1
            case Kind.UNSIGNED:
                return 0
            case Kind.SIGNED:
                return -(1 << (self.bits - 1))

    @property
    def max(self) -> int:
        """The greatest value."""
        match self.kind:
            case Kind.BIPOLAR:
                return 1
            case Kind.UNSIGNED:
                return (1 << self.bits) - 1
            case Kind.SIGNED:
                return (1 << (self.bits - 1)) - 1

    @property
    def signed(self) -> bool:
        """Codes are two's complement."""
        return self.kind is Kind.SIGNED

    def holds(self, values: IntArray) -> bool:
        """Every value is of this type (BIPOLAR holds no 0)."""
        if values.size == 0:
            return True
        if self.kind is Kind.BIPOLAR:
            return bool((np.abs(values) == 1).all())
        return bool(values.min() >= self.min and values.max() <= self.max)

    def encode(self, values: IntArray) -> IntArray:
        """Values to bit codes, each in [0, 2**bits)."""
        if self.kind is Kind.BIPOLAR:
            return (np.asarray(values, np.int64) + 1) >> 1
        return np.asarray(values, np.int64) & ((1 << self.bits) - 1)

    def decode(self, codes: IntArray) -> IntArray:
        """Bit codes to values."""
        codes = np.asarray(codes, np.int64)
        if self.kind is Kind.BIPOLAR:
            return 2 * codes - 1
        if self.kind is Kind.SIGNED:
            half = 1 << (self.bits - 1)
            return (codes ^ half) - half
        return codes

    def __str__(self) -> str:
        return self.kind.value if self.kind is Kind.BIPOLAR else f"{self.kind.value}{self.bits}"


BIPOLAR = DType(Kind.BIPOLAR, 1)


def unsigned(bits: int) -> DType:
    """Unsigned integer of `bits` bits."""
    return DType(Kind.UNSIGNED, bits)


def signed(bits: int) -> DType:
    """Two's complement integer of `bits` bits."""
    return DType(Kind.SIGNED, bits)


def smallest(low: int, high: int) -> DType:
    """Return the narrowest integer type (never BIPOLAR) that holds [low, high]."""
    if low >= 0:
        return unsigned(max(1, int(high).bit_length()))
    return signed(max(max(int(high), 0).bit_length(), (-int(low) - 1).bit_length()) + 1)
