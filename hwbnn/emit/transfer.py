# SPDX-License-Identifier: Apache-2.0
"""Transfer: how a frame lies in the host's memory, and in the shell's words (decision 8)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwbnn.ir.dtype import IntArray
from hwbnn.ir.stream import Stream


@dataclass(frozen=True)
class Transfer:
    """Frames of a stream as bytes: beats low bit first, each frame padded to whole words."""

    stream: Stream
    word_bytes: int

    @property
    def words(self) -> int:
        """Words of a frame."""
        return -(-self.stream.beats * self.stream.bits // (8 * self.word_bytes))

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame, padding included."""
        return self.words * self.word_bytes

    def pack(self, values: IntArray) -> npt.NDArray[np.uint8]:
        """Values (frames, vectors * elements) to bytes (frames, frame_bytes)."""
        codes = self.stream.pack(values).astype("<u8")
        octets = codes.view(np.uint8).reshape(*codes.shape, 8)
        bits = np.unpackbits(octets, axis=-1, count=self.stream.dtype.bits, bitorder="little")
        packed = np.packbits(bits.reshape(len(values), -1), axis=1, bitorder="little")
        return np.pad(packed, ((0, 0), (0, self.frame_bytes - packed.shape[1])))

    def unpack(self, data: npt.NDArray[np.uint8]) -> IntArray:
        """Bytes (frames, frame_bytes) to values (frames, vectors * elements)."""
        stream, width = self.stream, self.stream.dtype.bits
        count = stream.beats * stream.bits
        bits = np.unpackbits(data, axis=1, count=count, bitorder="little")
        octets = np.packbits(bits.reshape(-1, width), axis=1, bitorder="little")
        codes = np.zeros((len(octets), 8), np.uint8)
        codes[:, : octets.shape[1]] = octets
        return stream.unpack(codes.view("<u8").astype(np.int64).reshape(-1, stream.lanes))
