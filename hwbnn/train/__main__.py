# SPDX-License-Identifier: Apache-2.0
"""Train, export and measure a network: python -m hwbnn.train tfc-w1a1 --epochs 40 --out FILE."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from hwbnn.errors import ConfigError, HwbnnError
from hwbnn.train.data import DATASETS, load
from hwbnn.train.export import Style, check_folder
from hwbnn.train.loop import Epoch, Recipe, train
from hwbnn.train.networks import NETWORKS
from hwbnn.train.ship import ship


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hwbnn.train",
        description="Train a binary network; write ONNX, golden vectors (.npz) and manifest.json.",
    )
    parser.add_argument("network", help=", ".join(NETWORKS))
    parser.add_argument("--data", default="fashion-mnist", help=", ".join(DATASETS))
    parser.add_argument("--data-dir", type=Path, help="folder of the data's files")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learning-rate", type=float, default=Recipe.learning_rate)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--shift", type=int, default=0, help="move images by up to so many pixels")
    parser.add_argument("--flip", action="store_true", help="mirror half of the images")
    parser.add_argument(
        "--bfloat16", action="store_true", help="train with bfloat16 products: faster on some CPUs"
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="file written after every epoch, to go on from if stopped"
    )
    parser.add_argument("--style", choices=[s.value for s in Style], default=Style.DYNAMO.value)
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    return parser


def _command(arguments: Sequence[str]) -> str:
    """Return the command that gives this model again, without the folders of this machine."""
    local = ("--data-dir", "--checkpoint")
    kept, skip = [], False
    for argument in arguments:
        if skip or argument.partition("=")[0] in local:
            skip = not skip and argument in local
            continue
        kept.append(argument)
    return shlex.join(["python", "-m", "hwbnn.train", *kept])


def _report(epoch: Epoch) -> None:
    print(
        f"epoch {epoch.number}: loss {epoch.loss:.4f}, validation {epoch.validation:.2%}",
        file=sys.stderr,
    )


def main(arguments: Sequence[str]) -> None:
    """Do what the command line says."""
    options = _parser().parse_args(arguments)
    if options.out.suffix != ".onnx":
        raise ConfigError(f"--out: must end in .onnx, not {options.out.name}; add it")
    for path in (options.out, options.checkpoint):
        if path is not None:
            check_folder(path)
    torch.set_num_threads(1)  # the order of sums, and with it the result, depends on it
    data = load(options.data, options.data_dir)
    recipe = Recipe(
        epochs=options.epochs,
        seed=options.seed,
        learning_rate=options.learning_rate,
        batch=options.batch,
        shift=options.shift,
        flip=options.flip,
        bfloat16=options.bfloat16,
    )
    model = train(options.network, data, recipe, checkpoint=options.checkpoint, report=_report)
    shipped = ship(
        model,
        options.out,
        network=options.network,
        data=data,
        recipe=recipe,
        command=_command(arguments),
        style=Style(options.style),
    )
    print(f"{shipped.model}: {shipped.accuracy:.2%} of {len(data.test_labels)} test images")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except HwbnnError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
