# SPDX-License-Identifier: Apache-2.0
"""The published residual and dense networks on the larger boards: speed, size, time to compile.

    python -m benchmarks residual [NETWORK-SIZE ...]

Their weights are random and their batch norms calibrated, so that they compute something; what is
measured does not depend on it. The ONNX files are kept in build/residual.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import record
from hwbnn import flow
from hwbnn.board import find_board
from hwbnn.emit.shell import core_cost, room
from hwbnn.errors import HwbnnError
from hwbnn.step import Step

COMMAND = "python -m benchmarks residual"
KEPT = Path("build/residual")
CASES = tuple((net, size) for net in ("binarydensenet28", "resnete18") for size in (28, 32))
BOARDS = ("zcu104", "kv260")
METHOD = "back-to-simplicity"
CLASSES = 10
NOTE = (
    "Full-size networks, 10 classes, 3 channels, random calibrated weights; default folding and "
    "clock of the board. All figures modelled, cycles by the exact engine. seconds: of each step "
    "of one build, imports not counted. The limits are those of the board's file."
)


def main() -> None:
    """Compile every network for every board, and record the table."""
    wanted = sys.argv[2:] if sys.argv[1:2] == ["residual"] else []
    cases = [(name, size) for name, size in CASES if not wanted or f"{name}-{size}" in wanted]
    rows = [_row(name, size, board) for name, size in cases for board in BOARDS]
    record("residual", rows, command=COMMAND, note=NOTE)


def _row(name: str, size: int, board: str) -> dict[str, Any]:
    config = flow.BuildConfig(
        model_file(name, size), f"{name}_{size}", find_board(board), until=Step.SIMULATE
    )
    started = time.perf_counter()
    row: dict[str, Any] = {"network": name, "image": f"{size} x {size}", "board": board}
    keys = ("cycles", "frames/s", "latency ms", "LUT", "FF", "BRAM36", "DSP")
    try:
        result = flow.build(config)
    except HwbnnError as error:
        took = time.perf_counter() - started
        return row | dict.fromkeys(keys, "") | {"fits": str(error), "seconds": f"{took:.1f}"}
    design, speed = flow.design_of(result), result.performance
    assert speed is not None
    cost = design.resources(config.board.cost_family)
    clock = result.clock_mhz
    figures = (
        int(speed.period),
        round(clock * 1e6 / float(speed.period), 1),
        round(speed.first_frame / clock / 1e3, 2),
        round(cost.lut),
        round(cost.ff),
        cost.bram,
        round(cost.dsp),
    )
    seconds = ", ".join(f"{step} {took:.1f}" for step, took in result.seconds)
    fits = "yes" if core_cost(design, config.board).within(room(config.board)) else "no"
    return row | dict(zip(keys, figures, strict=True)) | {"fits": fits, "seconds": seconds}


def model_file(name: str, size: int) -> Path:
    """Return the file of a network, made if need be."""
    path = KEPT / f"{name}-{size}.onnx"
    if path.is_file():
        return path
    import torch

    import hwbnn
    from hwbnn.train.methods import METHODS
    from hwbnn.train.networks import NETWORKS

    torch.manual_seed(0)
    network = NETWORKS[name].build(METHODS[METHOD](), (3, size, size), CLASSES)
    pixels = np.random.default_rng(0).integers(0, 256, (48, 3, size, size), np.uint8)
    with torch.no_grad():
        for batch in torch.from_numpy(pixels.astype(np.float32) / 255).split(8):
            network(batch)
    KEPT.mkdir(parents=True, exist_ok=True)
    hwbnn.export(network.eval(), path, pixels[:2])
    return path


if __name__ == "__main__":
    main()
