# SPDX-License-Identifier: Apache-2.0
"""Frames of the driver are those of the compiler's Transfer, bit for bit."""

import numpy as np
import pytest

from hwbnn.deploy.runtime.errors import InputFault, PackageFault
from hwbnn.deploy.runtime.frames import Frames, Stream, unpack
from hwbnn.emit.transfer import Transfer
from hwbnn.ir.dtype import BIPOLAR, DType, signed, unsigned
from hwbnn.ir.stream import Stream as CompiledStream

SHAPES = [(1, 5, 1), (3, 7, 2), (8, 24, 1), (4, 24, 3), (5, 5, 4)]  # lanes, elements, vectors
TYPES = [unsigned(1), BIPOLAR, unsigned(2), unsigned(3), unsigned(7), unsigned(8)]
RESULTS = [BIPOLAR, unsigned(4), signed(2), signed(5), signed(12), unsigned(17), signed(40)]


def transfer(dtype: DType, shape: tuple[int, int, int], word_bytes: int) -> Transfer:
    return Transfer(CompiledStream(dtype, *shape), word_bytes)


def stream(found: Transfer) -> Stream:
    entry = {
        "dtype": str(found.stream.dtype),
        "lanes": found.stream.lanes,
        "elements": found.stream.elements,
        "vectors": found.stream.vectors,
        "frame_bytes": found.frame_bytes,
    }
    return Stream.of(entry, where="input")


@pytest.mark.parametrize("word_bytes", [1, 8, 16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_pixels_are_packed_as_the_compiler_packs_them(dtype, shape, word_bytes):
    wanted = transfer(dtype, shape, word_bytes)
    count = shape[1] * shape[2]
    codes = np.random.default_rng(0).integers(0, 1 << dtype.bits, (6, count)).astype(np.uint8)
    packed = Frames(stream(wanted), (count,)).pack(codes)
    assert packed.dtype == np.uint8
    np.testing.assert_array_equal(packed, wanted.pack(dtype.decode(codes)))


@pytest.mark.parametrize("bits", [1, 2, 5, 8, 9, 12, 17])
@pytest.mark.parametrize("rows", [1, 6, 24])
def test_order_and_table(bits, rows):
    rng = np.random.default_rng([bits, rows])
    wanted = transfer(unsigned(bits), (4, 6, 4), 8)
    kind = np.min_scalar_type((1 << bits) - 1)
    table = rng.integers(0, 1 << bits, (rows, 256)).astype(kind)
    order = rng.permutation(24)
    images = rng.integers(0, 256, (5, 2, 12)).astype(np.uint8)
    packed = Frames(stream(wanted), (2, 12), order=order, table=table).pack(images)
    codes = [
        [table[e % rows, image[order[e]]] for e in range(24)] for image in images.reshape(5, 24)
    ]
    np.testing.assert_array_equal(packed, wanted.pack(np.array(codes, np.int64)))


@pytest.mark.parametrize("word_bytes", [1, 8])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", RESULTS, ids=str)
def test_results_are_unpacked_as_the_compiler_packed_them(dtype, shape, word_bytes):
    given = transfer(dtype, shape, word_bytes)
    rng = np.random.default_rng(0)
    values = dtype.decode(rng.integers(0, 1 << dtype.bits, (4, shape[1] * shape[2])))
    data = given.pack(values)
    data[:, -1] |= (
        0x80 if given.words * word_bytes * 8 > given.stream.beats * given.stream.bits else 0
    )
    np.testing.assert_array_equal(unpack(stream(given), data), values)


def test_64_bits_keep_their_sign():
    given = transfer(signed(64), (1, 2, 1), 8)
    values = np.array([[-(1 << 63), (1 << 63) - 1]])
    np.testing.assert_array_equal(
        unpack(stream(given), values.astype("<i8").view(np.uint8)), values
    )


def test_bytes_in_whole_words_are_not_copied():
    images = np.zeros((3, 4, 6), np.uint8)
    packed = Frames(stream(transfer(unsigned(8), (4, 24, 1), 8)), (4, 6)).pack(images)
    assert np.shares_memory(packed, images)


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (np.zeros((2, 4, 6)), "images: must be uint8 pixels, not float64"),
        (
            np.zeros((4, 6), np.uint8),
            "(n, 4, 6) or (n, 24), not (4, 6); resize them, or add an axis",
        ),
        (np.zeros((2, 6, 4), np.uint8), "(n, 4, 6) or (n, 24), not (2, 6, 4)"),
        (np.zeros((0, 4, 6), np.uint8), "not (0, 4, 6)"),
        (np.zeros(24, np.uint8), "not (24,)"),
    ],
)
def test_other_images_are_refused(images, text):
    frames = Frames(stream(transfer(unsigned(8), (4, 24, 1), 8)), (4, 6))
    with pytest.raises(InputFault) as caught:
        frames.pack(images)
    assert text in str(caught.value)


def test_pixels_that_elements_cannot_hold_are_refused():
    frames = Frames(stream(transfer(unsigned(3), (1, 4, 1), 8)), (4,))
    with pytest.raises(InputFault, match="pixels must be at most 7, not 9"):
        frames.pack(np.array([[1, 9, 2, 3]], np.uint8))


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("dtype", "FLOAT32", "not FLOAT32"),
        ("frame_bytes", 2, "24 bits, not be 2"),
        ("lanes", 0, "at least 1, not 0"),
    ],
)
def test_a_stream_that_cannot_be_is_refused(key, value, text):
    entry = {
        "dtype": "UINT8",
        "lanes": 1,
        "elements": 3,
        "vectors": 1,
        "frame_bytes": 8,
        key: value,
    }
    with pytest.raises(PackageFault) as caught:
        Stream.of(entry, where="input")
    assert text in str(caught.value)
