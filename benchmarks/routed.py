# SPDX-License-Identifier: Apache-2.0
"""Shipped networks as bitstreams of open boards: modelled, synthesised and routed, side by side.

    python -m benchmarks routed

Each is what `hwbnn build zoo:MODEL --board BOARD` makes: default folding, the highest clock that
closes.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import record
from hwbnn import zoo
from hwbnn.board import Device, find_board
from hwbnn.flow import BuildConfig, BuildResult, build
from hwbnn.outcome import report_of
from hwbnn.proving import prove
from hwbnn.step import Proof, Step

COMMAND = "python -m benchmarks routed"
NOTE = (
    "Modelled and Yosys: the accelerator alone; Yosys' LUT sites include memories and carry cells. "
    "Routed: the whole chip with its serial line, registers and counters, by nextpnr: LUT sites "
    "(iCE40: logic cells, each a LUT and a flip-flop), flip-flops, block RAMs. fps: modelled, of "
    "the accelerator at the clock, and what the serial line (3 MBaud) lets through. routings: "
    "clock > Fmax in MHz, in order. s: the step `bitstream` with all routings, on a machine "
    "that others used meanwhile."
)
TASKS = (
    ("tfc-w1a1", "ulx3s-85f"),
    ("cnn-w1a1", "ulx3s-85f"),
    ("tfc-w1a1", "icebreaker"),
)
KINDS = {
    Device.ECP5: {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "bram": "DP16KD"},
    Device.ICE40: {"lut": "ICESTORM_LC", "bram": "ICESTORM_RAM"},
}


def main() -> None:
    """Make every bitstream, and record the table after each."""
    rows: list[dict[str, Any]] = []
    for model, board in TASKS:
        rows.append(row(model, measure(model, board)))
        record("routed", rows, command=COMMAND, note=NOTE)


def measure(model: str, board: str) -> BuildResult:
    """Make a bitstream, and count the accelerator with Yosys."""
    started = time.perf_counter()

    def say(text: str) -> None:
        print(f"{model} on {board}, {time.perf_counter() - started:.0f} s: {text}", flush=True)

    config = BuildConfig(
        zoo.path(model), model.replace("-", "_"), find_board(board), until=Step.BITSTREAM
    )
    result = build(config, watch=lambda step: say(step.value), say=say)
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as scratch:
        return prove(result, Proof.SYNTH, work=Path(scratch))


def row(model: str, result: BuildResult) -> dict[str, Any]:
    """Figures of one bitstream."""
    report, board = report_of(result), result.config.board
    routed, speed = report["routed"], report["performance"]
    cells = {cell["kind"]: cell["used"] for cell in routed["cells"]}
    found: dict[str, Any] = {"network": model, "board": board.id}
    for key in ("lut", "ff", "bram"):
        kind = KINDS[board.family].get(key)
        found[f"{key} modelled"] = round(report["resources"]["modelled"][key])
        found[f"{key} Yosys"] = round(report["resources"]["synthesised"][key])
        found[f"{key} routed"] = "" if kind is None else cells.get(kind, 0)
        if key != "ff":
            found[f"{key} device"] = report["resources"]["board"][key]
    return found | {
        "cycles": speed["cycles_per_frame"]["value"],
        "clock MHz": routed["clock_mhz"]["value"],
        "Fmax MHz": routed["fmax_mhz"]["value"],
        "fps": round(speed["frames_per_second"]["value"]),
        "line fps": round(speed["port_frames_per_second"]["value"]),
        "routings": ", ".join(f"{x['clock_mhz']:g} > {x['fmax_mhz']:.1f}" for x in routed["tried"]),
        "s": round(report["seconds"]["bitstream"]),
        "bytes": routed["bitstream"]["bytes"],
    }
