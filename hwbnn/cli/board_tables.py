# SPDX-License-Identifier: Apache-2.0
"""Board tables: packages, what boards answer and how fast, as Rich renderables."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hwbnn.cli.tables import empty_table

Json = dict[str, Any]


def package_table(found: Json) -> Table:
    """Return what a package is."""
    table = empty_table("<", "<")
    clock, bitstream = f"{found['clock_mhz']:.6g} MHz", found["bitstream"]
    table.add_row("package", found["package"])
    table.add_row("network", f"{found['name']} on {found['board']} at {clock}")
    table.add_row("build", found["build_hash"])
    table.add_row("bitstream", "none" if bitstream is None else bitstream)
    table.add_row("size", f"{found['bytes']:,} bytes, {found['files']} files")
    table.add_row("SHA-256", found["sha256"])
    return table


def run_tables(found: Json) -> RenderableType:
    """Return the class of each image, and how many are right."""
    known = found["accuracy"] is not None
    table = empty_table("<image", "class", "<label", *(["truth"] if known else []))
    for row in found["outputs"]:
        wrong = known and row["class"] != row["truth"]
        truth = [str(row["truth"])] if known else []
        table.add_row(
            Text(row["image"]),
            str(row["class"]),
            Text(row["label"] or ""),
            *truth,
            style="red" if wrong else None,
        )
    if not known:
        return table
    count = found["images"]
    right = round(found["accuracy"] * count)
    return Group(table, Text(f"accuracy {found['accuracy']:.2%}: {right} of {count}"))


def bench_tables(found: Json) -> RenderableType:
    """Return rate and latency by stage, and the cycles that the board has counted."""
    parts: list[RenderableType] = [_rates(found), Text()]
    if "seconds" in found:
        parts += [_stages(found), Text()]
    return Group(*parts, _cycles(found))


def _rates(found: Json) -> Table:
    """Rates and latencies, each with what it was measured by."""
    table = empty_table("<", "", "<", "<", title=f"{found['name']} on {found['on']}")
    origin, latency = found["provenance"], found.get("latency")
    if "seconds" in found:
        rate = f"{found['frames_per_second']:,.0f}"
        table.add_row("throughput", rate, "frames/s", f"wall clock, {origin}")
    core = f"{found['core_frames_per_second']:,.0f}"
    counted = f"core's cycles at {found['clock_mhz']:.6g} MHz, {origin}"
    table.add_row("throughput", core, "frames/s", counted)
    if latency is not None:
        if "total" in latency:
            total = f"{1e6 * latency['total']:,.1f}"
            table.add_row("latency", total, "µs", f"wall clock of one frame, {origin}")
        core = f"{latency['cycles'] / latency['clock_mhz']:,.2f}"
        table.add_row("latency", core, "µs", counted)
    return table


def _stages(found: Json) -> Table:
    """Where the wall clock goes, for all frames and for a single one."""
    columns = [found] if found.get("latency") is None else [found, found["latency"]]
    heads = [f"{column['frames']:,} frames, ms" for column in columns]
    table = empty_table("<stage", *(word for head in heads for word in (head, "share")))
    rests = [column["total"] - sum(column["seconds"].values()) for column in columns]
    for name in found["seconds"]:
        cells = [(column["seconds"][name], column["total"]) for column in columns]
        table.add_row(name, *(word for cell in cells for word in _share(*cell)))
    cells = [(rest, column["total"]) for rest, column in zip(rests, columns, strict=True)]
    table.add_row("rest", *(word for cell in cells for word in _share(*cell)))
    table.add_section()
    cells = [(column["total"], column["total"]) for column in columns]
    table.add_row("all", *(word for cell in cells for word in _share(*cell)))
    return table


def _share(seconds: float, total: float) -> tuple[str, str]:
    return f"{1000 * seconds:,.3f}", f"{seconds / total:.0%}"


def _cycles(found: Json) -> Table:
    """Cycles by the board's counter next to what was predicted if neither side makes it wait."""
    origin = found["provenance"]
    table = empty_table("<cycles", "frames", origin, "modelled", "difference", "in stall", "out")
    for row in (found, found.get("latency")):
        if row is not None:
            counts = [
                row["cycles"],
                row["predicted_cycles"],
                row["cycles"] - row["predicted_cycles"],
            ]
            stalls = [row["in_stall"], row["out_stall"]]
            table.add_row("", *(f"{count:,}" for count in [row["frames"], *counts, *stalls]))
    return table
