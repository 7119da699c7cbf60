# SPDX-License-Identifier: Apache-2.0
"""The published residual and dense networks, full size: model = integers = RTL, cycle by cycle.

    python -m benchmarks.whole_frame [--images-only] [NETWORK-SIZE | FILE.onnx ...]

The model's outputs for some images, by ONNX Runtime node by node, are those of the interpreter. One
whole frame then goes through the RTL, in Verilator, at a folding that a laptop can simulate: every
output bit and the cycle of every reserve and pop of every FIFO are those of the interpreter and the
timing engine. Each network takes its own row of the result; the others' stay.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import RESULTS, record
from benchmarks.residual import CASES, model_file
from hwbnn.board import find_board
from hwbnn.frontend import Oracle, import_model, load_model
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import Graph
from hwbnn.ir.unit import Resources
from hwbnn.passes import adapt, carry, cheapest_folding, lower, size_fifos
from hwbnn.sim.interpret import Interpreter
from hwbnn.tools.proof import compare

NAME = "whole_frame"
COMMAND = "python -m benchmarks.whole_frame NETWORK-SIZE"
IMAGES = 50
LARGEST = 32  # of the images of networks that are proved unasked
MANY = 100
TARGET_CYCLES = 1 << 20
NOTE = (
    f"Random calibrated weights, 10 classes. {IMAGES} random images through the ONNX file (ONNX "
    "Runtime, node by node) and the interpreter; then one of them through the RTL in Verilator, at "
    "a folding for about 2^20 cycles a frame and with FIFOs sized for full speed. differences: of "
    "logits; of output beats by bit and of FIFO events by cycle against the timing engine."
)


def main(asked: Sequence[str] = ()) -> None:
    """Prove the networks asked for, or all, and keep their rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    small = [f"{name}-{size}" for name, size in CASES if size <= LARGEST]
    parser.add_argument("networks", nargs="*", default=small)
    parser.add_argument("--images-only", action="store_true", help="without the RTL")
    options = parser.parse_args(list(asked))
    for network in options.networks:
        _keep(row(network, rtl=not options.images_only))


def row(network: str, *, rtl: bool) -> dict[str, Any]:
    """Prove a network, by its name and size or its file; any difference is counted."""
    path = Path(network)
    if path.suffix != ".onnx":
        name, size = network.rsplit("-", 1)
        path = model_file(name, int(size))
    found: dict[str, Any] = {"network": path.stem}
    graph = import_model(load_model(path), name=path.stem.replace("-", "_"))
    pixels = np.random.default_rng(1).integers(0, 256, (IMAGES, int(np.prod(graph.input_shape))))
    found |= images(path, graph, pixels)
    return found | (_frame(graph, pixels[:1]) if rtl else dict.fromkeys(FRAME, ""))


def images(path: Path, graph: Graph, pixels: IntArray) -> dict[str, Any]:
    """Compare the outputs of the model's file with those of the integers."""
    started = time.perf_counter()
    expected = Oracle(load_model(path)).run(pixels, graph.preprocess)
    between = time.perf_counter()
    integers = Interpreter(graph).run(_frames(graph, pixels))
    ended = time.perf_counter()
    values = graph.output_values
    floats = integers if values is None else values.apply(integers)
    return {
        "images": len(pixels),
        "logits": expected.size,
        "different logits": int((floats != expected).sum()),
        "ONNX Runtime s": round(between - started, 1),
        "interpreter s": round(ended - between, 1),
    }


FRAME = ("cycles a frame", "cycles", "output beats", "FIFO events", "differences", "RTL s")


def _frame(graph: Graph, pixels: IntArray) -> dict[str, Any]:
    """Compare the RTL with the integers and the engine; its seconds include compiling it."""
    design = folded(graph)
    frames = _frames(graph, pixels)
    started = time.perf_counter()
    found = compare(design, frames)
    took = time.perf_counter() - started
    right = np.array_equal(found.result.output, Interpreter(graph).run(frames))
    differences = len(found.differences) + (not right)
    figures = (design.bound, found.cycles, found.beats, found.events, differences, round(took, 1))
    return dict(zip(FRAME, figures, strict=True))


def folded(graph: Graph, *, target_cycles: int = TARGET_CYCLES) -> Design:
    """Return the cheapest design for a target, with sized FIFOs; dense blocks carry what pays.

    On a board of many times a ZCU104: what does not fit one is proved, too.
    """
    board = find_board("zcu104")
    limit = Resources(*(MANY * amount for amount in board.limit.amounts))
    ranked, _ = carry(graph, family=board.cost_family)
    found = cheapest_folding(
        lower(ranked),
        target_cycles=target_cycles,
        limit=limit,
        family=board.cost_family,
        port_bits=board.data.bits,
    )
    return size_fifos(adapt(found.design))


def _frames(graph: Graph, pixels: IntArray) -> IntArray:
    return pixels if graph.host_part is None else Interpreter(graph.host_part).run(pixels)


def _keep(made: dict[str, Any]) -> None:
    """Write a network's row beside those of the others."""
    path = RESULTS / f"{NAME}.json"
    rows = json.loads(path.read_text())["rows"] if path.is_file() else []
    rows = [one for one in rows if one["network"] != made["network"]] + [made]
    rows.sort(key=lambda one: str(one["network"]))
    record(NAME, rows, command=COMMAND, note=NOTE)


if __name__ == "__main__":
    main(sys.argv[1:])
