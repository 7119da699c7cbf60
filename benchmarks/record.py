# SPDX-License-Identifier: Apache-2.0
"""Write a benchmark's rows to benchmarks/results, as JSON and as a table."""

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def record(name: str, rows: Sequence[dict[str, Any]], *, command: str, note: str) -> None:
    """Keep the rows with the command that made them, and print the table."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    RESULTS.mkdir(exist_ok=True)
    data = {"command": command, "machine": machine, "note": note, "rows": list(rows)}
    (RESULTS / f"{name}.json").write_text(json.dumps(data, indent=2) + "\n")
    table = markdown(rows)
    text = f"# {name}\n\n`{command}` on {machine} (shared).\n\n{note}\n\n{table}"
    (RESULTS / f"{name}.md").write_text(text)
    print(table)


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Rows of the same keys as a Markdown table."""
    keys = list(rows[0])
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    lines += ["| " + " | ".join(str(row[key]) for key in keys) + " |" for row in rows]
    return "\n".join(lines) + "\n"
