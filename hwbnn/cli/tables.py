# SPDX-License-Identifier: Apache-2.0
"""Tables: reports and lists as Rich renderables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from hwbnn.board import Board
    from hwbnn.emit.report import Json
    from hwbnn.frontend import Inspection
    from hwbnn.tools.doctor import Check, Flow

SHOWN_FRAMES = 10
BAR = 5


def number(value: float) -> str:
    """Return a number as people read it."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}"


def _costs(counts: Json, kinds: Sequence[str]) -> list[str]:
    plain = (
        f"{counts[kind]:,.0f}" if kind in ("lut", "ff") else number(counts[kind]) for kind in kinds
    )
    return list(plain)


def _kinds(report: Json) -> list[str]:
    """Resources that layers take; UltraRAMs only where the board has any."""
    return [kind for kind in ("lut", "ff", "bram", "uram") if kind in report["resources"]["board"]]


def empty_table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table; a column that begins with `<` is of text, the others of numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        text = column.startswith("<")
        table.add_column(
            column.removeprefix("<"),
            justify="left" if text else "right",
            no_wrap=not text,
            overflow="fold",  # a name that must be typed is shown whole
        )
    return table


def report_tables(report: Json) -> RenderableType:
    """Return what `build` shows of a report."""
    parts: list[RenderableType] = []
    if "layers" in report:
        parts += [_layers(report), Text()]
    if "performance" in report:
        parts += [_summary(report)]
    if "routed" in report:
        parts += [_routed(report["routed"]), Text()]
    if not parts:
        parts = [_input_line(report)]
    return Group(*parts, *_check_lines(report))


def proof_tables(report: Json) -> RenderableType:
    """Return what a proof found."""
    parts: list[RenderableType] = []
    if "synthesised" in report.get("resources", {}):
        parts += [_resources(report)]
    return Group(*parts, *_check_lines(report))


def _input_line(report: Json) -> Text:
    return Text(f"{report['name']}: {report['input']['sent']}, {report['input']['meaning']}")


def _check_lines(report: Json) -> list[Text]:
    return [
        Text.assemble(("✓ ", "green"), f"{c['name']}, by {c['by']}: {c['detail']}")
        for c in report["checks"]
    ]


def _layers(report: Json) -> Table:
    resources, kinds = report["resources"], _kinds(report)
    table = empty_table(
        "<layer", "<unit", "PE", "SIMD", "cycles", "of slowest", *(k.upper() for k in kinds)
    )
    for layer in report["layers"]:
        slowest = layer["share"] >= 1
        table.add_row(
            layer["name"],
            layer["unit"],
            str(layer["pe"]),
            str(layer["simd"]),
            number(layer["cycles"]),
            _share(layer["share"]),
            *_costs(layer["resources"], kinds),
            style="bold" if slowest else None,
        )
    fifos = resources["of_which_fifos"]
    empty = ("", "", "", "", "")
    table.add_row("FIFOs", *empty, *_costs(fifos, kinds))
    table.add_row("shell", *empty, *_costs(resources["shell"], kinds))
    table.add_section()
    used = {key: resources["modelled"][key] + resources["shell"][key] for key in kinds}
    table.add_row("all", *empty, *_costs(used, kinds))
    table.add_row("limit", *empty, *_costs(resources["limit"], kinds), style="dim")
    shares = [_percent(used[key], resources["limit"][key]) for key in kinds]
    table.add_row("share", *empty, *shares, style=None if resources["fits"] else "red")
    return table


def _share(share: float) -> Text:
    width = max(1, round(BAR * share)) if share else 0
    return Text.assemble(
        ("█" * width, "cyan"), ("░" * (BAR - width), "dim"), f" {share:4.0%}", no_wrap=True
    )


def _percent(used: float, limit: float) -> str:
    return f"{used / limit:.1%}" if limit else "-"


def _summary(report: Json) -> RenderableType:
    speed = report["performance"]
    table = empty_table("<", "", "<", "<")
    rows = (
        ("throughput", "frames_per_second"),
        ("", "cycles_per_frame"),
        ("latency", "latency_us"),
        ("", "latency_cycles"),
        ("board's port", "port_frames_per_second"),
    )
    for label, key in rows:
        entry = speed[key]
        table.add_row(label, number(entry["value"]), entry["unit"], Text(entry["origin"], "dim"))
    if "cosimulation" in report:
        for label, key in (("in Verilator", "frames_per_second"), ("", "latency_cycles")):
            entry = report["cosimulation"][key]
            table.add_row(
                label, number(entry["value"]), entry["unit"], Text(entry["origin"], "dim")
            )
    table.show_header = False
    clock = f"{report['clock_mhz']:.6g} MHz on {report['board']['name']}"
    told = ("streamed_weights", "loaded_weights", "folding", "fifo_sizing")
    proofs = [Text(report[key]["text"], "dim") for key in told if key in report]
    return Group(Text(clock, "bold"), table, Text(report["bottleneck"]["text"]), *proofs, Text())


def _routed(routed: Json) -> RenderableType:
    """Return what a bitstream takes, and how fast it may be clocked."""
    table = empty_table("<cells", "used", "device", "share")
    for cell in routed["cells"]:
        share = _percent(cell["used"], cell["available"])
        table.add_row(cell["kind"], number(cell["used"]), number(cell["available"]), share)
    fmax, clock = routed["fmax_mhz"]["value"], routed["clock_mhz"]["value"]
    size, file = routed["bitstream"]["bytes"], routed["bitstream"]["file"]
    head = Text.assemble(
        ("routed ", "dim"), (f"Fmax {fmax:.2f} MHz", "bold"), f" at {clock:g} MHz: {file}, "
    )
    return Group(head + Text(f"{size:,} bytes in {routed['seconds']:.0f} s"), table)


