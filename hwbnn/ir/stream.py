# SPDX-License-Identifier: Apache-2.0
"""Streams: how a tensor travels between two units, lane by lane and beat by beat."""

from dataclasses import dataclass

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import DType, IntArray


@dataclass(frozen=True)
class Stream:
    """`vectors` vectors of `elements` elements a frame, `lanes` elements a beat.

    Element e of a vector is in beat e // lanes, lane e % lanes; lane 0 holds the least
    significant bits of the word. Lanes of a vector's last beat that hold no element carry
    code 0 ("padding"). Each vector begins with a new beat.
    """

    dtype: DType
    lanes: int
    elements: int
    vectors: int = 1

    def __post_init__(self) -> None:
        if min(self.lanes, self.elements, self.vectors) >= 1:
            return
        for name in ("lanes", "elements", "vectors"):
            if getattr(self, name) < 1:
                raise ConfigError(f"stream: {name} must be at least 1, not {getattr(self, name)}")

    @property
    def bits(self) -> int:
        """Bits of a beat."""
        return self.lanes * self.dtype.bits

    @property
    def vector_beats(self) -> int:
        """Beats of a vector."""
        return -(-self.elements // self.lanes)

    @property
    def beats(self) -> int:
        """Beats of a frame."""
        return self.vectors * self.vector_beats

    def carries(self, other: "Stream") -> bool:
        """The beats are also those of another stream: the same but for how vectors are cut."""
        if self == other:
            return True
        alike = (self.dtype, self.lanes, self.elements * self.vectors) == (
            other.dtype,
            other.lanes,
            other.elements * other.vectors,
        )
        return alike and self.elements % self.lanes == 0 and other.elements % other.lanes == 0

    def pack(self, values: IntArray) -> IntArray:
        """Values (frames, vectors * elements) to lane codes (frames * beats, lanes)."""
        codes = self.dtype.encode(values).reshape(-1, self.elements)
        missing = self.vector_beats * self.lanes - self.elements
        return np.pad(codes, ((0, 0), (0, missing))).reshape(-1, self.lanes)

    def unpack(self, codes: IntArray) -> IntArray:
        """Lane codes (frames * beats, lanes) to values (frames, vectors * elements)."""
        vectors = np.asarray(codes).reshape(-1, self.vector_beats * self.lanes)[:, : self.elements]
        return self.dtype.decode(vectors).reshape(-1, self.vectors * self.elements)

    def __str__(self) -> str:
        return f"{self.dtype} x{self.lanes}, {self.beats} beats"
