# SPDX-License-Identifier: Apache-2.0
"""Boards: the numbers agree with each other, and a wrong file is refused with its key."""

import pytest

from hwbnn.board import SECTIONS, Board, Device, boards, find_board, parse_board
from hwbnn.errors import ConfigError
from hwbnn.ir.unit import Family
from hwbnn.resources import Room, read_text

PYNQ = read_text(Room.BOARDS, "pynq-z2.toml")


def test_shipped():
    assert {"pynq-z1", "pynq-z2", "ulx3s-85f"} <= set(boards())


@pytest.mark.parametrize("board", boards().values(), ids=lambda board: board.id)
def test_numbers_agree(board: Board):
    counts = board.resources
    assert board.clock(None) == pytest.approx(board.clocks.default_mhz)
    assert board.data.bits % 8 == 0
    assert all(board.sources[section] for section in SECTIONS)
    assert board.limit.lut < counts.lut
    match board.family:
        case Device.ZYNQ7000:
            assert counts.ff == 2 * counts.lut  # a 7-series slice: 4 LUTs, 8 flip-flops
            assert counts.bram_kbit == 36
            assert board.cost_family is Family.XC7
            assert board.memory.bus_bits * board.memory.transfers_mhz / 8 == board.data.peak_mb_s
        case Device.ECP5:
            assert counts.ff == counts.lut  # an ECP5 slice: 2 LUT4, 2 flip-flops
            assert counts.bram_kbit == 18
            assert board.cost_family is Family.ECP5


def test_zynq_clocks():
    board = find_board("pynq-z2")
    for mhz in (250, 200, 166.667, 142.857, 125, 111.111, 100, 50):
        assert board.clock(mhz) == pytest.approx(mhz, rel=1e-5)
    assert board.clock(111.1) == 1000 / 9
    assert max(board.clocks.achievable) == 250


def test_ecp5_clocks():
    board = find_board("ulx3s-85f")
    for mhz in (25, 40, 50, 62.5, 80, 100, 125):
        assert board.clock(mhz) == mhz


@pytest.mark.parametrize(
    ("mhz", "choices"), [(105, "100 or 111.111"), (1000, "choose 250"), (-1, "choose 1")]
)
def test_clock_that_cannot_be_made(mhz: float, choices: str):
    with pytest.raises(ConfigError) as caught:
        find_board("pynq-z2").clock(mhz)
    assert f"not {mhz:g} MHz" in str(caught.value)
    assert choices in str(caught.value)


def test_unknown_board_names_the_nearest():
    with pytest.raises(ConfigError) as caught:
        find_board("pynqz2")
    assert str(caught.value) == (
        "board: must be one of pynq-z1, pynq-z2, ulx3s-85f, not pynqz2; did you mean pynq-z2?"
    )


def test_port_is_slower_than_the_clock():
    board = find_board("ulx3s-85f")
    assert board.frames_per_second(8000, clock_mhz=50) == pytest.approx(300)
    pynq = find_board("pynq-z2")
    assert pynq.frames_per_second(6400, clock_mhz=100) == pytest.approx(1e6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "dsp = 220",
            "dps = 220",
            "one of lut, ff, bram, bram_kbit, dsp, not resources.dps; did you",
        ),
        ("dsp = 220", "dsp = -1", "x.toml: resources.dsp must be at least 0, not -1"),
        ("dsp = 220", "dsp = 2.5", "x.toml: resources.dsp must be a whole number, not 2.5"),
        ("schema = 1", "schema = 2", "x.toml: schema must be 1, not 2"),
        ("schema = 1", "schema = 1\ncolour = 3", "not colour; remove it"),
        (
            'family = "zynq7000"',
            'family = "zinq"',
            "must be one of 'zynq7000' or 'ecp5', not 'zinq'",
        ),
        ("lut = 0.70", "lut = 1.7", "limits.lut must be at most 1, not 1.7"),
        ("dsp = 220", "dsp = true", "x.toml: resources.dsp must be a whole number, not True"),
        ("dsp = 220", "dsp = '220'", "resources.dsp must be a whole number, not '220'"),
        ("peak_mb_s = 2100.0", "peak_mb_s = inf", "peak_mb_s must be a finite number, not inf"),
        ('name = "TUL PYNQ-Z2"', "name = 3", "x.toml: name must be text in quotes, not 3"),
        ("schema = 1", "colour = " + "[" * 5000, "x.toml: board file must be TOML"),
        ("schema = 1", "schema = " + "9" * 5000, "x.toml: board file must be TOML"),
        ("source_mhz = 1000.0\n", "", "x.toml: clocks.source_mhz must be given; add it"),
        ("limits = ", "limit = ", "sources must name resources, limits, clocks"),
        ("[resources]", "[resources", "x.toml: board file must be TOML"),
    ],
)
def test_wrong_file(old: str, new: str, message: str):
    assert old in PYNQ
    with pytest.raises(ConfigError) as caught:
        parse_board(PYNQ.replace(old, new, 1), where="x.toml")
    assert message in str(caught.value)
    assert all(problem.startswith("x.toml: ") for problem in caught.value.problems)


def test_all_wrong_keys_at_once():
    text = PYNQ.replace("dsp = 220", "dps = 220").replace("kind = ", "sort = ")
    with pytest.raises(ConfigError) as caught:
        parse_board(text, where="x.toml")
    assert len(caught.value.problems) == 4  # two unknown, two missing


def test_user_boards(tmp_path):
    (tmp_path / "mine.toml").write_text(PYNQ.replace('id = "pynq-z2"', 'id = "mine"'))
    (tmp_path / "notes.txt").write_text("not a board")
    assert list(boards(tmp_path))[-1] == "mine"
    assert find_board("mine", boards_dir=tmp_path).part == "xc7z020clg400-1"


def test_user_board_wins(tmp_path):
    (tmp_path / "pynq-z2.toml").write_text(PYNQ.replace("lut = 53200", "lut = 1000"))
    assert find_board("pynq-z2", boards_dir=tmp_path).resources.lut == 1000


def test_user_board_with_a_byte_order_mark(tmp_path):
    (tmp_path / "mine.toml").write_text(PYNQ, encoding="utf-8-sig")
    assert find_board("pynq-z2", boards_dir=tmp_path).resources.lut == 53200


@pytest.mark.parametrize(
    ("mhz", "message"),
    [(float("inf"), "not inf MHz; choose 250"), (float("nan"), "not nan MHz; choose 250")],
)
def test_clock_that_is_no_number(mhz: float, message: str):
    with pytest.raises(ConfigError, match=message):
        find_board("pynq-z2").clock(mhz)


@pytest.mark.parametrize("source", ["1e-9", "1e300"])
def test_source_that_makes_no_clock(source: str):
    board = parse_board(PYNQ.replace("source_mhz = 1000.0", f"source_mhz = {source}"), where="x")
    with pytest.raises(ConfigError, match="source_mhz must be one of which zynq-fclk can make"):
        board.clock(None)


def test_boards_dir_must_exist(tmp_path):
    with pytest.raises(ConfigError, match="boards folder must exist"):
        boards(tmp_path / "nowhere")


def test_board_file_must_be_text(tmp_path):
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="board file must be UTF-8 text, not hold byte 0xff"):
        boards(tmp_path)
