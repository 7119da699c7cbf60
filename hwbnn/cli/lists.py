# SPDX-License-Identifier: Apache-2.0
"""What is there: boards and tools. Apart from the other commands, so that these are quick."""

from pathlib import Path

from hwbnn.board import boards as all_boards
from hwbnn.board import find_board
from hwbnn.cli import screen, tables


def boards(name: str | None, *, boards_dir: Path | None, as_json: bool) -> None:
    """List boards, or show one."""
    if name is not None:
        found = [find_board(name, boards_dir=boards_dir)]
    else:
        found = list(all_boards(boards_dir).values())
    if as_json:
        data = [board.model_dump(mode="json", by_alias=True) for board in found]
        screen.show_json({"schema": "hwbnn/boards@1", "boards": data})
    else:
        screen.show(tables.boards_table(found) if name is None else tables.board_table(found[0]))


def doctor(*, as_json: bool) -> None:
    """Show which tools are here and work, and what can be done with them."""
    from hwbnn.tools import doctor as tools_doctor  # with all the tools: boards need none

    checks = tools_doctor.doctor()
    flows = tools_doctor.flows(checks)
    if as_json:
        data = [
            {"name": c.name, "purpose": c.purpose, "found": c.found, "mend": c.mend} for c in checks
        ]
        can = [
            {"boards": f.boards, "flow": f.what, "possible": f.possible, "missing": f.missing}
            for f in flows
        ]
        screen.show_json({"schema": "hwbnn/doctor@1", "tools": data, "flows": can})
    else:
        screen.show(tables.doctor_table(checks))
        screen.show("")
        screen.show(tables.flows_table(flows))
