# SPDX-License-Identifier: Apache-2.0
"""Vivado's reports: utilisation and timing as numbers."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hwbnn.emit.report_routed import CriticalPath
from hwbnn.errors import ToolError
from hwbnn.ir.unit import Resources

# Names of site types: of the 7 series, of UltraScale+; a star behind one refers to a footnote.
_SITES: Mapping[str, tuple[str, ...]] = {
    "lut": ("Slice LUTs", "CLB LUTs"),
    "ff": ("Slice Registers", "CLB Registers"),
    "bram": ("Block RAM Tile",),
    "dsp": ("DSPs",),
    "uram": ("URAM",),
}
_SOME = {"uram"}  # kinds that not every device has
_HEADER = "Site Type"
# A path of report_timing_summary, of which setup is checked ("Max Delay Paths")
_PATH = re.compile(
    r"^Slack \(\w+\) *: *(?P<slack>-?[\d.]+)ns.*?"
    r"^ *Source: *(?P<start>\S+).*?"
    r"^ *Destination: *(?P<end>\S+).*?"
    r"^ *Path Type: *Setup.*?"
    r"^ *Data Path Delay: .*?\(logic (?P<cells>[\d.]+)ns.*?route (?P<wires>[\d.]+)ns",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Utilisation:
    """What a design uses, of what the device has."""

    used: Resources
    available: Resources


@dataclass(frozen=True)
class Timing:
    """Least slack in nanoseconds, and how many end points have less than none."""

    setup_ns: float
    hold_ns: float
    failing_setup: int
    failing_hold: int

    @property
    def met(self) -> bool:
        """No path is too slow, none too fast."""
        return self.setup_ns >= 0 and self.hold_ns >= 0

    def fastest_mhz(self, clock_mhz: float) -> float:
        """The clock at which the slowest path would just do."""
        return 1000 / (1000 / clock_mhz - self.setup_ns)


def read_utilisation(path: Path) -> Utilisation:
    """Return what a report of `report_utilization` counts, as text or as XML."""
    return utilisation(_text(path), where=str(path))


def read_timing(path: Path) -> tuple[Timing, CriticalPath]:
    """Return what a report of `report_timing_summary` says, and its slowest path."""
    text = _text(path)
    return timing(text, where=str(path)), critical_path(text, where=str(path))


def utilisation(text: str, *, where: str) -> Utilisation:
    """Return what a utilisation report counts; a block RAM of 18 kbit is a half."""
    rows = _xml_rows(text, where) if text.lstrip().startswith("<") else _text_rows(text)
    sites: dict[str, tuple[str, str]] = {}
    columns: tuple[int, int] | None = None
    for row in rows:
        if row[:1] == [_HEADER] and {"Used", "Available"} <= set(row):
            columns = row.index("Used"), row.index("Available")
        elif columns is not None and len(row) > max(columns):
            sites.setdefault(row[0].rstrip("*").strip(), (row[columns[0]], row[columns[1]]))
    there = [
        name for name in _SITES if name not in _SOME or not sites.keys().isdisjoint(_SITES[name])
    ]
    found = {name: _numbers(sites, _SITES[name], where) for name in there}
    return Utilisation(
        *(Resources(**{name: pair[i] for name, pair in found.items()}) for i in range(2))
    )


def _numbers(
    sites: Mapping[str, tuple[str, str]], names: tuple[str, ...], where: str
) -> tuple[float, float]:
    for name in names:
        if name in sites:
            used, available = sites[name]
            try:
                return float(used), float(available)
            except ValueError:
                raise ToolError(
                    f"{where}: row «{name}» must have numbers, not {used} and {available}"
                ) from None
    raise ToolError(
        f"{where}: report must have a row «{' or '.join(names)}», and has none; make it with "
        "report_utilization"
    )


def timing(text: str, *, where: str) -> Timing:
    """Return the design's line of a timing summary."""
    _, _, summary = text.partition("Design Timing Summary")
    lines = summary.splitlines()
    for index, line in enumerate(lines):
        if line.split()[:1] == ["WNS(ns)"] and index + 2 < len(lines):
            return _timing_line(line, lines[index + 2], where)
    raise ToolError(
        f"{where}: report must have a Design Timing Summary, and has none; make it with "
        "report_timing_summary"
    )


def critical_path(text: str, *, where: str) -> CriticalPath:
    """Return the path of a timing summary that has the least slack."""
    _, _, details = text.partition("Timing Details")
    # Each path by itself: a lazy pattern would run from one into the next.
    blocks = re.split(r"^(?=Slack \()", details, flags=re.MULTILINE)
    found = [match for match in map(_PATH.match, blocks) if match is not None]
    if not found:
        raise ToolError(
            f"{where}: report must show the slowest paths, and shows none; make it with "
            "report_timing_summary -max_paths 10"
        )
    worst = min(found, key=lambda match: float(match["slack"]))
    return CriticalPath(worst["start"], worst["end"], float(worst["cells"]), float(worst["wires"]))


def _timing_line(header: str, line: str, where: str) -> Timing:
    columns = re.split(r"\s{2,}", header.strip())
    values = dict(zip(columns, line.split(), strict=False))
    try:
        return Timing(
            float(values["WNS(ns)"]),
            float(values["WHS(ns)"]),
            int(values["TNS Failing Endpoints"]),
            int(values["THS Failing Endpoints"]),
        )
    except (KeyError, ValueError):
        raise ToolError(
            f"{where}: Design Timing Summary must have slacks, not {' '.join(line.split())}; "
            "constrain the clock"
        ) from None


def _text_rows(text: str) -> Iterable[list[str]]:
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def _xml_rows(text: str, where: str) -> Iterable[list[str]]:
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 (Vivado's own file, without entities)
    except ElementTree.ParseError as error:
        raise ToolError(f"{where}: report must be XML, not fail: {error}") from error
    for row in root.iter("tablerow"):
        yield [cell.get("contents", "").strip() for cell in row]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ToolError(f"{path}: report must be readable, not fail: {reason}") from error
