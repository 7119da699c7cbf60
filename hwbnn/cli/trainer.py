# SPDX-License-Identifier: Apache-2.0
"""What `hwbnn train` does: load, train with a bar, export, and say how good the network is."""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from hwbnn.cli import screen
from hwbnn.errors import ConfigError, ToolError

if TYPE_CHECKING:
    from hwbnn.train.dataset import Dataset, Source
    from hwbnn.train.loop import Moment, Place, Recipe
    from hwbnn.train.metrics import Epoch
    from hwbnn.train.networks import Network

PACKAGES = ("torch", "brevitas", "onnxoptimizer", "onnxscript")
SELF_FLOAT = "self-float"
SHOWN = 16  # steps from which one is shown: to draw a bar takes time, too
TESTED = 1000  # images of a folder set that an exported file is measured on


@dataclass(frozen=True)
class Data:
    """The set that a user names."""

    name: str
    folder: Path | None
    side: int


@dataclass(frozen=True)
class Files:
    """What is written; None: not wanted."""

    checkpoint: Path | None
    log: Path | None
    out: Path | None
    style: str


def check_packages() -> None:
    """Raise ToolError unless the extra `train` is installed."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ToolError(
            f"train: {', '.join(missing)} must be installed; run `pip install 'hwbnn[train]'`"
        )


def recipe_of(
    *,
    method: str,
    options: Mapping[str, object],
    teacher: tuple[str | None, float, float],
    values: Mapping[str, Any],
) -> "Recipe":
    """Return the recipe of the options; teacher: file or self-float, temperature, share."""
    from hwbnn.train import methods
    from hwbnn.train.distill import Distillation
    from hwbnn.train.recipe import Recipe

    who, temperature, share = teacher
    distillation = None
    if who is not None:
        file = None if who == SELF_FLOAT else Path(who)
        distillation = Distillation(file, temperature, share)
    made = methods.method(method, **options)
    return Recipe(method=made, distillation=distillation, **values)


def train(
    network: str,
    recipe: "Recipe",
    *,
    data: Data,
    device: str | None,
    threads: int,
    files: Files,
    command: str,
    as_json: bool,
) -> None:
    """Train, export if wanted, and show the result on stdout."""
    from hwbnn.train import loop, parallel
    from hwbnn.train.networks import NETWORKS

    if network not in NETWORKS:
        raise ConfigError(
            f"network: must be a known network, not {network}; choose {', '.join(NETWORKS)}"
        )
    _check_files(files, recipe)
    found = parallel.find_device(device)
    parallel.use_threads(threads)
    images = _load(data)
    with parallel.joined(found) as place:
        seen: list[Epoch] = []
        with _shown(place) as (progress, say):

            def report(epoch: "Epoch") -> None:
                seen.append(epoch)
                say(epoch)

            model = loop.train(
                network,
                images,
                recipe,
                checkpoint=files.checkpoint,
                log=files.log,
                report=report,
                progress=progress,
                place=place,
            )
        if place.first:
            result = _finish(model, network, images, recipe, files, command)
            rows = _rows(seen, files.checkpoint)
            _show(result | {"network": network, "data": images.name}, recipe, rows, as_json)


def _check_files(files: Files, recipe: "Recipe") -> None:
    from hwbnn.train.export import Style, check_folder

    if files.out is not None and files.out.suffix != ".onnx":
        raise ConfigError(f"--out: must end in .onnx, not {files.out.name}; add it")
    if files.style not in [style.value for style in Style]:
        choices = " or ".join(style.value for style in Style)
        raise ConfigError(f"--style: must be {choices}, not {files.style}; choose one of them")
    for path in (files.out, files.checkpoint, files.log):
        if path is not None:
            check_folder(path)
    if files.out is not None and recipe.method.weight is None:
        raise ConfigError(
            f"--out: the method must make binary weights, not {recipe.method.name}, to be "
            "exported; leave out --out, or take another --method"
        )


def _load(data: Data) -> "Dataset | Source":
    from hwbnn.train.data import FOLDERS, load, open_source

    if data.name in FOLDERS:
        return open_source(data.name, data.folder, side=data.side)
    return load(data.name, data.folder)


def _finish(
    model: "Network",
    network: str,
    images: "Dataset | Source",
    recipe: "Recipe",
    files: Files,
    command: str,
) -> dict[str, Any]:
    """Export the network or measure it; return accuracy on the test images, their count, files."""
    from hwbnn.train.dataset import Dataset
    from hwbnn.train.export import Style
    from hwbnn.train.feed import some_of, tested
    from hwbnn.train.metrics import judge
    from hwbnn.train.ship import ship

    if files.out is None:
        judged = judge(model, tested(images, next(model.parameters()).device))
        return {
            "test_accuracy": judged.accuracy,
            "test_images": judged.images,
            "files": {},
            "proved": None,
        }
    taken = images if isinstance(images, Dataset) else some_of(images, TESTED)
    shipped = ship(
        model.cpu(),
        files.out,
        network=network,
        data=taken,
        recipe=recipe,
        command=command,
        style=Style(files.style),
    )
    written = {"model": shipped.model, "golden": shipped.golden, "manifest": shipped.manifest}
    return {
        "test_accuracy": shipped.accuracy,
        "test_images": len(taken.test_labels),
        "files": {name: str(path) for name, path in written.items()},
        "proved": str(shipped.proved),
    }


def _rows(seen: "list[Epoch]", checkpoint: Path | None) -> list[dict[str, Any]]:
    """Return all epochs, also those before the training was stopped."""
    from hwbnn.train.run import read_checkpoint

    if checkpoint is None:
        return [epoch.row() for epoch in seen]
    rows: list[dict[str, Any]] = read_checkpoint(checkpoint)["rows"]
    return rows


def _show(
    result: Mapping[str, Any], recipe: "Recipe", rows: list[dict[str, Any]], as_json: bool
) -> None:
    if as_json:
        screen.show_json(
            {"schema": "hwbnn/train@1", **result, "recipe": recipe.facts(), "epochs": rows}
        )
        return
    what = result["files"].get("model", result["network"])
    share, count = result["test_accuracy"], result["test_images"]
    screen.show(f"{what}: {share:.2%} of {count} test images")
    if result["proved"]:
        screen.show(result["proved"])


@contextmanager
def _shown(
    place: "Place",
) -> "Iterator[tuple[Callable[[Moment], None] | None, Callable[[Epoch], None]]]":
    """Give what shows a step on a bar, on a terminal only, and what prints an epoch's line."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not (console.is_terminal and place.first):
        yield None, lambda epoch: console.print(line(epoch))
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("start", total=None)

        def progress(moment: "Moment") -> None:
            if moment.step % SHOWN == 0 or moment.step == moment.steps:
                done = (moment.epoch - 1) * moment.steps + moment.step
                what = f"{moment.stage}: epoch {moment.epoch}/{moment.epochs}"
                total = moment.epochs * moment.steps
                bar.update(task, completed=done, total=total, description=what)

        yield progress, lambda epoch: console.print(line(epoch))


def line(epoch: "Epoch") -> str:
    """Return an epoch's metrics for people."""
    facts = [
        f"loss {epoch.loss:.4f}",
        f"training {epoch.training:.2%}",
        f"validation {epoch.validation:.2%}",
    ]
    if epoch.flip_rate is not None:
        facts.append(f"flips {epoch.flip_rate:.2%}")
    if epoch.saturation is not None:
        facts.append(f"saturation {epoch.saturation:.1%}")
        facts.append(f"dead {epoch.dead_channels}/{epoch.channels}")
    facts.append(f"{epoch.images_per_second:,.0f} images/s")
    return f"{epoch.stage}: epoch {epoch.number}: " + ", ".join(facts)
