# SPDX-License-Identifier: Apache-2.0
"""python -m hwbnn_runtime: run, bench, self-test and info; results on stdout, the rest on stderr.

With --json each line of stdout is one JSON value, the last one with a `schema`.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Sequence

from .accelerator import Accelerator
from .errors import RuntimeFault
from .images import read_images
from .package import open_package

FAILED = 7  # exit status: board or deployment


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        lines = options.command(options)
    except RuntimeFault as fault:
        _tell(f"error: {fault}")
        if options.json:
            _say({"schema": "hwbnn/error@1", "error": type(fault).__name__, "text": str(fault)})
        return FAILED
    for line in lines:
        if options.json:
            _say(line)
        else:
            sys.stdout.write(_text(line) + "\n")
    return 0


def _run(options: argparse.Namespace) -> list[dict[str, Any]]:
    with _load(options) as accelerator:
        images = read_images(options.images, accelerator.shape)
        labels = accelerator.predict(images.pixels).tolist()
        scores = accelerator.scores(images.pixels).tolist() if options.scores else None
    lines = []
    for index, label in enumerate(labels):
        line: dict[str, Any] = {"image": index, "label": label}
        if label < len(accelerator.classes):
            line["class"] = accelerator.classes[label]
        if scores is not None:
            line["scores"] = scores[index]
        lines.append(line)
    end: dict[str, Any] = {"schema": "hwbnn/run@1", "images": len(labels)}
    if images.labels is not None:
        end["correct"] = int((images.labels == labels).sum())
    return [*lines, end]


def _bench(options: argparse.Namespace) -> list[dict[str, Any]]:
    with _load(options) as accelerator:
        found = accelerator.throughput(options.frames).as_dict()
        found["latency"] = accelerator.latency().as_dict()
    return [{"schema": "hwbnn/bench@1", "provenance": "measured on board", **found}]


def _self_test(options: argparse.Namespace) -> list[dict[str, Any]]:
    with _load(options, self_test=False) as accelerator:
        frames = accelerator.self_test()
        state = accelerator.counters()
    counters = {
        **state._asdict(),
        "high_water": dict(state.high_water),
        "weight_stalls": dict(state.weight_stalls),
    }
    return [{"schema": "hwbnn/self-test@1", "frames": frames, "equal": True, **counters}]


def _info(options: argparse.Namespace) -> list[dict[str, Any]]:
    manifest = dict(open_package(options.package).manifest)
    manifest["files"] = len(manifest["files"])
    return [{**manifest, "schema": "hwbnn/info@1", "verified": True}]


def _load(options: argparse.Namespace, *, self_test: bool = True) -> Accelerator:
    test = self_test and not getattr(options, "no_self_test", False)
    accelerator = Accelerator.load(options.package, options.back_end, self_test=test)
    _tell(f"{accelerator.name} on {accelerator.target.board} at {accelerator.clock_mhz:.6g} MHz")
    return accelerator


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hwbnn_runtime", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    for name, command, text in (
        ("run", _run, "classify images: .npy, .npz (images, labels), pictures"),
        ("bench", _bench, "measure frames a second, and where the time goes"),
        ("self-test", _self_test, "compare the package's golden frames"),
        ("info", _info, "verify a package, and print what it says; needs no board"),
    ):
        part = commands.add_parser(name, help=text, description=text)
        part.set_defaults(command=command)
        part.add_argument("package", help="folder or ZIP of `hwbnn package`")
        part.add_argument("--json", action="store_true", help="one JSON value a line")
        if name != "info":
            part.add_argument("--back-end", metavar="NAME", help="pynq, linux or uart:PORT")
        if name in ("run", "bench"):
            part.add_argument("--no-self-test", action="store_true", help="load without it")
        if name == "run":
            part.add_argument("images", nargs="+", help="files of images")
            part.add_argument("--scores", action="store_true", help="the model's outputs, too")
        if name == "bench":
            part.add_argument("--frames", type=int, default=1000, help="how many (1000)")
    return parser


def _text(line: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in line.items() if key != "schema")


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
