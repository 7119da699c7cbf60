# SPDX-License-Identifier: Apache-2.0
"""`hwbnn train`: its options. PyTorch is imported when the command runs."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from hwbnn.cli import options as o
from hwbnn.errors import ConfigError

RECIPE = "Recipe"
TEACHING = "Teacher"
FILES = "Files"
# Where this machine has its files, and what it shows, is no part of a network's recipe.
LOCAL = ("data_dir", "checkpoint", "log", "as_json")


def train(
    context: typer.Context,
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="As tfc-w1a1; see the docs.")],
    method: Annotated[
        str, typer.Option("--method", "-m", metavar="M", help="Training method.")
    ] = "ste",
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Option of the method; may be repeated."),
    ] = None,
    data: Annotated[
        str, typer.Option("--data", "-d", metavar="D", help="Set of images.")
    ] = "fashion-mnist",
    data_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the set's files.")
    ] = None,
    image_size: Annotated[
        int, typer.Option(metavar="N", help="Side of the images of folder sets, as imagenet.")
    ] = 224,
    epochs: Annotated[
        int, typer.Option("--epochs", "-e", help="Of each stage.", rich_help_panel=RECIPE)
    ] = 40,
    batch: Annotated[
        int, typer.Option(help="Images of a step, on all processes.", rich_help_panel=RECIPE)
    ] = 128,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="To begin with; else the method's.", rich_help_panel=RECIPE),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is random.", rich_help_panel=RECIPE)] = 0,
    shift: Annotated[
        int, typer.Option(help="Move images by up to so many pixels.", rich_help_panel=RECIPE)
    ] = 0,
    flip: Annotated[
        bool, typer.Option("--flip", help="Mirror half of the images.", rich_help_panel=RECIPE)
    ] = False,
    crop: Annotated[
        bool, typer.Option("--crop", help="Random resized crops.", rich_help_panel=RECIPE)
    ] = False,
    bfloat16: Annotated[
        bool,
        typer.Option(
            "--bfloat16",
            help="Train with bfloat16 products: faster on some machines.",
            rich_help_panel=RECIPE,
        ),
    ] = False,
    validation: Annotated[
        float | None,
        typer.Option(
            help="Share of the training images that chooses the epoch; else a twelfth.",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    stages: Annotated[
        int,
        typer.Option(
            help="2: first binary activations with float weights, then all binary.",
            rich_help_panel=RECIPE,
        ),
    ] = 1,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|self-float",
            help="Checkpoint whose network teaches, or the same network in float32, trained first.",
            rich_help_panel=TEACHING,
        ),
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="Of the teacher's soft targets.", rich_help_panel=TEACHING)
    ] = 4.0,
    teacher_share: Annotated[
        float, typer.Option(help="Of the loss; the labels' is the rest.", rich_help_panel=TEACHING)
    ] = 0.5,
    device: Annotated[
        str | None, typer.Option(metavar="cpu|cuda", help="Else cuda where there is one.")
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Of the CPU; the result depends on it in the last bits.")
    ] = 1,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Written after every epoch; if it exists, the training goes on from there.",
            rich_help_panel=FILES,
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Metrics of every epoch.", rich_help_panel=FILES),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.onnx",
            help="Export the network, with golden vectors (.npz) and manifest.json beside it.",
            rich_help_panel=FILES,
        ),
    ] = None,
    style: Annotated[
        str,
        typer.Option(
            metavar="dynamo|torchscript", help="Exporter of PyTorch.", rich_help_panel=FILES
        ),
    ] = "dynamo",
    as_json: o.AsJson = False,
) -> None:
    """Train a binary network, judge its hard form, and export it. Needs the extra `train`."""
    from hwbnn.cli import trainer

    trainer.check_packages()
    recipe = trainer.recipe_of(
        method=method,
        options=parse_options(option or []),
        teacher=(teacher, temperature, teacher_share),
        values={
            "epochs": epochs, "batch": batch, "learning_rate": learning_rate, "seed": seed,
            "shift": shift, "flip": flip, "crop": crop, "bfloat16": bfloat16, "stages": stages,
            **({} if validation is None else {"validation": validation}),
        },
    )  # fmt: skip
    trainer.train(
        network,
        recipe,
        data=trainer.Data(data, data_dir, image_size),
        device=device,
        threads=threads,
        files=trainer.Files(checkpoint, log, out, style),
        command=command_of(context),
        as_json=as_json,
    )


def parse_options(given: list[str]) -> dict[str, object]:
    """Turn NAME=VALUE into names and values: int, float, bool or text, the first that it is."""
    found: dict[str, object] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ConfigError(f"--option: must be NAME=VALUE, not {text}; write as scale=true")
        if name in found:
            raise ConfigError(f"--option: {name} must be given once, not again as {value}")
        found[name] = _value(value)
    return found


def _value(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def command_of(context: typer.Context) -> str:
    """Return the command that gives this network again, without the folders of this machine."""
    words = ["hwbnn", "train"]
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        # By its name: Typer has taken Click into itself, and the enum is another one since.
        if name in LOCAL or source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[name]
        if parameter.param_type_name == "argument":
            words.append(str(value))
        elif value is True:
            words.append(parameter.opts[0])
        else:
            for one in value if isinstance(value, list | tuple) else [value]:
                words += [parameter.opts[0], str(one)]
    return shlex.join(words)
