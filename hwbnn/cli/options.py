# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, declared once."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from hwbnn.cli.screen import Session
from hwbnn.step import Goal

FOLDING = "Folding"
INPUT = "Input and output"
SSH = "Over ssh"
SIMULATION = "simulation"
BOARD_FOLDER = "hwbnn"


def _note_json(context: typer.Context, value: bool) -> bool:
    """Tell `main` that errors too are wanted as JSON."""
    session = context.obj
    if isinstance(session, Session):
        session.json = value
    return value


Model: TypeAlias = Annotated[
    str, typer.Argument(metavar="MODEL", help="ONNX file, or zoo:NAME for a shipped model.")
]
Board: TypeAlias = Annotated[
    str, typer.Option("--board", "-b", help="Board that the design is for; see `hwbnn boards`.")
]
BoardsDir: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder of your own board files (*.toml).", metavar="DIR")
]
Folding: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--folding",
        "-f",
        metavar="FILE",
        help="PE and SIMD by layer: TOML, or FINN's folding JSON.",
        rich_help_panel=FOLDING,
    ),
]
TargetCycles: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Cheapest folding of at most N cycles a frame.",
        rich_help_panel=FOLDING,
    ),
]
TargetFps: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Cheapest folding of at least N frames a second. Without any of these: as fast as "
        "the board's data port allows and the board has room for.",
        rich_help_panel=FOLDING,
    ),
]
Maximize: TypeAlias = Annotated[
    Goal | None,
    typer.Option(help="The fastest folding that fits the board.", rich_help_panel=FOLDING),
]
Clock: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--clock-mhz",
        metavar="MHZ",
        help="Clock; else the board's default, and of a bitstream the highest that closes.",
    ),
]
PackedInput: TypeAlias = Annotated[
    bool,
    typer.Option("--packed-input", help="The host quantises and packs.", rich_help_panel=INPUT),
]
ArgMax: TypeAlias = Annotated[
    bool,
    typer.Option("--argmax", help="Give the class index, not its scores.", rich_help_panel=INPUT),
]
Divisor: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--input-divisor",
        metavar="D",
        help="The model's input is (pixel / D - M) / S. Without it, what the model says, else 255.",
        rich_help_panel=INPUT,
    ),
]
Mean: TypeAlias = Annotated[
    float, typer.Option("--input-mean", metavar="M", help="See above.", rich_help_panel=INPUT)
]
Std: TypeAlias = Annotated[
    float, typer.Option("--input-std", metavar="S", help="See above.", rich_help_panel=INPUT)
]
Images: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--images",
        "-i",
        metavar="FILE",
        help="uint8 images: .npy, .npz (images, labels) or pictures. Without it the shipped "
        "model's own, else random ones.",
        rich_help_panel=INPUT,
    ),
]
Frames: TypeAlias = Annotated[
    int | None,
    typer.Option("--frames", "-n", metavar="N", min=1, help="The first N images only."),
]
Package: TypeAlias = Annotated[
    Path, typer.Argument(metavar="PACKAGE", help="Package, or a result folder that holds one.")
]
On: TypeAlias = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="PLACE",
        help="simulation; local: this machine is the board; uart:PORT or /dev/tty...: a board on a "
        "serial line; ssh:[USER@]HOST: where `hwbnn deploy` has put the package.",
    ),
]
BackEnd: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Of the driver, local or over ssh: pynq, linux or uart:PORT. Else the usual one.",
    ),
]
Port: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, max=65535, metavar="N", help="The ssh server's port.", rich_help_panel=SSH),
]
Identity: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Private key to log in with.", rich_help_panel=SSH),
]
Folder: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="PATH",
        help="For packages on the board, in the home folder or from /.",
        rich_help_panel=SSH,
    ),
]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout.", callback=_note_json)
]
