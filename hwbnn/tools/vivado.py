# SPDX-License-Identifier: Apache-2.0
"""Vivado and Vitis HLS: find them, ask what they have, and run what hwbnn has written for them."""

import math
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hwbnn.board import Board
from hwbnn.emit.chip_zynq import CHIP, ZynqChip
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.report_routed import Routed, Use
from hwbnn.emit.vivado import BUILD, LOG, STEP, TIMING, UTILISATION
from hwbnn.errors import ToolError
from hwbnn.tools.follow import Ended, follow
from hwbnn.tools.scratch import put
from hwbnn.tools.vivado_messages import PART_MEND, explain
from hwbnn.tools.vivado_reports import Utilisation, read_timing, read_utilisation

VIVADO_MEND = "install Vivado 2020.2 to 2025.2, or source its settings64.sh"
VITIS_MEND = "install Vitis HLS, or source its settings64.sh"
HEARTBEAT = 60.0  # seconds
ASK_TIMEOUT = 180.0  # seconds: a cold start from a slow disk takes more than a minute
FIRST_VITIS_RUN = (2024, 2)  # from here on vitis-run takes the place of vitis_hls (UG1399)

_BAT = ".bat" if sys.platform == "win32" else ""
_ROOTS = (
    *("/opt/Xilinx", "/tools/Xilinx", "/opt/AMD", "/tools/AMD"),
    *("C:/Xilinx", "C:/AMD", "C:/AMDDesignTools"),
)
_QUESTION = """\
puts "HWBNN-VERSION [version -short]"
foreach part [list {parts}] {{
  puts "HWBNN-PART $part [llength [get_parts -quiet $part]]"
}}
exit 0
"""


@dataclass(frozen=True)
class Answer:
    """What a Vivado that was launched says of itself; `parts`: those asked for that it has."""

    program: Path
    version: str
    parts: frozenset[str]


@dataclass(frozen=True, eq=False)
class ZynqBitstream:
    """A chip, the bits, what was found of the routed design, and Vivado's reports and log."""

    chip: ZynqChip
    routed: Routed
    data: bytes
    reports: FileSet

    @property
    def files(self) -> FileSet:
        """The chip's sources and what was made of them."""
        return self.chip.files | self.reports | FileSet.of({self.chip.bitstream: self.data})


Watch = Callable[[str], None]


def find_vivado(given: Path | None = None, *, roots: tuple[str, ...] | None = None) -> Path:
    """Find Vivado's program.

    In this order: the given program or folder; the folder of XILINX_VIVADO, which the vendor's
    settings64.sh sets; the PATH; the newest in `roots` (None: the usual folders).
    """
    return _find("vivado", given, "XILINX_VIVADO", "Vivado", roots, VIVADO_MEND)


def find_vitis(given: Path | None = None, *, roots: tuple[str, ...] | None = None) -> Path:
    """Find the program that runs Vitis HLS: `vitis-run` or `vitis_hls`, by version."""
    if given is not None and given.is_file():
        return given
    problems = []
    for name, variable, product in (
        ("vitis-run", "XILINX_VITIS", "Vitis"),
        ("vitis_hls", "XILINX_HLS", "Vitis_HLS"),
        ("vitis_hls", "XILINX_VITIS", "Vitis"),
    ):
        try:
            found = _find(name, given, variable, product, roots, VITIS_MEND)
        except ToolError as error:
            problems.append(error)
            continue
        older = found.with_name(f"vitis_hls{_BAT}")
        version = version_of(found)
        before = version is not None and version < FIRST_VITIS_RUN
        return older if before and older.is_file() else found
    raise ToolError(f"vitis-run: must be installed, not missing; {VITIS_MEND}") from problems[-1]


def version_of(program: Path) -> tuple[int, int] | None:
    """Return the version in a program's path, as AMD's installer makes it."""
    found = re.findall(r"(?<!\d)(20\d\d)\.(\d)(?!\d)", program.as_posix())
    return (int(found[-1][0]), int(found[-1][1])) if found else None


def hls_command(program: Path, script: str) -> tuple[str, ...]:
    """Return the command with which a program of Vitis runs a Tcl script of HLS."""
    if program.stem == "vitis-run":
        return (str(program), "--mode", "hls", "--tcl", script)
    return (str(program), "-f", script)


