# SPDX-License-Identifier: Apache-2.0
"""Weight images: what must lie in memory outside the chip, to be streamed or to be loaded."""

from dataclasses import dataclass

import numpy as np

from hwbnn.emit import words
from hwbnn.ir.design import Design
from hwbnn.ir.ram import LOAD_BYTES, ULTRA_SHAPE, ultra_columns
from hwbnn.ir.unit import Memory, Style
from hwbnn.units.weight_source import WeightSource


@dataclass(frozen=True, eq=False)
class WeightImage:
    """Words one after another, each in `container_bytes` (a power of two).

    Little endian, lane 0 least significant, bits above `word_bits` 0. words_a_frame: of a source,
    whose whole image a frame takes `vectors` times; 0 of what is loaded once.
    """

    word_bits: int
    container_bytes: int
    words_a_frame: int
    data: bytes

    @property
    def words(self) -> int:
        """Words of the image."""
        return len(self.data) // self.container_bytes

    @property
    def frame_bytes(self) -> int:
        """Bytes that are read for a frame."""
        return self.words_a_frame * self.container_bytes


def weight_images(design: Design) -> dict[str, WeightImage]:
    """Return the image of every source of a design, by instance, in the order of the instances."""
    units = {instance.name: instance.unit for instance in design.sources}
    return {name: _image(unit) for name, unit in units.items() if isinstance(unit, WeightSource)}


def load_image(design: Design) -> WeightImage | None:
    """Return the columns of all memories that are loaded, in the order of the chain (decision 12).

    Of a memory: those of word 0, the least significant bits first, then those of word 1 ..
    """
    memories = (memory for instance in design.loaded for memory in instance.unit.memories())
    columns = [_columns(each) for each in memories if each.shape.style is Style.ULTRA]
    if not columns:
        return None
    data = _padded(np.concatenate(columns), LOAD_BYTES)
    return WeightImage(ULTRA_SHAPE[1], LOAD_BYTES, 0, data.tobytes())


def _columns(memory: Memory) -> words.ByteArray:
    """Return the words of a memory cut into columns: (words * columns, bytes of a column)."""
    packed = words.pack(memory.words, lane_bits=memory.shape.lane_bits)
    size = ULTRA_SHAPE[1] // 8
    return _padded(packed, ultra_columns(memory.shape.width) * size).reshape(-1, size)


def _padded(packed: words.ByteArray, size: int) -> words.ByteArray:
    """Return rows of bytes with zeros behind, `size` bytes each."""
    data = np.zeros((len(packed), size), np.uint8)
    data[:, : packed.shape[1]] = packed
    return data


def _image(source: WeightSource) -> WeightImage:
    packed = words.pack(source.words, lane_bits=source.dtype.bits)
    data = _padded(packed, source.word_bytes)
    return WeightImage(source.word_bits, source.word_bytes, source.frame_words, data.tobytes())
