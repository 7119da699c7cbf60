# SPDX-License-Identifier: Apache-2.0
"""What the commands do: call the flow, then show tables or JSON."""

import re
from pathlib import Path
from typing import TypeAlias

import numpy as np

from hwbnn import flow, outcome, packaging, proving, zoo
from hwbnn.board import find_board
from hwbnn.cli import screen, tables
from hwbnn.cli.images import PICTURES, Images, read_images
from hwbnn.deploy.package import write_package
from hwbnn.emit.report import Json
from hwbnn.errors import ConfigError, ModelError
from hwbnn.frontend import input_shape, inspect_model, load_model
from hwbnn.ir.graph import Preprocess
from hwbnn.ir.reserved import RESERVED
from hwbnn.sim.interpret import Interpreter
from hwbnn.step import Backend, Goal, Proof, Step
from hwbnn.tools.output import result_folder, write
from hwbnn.tools.scratch import scratch

ZOO = "zoo:"
Scale: TypeAlias = tuple[float | None, float, float]  # divisor, mean, std


def configuration(
    model: str,
    board: str,
    *,
    until: Step | None,
    boards_dir: Path | None = None,
    folding: Path | None = None,
    target_cycles: int | None = None,
    target_fps: float | None = None,
    maximize: Goal | None = None,
    clock_mhz: float | None = None,
    images: list[Path] | None = None,
    packed_input: bool = False,
    argmax: bool = False,
    scale: Scale = (None, 0.0, 1.0),
    frames: int | None = None,
    backends: tuple[Backend, ...] = (),
) -> flow.BuildConfig:
    """Return what the options of a command mean."""
    given = _images(model, images)
    if given is not None and frames is not None:
        labels = None if given.labels is None else given.labels[:frames]
        given = Images(given.pixels[:frames], labels)
    return flow.BuildConfig(
        model=_path(model),
        name=_name(model),
        board=find_board(board, boards_dir=boards_dir),
        clock_mhz=clock_mhz,
        folding=folding,
        target_cycles=target_cycles,
        target_fps=target_fps,
        maximize=maximize,
        preprocess=_preprocess(scale),
        argmax=argmax,
        packed_input=packed_input,
        pixels=None if given is None else given.pixels,
        labels=None if given is None else given.labels,
        until=until,
        backends=backends,
    )


def _path(model: str) -> Path:
    return zoo.path(model.removeprefix(ZOO)) if model.startswith(ZOO) else Path(model)


def _name(model: str) -> str:
    """Return the design's name: an identifier in C and SystemVerilog, and no word of theirs."""
    stem = model.removeprefix(ZOO) if model.startswith(ZOO) else Path(model).stem
    name = re.sub(r"\W", "_", stem, flags=re.ASCII).strip("_") or "model"
    taken = name[0].isdigit() or name in RESERVED or name.startswith("hwbnn_")
    return f"net_{name}" if taken else name


def _images(model: str, files: list[Path] | None) -> Images | None:
    if files:
        return read_images(files, colour=_takes_colour(model, files))
    if model.startswith(ZOO):
        golden = zoo.golden(model.removeprefix(ZOO))
        pixels = golden.images.reshape(len(golden.images), -1).astype(np.int64)
        return Images(pixels, golden.labels.astype(np.int64))
    return None


def _takes_colour(model: str, files: list[Path]) -> bool:
    """Return whether pictures are given, and the model's images have three channels."""
    if not any(file.suffix.lower() in PICTURES for file in files):
        return False
    return input_shape(load_model(_path(model)))[:1] == (3,)


def _preprocess(scale: Scale) -> Preprocess | None:
    divisor, mean, std = scale
    if divisor is None and (mean, std) == (0.0, 1.0):
        return None
    for what, value in (("divisor", divisor), ("std", std)):
        if value is not None and not value > 0:
            raise ConfigError(f"input: {what} must be above 0, not {value:g}")
    found = Preprocess(255.0 if divisor is None else divisor, mean, std)
    with np.errstate(all="ignore"):
        floats = found.apply(np.array([0, 255]))
    if not np.isfinite(floats).all() or floats[0] == floats[1]:
        raise ConfigError(
            f"input: {found} must give different finite numbers for pixels 0 and 255, not "
            f"{floats[0]:g} and {floats[1]:g}; give the divisor, mean and std of the training"
        )
    return found


