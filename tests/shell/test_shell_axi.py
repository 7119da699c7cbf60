# SPDX-License-Identifier: Apache-2.0
"""hwbnn_shell_axi: frames through DMA, gearboxes and a core, in cocotb; its registers over AXI."""

from pathlib import Path

import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.resources import Room, names_under, read_text

HERE = Path(__file__).parent
SHELL = FileSet.of(
    {
        name: read_text(Room.RTL, f"shell/{name}")
        for name in names_under(Room.RTL, "shell")
        if name.startswith(("hwbnn_shell_axi", "hwbnn_axi", "hwbnn_dma"))
        or name in ("hwbnn_registers.sv", "hwbnn_gearbox.sv", "hwbnn_meter.sv")
    }
) | FileSet.of({"hwbnn_fifo.sv": read_text(Room.RTL, "hwbnn_fifo.sv")})
BENCH = SHELL | FileSet.of(
    {
        f"{name}.sv": HERE.joinpath(f"{name}.sv").read_text()
        for name in ("axi_bench", "axi_latency", "axi3_rules")
    }
)
TOY = BENCH | FileSet.of({"toy_core.sv": HERE.joinpath("toy_core.sv").read_text()})

CASES = (
    "batches",
    "slow_core_and_slow_memory",
    "refused",
    "bad_batches",
    "start_while_busy",
    "soft_reset",
    "interrupt",
    "core_reset",
)


Shape = tuple[int, int]  # bits of a beat, beats


def chip(data: int, address: int, frame: Shape, result: Shape) -> dict[str, int]:
    return {
        "DataBits": data,
        "AddressBits": address,
        "CoreInBits": frame[0],
        "CoreInBeats": frame[1],
        "CoreOutBits": result[0],
        "CoreOutBeats": result[1],
    }


SMALL = chip(64, 32, (24, 7), (10, 3))  # 2.6 words in, half a word out
WIDE = chip(128, 40, (200, 3), (72, 4))  # beats of more than a word; 64 bits above a border
WORDS = chip(64, 64, (64, 1), (64, 1))  # a word is a beat is a frame


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [SMALL, WIDE], ids=["64 bits", "128 bits"])
def test_batches(parameters: dict[str, int], simulate) -> None:
    simulate(TOY, "axi_bench", "tests.shell.axi_cases", cases=CASES, parameters=parameters)


@pytest.mark.slow
def test_steady_memory(simulate) -> None:
    cases = ("steady_memory", "batches", "late_answers", "soft_reset")
    simulate(TOY, "axi_bench", "tests.shell.axi_cases", cases=cases, parameters=WORDS)
    simulate(TOY, "axi_bench", "tests.shell.axi_cases", cases=cases[:1], parameters=SMALL)


@pytest.mark.slow
def test_results_before_the_frame_ends(simulate) -> None:
    early = chip(64, 32, (16, 10), (32, 1)) | {"Early": 1}
    cases = ("early_results",)
    simulate(TOY, "axi_bench", "tests.shell.axi_cases", cases=cases, parameters=early)
