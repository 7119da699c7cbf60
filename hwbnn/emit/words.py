# SPDX-License-Identifier: Apache-2.0
"""Words: lane codes as packed little-endian bytes, and as lines for `$readmemh`."""

from typing import TypeAlias

import numpy as np

from hwbnn.ir.dtype import IntArray

ByteArray: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def pack(codes: IntArray, *, lane_bits: int) -> ByteArray:
    """Lane codes (words, lanes) to bytes (words, ceil(bits / 8)); lane 0 least significant."""
    words, lanes = codes.shape
    used = np.ascontiguousarray(codes, "<i8").view(np.uint8).reshape(words, lanes, 8)
    used = used[:, :, : -(-lane_bits // 8)]
    bits = np.unpackbits(used, axis=2, bitorder="little")[:, :, :lane_bits]
    return np.packbits(bits.reshape(words, lanes * lane_bits), axis=1, bitorder="little")


def unpack(data: ByteArray, *, lane_bits: int, lanes: int) -> IntArray:
    """Bytes (words, at least ceil(bits / 8)) to lane codes (words, lanes)."""
    bits = np.unpackbits(data, axis=1, bitorder="little", count=lanes * lane_bits)
    lane = np.packbits(bits.reshape(-1, lanes, lane_bits), axis=2, bitorder="little")
    wide = np.zeros((*lane.shape[:2], 8), np.uint8)
    wide[:, :, : lane.shape[2]] = lane
    return wide.view("<i8").reshape(-1, lanes).astype(np.int64)


def hex_lines(codes: IntArray, *, lane_bits: int) -> str:
    """Lane codes (words, lanes) as text for `$readmemh`: one word a line."""
    digits = -(-codes.shape[1] * lane_bits // 4)
    big_endian = pack(codes, lane_bits=lane_bits)[:, ::-1]
    text = np.ascontiguousarray(big_endian).tobytes().hex()
    width = 2 * big_endian.shape[1]
    lines = (text[at + width - digits : at + width] for at in range(0, len(text), width))
    return "".join(f"{line}\n" for line in lines)
