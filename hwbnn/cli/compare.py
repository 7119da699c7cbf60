# SPDX-License-Identifier: Apache-2.0
"""The `compare` command: one model through hwbnn and through finn-plus, side by side."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwbnn.cli import options as o
from hwbnn.cli import screen
from hwbnn.errors import ConfigError, HwbnnError
from hwbnn.step import Proof, Step

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hwbnn import flow
    from hwbnn.tools.finn import Json

SCHEMA = "hwbnn/comparison@1"
CHECKED_IMAGES = 5  # finn-plus takes seconds for each
RESOURCES = ("lut", "bram", "dsp", "uram")


def compare(
    model: o.Model,
    board: o.Board,
    finn: Annotated[
        bool, typer.Option("--finn", help="Compare with finn-plus' estimate-only flow.")
    ] = False,
    target_fps: o.TargetFps = None,
    clock_mhz: o.Clock = None,
    boards_dir: o.BoardsDir = None,
    images: o.Images = None,
    proofs: Annotated[
        list[Proof] | None, typer.Option("--with", help="Also run this tool on ours.")
    ] = None,
    finn_folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where finn-plus' environment is kept; else your cache."),
    ] = None,
    input_divisor: o.Divisor = None,
    input_mean: o.Mean = 0.0,
    input_std: o.Std = 1.0,
    as_json: o.AsJson = False,
) -> None:
    """Show hwbnn and finn-plus on one model: time to compile, cycles, latency, cost, classes."""
    from hwbnn.cli import commands
    from hwbnn.tools.finn import environment

    if not finn:
        raise ConfigError("compare: the other tool must be named, not left out; add --finn")
    config = commands.configuration(
        model,
        board,
        boards_dir=boards_dir,
        target_fps=target_fps,
        clock_mhz=clock_mhz,
        images=images,
        argmax=True,
        scale=(input_divisor, input_mean, input_std),
        until=Step.SIMULATE,
    )
    if not config.board.part.startswith("xc"):
        raise ConfigError(
            f"{board}: board must have an AMD part, as FINN knows no others, not "
            f"{config.board.part}; choose pynq-z2, for example"
        )
    with screen.progress() as progress:
        progress.say("finn-plus' environment")
        python = environment(finn_folder)
        found = comparison(config, python, tuple(proofs or ()), progress)
    if as_json:
        screen.show_json(found)
    else:
        screen.show(_tables(found))


def comparison(
    config: flow.BuildConfig, python: Path, proofs: tuple[Proof, ...], progress: screen.Progress
) -> Json:
    """Return both tools' figures for a model at one clock and one target of frames a second.

    Without a target it is what hwbnn reaches on the board. A tool that cannot do the model says
    why. finn-plus' graph is also run on a few images, and its classes compared with the model's.
    """
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as folder:
        ours, result = _hwbnn(config, proofs, Path(folder), progress)
        clock = config.board.clock(config.clock_mhz)
        target = config.target_fps or ours.get("fps")
        if target is None:
            raise ConfigError(
                f"{config.name}: --target-fps must be given where hwbnn has none of its own: "
                f"{ours['reason']}"
            )
        progress.say("finn-plus")
        theirs = _finn(config, result, python, Path(folder), clock=clock, target=target)
    board = config.board
    return {
        "schema": SCHEMA,
        "model": config.model.name,
        "board": board.id,
        "clock_mhz": clock,
        "target_fps": target,
        "limits": _costs(board.limit),
        "hwbnn": ours,
        "finn": theirs,
    }


def _hwbnn(
    config: flow.BuildConfig, proofs: tuple[Proof, ...], folder: Path, progress: screen.Progress
) -> tuple[Json, flow.BuildResult | None]:
    import importlib.metadata

    from hwbnn import flow
    from hwbnn.proving import prove

    ours: Json = {"version": importlib.metadata.version("hwbnn"), "supported": False}
    started = time.perf_counter()
    try:
        result = flow.build(config, watch=lambda step: progress.say(step.value))
    except HwbnnError as error:
        return {**ours, "reason": "; ".join(error.problems)}, None
    seconds = time.perf_counter() - started
    speed = result.performance
    assert speed is not None, "the line simulates last"
    clock = result.clock_mhz
    ours |= {
        "supported": True,
        "compile_seconds": seconds,
        **_speed(float(speed.period), speed.first_frame, clock),
        "origin": "modelled; cycles as Verilator has them",
        **_costs(flow.design_of(result).resources(config.board.cost_family)),
    }
    for proof in proofs:
        progress.say(proof.value)
        work = folder / proof.value
        work.mkdir()
        result = prove(result, proof, work=work)
    if result.synthesised is not None:
        ours["synthesised"] = _costs(result.synthesised.total)
    if result.cosimulated is not None:
        run = result.cosimulated
        ours["cosimulated"] = {"cycles": run.period, "latency_cycles": run.latency}
    return ours, result


def _finn(
    config: flow.BuildConfig,
    result: flow.BuildResult | None,
    python: Path,
    folder: Path,
    *,
    clock: float,
    target: float,
) -> Json:
    import numpy as np

    from hwbnn import flow
    from hwbnn.ir.graph import Preprocess
    from hwbnn.sim.interpret import Interpreter
    from hwbnn.tools.finn import ask

    scale = config.preprocess or Preprocess()
    pixels = np.zeros((0, 1), np.int64)
    if result is not None:
        graph = flow.graph_of(result).on_pixels
        scale, entry = flow.graph_of(result).preprocess, graph.input
        drawn = np.random.default_rng(0).integers(0, 256, (CHECKED_IMAGES, entry.elements))
        pixels = drawn if config.pixels is None else config.pixels[:CHECKED_IMAGES]
    np.save(folder / "pixels.npy", pixels)
    answer = ask(
        python,
        "estimate",
        work=folder,
        model=str(config.model.resolve()),
        pixels=str(folder / "pixels.npy"),
        clock_ns=1000 / clock,
        part=config.board.part,
        target_fps=int(target),
        folding=None,
        preprocess=vars(scale),
        label=True,
    )
    theirs: Json = {"version": answer["versions"]["finn-plus"], "supported": False}
    if "error" in answer:
        return {**theirs, "reason": answer["error"], "compile_seconds": answer.get("seconds")}
    reports = answer["reports"]
    speed = reports["estimate_network_performance"]
    total = reports["estimate_layer_resources"]["total"]
    theirs |= {
        "supported": True,
        "compile_seconds": answer["seconds"],
        **_speed(speed["max_cycles"], speed["critical_path_cycles"], clock),
        "origin": "modelled; latency is the sum of all layers' cycles",
        "lut": total["LUT"],
        "bram": total["BRAM_18K"] / 2,
        "dsp": total["DSP"],
        "uram": total.get("URAM", 0),
        "layers": reports["estimate_layer_cycles"],
    }
    if result is not None:
        expected = Interpreter(graph).run(pixels)[:, 0]
        labels = np.array(answer["outputs"])[:, 0]
        wrong = int((labels != expected).sum())
        theirs["classes"] = {"images": len(pixels), "wrong": wrong}
    return theirs


def _speed(cycles: float, latency: int, clock_mhz: float) -> Json:
    return {
        "cycles": cycles,
        "fps": clock_mhz * 1e6 / cycles,
        "latency_cycles": latency,
        "latency_us": latency / clock_mhz,
    }


def _costs(resources: Any) -> Json:
    return {kind: getattr(resources, kind) for kind in RESOURCES}


def _tables(found: Json) -> RenderableType:
    """Return the table; a figure of one tool alone leaves the other's place empty."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from hwbnn.cli.tables import number

    ours, theirs = found["hwbnn"], found["finn"]
    shown = Table(title=found["model"], title_justify="left", box=None, pad_edge=False)
    shown.add_column("")
    shown.add_column(f"hwbnn {ours['version']}", justify="right")
    shown.add_column(f"finn-plus {theirs['version']}", justify="right")
    shown.add_row("supported", *("yes" if tool["supported"] else "no" for tool in (ours, theirs)))
    rows = {
        "compile, s": "compile_seconds",
        "cycles a frame": "cycles",
        "frames/s": "fps",
        "latency, cycles": "latency_cycles",
        "latency, us": "latency_us",
        "LUT, modelled": "lut",
        "BRAM36, modelled": "bram",
        "DSP, modelled": "dsp",
    }
    if found["limits"]["uram"]:
        rows["URAM, modelled"] = "uram"
    for label, key in rows.items():
        values = (ours.get(key), theirs.get(key))
        shown.add_row(label, *("" if v is None else number(v) for v in values))
    for kind, figures in (("synthesised", "LUT"), ("cosimulated", "cycles")):
        if kind in ours:
            value = ours[kind][figures.lower()]
            shown.add_row(f"{figures}, {kind}", number(value), "needs Vivado")
    checked = theirs.get("classes")
    if checked is not None:
        right = checked["images"] - checked["wrong"]
        shown.add_row(
            "classes as the model's", "checked at import", f"{right} of {checked['images']}"
        )
    reasons = [
        Text(f"{name}: {tool['reason']}")
        for name, tool in (("hwbnn", ours), ("finn-plus", theirs))
        if "reason" in tool
    ]
    note = f"{found['board']}, {found['clock_mhz']:g} MHz, target {found['target_fps']:,.0f} fps"
    return Group(shown, Text(note), *reasons)
