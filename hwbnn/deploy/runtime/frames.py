# SPDX-License-Identifier: Apache-2.0
"""Frames: images to the bytes of frames, and bytes of results to integers (decision 8).

A stream is `vectors` vectors of `elements` elements, `lanes` of them a beat; a vector begins with a
new beat, a frame with a new word. All of it is array arithmetic: nothing runs once a pixel.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple

import numpy as np

from .errors import InputFault, PackageFault

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .back_end import Bytes

TYPE = re.compile(r"BIPOLAR|(U?INT)(\d+)")


class Stream(NamedTuple):
    """How elements lie in beats. kind: BIPOLAR, UINT or INT; bits: of an element."""

    kind: str
    bits: int
    lanes: int
    elements: int
    vectors: int
    frame_bytes: int

    @classmethod
    def of(cls, entry: Mapping[str, Any], *, where: str) -> Stream:
        """Return the stream of a manifest's `input` or `output`."""
        found = TYPE.fullmatch(entry["dtype"])
        bits = int(found.group(2) or 1) if found else 0
        if not found or not 1 <= bits <= 64:
            raise PackageFault(f"{where}: dtype must be an integer type, not {entry['dtype']}")
        counts = [int(entry[name]) for name in ("lanes", "elements", "vectors", "frame_bytes")]
        if min(counts) < 1:
            raise PackageFault(f"{where}: counts must be at least 1, not {min(counts)}")
        stream = cls(found.group(1) or "BIPOLAR", bits, *counts)
        if stream.frame_bits > 8 * stream.frame_bytes:
            raise PackageFault(
                f"{where}: frame_bytes must hold a frame of {stream.frame_bits} bits, not be "
                f"{stream.frame_bytes}; make the package again"
            )
        return stream

    @property
    def padded(self) -> int:
        """Elements of a vector, and those that fill its last beat."""
        return -(-self.elements // self.lanes) * self.lanes

    @property
    def frame_bits(self) -> int:
        """Bits of a frame without the padding to words."""
        return self.vectors * self.padded * self.bits


class Frames:
    """Makes frames of images: a new order, a table, both or neither, then bytes.

    shape: of an image. order: pixel of each element. table: codes (rows, 256); element e uses row
    e % rows. Without a table a pixel is sent as it is.
    """

    def __init__(
        self,
        stream: Stream,
        shape: tuple[int, ...],
        *,
        order: NDArray[Any] | None = None,
        table: NDArray[Any] | None = None,
    ) -> None:
        self.stream = stream
        self.shape = shape
        self._order = order
        self._table = table
        count = 1 if table is None else len(table)
        self._rows = np.arange(stream.elements * stream.vectors) % count

    @property
    def pixels(self) -> int:
        """Of an image."""
        return int(np.prod(self.shape, dtype=np.int64))

    def check(self, images: NDArray[Any]) -> Bytes:
        """Return images as (n, pixels), without a copy; InputFault: they are others."""
        images = np.asarray(images)
        if images.dtype != np.uint8:
            raise InputFault(
                f"images: must be uint8 pixels, not {images.dtype}; give them as the camera does, "
                "not as floats: the accelerator knows what they mean"
            )
        if images.shape[1:] not in (self.shape, (self.pixels,)) or not len(images):
            raise InputFault(
                f"images: must have the shape (n, {', '.join(map(str, self.shape))}) or "
                f"(n, {self.pixels}), not {images.shape}; resize them"
                + (", or add an axis in front" if images.shape == self.shape else "")
            )
        return images.reshape(len(images), -1)

    def pack(self, images: NDArray[Any]) -> Bytes:
        """Images (n, ...) to frames (n, frame_bytes): a view of them where bytes are the same."""
        flat = self.check(images)
        if self._order is not None:
            flat = flat[:, self._order]
        codes: NDArray[Any] = flat
        if self._table is None:
            self._check_range(flat)
        elif len(self._table) == 1:
            codes = self._table[0].take(flat)  # the usual case, many times faster
        else:
            codes = self._table[self._rows, flat]
        return _frames(self.stream, codes)

    def _check_range(self, pixels: Bytes) -> None:
        """Elements of less than 8 bits hold no large pixel."""
        most = (1 << (self.stream.bits - (self.stream.kind == "INT"))) - 1
        if most < 255 and pixels.max() > most:
            raise InputFault(
                f"images: pixels must be at most {most}, not {pixels.max()}; scale them"
            )


def _frames(stream: Stream, codes: NDArray[Any]) -> Bytes:
    """Codes (n, vectors * elements) to bytes (n, frame_bytes)."""
    count = len(codes)
    if stream.padded != stream.elements:
        padded = np.zeros((count, stream.vectors, stream.padded), codes.dtype)
        padded[:, :, : stream.elements] = codes.reshape(count, stream.vectors, -1)
        codes = padded.reshape(count, -1)
    if stream.bits == 8:
        packed: NDArray[Any] = codes.astype(np.uint8, copy=False)
    elif stream.bits == 1:
        packed = np.packbits(codes.astype(np.uint8, copy=False), axis=1, bitorder="little")
    else:
        little = np.ascontiguousarray(codes, codes.dtype.newbyteorder("<"))
        octets: NDArray[Any] = little.view(np.uint8).reshape(count, -1, codes.dtype.itemsize)
        missing = -(-stream.bits // 8) - octets.shape[2]
        if missing > 0:
            octets = np.pad(octets, ((0, 0), (0, 0), (0, missing)), mode="constant")
        bits = np.unpackbits(octets, axis=2, count=stream.bits, bitorder="little")
        packed = np.packbits(bits.reshape(count, -1), axis=1, bitorder="little")
    rest = stream.frame_bytes - packed.shape[1]
    if not rest:
        return np.ascontiguousarray(packed)
    return np.pad(packed, ((0, 0), (0, rest)), mode="constant")


def unpack(stream: Stream, data: Bytes) -> NDArray[np.int64]:
    """Bytes (n, frame_bytes) to values (n, vectors * elements)."""
    count = len(data)
    bits = np.unpackbits(data, axis=1, count=stream.frame_bits, bitorder="little")
    octets = np.packbits(bits.reshape(-1, stream.bits), axis=1, bitorder="little")
    wide = np.zeros((len(octets), 8), np.uint8)
    wide[:, : octets.shape[1]] = octets
    codes: NDArray[Any] = wide.view("<i8").reshape(count, stream.vectors, stream.padded)
    codes = codes[:, :, : stream.elements].reshape(count, -1).astype(np.int64, copy=False)
    if stream.kind == "BIPOLAR":
        return 2 * codes - 1
    if stream.kind == "INT" and stream.bits < 64:
        half = 1 << (stream.bits - 1)
        return (codes ^ half) - half
    return codes
