# SPDX-License-Identifier: Apache-2.0
"""Boards: the numbers agree with each other, and a wrong file is refused with its key."""

import json
from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from hwbnn.board import (
    DEVICES,
    SECTIONS,
    WINDOWS,
    AxiLink,
    Board,
    Device,
    UartLink,
    boards,
    find_board,
    parse_board,
)
from hwbnn.cli import lists
from hwbnn.cli.tables import boards_table
from hwbnn.errors import ConfigError
from hwbnn.ir.unit import Family
from hwbnn.resources import Room, read_text
from tests.conftest import Ran

Run = Callable[..., Ran]

PYNQ = read_text(Room.BOARDS, "pynq-z2.toml")
ULX3S = read_text(Room.BOARDS, "ulx3s-85f.toml")
ALL = boards()
SHIPPED = (
    "arty-z7-20", "aup-zu3", "icebreaker", "kv260", "orangecrab-25f", "pynq-z1", "pynq-z2",
    "ultra96-v2", "ulx3s-85f", "zcu104", "zybo-z7-20",
)  # fmt: skip
every_board = pytest.mark.parametrize("board", ALL.values(), ids=lambda board: board.id)


def test_shipped():
    assert tuple(ALL) == SHIPPED


@every_board
def test_every_section_has_its_source(board: Board):
    present = {name for name in SECTIONS if getattr(board, name) is not None}
    assert set(board.sources) == present
    assert all(len(text) > 10 for text in board.sources.values())


@every_board
def test_device(board: Board):
    counts, facts = board.resources, DEVICES[board.family]
    assert board.part.startswith(facts.prefixes)
    assert board.cost_family is facts.cost
    assert all(
        used < there
        for used, there in (
            (board.limit.lut, counts.lut),
            (board.limit.ff, counts.ff),
            (board.limit.bram, counts.bram),
            (board.limit.dsp, counts.dsp),
        )
    )
    assert board.limit.uram == pytest.approx(0.8 * counts.uram)
    match board.family:
        case Device.ZYNQ7000 | Device.ZYNQMP:
            assert counts.ff == 2 * counts.lut  # a slice: 4 LUTs, 8 flip-flops; a CLB: 8, 16
            assert counts.bram_kbit == 36
            assert board.cost_family is Family.XC7
            assert counts.uram == 0 or board.family is Device.ZYNQMP
            assert counts.spram == 0
        case Device.ECP5:
            assert counts.ff == counts.lut  # a slice: 2 LUT4, 2 flip-flops
            assert counts.bram_kbit == 18
            assert board.cost_family is Family.ECP5
            assert (counts.uram, counts.spram) == (0, 0)
        case Device.ICE40:
            assert counts.ff == counts.lut  # a logic cell: a LUT4, a flip-flop
            assert counts.bram_kbit == 4
            assert board.cost_family is Family.ICE40
            assert counts.uram == 0


def test_same_device_same_resources():
    """Speed grade and package do not change what a die has."""
    dies: dict[str, set[str]] = {}
    for board in ALL.values():
        die = board.part.lower().split("-")[0].split("clg")[0]
        die = board.part.rsplit("-", 1)[0] if board.family is Device.ECP5 else die
        dies.setdefault(die, set()).add(str(board.resources))
    assert all(len(counts) == 1 for counts in dies.values())
    assert set(dies) == {
        "xc7z020", "xczu3eg", "xczu7ev", "xck26", "LFE5U-85F", "LFE5U-25F", "ice40up5k"
    }  # fmt: skip


@every_board
def test_link(board: Board):
    port, link = board.data, board.link
    assert board.word_bytes * 8 == port.bits
    match link:
        case AxiLink():
            ram = board.memory
            assert ram is not None
            assert ram.bus_bits * ram.transfers_mhz / 8 == pytest.approx(port.peak_mb_s, rel=1e-3)
            assert link.control_base in WINDOWS[link.control_port]
            assert link.control_base + 0xFFFF in WINDOWS[link.control_port]
            assert board.host is not None and board.place is None
            assert board.clocks.source_mhz % board.host.ps_clk_mhz < 0.1 or (
                board.host.ps_clk_mhz - board.clocks.source_mhz % board.host.ps_clk_mhz < 0.1
            )
            if board.family is Device.ZYNQ7000:  # ports of PS7
                assert (link.version, port.bits, link.address_bits) == (3, 64, 32)
                assert (link.control_base, link.control_id_bits) == (0x4000_0000, 12)
            else:  # ports of PS8
                assert (link.version, port.bits) == (4, 128)
                assert 40 <= link.address_bits <= 49
                assert (link.control_base, link.control_id_bits) == (0xA000_0000, 16)
        case UartLink():
            assert board.place is not None and board.host is None
            assert port.peak_mb_s * 1e7 == pytest.approx(link.baud)
            assert board.clock(None) * 1e6 / link.baud >= 4  # samples of a bit
            block_bytes = board.resources.bram_kbit // 9 * 1024  # parity bits aside
            block_bytes = 512 if board.family is Device.ICE40 else block_bytes
            spare = board.resources.bram - board.limit.bram
            assert link.room_bytes / block_bytes <= spare  # the shell's memory is beside a design
            pins = (board.place.clock, board.place.rx, board.place.tx)
            assert len(set(pins)) == 3


