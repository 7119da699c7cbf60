# SPDX-License-Identifier: Apache-2.0
"""The published residual and dense networks on the larger boards: speed, size, time to compile.

    python -m benchmarks residual [NETWORK-SIZE ...]

Their weights are random, their batch norms drawn and calibrated, so that they compute something and
the readers of a value do not share their thresholds; what is measured depends on nothing else. The
ONNX files are kept in build/residual. Of networks that are not named the rows of earlier runs stay.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import RESULTS, record
from hwbnn import flow
from hwbnn.board import find_board
from hwbnn.errors import HwbnnError
from hwbnn.step import Step

COMMAND = "python -m benchmarks residual"
KEPT = Path("build/residual")
CASES = tuple((net, size) for net in ("binarydensenet28", "resnete18") for size in (28, 32, 224))
BOARDS = ("zcu104", "kv260")
METHOD = "back-to-simplicity"
CLASSES = {28: 10, 32: 10, 224: 1000}
CALIBRATED = {28: (48, 8), 32: (48, 8), 224: (6, 2)}  # images for batch norms, in batches of
FIGURES = ("cycles", "frames/s", "latency ms", "LUT", "FF", "BRAM36", "URAM", "DSP")
KEYS = ("network", "image", "board", *FIGURES, "fits", "seconds", "CPU s")
NOTE = (
    "Full-size networks, 10 classes (at 224 x 224: 1000), 3 channels, random weights, calibrated "
    "norms; default folding and clock of the board. All figures modelled, cycles by the exact "
    "engine. seconds: of each step of one build, imports not counted, on a machine that others "
    "use; CPU s: of the whole build. The limits are those of the board's file."
)


def main(wanted: Sequence[str] = ()) -> None:
    """Compile every network, or those wanted, for every board, and record the table."""
    known = {f"{name}-{size}": (name, size) for name, size in CASES}
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise SystemExit(f"network must be one of {', '.join(known)}, not {', '.join(unknown)}")
    rows = {} if not wanted else _earlier()
    for name, size in (known[case] for case in wanted or known):
        for board in BOARDS:
            rows[name, f"{size} x {size}", board] = _row(name, size, board)
    order = [(name, f"{size} x {size}", board) for name, size in CASES for board in BOARDS]
    record("residual", [rows[at] for at in order if at in rows], command=COMMAND, note=NOTE)


def _earlier() -> dict[tuple[str, str, str], dict[str, Any]]:
    file = RESULTS / "residual.json"
    rows = json.loads(file.read_text())["rows"] if file.is_file() else []
    rows = [{key: row.get(key, "") for key in KEYS} for row in rows]
    return {(row["network"], row["image"], row["board"]): row for row in rows}


def _row(name: str, size: int, board: str) -> dict[str, Any]:
    config = flow.BuildConfig(
        model_file(name, size), f"{name}_{size}", find_board(board), until=Step.SIMULATE
    )
    started, worked = time.perf_counter(), time.process_time()
    row: dict[str, Any] = {"network": name, "image": f"{size} x {size}", "board": board}
    try:
        result = flow.build(config)
    except HwbnnError as error:
        took = f"{time.perf_counter() - started:.1f}"
        row |= dict.fromkeys(FIGURES, "") | {"fits": str(error), "seconds": took}
        return row | {"CPU s": round(time.process_time() - worked, 1)}
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
        round(cost.uram),
        round(cost.dsp),
    )
    seconds = ", ".join(f"{step} {took:.1f}" for step, took in result.seconds)
    fits = "yes" if cost.within(config.board.limit) else "no, with sized FIFOs"
    row |= dict(zip(FIGURES, figures, strict=True)) | {"fits": fits, "seconds": seconds}
    return row | {"CPU s": round(time.process_time() - worked, 1)}


def model_file(name: str, size: int) -> Path:
    """Return the file of a network, made if need be."""
    path = KEPT / f"{name}-{size}-drawn.onnx"
    if path.is_file():
        return path
    import torch

    import hwbnn
    from hwbnn.train.methods import METHODS
    from hwbnn.train.networks import NETWORKS

    torch.manual_seed(0)
    network = NETWORKS[name].build(METHODS[METHOD](), (3, size, size), CLASSES[size])
    images, batch = CALIBRATED[size]
    pixels = np.random.default_rng(0).integers(0, 256, (images, 3, size, size), np.uint8)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d) and module.affine:
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
        for part in torch.from_numpy(pixels.astype(np.float32) / 255).split(batch):
            network(part)
    KEPT.mkdir(parents=True, exist_ok=True)
    hwbnn.export(network.eval(), path, pixels[:2])
    return path


if __name__ == "__main__":
    main()
