# SPDX-License-Identifier: Apache-2.0
"""hwbnn_shell_uart, bit by bit on the line, against a host in Python; its size on open FPGAs."""

from pathlib import Path

import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.errors import ToolError
from hwbnn.ir.unit import Family
from hwbnn.resources import Room, names_under, read_text
from hwbnn.tools import verilator, yosys

STEMS = ("shell_uart", "uart_", "packet_", "crc16", "gearbox", "meter", "registers")
SHELL = FileSet.of(
    {
        name: read_text(Room.RTL, f"shell/{name}")
        for name in names_under(Room.RTL, "shell")
        if name.startswith(tuple(f"hwbnn_{stem}" for stem in STEMS))
    }
)
BENCH = SHELL | FileSet.of({"uart_bench.sv": Path(__file__).with_name("uart_bench.sv").read_text()})

# The shell of an iCEBreaker: 115200 baud at 12 MHz, pixels of 8 bits, a class.
CHIP = """\
module chip (
    input logic clk_i, rst_ni, rx_i, in_ready_i, out_valid_i,
    input logic [3:0] out_data_i,
    output logic tx_o, busy_o, core_rst_no, in_valid_o, out_ready_o,
    output logic [7:0] in_data_o
);
  hwbnn_shell_uart #(
      .BuildHash(128'h0123456789abcdef0011223344556677),
      .BitCycles256(26667),
      .RoomBytes(4096),
      .CoreInBits(8),
      .CoreInBeats(784),
      .CoreOutBits(4),
      .CoreOutBeats(1)
  ) shell (.high_water_i(1'b0), .*);
endmodule
"""

WHOLE = SHELL | FileSet.of({"chip.sv": CHIP})

# Frames larger than results, and a bit of 4.3 clock cycles; and results larger than frames.
LARGE_FRAMES = {"BitCycles256": 1100, "RoomBytes": 256, "InBits": 12, "InBeats": 5}
LARGE_FRAMES |= {"OutBits": 10, "OutBeats": 3}
LARGE_RESULTS = {"BitCycles256": 1024, "RoomBytes": 64, "InBits": 8, "InBeats": 1}
LARGE_RESULTS |= {"OutBits": 36, "OutBeats": 5}


def run(simulate, module: str, parameters: dict[str, int], cases: tuple[str, ...]) -> None:
    """Run cocotb cases, which learn the parameters too."""
    order = ("InBits", "InBeats", "OutBits", "OutBeats", "BitCycles256", "RoomBytes")
    bench = "-".join(str(parameters[name]) for name in order)
    simulate(
        BENCH,
        "uart_bench",
        f"tests.shell.{module}",
        cases=cases,
        parameters=parameters,
        plusargs={"bench": bench},
    )


@pytest.mark.slow
def test_good_line(simulate) -> None:
    cases = ("registers", "requests_in_a_row", "a_request_too_many", "batches", "bit_clock_is_off")
    cases += ("no_result_waits_for_a_later_frame", "sequences_go_round")
    run(simulate, "shell_uart_cases", LARGE_FRAMES, cases)


@pytest.mark.slow
def test_more_results_than_frames(simulate) -> None:
    cases = ("back_pressure", "reset_while_results_are_due", "frames_before_the_reset_is_answered")
    run(simulate, "shell_uart_cases", LARGE_RESULTS, cases)


@pytest.mark.slow
def test_bad_line(simulate) -> None:
    cases = ("every_harm", "every_nuisance", "storm", "half_packets_are_dropped")
    cases += ("every_bit_is_checked", "frames_are_refused_until_reset")
    run(simulate, "shell_uart_faults", LARGE_FRAMES, cases)


@pytest.mark.slow
@pytest.mark.skipif(not yosys.available(), reason="needs pip install 'hwbnn[synth]'")
@pytest.mark.parametrize("family", [Family.ECP5, Family.ICE40])
def test_size(family: Family, tmp_path: Path) -> None:
    """Buffers in block RAM alone, on a device without distributed RAM too."""
    shell = yosys.synthesise(WHOLE, "chip", family, work=tmp_path).instances["shell"]
    assert 500 < shell.logic < 950
    assert 600 < shell.ff < 800
    assert shell.lut_memory == shell.dsp == 0
    assert shell.bram == {Family.ECP5: 3, Family.ICE40: 9}[family]  # 18 and 4 kbit


@pytest.mark.parametrize("top", ["uart_bench", "chip"])
def test_verilator_accepts_it_without_a_warning(top: str) -> None:
    verilator.lint(BENCH if top == "uart_bench" else WHOLE, top=top)


@pytest.mark.parametrize(
    ("good", "bad", "text"),
    [
        ("RoomBytes(4096)", "RoomBytes(3000)", "hwbnn_packet_frames: Bytes must be a power of two"),
        ("BitCycles256(26667)", "BitCycles256(1000)", "BitCycles256 must be at least 1024"),
    ],
)
def test_wrong_parameters_are_refused(good: str, bad: str, text: str) -> None:
    chip = CHIP.replace(good, bad)
    assert chip != CHIP
    with pytest.raises(ToolError, match=text):
        verilator.lint(SHELL | FileSet.of({"chip.sv": chip}), top="chip")
