# SPDX-License-Identifier: Apache-2.0
"""Nextpnr: synthesise, place, route and pack an open chip; what it takes, and how fast it is."""

import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwbnn.emit.chip_open import FOLDER, REPORT, SCRIPT, OpenChip
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.report_routed import CriticalPath, Routed, Use
from hwbnn.errors import ToolError
from hwbnn.tools import yosys
from hwbnn.tools.process import run
from hwbnn.tools.scratch import put

BITSTREAM_MEND = "pip install 'hwbnn[bitstream]', or stop before with --until simulate"
HOUR = 3600.0  # no shipped design takes a tenth of it

# "Info:           TRELLIS_COMB:  1902/ 83640     2%", of what is packed
_USED = re.compile(r"Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%$", re.MULTILINE)
_UTILISATION = "Device utilisation:"


@dataclass(frozen=True, eq=False)
class Bitstream:
    """A chip, what was found of it, the bits, and nextpnr's report."""

    chip: OpenChip
    routed: Routed
    data: bytes
    report: bytes

    @property
    def files(self) -> FileSet:
        """The chip's sources and what was made of them."""
        made = {self.chip.bitstream: self.data, REPORT: self.report}
        return self.chip.files | FileSet.of(made)


def check_tools(*programs: str) -> None:
    """Raise ToolError if Yosys or one of the programs is missing."""
    missing = [] if yosys.available() else ["yosys"]
    missing += [name for name in programs if _program(name) is None]
    if missing:
        raise ToolError(
            f"bitstream: {' and '.join(missing)} must be installed, not missing; {BITSTREAM_MEND}"
        )


def route(chip: OpenChip, *, work: Path, timeout: float | None = HOUR) -> Bitstream:
    """Make a chip's bitstream in the empty folder `work`; a missed clock is no error here.

    timeout: seconds, of each program. A chip that does not fit is a ToolError that says why.
    """
    check_tools(chip.place[0], chip.pack[0])
    put(chip.files, work)
    seconds = yosys.run_script(SCRIPT, work=work, timeout=timeout)
    seconds += _run_place(chip.place, work, timeout)
    seconds += _run(chip.pack, work, timeout)
    report = (work / REPORT).read_bytes()
    data = (work / chip.bitstream).read_bytes()
    found = json.loads(report)
    routed = Routed(
        clock_mhz=chip.clock_mhz,
        fmax_mhz=min(clock["achieved"] for clock in found["fmax"].values()),
        cells={k: Use(n["used"], n["available"]) for k, n in found["utilization"].items()},
        critical=_critical(found["critical_paths"]),
        seconds=seconds,
        file=f"{FOLDER}/{chip.bitstream}",
        size=len(data),
        load=chip.load,
    )
    return Bitstream(chip, routed, data, report)


def _run_place(command: tuple[str, ...], work: Path, timeout: float | None) -> float:
    try:
        return _run(command, work, timeout)
    except ToolError as error:
        problems = _too_large(work / _log(command))
        if problems:
            raise ToolError(problems) from error
        raise


def _critical(paths: list[dict[str, Any]]) -> CriticalPath:
    """Return the longest path from a clock to a clock."""
    clocked = [p for p in paths if "<async>" not in (p["from"], p["to"])]
    steps = max((path["path"] for path in clocked), key=lambda p: sum(s["delay"] for s in p))
    wires = sum(step["delay"] for step in steps if step["type"] == "routing")
    cells = sum(step["delay"] for step in steps) - wires
    return CriticalPath(steps[0]["from"]["cell"], steps[-1]["to"]["cell"], cells, wires)


def _too_large(log: Path) -> list[str]:
    """Return which resources are too few, if that is what nextpnr's log says."""
    _, _, table = log.read_text(errors="replace").partition(_UTILISATION)
    return [
        f"chip: {kind} must be at most {available}, all that the device has, not {used}; choose a "
        "larger board, or more cycles a frame with --target-cycles"
        for kind, used, available in _USED.findall(table)
        if int(used) > int(available)
    ]


def _run(command: tuple[str, ...], work: Path, timeout: float | None) -> float:
    # Relative names only: the wheels' programs do not see the system's temporary folder but
    # through the working directory.
    program = _program(command[0])
    assert program is not None, "checked before"
    log = work / _log(command)
    done = run([program, *command[1:]], cwd=work, mend=BITSTREAM_MEND, log=log, timeout=timeout)
    return done.seconds


def _log(command: tuple[str, ...]) -> str:
    return f"{command[0]}.log"


def _program(name: str) -> str | None:
    """Return the wheel's program (WebAssembly, runs everywhere), else the native one."""
    beside = Path(sys.executable).with_name(f"yowasp-{name}")
    return str(beside) if beside.is_file() else shutil.which(f"yowasp-{name}") or shutil.which(name)
