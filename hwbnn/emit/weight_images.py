# SPDX-License-Identifier: Apache-2.0
"""Weight images: what must lie in memory outside the chip for the layers with streamed weights."""

from dataclasses import dataclass

import numpy as np

from hwbnn.emit import words
from hwbnn.ir.design import Design
from hwbnn.units.weight_source import WeightSource


@dataclass(frozen=True, eq=False)
class WeightImage:
    """The words of a source, one after another, each in `container_bytes` (a power of two).

    Little endian, lane 0 least significant, bits above `word_bits` 0. A frame takes the whole
    image `vectors` times: words_a_frame words.
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


def _image(source: WeightSource) -> WeightImage:
    packed = words.pack(source.words, lane_bits=source.dtype.bits)
    data = np.zeros((len(packed), source.word_bytes), np.uint8)
    data[:, : packed.shape[1]] = packed
    return WeightImage(
        source.word_bits,
        source.word_bytes,
        source.frame_words,
        np.ascontiguousarray(data).tobytes(),
    )