def ask(program: Path, *, parts: tuple[str, ...] = (), timeout: float = ASK_TIMEOUT) -> Answer:
    """Launch Vivado and ask its version and which parts it has.

    Only a launch shows whether there is a licence: `vivado -version` does not look for one.
    """
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as folder:
        script = Path(folder) / "question.tcl"
        script.write_text(_QUESTION.format(parts=" ".join(parts)))
        argv: list[str | Path] = [
            program,
            "-mode",
            "batch",
            "-nojournal",
            "-nolog",
            "-notrace",
            "-source",
            script,
        ]
        ended = follow(argv, cwd=Path(folder), mend=VIVADO_MEND, timeout=timeout)
    said = [line.split() for line in ended.lines if line.startswith("HWBNN-")]
    versions = [words[1] for words in said if words[0] == "HWBNN-VERSION" and len(words) > 1]
    if ended.timed_out or ended.status != 0 or not versions:
        raise explain(ended, log=None)
    has = frozenset(words[1] for words in said if words[0] == "HWBNN-PART" and words[2] != "0")
    return Answer(program, versions[0], has)


def ask_hls(program: Path, *, timeout: float = ASK_TIMEOUT) -> None:
    """Launch a program of Vitis HLS; a ToolError says why it does not start."""
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as folder:
        script = Path(folder) / "question.tcl"
        script.write_text('puts "HWBNN-HLS"\nexit 0\n')
        argv = hls_command(program, script.name)
        ended = follow(argv, cwd=Path(folder), mend=VITIS_MEND, timeout=timeout)
    if ended.timed_out or ended.status != 0 or "HWBNN-HLS" not in ended.lines:
        raise explain(ended, log=None, what=program.stem)


def make_bitstream(
    chip: ZynqChip,
    board: Board,
    *,
    work: Path,
    vivado: Path | None = None,
    timeout: float | None = None,
    say: Watch = lambda _: None,
) -> ZynqBitstream:
    """Make a chip's bitstream in the empty folder `work`, in half an hour or some hours.

    say: told what Vivado is at. timeout: seconds.
    """
    program = find_vivado(vivado)
    put(chip.files, work)
    try:
        ended = build(work, bitstream=chip.bitstream, program=program, timeout=timeout, say=say)
    except ToolError as error:
        raise _slower(error, work, board, chip) from error
    timing, critical = read_timing(work / TIMING)
    data = (work / chip.bitstream).read_bytes()
    routed = Routed(
        clock_mhz=chip.clock_mhz,
        fmax_mhz=timing.fastest_mhz(chip.clock_mhz),
        cells=_cells(read_utilisation(work / UTILISATION)),
        critical=critical,
        seconds=ended.seconds,
        file=f"{CHIP}/{chip.bitstream}",
        size=len(data),
        load=_load(board, chip),
    )
    kept = [path for path in sorted((work / "out").glob("*.rpt")) if path.is_file()]
    reports = {path.relative_to(work).as_posix(): path.read_bytes() for path in kept}
    return ZynqBitstream(chip, routed, data, FileSet(reports))


def check_part(program: Path, part: str) -> None:
    """Raise ToolError unless Vivado starts, and has the part."""
    answer = ask(program, parts=(part,))
    if part not in answer.parts:
        raise ToolError(
            f"vivado: must have part {part}, not lack it (version {answer.version}); {PART_MEND}"
        )


def build(
    folder: Path,
    *,
    bitstream: str,
    program: Path,
    timeout: float | None = None,
    say: Watch = lambda _: None,
    heartbeat: float = HEARTBEAT,
) -> Ended:
    """Run a chip's `build.tcl` in the folder that holds it, and see that the bitstream is there.

    say: told every step as it begins, and in silence, every `heartbeat` seconds, how long it takes.
    """
    made, step = folder / bitstream, "start"
    made.unlink(missing_ok=True)  # one of before is not a result of now

    def line(text: str) -> None:
        nonlocal step
        if text.startswith(STEP):
            step = text.removeprefix(STEP).strip()
            say(f"Vivado: {step}")

    def alive(seconds: float) -> None:
        say(f"Vivado: {step}, {seconds / 60:.0f} minutes since the start")

    argv: list[str | Path] = [program, "-mode", "batch", "-nojournal", "-notrace", "-log", LOG]
    ended = follow(
        [*argv, "-source", BUILD],
        cwd=folder,
        mend=VIVADO_MEND,
        timeout=timeout,
        line=line,
        alive=alive,
        heartbeat=heartbeat,
    )
    _check(ended, made, folder / LOG)
    return ended


