# SPDX-License-Identifier: Apache-2.0
"""hwbnn_gearbox against a model in plain integers: any widths, stalls on both sides, full rate."""

import random
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.errors import ToolError
from hwbnn.resources import Room, read_text
from hwbnn.tools import verilator
from hwbnn.tools.cosim import cache_folder
from hwbnn.tools.process import run

GEARBOX = read_text(Room.RTL, "shell/hwbnn_gearbox.sv")
HARNESS = Path(__file__).with_name("gearbox.cpp").read_text()
FRAMES = 7
WIDE = 96  # bits, so that Verilator keeps each vector of the bench in words of 32


@dataclass(frozen=True)
class Ratio:
    """Parameters of a gearbox, in their order."""

    in_bits: int
    in_beats: int
    out_bits: int
    out_beats: int

    def model(self, words: list[int]) -> list[int]:
        """The output words of the input words of whole frames."""
        found = []
        for at in range(0, len(words), self.in_beats):
            frame = sum(
                word << (self.in_bits * i) for i, word in enumerate(words[at : at + self.in_beats])
            )
            mask = (1 << self.out_bits) - 1
            found += [frame >> (self.out_bits * i) & mask for i in range(self.out_beats)]
        return found


@dataclass(frozen=True)
class Gates:
    """How often of 256 cycles source and sink are there; waits: the sink only sees a word first."""

    seed: int
    source: int
    sink: int
    waits: bool = False


@dataclass(frozen=True)
class Seen:
    """What a gearbox did: cycles of the handshakes, words, and cycles without room or a word."""

    in_cycles: tuple[int, ...]
    out_cycles: tuple[int, ...]
    words: list[int]
    without_room: int
    without_word: int


