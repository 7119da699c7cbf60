# SPDX-License-Identifier: Apache-2.0
"""BitFile: a Xilinx .bit file: its header, and its data as the kernel's FPGA manager wants them.

The header is a list of fields, each a key, a length and that many bytes: a design name and options,
b part, c date, d time, all text that ends with a zero byte, and e, whose length has four bytes, the
configuration data. In front stand a field without a key, and the number 1.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from .errors import PackageFault

TEXTS = {b"a": "design", b"b": "part", b"c": "date", b"d": "time"}
SYNC = b"\xaa\x99\x55\x66"  # the word that begins a configuration (UG470, UG570)
SYNC_WITHIN = 4096  # bytes


class BitFile(NamedTuple):
    """What a .bit file says, and the data, most significant byte of each word first."""

    design: str
    part: str
    date: str
    time: str
    data: bytes

    @property
    def firmware(self) -> bytes:
        """The data as the FPGA manager wants them: the bytes of each 32-bit word reversed."""
        count = len(self.data) // 4
        return struct.pack(f"<{count}I", *struct.unpack(f">{count}I", self.data))


def parse_bit(content: bytes, *, where: str = "bitstream") -> BitFile:
    """Return a .bit file; PackageFault: it is none, or cut off."""
    try:
        return _parse(content)
    except (struct.error, KeyError, IndexError, UnicodeDecodeError, ValueError) as error:
        raise PackageFault(
            f"{where}: must be a .bit file with a header, not {len(content)} other bytes "
            f"({error}); make the package again from the .bit that Vivado wrote"
        ) from error


def _parse(content: bytes) -> BitFile:
    (magic,) = struct.unpack_from(">H", content, 0)
    at = 2 + magic
    (one,) = struct.unpack_from(">H", content, at)
    if magic != 9 or one != 1:
        raise ValueError("no header")
    at += 2
    texts: dict[str, str] = {}
    while content[at : at + 1] != b"e":
        name = TEXTS[content[at : at + 1]]
        (length,) = struct.unpack_from(">H", content, at + 1)
        texts[name] = content[at + 3 : at + 3 + length].rstrip(b"\0").decode("ascii")
        at += 3 + length
    (length,) = struct.unpack_from(">I", content, at + 1)
    data = content[at + 5 : at + 5 + length]
    if len(data) != length or length % 4 or not length:
        raise ValueError(f"{len(data)} of {length} bytes of data")
    if SYNC not in data[:SYNC_WITHIN]:
        raise ValueError("no synchronisation word")
    return BitFile(texts["design"], texts["part"], texts["date"], texts["time"], data)
