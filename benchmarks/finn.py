# SPDX-License-Identifier: Apache-2.0
"""hwbnn and finn-plus on the shipped models; and FINN's cycles of each node of an emitted graph."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.record import record
from hwbnn import flow, zoo
from hwbnn.board import find_board
from hwbnn.cli.compare import comparison
from hwbnn.cli.screen import Progress
from hwbnn.emit.finn import emit_finn
from hwbnn.ir.unit import Unit
from hwbnn.step import Backend, Step
from hwbnn.tools.finn import ask, environment, sound
from tests.models import lfc

PLAIN = "lfc, plain"  # of LFC's size, random weights, no learnt thresholds: finn-plus takes it
COMPARED = {  # frames a second
    "tfc-w1a1": 1_000_000,
    "lfc-w1a1": 150_000,
    PLAIN: 150_000,
    "cnv-w1a1": 3_000,
    "cnn-w1a1": 20_000,
}
EMITTED = tuple(name for name in COMPARED if name != PLAIN)
BOARD = "pynq-z2"
COMMAND = "python -m benchmarks finn"


def config(name: str, **changes: Any) -> flow.BuildConfig:
    """Return a build of a shipped model."""
    images = zoo.golden(name).images
    pixels = images.reshape(len(images), -1).astype("int64")
    return flow.BuildConfig(
        model=zoo.path(name),
        name=name.replace("-", "_"),
        board=find_board(BOARD),
        pixels=pixels,
        **changes,
    )


def plain(folder: Path, **changes: Any) -> flow.BuildConfig:
    """Return a build of a network of LFC's size."""
    model = folder / "lfc.onnx"
    model.write_bytes(lfc(seed=0).SerializeToString())
    return flow.BuildConfig(model=model, name="lfc", board=find_board(BOARD), **changes)


def rows_of(name: str, python: Path) -> Iterator[dict[str, Any]]:
    """Compare the tools on a model, a row each."""
    target = float(COMPARED[name])
    with tempfile.TemporaryDirectory() as folder:
        if name == PLAIN:
            built = plain(Path(folder), argmax=True, target_fps=target)
        else:
            built = config(name, argmax=True, target_fps=target)
        flow.build(built)  # fills the caches of numba
        found = comparison(built, python, (), Progress(None))
    for tool in ("hwbnn", "finn"):
        figures = found[tool]
        wrong = figures.get("classes")
        yield {
            "network": name,
            "target": f"{target:,.0f} fps",
            "tool": f"{'finn-plus' if tool == 'finn' else tool} {figures['version']}",
            "supported": "yes" if figures["supported"] else figures["reason"],
            "compile s": round(figures["compile_seconds"] or 0, 2),
            "cycles a frame": _whole(figures.get("cycles")),
            "frames/s": _whole(figures.get("fps")),
            "latency us": round(figures.get("latency_us", 0), 1) or "",
            "LUT, modelled": _whole(figures.get("lut")),
            "BRAM36, modelled": figures.get("bram", ""),
            "classes as the model's": ""
            if wrong is None
            else f"{wrong['images'] - wrong['wrong']} of {wrong['images']}",
        }


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def cycles_of(name: str, python: Path) -> Iterator[dict[str, Any]]:
    """Set FINN's exp_cycles of each emitted node against the firings of our unit."""
    built = flow.build(config(name, until=Step.FIFO, backends=(Backend.FINN,)))
    design = flow.design_of(built)
    graph = emit_finn(design)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        model.write_bytes(graph.model.SerializeToString())
        answer = ask(
            python, "nodes", work=Path(folder), model=str(model), part=built.config.board.part
        )
    theirs = sound(answer, "its estimate")["cycles"]
    for node in graph.nodes:
        if node.instance:
            unit: Unit = design[node.instance]
            yield {
                "network": name,
                "node": node.name,
                "unit": node.instance,
                "FINN exp_cycles": int(theirs[node.name]),
                "our firings": unit.cycles,
                "FINN more, %": round(100 * (theirs[node.name] / unit.cycles - 1), 1),
            }


def main() -> None:
    """Record both tables."""
    python = environment()
    record(
        "finn",
        [row for name in COMPARED for row in rows_of(name, python)],
        command=COMMAND,
        note=f"`hwbnn compare zoo:NETWORK --finn --board {BOARD} --target-fps N` at 100 MHz, for "
        "the same frames a second. hwbnn: the cheapest folding that it finds; finn-plus: its own "
        "folding and estimates, default settings. compile: model to figures, imports not counted. "
        "Latency of finn-plus is the sum of its layers' cycles. hwbnn's cycles are those of "
        "Verilator.",
    )
    record(
        "finn_cycles",
        [row for name in EMITTED for row in cycles_of(name, python)],
        command=COMMAND,
        note="The nodes of `hwbnn build --backend finn`, at the same folding. Where they differ: "
        "docs/finn.md.",
    )


if __name__ == "__main__":
    main()
