# SPDX-License-Identifier: Apache-2.0
"""The report's routed figures: a chip on its device, as nextpnr placed and timed it."""

from collections.abc import Mapping
from dataclasses import dataclass

from hwbnn.emit.figure import Origin, figure
from hwbnn.emit.report import Json


@dataclass(frozen=True)
class Use:
    """Cells of a kind that a chip takes, of those that the device has."""

    used: int
    available: int


@dataclass(frozen=True)
class CriticalPath:
    """The longest path between registers: from cell to cell, nanoseconds in cells and in wires."""

    start: str
    end: str
    cells_ns: float
    wires_ns: float


@dataclass(frozen=True, eq=False)
class Routed:
    """A chip on its device, at the clock that its PLL makes.

    cells: by nextpnr's name of the kind. seconds: of synthesis, placement, routing and packing.
    tried: clock and Fmax of every routing, in order. load: the command, in the result folder.
    """

    clock_mhz: float
    fmax_mhz: float
    cells: Mapping[str, Use]
    critical: CriticalPath
    seconds: float
    file: str
    size: int
    load: tuple[str, ...]
    tried: tuple[tuple[float, float], ...] = ()


def routed(chip: Routed) -> Json:
    """Return the section `routed` of a report (docs/report.md)."""
    path = chip.critical
    return {
        "clock_mhz": figure(chip.clock_mhz, "MHz", Origin.ROUTED),
        "fmax_mhz": figure(chip.fmax_mhz, "MHz", Origin.ROUTED),
        "cells": [
            {"kind": kind, "used": use.used, "available": use.available}
            for kind, use in sorted(chip.cells.items())
            if use.used
        ],
        "critical_path": {
            "from": path.start,
            "to": path.end,
            "cells_ns": round(path.cells_ns, 3),
            "wires_ns": round(path.wires_ns, 3),
        },
        "tried": [{"clock_mhz": clock, "fmax_mhz": round(fmax, 3)} for clock, fmax in chip.tried],
        "seconds": round(chip.seconds, 1),
        "bitstream": {"file": chip.file, "bytes": chip.size},
        "load": " ".join(chip.load),
    }