@every_board
def test_clocks(board: Board):
    choices = board.clocks.achievable
    assert list(choices) == sorted(set(choices))
    assert board.clock(None) in choices
    assert board.clock(None) == pytest.approx(board.clocks.default_mhz, rel=1e-3)


def test_zybo_has_another_crystal():
    """PYNQ reckons with 50 MHz on every Zynq-7000, which is half as much again here."""
    crystals = {b.id: b.host.ps_clk_mhz for b in ALL.values() if b.host is not None}
    assert crystals["zybo-z7-20"] == pytest.approx(100 / 3)
    assert {crystals[name] for name in ("pynq-z1", "pynq-z2", "arty-z7-20")} == {50}


def test_all_are_listed(hwbnn: Run):
    table = hwbnn("boards").out
    for board in ALL.values():
        row = next(line for line in table.splitlines() if line.startswith(f"{board.id} "))
        assert board.part in row
        assert f"{board.resources.lut:,}" in row
    listed = hwbnn("boards", "--json").json["boards"]
    assert [json.loads(board.model_dump_json(by_alias=True)) for board in ALL.values()] == listed


def test_all_are_shown_whole_on_a_narrow_terminal():
    found = list(ALL.values())
    console = Console(width=80, record=True, file=StringIO())
    console.print(boards_table(found))
    lines = console.export_text().splitlines()
    for board in found:
        (line,) = (line for line in lines if line.startswith(f"{board.id} "))
        assert line.endswith(f" {board.link.kind} {board.data.bits}")
        assert (f" {board.resources.uram} " in line) == (board.resources.uram > 0)


@every_board
def test_each_is_shown(board: Board, capsys: pytest.CaptureFixture[str]):
    lists.boards(board.id, boards_dir=None, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert board.part in " ".join(lines[0])
    values = {line[0]: line[1] for line in lines[1:] if len(line) > 1}
    assert values["resources.lut"] == str(board.resources.lut)
    assert {name.split(".")[0] for name in values if "." in name} >= set(board.sources)


def test_zynq_clocks():
    board = find_board("pynq-z2")
    for mhz in (250, 200, 166.667, 142.857, 125, 111.111, 100, 50):
        assert board.clock(mhz) == pytest.approx(mhz, rel=1e-5)
    assert board.clock(111.1) == 1000 / 9
    assert max(board.clocks.achievable) == 250


def test_zynqmp_clocks():
    board = find_board("zcu104")
    for mhz in (300, 250, 214.286, 187.5, 166.667, 150, 125, 100):
        assert board.clock(mhz) == pytest.approx(mhz, rel=1e-5)
    assert max(board.clocks.achievable) == 300
    assert max(find_board("kv260").clocks.achievable) == 1000 / 3


def test_ecp5_clocks():
    board = find_board("ulx3s-85f")
    for mhz in (25, 40, 50, 62.5, 80, 100, 125):
        assert board.clock(mhz) == mhz


def test_ice40_clocks():
    board = find_board("icebreaker")
    for mhz in (12, 18, 24, 30, 36, 48, 60):  # 12: the oscillator as it is
        assert board.clock(mhz) == mhz
    with pytest.raises(ConfigError, match=r"not 14 MHz; choose 12 or 16\.125"):  # PLLOUT: from 16
        board.clock(14)


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
        f"board: must be one of {', '.join(SHIPPED)}, not pynqz2; did you mean pynq-z2?"
    )