def _resources(report: Json) -> RenderableType:
    """Return what was counted beside what was modelled."""
    resources, kinds = report["resources"], _kinds(report)
    origins = ("modelled", "synthesised", "shell", "limit", "board")
    headings = [kind.upper() for kind in kinds]
    layers = empty_table(
        "<layer", *(f"{h}\nmodelled" for h in headings), *(f"{h}\nsynthesised" for h in headings)
    )
    for layer in report["layers"]:
        costs = (_costs(layer[origin], kinds) for origin in ("resources", "synthesised"))
        layers.add_row(layer["name"], *chain.from_iterable(costs))
    table = empty_table("<resource", *origins)
    for key in resources["board"]:
        table.add_row(key.upper(), *(number(resources[origin][key]) for origin in origins))
    return Group(layers, Text(), table)


def simulation_tables(found: Json) -> RenderableType:
    """Return what `simulate` shows: the first frames' outputs, accuracy and speed."""
    table = empty_table("frame", "class", "<label", "truth", "<output")
    for row in found["outputs"][:SHOWN_FRAMES]:
        output = " ".join(map(str, row["output"]))
        truth = "" if row["truth"] is None else str(row["truth"])
        wrong = row["truth"] not in (None, row["class"])
        table.add_row(
            str(row["frame"]),
            str(row["class"]),
            row["label"] or "",
            truth,
            output,
            style="red" if wrong else None,
        )
    parts: list[RenderableType] = [table]
    more = found["frames"] - SHOWN_FRAMES
    if more > 0:
        parts.append(Text(f"... and {more} more; --json shows all", "dim"))
    if found["accuracy"] is not None:
        parts.append(Text(f"{found['accuracy']:.2%} of {found['frames']} frames right", "bold"))
    return Group(*parts, Text(), _summary(found["report"]))


def inspection_tables(found: Inspection) -> RenderableType:
    """Return a model's layers and totals."""
    shape = " x ".join(map(str, found.input_shape))
    columns = {
        "binary\nMACs": [layer.binary_macs for layer in found.layers],
        "other\nMACs": [layer.multi_bit_macs for layer in found.layers],
        "weight\nbits": [layer.weight_bits for layer in found.layers],
        "\nsteps": [layer.thresholds for layer in found.layers],
    }
    columns = {name: numbers for name, numbers in columns.items() if any(numbers)}
    text = ("layer", "operator", "shape", "input", "weights", "output", "range")
    table = empty_table(*(f"<\n{name}" for name in text), *columns)
    for index, layer in enumerate(found.layers):
        table.add_row(
            layer.name,
            layer.operator,
            f"{layer.inputs}→{layer.outputs}",
            layer.input_type,
            layer.weight_type or "",
            layer.output_type,
            f"{layer.low}…{layer.high}",
            *(f"{numbers[index]:,}" if numbers[index] else "" for numbers in columns.values()),
        )
    total = (
        f"{found.binary_macs:,} binary and {found.multi_bit_macs:,} other MACs a frame, "
        f"{found.weight_bits:,} weight bits"
    )
    head = Text.assemble((found.name, "bold"), f": pixels {shape}, {found.preprocess}")
    return Group(head, table, Text(total))


def boards_table(found: Sequence[Board]) -> Table:
    """Return all boards, one a row."""
    table = empty_table("<id", "<name", "<part", "LUT", "BRAM", "URAM", "DSP", "MHz", "port")
    table.padding = (0, 1, 0, 0)
    table.columns[0].no_wrap = True
    table.columns[0].min_width = max((len(board.id) for board in found), default=0)  # to be typed
    for board in found:
        counts = board.resources
        table.add_row(
            board.id,
            board.name,
            board.part,
            number(counts.lut),
            f"{counts.bram}x{counts.bram_kbit}K",
            str(counts.uram or ""),
            number(counts.dsp),
            f"{board.clocks.default_mhz:g}",
            f"{board.link.kind} {board.data.bits}",
        )
    return table


def board_table(board: Board) -> RenderableType:
    """Return one board with the source of every section."""
    table = empty_table("<", "<", "<")
    table.show_header = False
    for section, source in board.sources.items():
        values: dict[str, Any] = board.model_dump(mode="json")[section]
        for index, (key, value) in enumerate(values.items()):
            shown = f"{value:#x}" if key == "control_base" else f"{value}"
            shown = ", ".join(value) if isinstance(value, list) else shown
            table.add_row(f"{section}.{key}", shown, Text(source if index == 0 else "", "dim"))
    return Group(Text(f"{board.name} ({board.id}): {board.part}, {board.family.value}"), table)


def doctor_table(checks: Sequence[Check]) -> Table:
    """Return the tools, one a row."""
    table = empty_table("<", "<tool", "<for", "<found, or what to do")
    for check in checks:
        mark = Text("✓", "green") if check.present else Text("-", "yellow")
        table.add_row(mark, check.name, check.purpose, Text(check.found or check.mend))
    return table


def flows_table(flows: Sequence[Flow]) -> Table:
    """Return what can be done with which boards, one a row."""
    table = empty_table("<", "<boards", "<flow", "<missing")
    for flow in flows:
        mark = Text("✓", "green") if flow.possible else Text("-", "yellow")
        table.add_row(mark, flow.boards, flow.what, Text(", ".join(flow.missing)))
    return table