def build(
    config: flow.BuildConfig,
    *,
    output: Path | None,
    force: bool,
    proofs: tuple[Proof, ...],
    as_json: bool,
) -> None:
    """Build into a result folder that appears complete or not at all."""
    if proofs and not config.last.reaches(Step.SIMULATE):
        raise ConfigError("build: --with needs a whole build; leave --until out")
    target = output or Path(f"{config.name}-{config.board.id}")
    with result_folder(target, replace=force) as folder, screen.progress() as progress:
        result = flow.build(config, watch=lambda s: progress.say(s.value), say=progress.say)
        result = _prove(result, proofs, progress)
        progress.say("write")
        write(outcome.files_of(result), folder, target=target)
        _add_package(result, folder)
    report = outcome.report_of(result)
    if as_json:
        screen.show_json(report)
        return
    screen.show(tables.report_tables(report))
    screen.show_note(f"Result in {target}")
    if result.bitstream is not None and result.bitstream.routed.load:
        screen.show_note(f"Load it there: {' '.join(result.bitstream.routed.load)}")


def _add_package(result: flow.BuildResult, folder: Path) -> None:
    """Write the board's package into a result, if its build went far enough."""
    if result.performance is None:
        return
    try:
        files = packaging.package_of(result)
    except ConfigError as error:  # the model allows none; all the rest is there
        screen.show_note(f"Without a package: {error}")
        return
    write_package(files, folder / packaging.package_name(result))


def _prove(
    result: flow.BuildResult, proofs: tuple[Proof, ...], progress: screen.Progress
) -> flow.BuildResult:
    for proof in proofs:
        progress.say(proof.value)
        with scratch() as work:
            result = proving.prove(result, proof, work=work)
    return result


def prove(config: flow.BuildConfig, *, proof: Proof, as_json: bool) -> None:
    """Build in memory, run a tool on it, and show what it found."""
    with screen.progress() as progress:
        result = flow.build(config, watch=lambda step: progress.say(step.value))
        result = _prove(result, (proof,), progress)
    report = outcome.report_of(result)
    if as_json:
        screen.show_json(report)
    else:
        screen.show(tables.proof_tables(report))


def inspect(model: str, *, scale: Scale, as_json: bool) -> None:
    """Show what the front end sees in a model; its problems are an error at the end."""
    found = inspect_model(
        load_model(_path(model)), name=_name(model), preprocess=_preprocess(scale)
    )
    if as_json:
        screen.show_json({"schema": "hwbnn/inspection@1", **found.to_json()})
        if found.problems:
            raise SystemExit(ModelError.exit_status)
        return
    screen.show(tables.inspection_tables(found))
    if found.problems:
        raise ModelError(found.problems)


def simulate(config: flow.BuildConfig, *, as_json: bool) -> None:
    """Show outputs and accuracy of images, and the speed of the design."""
    with screen.progress() as progress:
        result = flow.build(config, watch=lambda step: progress.say(step.value))
        progress.say("images")
        found = simulation(result)
    if as_json:
        screen.show_json(found)
    else:
        screen.show(tables.simulation_tables(found))


def simulation(result: flow.BuildResult) -> Json:
    """Return outputs of the images, as `simulate --json` shows them."""
    graph, labels = flow.graph_of(result), result.config.labels
    frames = flow.frames_of(result)
    outputs = Interpreter(graph).run(frames)
    scores = graph.output_values.apply(outputs) if graph.output_values else outputs
    chosen = scores.argmax(axis=1) if scores.shape[1] > 1 else outputs[:, 0]
    rows = [
        {
            "frame": index,
            "output": outputs[index].tolist(),
            "class": int(choice),
            "label": graph.classes[choice] if choice < len(graph.classes) else None,
            "truth": None if labels is None else int(labels[index]),
        }
        for index, choice in enumerate(chosen)
    ]
    return {
        "schema": "hwbnn/simulation@1",
        "frames": len(frames),
        "accuracy": None if labels is None else float((chosen == labels).mean()),
        "outputs": rows,
        "report": outcome.report_of(result),
    }
