# SPDX-License-Identifier: Apache-2.0
"""hwbnn_meter against its definition, on whole histories of the handshakes."""

import random
from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.resources import Room, read_text
from hwbnn.tools import verilator
from hwbnn.tools.cosim import cache_folder
from hwbnn.tools.process import run

METER = read_text(Room.RTL, "shell/hwbnn_meter.sv")
HARNESS = Path(__file__).with_name("meter.cpp").read_text()
BENCH = """\
module bench (
    input logic clk_i, rst_ni, clear_i, in_valid_i, in_ready_i, out_valid_i, out_ready_i,
    output logic [63:0] cycles_o,
    output logic [31:0] in_stall_o, out_stall_o, frames_o
);
  hwbnn_meter #(.OutBeats(%d)) meter (.*);
endmodule
"""
RESET, CLEAR, IN_VALID, IN_READY, OUT_VALID, OUT_READY, LEAP = (1 << i for i in range(7))
LATE = 2  # cycles from the one after a handshake until the counters show it
IN_BEAT, OUT_BEAT = IN_VALID | IN_READY, OUT_VALID | OUT_READY


def expected(history: list[int], out_beats: int) -> tuple[int, int, int, int]:
    """The four counters, by looking back at all that happened since the last clear."""
    ins = [i for i, bits in enumerate(history) if bits & IN_BEAT == IN_BEAT]
    outs = [i for i, bits in enumerate(history) if bits & OUT_BEAT == OUT_BEAT]
    cycles = max(0, outs[-1] - ins[0] + 1) if ins and outs else 0
    between = history[ins[0] : ins[-1]] if ins else []
    before = history[: outs[-1]] if outs else []
    return (
        cycles,
        sum(bits & IN_BEAT == IN_READY for bits in between),
        sum(bits & OUT_BEAT == OUT_VALID for bits in before),
        len(outs) // out_beats,
    )


def histories(seed: int) -> list[int]:
    """Random handshakes at several rates, a clear or a reset before each; and silence."""
    rng, signals = random.Random(seed), [RESET]
    for _ in range(60):
        signals.append(rng.choice((RESET, CLEAR)) | rng.choice((0, IN_BEAT, OUT_BEAT)))
        rates = [rng.choice((0.0, 0.1, 0.5, 0.9, 1.0)) for _ in range(4)]
        signals += [
            sum((rng.random() < rate) << (2 + i) for i, rate in enumerate(rates))
            for _ in range(rng.randint(1, 60))
        ]
    return signals


def measure(signals: list[int], out_beats: int, work: Path) -> np.ndarray:
    """The counters after each cycle."""
    sources = FileSet.of(
        {"hwbnn_meter.sv": METER, "bench.sv": BENCH % out_beats, "harness.cpp": HARNESS}
    )
    program = verilator.build(sources, cache=cache_folder(), optimised=False)
    (work / "stimulus.bin").write_bytes(bytes(signals))
    run([program], cwd=work, timeout=60)
    return np.frombuffer((work / "result.bin").read_bytes(), "<u8").reshape(-1, 4)


@pytest.mark.slow  # the first time: building the program
@pytest.mark.parametrize("out_beats", [1, 5])
def test_counters_are_what_the_handshakes_say(out_beats: int, tmp_path: Path) -> None:
    signals, begin = histories(out_beats), 0
    counted = measure(signals, out_beats, tmp_path)
    for i, (bits, found) in enumerate(zip(signals, counted, strict=True)):
        if bits & (RESET | CLEAR):
            begin = i + 1
        seen = signals[begin : max(begin, i + 1 - LATE)]
        assert tuple(found) == expected(seen, out_beats), i


@pytest.mark.slow
def test_cycles_go_on_beyond_32_bits(tmp_path: Path) -> None:
    """Whether the carry falls before, into or behind the cycle of an output beat."""
    for pause in range(1, 16):
        signals = [RESET, IN_BEAT, 0, 0, 0, LEAP, *[0] * pause, OUT_BEAT, 0, 0, OUT_BEAT, 0, 0, 0]
        cycles = measure(signals, 1, tmp_path)[:, 0]
        leapt = 0xFFFFFFF8 - 3  # 3: of the cycle two before the leap, which is what is replaced
        first = 5 + pause + leapt
        assert cycles[-4 - LATE] == 0
        assert cycles[-4] == first + 1
        assert cycles[-1] == first + 4


def test_verilator_accepts_it_without_a_warning() -> None:
    verilator.lint(FileSet.of({"hwbnn_meter.sv": METER}), top="hwbnn_meter")
