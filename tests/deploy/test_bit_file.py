# SPDX-License-Identifier: Apache-2.0
"""A .bit file's header, and its data with the bytes of each word reversed."""

import pytest

from hwbnn.deploy.runtime.bit_file import parse_bit
from hwbnn.deploy.runtime.errors import PackageFault
from tests.deploy.packages import BITSTREAM, bit_file

DATA = b"\xff" * 32 + b"\xaa\x99\x55\x66" + bytes(range(64))


def test_header():
    found = parse_bit(BITSTREAM)
    assert found.design == "chip;UserID=0XFFFFFFFF;Version=2022.2"
    assert (found.part, found.date, found.time) == ("7z020clg400", "2026/11/21", "16:41:41")
    assert found.data == DATA


def test_firmware_has_its_words_reversed():
    firmware = parse_bit(BITSTREAM).firmware
    assert firmware[32:36] == b"\x66\x55\x99\xaa"
    words = [DATA[i : i + 4][::-1] for i in range(0, len(DATA), 4)]
    assert firmware == b"".join(words)


@pytest.mark.parametrize("cut", [*range(60), len(BITSTREAM) - 4, len(BITSTREAM) - 1])
def test_cut_off(cut):
    with pytest.raises(PackageFault, match="chip.bit: must be a .bit file with a header"):
        parse_bit(BITSTREAM[:cut], where="chip.bit")


@pytest.mark.parametrize(
    "content",
    [DATA, b"Lattice Semiconductor", bit_file(bytes(64)), bit_file(DATA[:-1]), bit_file(b"")],
    ids=["bin", "lattice", "no sync word", "no whole word", "empty"],
)
def test_other_files(content):
    with pytest.raises(PackageFault):
        parse_bit(content)


def test_a_field_that_nobody_knows():
    with pytest.raises(PackageFault):
        parse_bit(BITSTREAM.replace(b"b\x00\x0c7z020", b"x\x00\x0c7z020"))