@pytest.mark.parametrize(
    ("name", "sizes", "mhz", "cycles"),
    [
        ("pynq-z2", (784, 16), 100, 98),  # words of 8 bytes
        ("pynq-z2", (785, 16), 100, 99),
        ("pynq-z2", (16, 785), 100, 99),
        ("pynq-z2", (800, 800), 250, 1600 / 8.4),  # 2100 MB/s for both ways together
        ("zcu104", (784, 16), 300, 49),
        ("ultra96-v2", (3200, 1600), 300, 4800 / (4264 / 300)),
        ("ulx3s-85f", (255, 2), 50, 261 * 10 * 50e6 / 3e6),  # a packet of 255 bytes is 261
        ("ulx3s-85f", (2, 255), 50, 261 * 10 * 50e6 / 3e6),
        ("icebreaker", (510, 510), 24, 2 * 261 * 10 * 8),
    ],
)
def test_port_cycles(name: str, sizes: tuple[int, int], mhz: float, cycles: float):
    assert find_board(name).port_cycles(*sizes, clock_mhz=mhz) == pytest.approx(cycles)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "dsp = 220",
            "dps = 220",
            "one of lut, ff, bram, bram_kbit, dsp, uram, spram, not resources.dps; did you",
        ),
        ("dsp = 220", "dsp = -1", "x.toml: resources.dsp must be at least 0, not -1"),
        ("dsp = 220", "dsp = 2.5", "x.toml: resources.dsp must be a whole number, not 2.5"),
        ("schema = 1", "schema = 2", "x.toml: schema must be 1, not 2"),
        ("schema = 1", "schema = 1\ncolour = 3", "not colour; remove it"),
        (
            'family = "zynq7000"',
            'family = "zinq"',
            "must be one of 'zynq7000', 'zynqmp', 'ecp5' or 'ice40', not 'zinq'",
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
        ("uio = ", "oio = ", "control_id_bits, address_bits, irq, uio, not link.oio; did you"),
        ('irq = "IRQF2P[0]"\n', "", "x.toml: link.irq must be given; add it"),
        ('kind = "axi"\n', "", "x.toml: link.kind must be given; add it"),
        ('kind = "axi"', 'kind = "pci"', "link.kind must be one of 'axi', 'uart', not 'pci'"),
        ("version = 3", "version = 5", "x.toml: link.version must be 3 or 4, not 5"),
        ("bits = 64", "bits = 32", "data.bits must be 64 or 128 with an axi link, not 32"),
        (
            "0x40000000",
            "0x43c00001",
            "link.control_base must be a multiple of 0x10000 from 0x40000000 to 0x7fffffff on "
            "M_AXI_GP0, not 0x43c00001",
        ),
        ("0x40000000", "0x90000000", "on M_AXI_GP0, not 0x90000000"),
        ('"M_AXI_GP0"', '"GP0"', "link.control_port must be one of M_AXI_GP0, M_AXI_GP1, "),
        ("xc7z020", "xc6slx9", "part must begin with xc7z for family zynq7000, not xc6slx9"),
        ('"zynq-fclk"', '"ice40-pll"', "clocks.generator must be zynq-fclk for family zynq7000"),
    ],
)
def test_wrong_file(old: str, new: str, message: str):
    refused(PYNQ, old, new, message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bits = 8", "bits = 16", "data.bits must be 8 with a uart link, not 16"),
        ("baud = 3000000", "baud = 1000000", "data.peak_mb_s must be 0.1, link.baud / 10, not 0.3"),
        ("room_bytes", "rome_bytes", "one of kind, baud, room_bytes, not link.rome_bytes; did you"),
        (ULX3S[ULX3S.index("[place]") : ULX3S.index("[toolchains]")], "", "place must be given"),
        (
            ULX3S[ULX3S.index("[link]") : ULX3S.index("[place]")],
            PYNQ[PYNQ.index("[link]") : PYNQ.index("[host]")] + "\n",
            "link.kind must be uart for family ecp5, not axi",
        ),
    ],
)
def test_wrong_file_of_an_open_board(old: str, new: str, message: str):
    refused(ULX3S, old, new, message)


def test_a_zynq_board_needs_a_host_and_a_memory():
    text = PYNQ.replace(PYNQ[PYNQ.index("[host]") : PYNQ.index("[toolchains]")], "")
    text = text.replace(PYNQ[PYNQ.index("[memory]") : PYNQ.index("[data]")], "")
    with pytest.raises(ConfigError) as caught:
        parse_board(text, where="x.toml")
    message = str(caught.value)
    assert "host must be given with an axi link: who drives the board; add [host]" in message
    assert "memory must be given with an axi link: where frames lie; add [memory]" in message
    assert "sources must name resources, limits, clocks, data, link, toolchains" in message


def refused(text: str, old: str, new: str, message: str):
    assert old in text
    with pytest.raises(ConfigError) as caught:
        parse_board(text.replace(old, new, 1), where="x.toml")
    assert message in str(caught.value)
    assert all(problem.startswith("x.toml: ") for problem in caught.value.problems)


def test_all_wrong_keys_at_once():
    text = PYNQ.replace("dsp = 220", "dps = 220").replace('kind = "DDR3"', 'sort = "DDR3"')
    with pytest.raises(ConfigError) as caught:
        parse_board(text, where="x.toml")
    assert len(caught.value.problems) == 4  # two unknown, two missing


def test_user_boards(tmp_path):
    (tmp_path / "mine.toml").write_text(PYNQ.replace('id = "pynq-z2"', 'id = "mine"'))
    (tmp_path / "notes.txt").write_text("not a board")
    assert list(boards(tmp_path))[-1] == "mine"
    assert len(boards(tmp_path)) == len(ALL) + 1
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
