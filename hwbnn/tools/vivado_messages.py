# SPDX-License-Identifier: Apache-2.0
"""Vivado's messages: which line of its output says what went wrong, and what to do about it."""

import re
from dataclasses import dataclass
from pathlib import Path

from hwbnn.errors import ToolError
from hwbnn.tools.follow import Ended

CLOCK, TIMING, SIZE, NO_LICENCE = 31, 32, 33, 42  # exit statuses: 31 to 33 flow.tcl's, 42 Vivado's
NO_PROGRAM = 127  # a shell's: a program, or a library of it, is missing
KILLED = (-9, 137)

LICENCE_MEND = (
    "get the free Basic licence of 2026.1 and later and point XILINXD_LICENSE_FILE to it, or use "
    "Vivado 2020.2 to 2025.2, that needs none for the boards' parts"
)
SPACE_MEND = "free some space on the disk that holds the result and on that of temporary files"
MEMORY_MEND = "close other programs, add swap space, or set threads to 1 in settings.tcl"
PART_MEND = "run AMD's installer again (Add Design Tools or Devices) and tick the device's family"


@dataclass(frozen=True)
class Message:
    """A known failure: what its line looks like, what must be, what to do."""

    pattern: str
    must: str
    mend: str


def _error(ids: str, rest: str = "") -> str:
    return rf"^ERROR: .*\[({ids})\]{rest}"


# The first that any line matches is the cause; those below often follow from those above.
MESSAGES = (
    Message(
        f"{_error('Common 17-345')}|cannot be launched because a valid license",
        "a licence must be found",
        LICENCE_MEND,
    ),
    Message(
        r"^(CRITICAL )?WARNING: \[Device 21-9575\]",
        "the licence must cover the part",
        "leave only the tier that covers it (Basic for Zynq-7000) in the licence file",
    ),
    Message(_error("Coretcl 2-106|Device 21-436"), "the part must be installed", PART_MEND),
    Message(r"No space left on device", "the disk must have room", SPACE_MEND),
    Message(
        r"std::bad_alloc|[Oo]ut of memory|Cannot allocate memory",
        "there must be enough memory",
        MEMORY_MEND,
    ),
    Message(
        r"error while loading shared libraries: (libtinfo|libncurses)",
        "Vivado's libraries must be there",
        "install libtinfo5 and libncurses5, on which releases to 2023 rely",
    ),
    Message(
        _error("Synth 8-4445"),
        "all memories must be readable",
        "run Vivado in the folder that holds build.tcl",
    ),
    Message(
        _error("Synth 8-439"),
        "all modules must be among the sources",
        "build again; if it stays, report it with the log",
    ),
    Message(
        _error("DRC UTLZ-1|Place 30-640|Place 30-487"),
        "the design must fit the device",
        "choose a slower folding (--target-fps), or a larger board",
    ),
    Message(
        _error(r"Route 35-\d+"),
        "all nets must be routed",
        "choose a slower folding (--target-fps), or a larger board",
    ),
    Message(
        _error(r"Vivado 12-1345|DRC \w+-\d+"),
        "the design must pass Vivado's rules",
        "read out/drc.rpt; if it is a rule on the processing system, report it with the log",
    ),
    Message(
        r"^(Abnormal program termination|Segmentation fault)|hs_err_pid",
        "Vivado must not crash",
        "try again with threads 1 in settings.tcl, or another version",
    ),
)


def explain(ended: Ended, *, log: Path | None, what: str = "vivado") -> ToolError:
    """Return the error of a run that failed: known causes with their mend, else its first error."""
    where = "" if log is None else f"; see {log}"
    if ended.timed_out:
        return ToolError(
            f"{what}: must end within {ended.seconds:.0f} s, not run on; allow more time, or look "
            f"for a hang{where}"
        )
    own = [text for text in ended.lines if text.startswith("HWBNN-ERROR ")]
    if own:
        return _refused(ended.status, own[0].removeprefix("HWBNN-ERROR "), what, where)
    for message in MESSAGES:
        for text in ended.lines:
            if re.search(message.pattern, text):
                found = f"{what}: {message.must}, not «{text.strip()}»"
                return ToolError(f"{found}; {message.mend}{where}")
    if ended.status == NO_LICENCE:
        return ToolError(f"{what}: a licence must be found, not status 42; {LICENCE_MEND}{where}")
    if ended.status in KILLED:
        return ToolError(
            f"{what}: there must be enough memory, not an end by the system; {MEMORY_MEND}{where}"
        )
    if ended.status == NO_PROGRAM:
        return ToolError(f"{what}: must be able to start, not status 127: {_last(ended)}{where}")
    return ToolError(f"{what}: must end with status 0, not {ended.status}: {_first(ended)}{where}")


def _refused(status: int, said: str, what: str, where: str) -> ToolError:
    mends = {
        CLOCK: "report it, please, with the log",
        TIMING: "build again for a lower clock (--clock-mhz), or take a folding with smaller PE",
        SIZE: "report it, please, with the log",
    }
    mend = mends.get(status, "mend it and start again")
    return ToolError(f"{what}: {said}; {mend}{where}")


def _first(ended: Ended) -> str:
    for mark in ("ERROR:", "CRITICAL WARNING:"):
        for text in ended.lines:
            if text.startswith(mark):
                return text.strip()
    return _last(ended)


def _last(ended: Ended) -> str:
    said = [text.strip() for text in ended.lines if text.strip()]
    return said[-1] if said else "it said nothing"