def run_hls(
    project: Path,
    *,
    steps: tuple[str, ...] = ("csynth", "export"),
    vitis: Path | None = None,
    timeout: float | None = None,
    line: Watch = lambda _: None,
    alive: Callable[[float], None] = lambda _: None,
) -> Ended:
    """Run steps of the HLS project in folder `project`."""
    program = find_vitis(vitis)
    # vitis-run hands no arguments to the script, so that the steps stand in a file for both.
    text = f"# SPDX-License-Identifier: Apache-2.0\nset steps {{{' '.join(steps)}}}\n"
    (project / "steps.tcl").write_text(text)
    argv = hls_command(program, "run_hls.tcl")
    ended = follow(argv, cwd=project, mend=VITIS_MEND, timeout=timeout, line=line, alive=alive)
    (project / "hls.log").write_text(f"{ended.output}\n")
    if ended.timed_out or ended.status != 0:
        raise explain(ended, log=project / "hls.log", what=program.stem)
    return ended


def _check(ended: Ended, made: Path, log: Path) -> None:
    if ended.timed_out or ended.status != 0:
        if not log.is_file():  # it did not come so far
            log.write_text(f"{ended.output}\n")
        raise explain(ended, log=log)
    if not made.is_file() or made.stat().st_size == 0:
        raise ToolError(
            f"{made}: bitstream must be there after status 0, not missing; read {log} and report it"
        )


def _slower(error: ToolError, work: Path, board: Board, chip: ZynqChip) -> ToolError:
    """Return the error of a run that failed; if a slow path is why, with the clock to take."""
    if not (work / TIMING).is_file():
        return error
    timing, path = read_timing(work / TIMING)
    if timing.setup_ns >= 0:
        return error
    fmax = timing.fastest_mhz(chip.clock_mhz)
    lower = [clock for clock in board.clocks.achievable if clock <= fmax * (1 + 1e-9)]
    mend = f"choose --clock-mhz {lower[-1]:.6g}" if lower else "choose more cycles a frame"
    return ToolError(
        f"{chip.core.name}: clock must be at most {fmax:.2f} MHz by its slowest path ({path.start} "
        f"to {path.end}), not {chip.clock_mhz:.6g} MHz; {mend}; see {work / LOG}"
    )


def _cells(counted: Utilisation) -> dict[str, Use]:
    used, available = counted.used, counted.available
    ultra = {"URAM": Use(math.ceil(used.uram), math.ceil(available.uram))}
    return {
        "LUT": Use(math.ceil(used.lut), math.ceil(available.lut)),
        "FF": Use(math.ceil(used.ff), math.ceil(available.ff)),
        "BRAM36": Use(math.ceil(used.bram), math.ceil(available.bram)),
        "DSP": Use(math.ceil(used.dsp), math.ceil(available.dsp)),
        **(ultra if available.uram else {}),
    }


def _load(board: Board, chip: ZynqChip) -> tuple[str, ...]:
    name = board.toolchains.get("openfpgaloader")
    return ("openFPGALoader", "-b", name, f"{CHIP}/{chip.bitstream}") if name else ()


def _find(
    name: str,
    given: Path | None,
    variable: str,
    product: str,
    roots: tuple[str, ...] | None,
    mend: str,
) -> Path:
    program = f"{name}{_BAT}"
    if given is not None:
        for candidate in (given, given / "bin" / program, given / program):
            if candidate.is_file():
                return candidate.absolute()
        raise ToolError(f"{name}: must be {given} or below it, not missing; {mend}")
    home = os.environ.get(variable)  # set by the vendor's script, not an option of ours
    if home and (Path(home) / "bin" / program).is_file():
        return Path(home) / "bin" / program
    on_path = shutil.which(name)
    if on_path is not None:
        return Path(on_path)
    installed = sorted(
        _installed(program, product, _ROOTS if roots is None else roots), key=_newest
    )
    if not installed:
        raise ToolError(f"{name}: must be installed, not missing; {mend}")
    return installed[-1]


def _installed(program: str, product: str, roots: tuple[str, ...]) -> Iterator[Path]:
    # .../Vivado/2022.2/bin to 2024.2, .../2025.1/Vivado/bin from 2025.1
    for root in map(Path, roots):
        for pattern in (f"{product}/20*/bin/{program}", f"20*/{product}/bin/{program}"):
            yield from (found for found in root.glob(pattern) if found.is_file())


def _newest(program: Path) -> tuple[int, int]:
    return version_of(program) or (0, 0)
