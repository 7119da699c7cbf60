# SPDX-License-Identifier: Apache-2.0
"""The `summary` command: what every layer holds and computes, and what it costs on a board."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwbnn.cli import options as o
from hwbnn.cli import screen
from hwbnn.errors import ConfigError, ToolError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hwbnn.frontend.summary import Row, Summary

ZOO = "zoo:"
SCHEMA = "hwbnn/summary@1"
COSTS = ("lut", "bram", "uram")  # UltraRAMs where the board has any
UNITS = ((10**9, "G"), (10**6, "M"))


def summary(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="ONNX file, zoo:NAME, or a network's name as `hwbnn train` takes."
        ),
    ],
    board: Annotated[
        str | None,
        typer.Option(
            "--board", "-b", help="Also cycles, LUT and memories, for the default folding."
        ),
    ] = None,
    boards_dir: o.BoardsDir = None,
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="Training method of a network by name.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="CxHxW", help="Image of a network by name.")
    ] = None,
    classes: Annotated[int, typer.Option(min=1, help="Classes of a network by name.")] = 10,
    as_json: o.AsJson = False,
) -> None:
    """Show layers, weights by bits, memory and MACs; with --board also cycles, LUT and memories."""
    costs: dict[str, dict[str, float]] = {}
    if model.startswith(ZOO) or Path(model).suffix == ".onnx" or Path(model).exists():
        if method is not None or image is not None:
            raise ConfigError(
                f"{model}: --method and --image must go with a network's name, not with a model "
                "file; leave them out"
            )
        found, costs = _of_file(model, board, boards_dir)
    else:
        found = _of_network(model, method, image, classes)
        if board is not None:
            raise ConfigError(
                f"{model}: --board must go with an exported model, not with an untrained network; "
                "train it with `hwbnn train` and give the ONNX file"
            )
    if as_json:
        data = found.to_json()
        for layer in data["layers"]:
            layer.update(costs.get(layer["name"], {}))
        screen.show_json({"schema": SCHEMA, **data})
    else:
        screen.show(_table(found, costs))


def _of_file(
    model: str, board: str | None, boards_dir: Path | None
) -> tuple[Summary, dict[str, dict[str, float]]]:
    if board is None:
        from hwbnn import zoo
        from hwbnn.frontend import import_model, load_model
        from hwbnn.frontend.summary import summarise

        path = zoo.path(model.removeprefix(ZOO)) if model.startswith(ZOO) else Path(model)
        return summarise(import_model(load_model(path), name=path.stem, check=False)), {}
    from hwbnn import flow, outcome
    from hwbnn.cli import commands
    from hwbnn.frontend.summary import summarise
    from hwbnn.step import Step

    config = commands.configuration(model, board, boards_dir=boards_dir, until=Step.FOLD)
    with screen.progress() as progress:
        result = flow.build(config, watch=lambda step: progress.say(step.value))
    return summarise(flow.graph_of(result)), _costs(outcome.report_of(result))


def _costs(report: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return cycles and resources by the layer that a unit is of; the slowest unit's cycles."""
    costs: dict[str, dict[str, float]] = {}
    kinds = [kind for kind in COSTS if kind in report["resources"]["board"]]
    for unit in report["layers"]:
        entry = costs.setdefault(unit["origin"], {"cycles": 0, **dict.fromkeys(kinds, 0.0)})
        entry["cycles"] = max(entry["cycles"], unit["cycles"])
        for kind in kinds:
            entry[kind] += unit["resources"][kind]
    return costs


def _of_network(name: str, method: str | None, image: str | None, classes: int) -> Summary:
    try:
        from hwbnn.train.methods import method as method_of
        from hwbnn.train.summary import network_summary
    except ModuleNotFoundError as error:
        raise ToolError(
            f"{name}: the package {error.name} must be installed to make a network, not missing; "
            "run pip install 'hwbnn[train]', or give an ONNX file or zoo:NAME"
        ) from error
    how = None if method is None else method_of(method)
    return network_summary(name, how=how, image=_image(image), classes=classes)


def _image(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise ConfigError(
            f"--image: must be channels x rows x columns, such as 3x32x32, not {text}; mend it"
        )
    return int(match[1]), int(match[2]), int(match[3])


# ---- the table -----------------------------------------------------------------------------------


def _table(found: Summary, costs: dict[str, dict[str, float]]) -> RenderableType:
    """Return the table and its totals, at most 100 columns wide."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("\nlayer", overflow="fold")
    headings = ["input\nbits", "\noutput", *(_weights_heading(bits) for bits in found.weights)]
    headings += ["memory\nkB", "binary\nMACs", "other\nMACs"]
    kinds = list(next(iter(costs.values()), {}))
    headings += ["\ncycles" if kind == "cycles" else f"\n{kind.upper()}" for kind in kinds]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in found.rows:
        table.add_row(*_cells(row, tuple(found.weights)), *_cost_cells(costs.get(row.name), kinds))
    table.add_section()
    counts = (f"{count:,}" for count in found.weights.values())
    macs = _short(found.binary_macs), _short(found.multi_bit_macs)
    totals = (_total(costs, kind) for kind in kinds)
    table.add_row("all", "", "", *counts, _kilobytes(found.memory_bits), *macs, *totals)
    thresholds = sum(row.thresholds for row in found.rows)
    text = (
        f"{found.binary_share:.1%} of the MACs are binary; weights take "
        f"{_kilobytes(found.memory_bits)} kB, {found.compression:.1f} times less than in float32"
    )
    text += f"; {thresholds:,} thresholds" if thresholds else ""
    return Group(Text(found.name, "bold"), table, Text(text))


def _weights_heading(bits: int) -> str:
    return "float\nvalues" if bits == 32 else f"{bits}-bit\nweights"


def _cells(row: Row, widths: tuple[int, ...]) -> list[str]:
    counts = dict.fromkeys(widths, 0)
    for bits, count in ((row.weight_bits, row.weights), (32, row.biases)):
        if count:
            counts[bits] += count
    return [
        row.name,
        str(row.input_bits),
        "x".join(map(str, row.output_shape)),
        *(f"{count:,}" if count else "" for count in counts.values()),
        _kilobytes(row.memory_bits) if row.memory_bits else "",
        _short(row.binary_macs) if row.binary_macs else "",
        _short(row.multi_bit_macs) if row.multi_bit_macs else "",
    ]


def _cost_cells(entry: dict[str, float] | None, kinds: Sequence[str]) -> list[str]:
    if entry is None:  # no unit of its own: the host's, or part of the next one
        return [""] * len(kinds)
    return [_count(entry[kind], kind) for kind in kinds]


def _total(costs: dict[str, dict[str, float]], kind: str) -> str:
    values = [entry[kind] for entry in costs.values()]
    return _count(max(values) if kind == "cycles" else sum(values), kind)


def _count(value: float, kind: str) -> str:
    return f"{value:,.0f}" if kind in ("cycles", "lut") else f"{value:g}"


def _kilobytes(bits: int) -> str:
    return f"{bits / 8 / 1024:,.2f}"


def _short(count: int) -> str:
    """Return a count with its unit: 1.23 M; small ones as they are."""
    for size, unit in UNITS:
        if count >= size:
            return f"{count / size:,.2f} {unit}"
    return f"{count:,}"