def to_words(in_bits: int, bits: int, beats: int) -> Ratio:
    """As host words become beats of the core: the last word may bring too much."""
    return Ratio(in_bits, -(-bits * beats // in_bits), bits, beats)


def from_beats(bits: int, beats: int, out_bits: int) -> Ratio:
    """As beats of the core become host words: the last word may lack some."""
    return Ratio(bits, beats, out_bits, -(-bits * beats // out_bits))


def ratios() -> list[Ratio]:
    """Those that shells have, those that are awkward, and random ones."""
    chosen = [
        Ratio(8, 1, 8, 1), Ratio(8, 5, 8, 5), Ratio(1, 3, 1, 3),
        to_words(8, 88, 3), to_words(64, 56, 5), to_words(128, 24, 16), to_words(8, 1, 11),
        to_words(64, 24, 9), to_words(64, 8, 9), to_words(8, 24, 1), to_words(64, 100, 3),
        to_words(128, 1, 5), to_words(8, 3, 7), to_words(64, 200, 1), to_words(8, 9, 4),
        from_beats(24, 6, 128), from_beats(24, 5, 128), from_beats(1, 1, 8), from_beats(1, 19, 8),
        from_beats(10, 1, 64), from_beats(10, 13, 64), from_beats(88, 2, 8), from_beats(4, 1, 8),
        from_beats(60, 1, 64), from_beats(63, 9, 64), from_beats(3, 3, 4), from_beats(65, 4, 64),
        from_beats(100, 3, 128), from_beats(5, 3, 8), from_beats(13, 1, 8), from_beats(128, 1, 24),
    ]  # fmt: skip
    rng = random.Random(5)
    for most in (5, 5, 12, 12, 12, 40, 40, 40):
        chosen.append(to_words(rng.randint(1, most), rng.randint(1, most), rng.randint(1, 9)))
        chosen.append(from_beats(rng.randint(1, most), rng.randint(1, 9), rng.randint(1, most)))
    return chosen


def bench(chosen: list[Ratio], lanes: int) -> FileSet:
    """All of them side by side, of `lanes`, their words one after another in wide vectors."""
    text, in_at, out_at = [], 0, 0
    for i, ratio in enumerate(chosen):
        text.append(
            f"  hwbnn_gearbox #(.InBits({ratio.in_bits}), .InBeats({ratio.in_beats}), "
            f".OutBits({ratio.out_bits}), .OutBeats({ratio.out_beats})) box{i} (\n"
            f"      .clk_i(clk_i), .rst_ni(rst_ni), .in_valid_i(in_valid_i[{i}]), "
            f".in_ready_o(in_ready_o[{i}]), .in_data_i(in_data_i[{in_at}+:{ratio.in_bits}]),\n"
            f"      .out_valid_o(out_valid_o[{i}]), .out_ready_i(out_ready_i[{i}]), "
            f".out_data_o(out_data_o[{out_at}+:{ratio.out_bits}]));\n"
        )
        in_at += ratio.in_bits
        out_at += ratio.out_bits
    top = (
        "module bench (input logic clk_i, input logic rst_ni,\n"
        f"    input logic [{lanes - 1}:0] in_valid_i, output logic [{lanes - 1}:0] in_ready_o,\n"
        f"    input logic [{in_at - 1}:0] in_data_i, output logic [{out_at - 1}:0] out_data_o,\n"
        f"    output logic [{lanes - 1}:0] out_valid_o, input logic [{lanes - 1}:0] out_ready_i);\n"
        + "".join(text)
        + "endmodule\n"
    )
    return FileSet.of({"hwbnn_gearbox.sv": GEARBOX, "bench.sv": top})


def simulate(
    chosen: list[Ratio], words: list[list[int]], gates: list[Gates], work: Path
) -> list[list[Seen]]:
    """What each gearbox did with its words, for each of the gates."""
    assert len(chosen) <= WIDE
    sources = bench(chosen, WIDE) | FileSet.of({"harness.cpp": HARNESS})
    program = verilator.build(sources, cache=cache_folder(), optimised=False)
    data = bytearray(struct.pack("<ii", len(chosen), len(gates)))
    for ratio, own in zip(chosen, words, strict=True):
        out = len(own) // ratio.in_beats * ratio.out_beats
        data += struct.pack("<iiii", ratio.in_bits, ratio.out_bits, len(own), out)
        for word in own:
            data += word.to_bytes(-(-ratio.in_bits // 8), "little")
    for gate in gates:
        data += struct.pack("<iiii", gate.seed, gate.source, gate.sink, gate.waits)
    (work / "stimulus.bin").write_bytes(data)
    run([program], cwd=work, timeout=60)
    result, at = (work / "result.bin").read_bytes(), 0

    def numbers(count: int) -> tuple[int, ...]:
        nonlocal at
        found = struct.unpack_from(f"<{count}i", result, at)
        at += 4 * count
        return found

    def seen(ratio: Ratio) -> Seen:
        nonlocal at
        in_count, out_count, without_room, without_word = numbers(4)
        in_cycles, out_cycles = numbers(in_count), numbers(out_count)
        size = -(-ratio.out_bits // 8)
        found = [
            int.from_bytes(result[at + size * i : at + size * (i + 1)], "little")
            for i in range(out_count)
        ]
        at += size * out_count
        return Seen(in_cycles, out_cycles, found, without_room, without_word)

    runs = [[seen(ratio) for ratio in chosen] for _ in gates]
    assert at == len(result)
    return runs


@pytest.mark.slow
def test_gearboxes(tmp_path: Path) -> None:
    """Same words under all stalls; the side with more words never pauses for the other's sake."""
    rng, chosen = random.Random(1), ratios()
    words = [
        [rng.getrandbits(ratio.in_bits) for _ in range(FRAMES * ratio.in_beats)] for ratio in chosen
    ]
    always, gates = 256, []
    for seed, (source, sink) in enumerate(
        [(256, 256), (128, 128), (40, 256), (256, 40), (256, 150), (200, 256), (230, 230)]
    ):
        gates += [Gates(seed, source, sink), Gates(100 + seed, source, sink, waits=True)]
    for gate, run_ in zip(gates, simulate(chosen, words, gates, tmp_path), strict=True):
        for ratio, own, seen in zip(chosen, words, run_, strict=True):
            where = f"{ratio} {gate}"
            assert seen.words == ratio.model(own), where
            if gate.source == always and ratio.out_beats >= ratio.in_beats:
                assert seen.without_word == 0, where
            if gate.sink == always and not gate.waits and ratio.in_beats >= ratio.out_beats:
                assert seen.without_room == 0, where
            if gate == gates[0]:  # all at full rate
                assert seen.in_cycles[0] == 0, where
                frame = max(ratio.in_beats, ratio.out_beats)
                first = -(-min(ratio.out_bits, ratio.in_bits * ratio.in_beats) // ratio.in_bits)
                assert seen.out_cycles[0] == first, where
                last = seen.out_cycles[ratio.out_beats - 1]
                assert seen.out_cycles[-1] == last + (FRAMES - 1) * frame, where


@pytest.mark.parametrize("refused", [(8, 4, 24, 1), (8, 3, 24, 2), (8, 0, 8, 0)])
def test_frames_that_lose_or_invent_whole_words_are_refused(refused: tuple[int, ...]) -> None:
    with pytest.raises(ToolError, match="hwbnn_gearbox: "):
        verilator.lint(bench([Ratio(*refused)], 1), top="bench")


def test_verilator_accepts_them_without_a_warning() -> None:
    verilator.lint(bench(ratios(), len(ratios())), top="bench")
