# SPDX-License-Identifier: Apache-2.0
"""HLS C simulation: compile the emitted project, check its golden vectors, run frames."""

from importlib.util import find_spec
from pathlib import Path

from hwbnn.emit.file_set import FileSet
from hwbnn.emit.golden import beat_lines, emit_golden, read_beats
from hwbnn.emit.hls import COMPILER_FLAGS, INCLUDE_FOLDERS, emit_program
from hwbnn.errors import MismatchError, ToolError
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.tools.output import write
from hwbnn.tools.process import run
from hwbnn.tools.verilator import COMPILER_MEND, find_compiler

GOLDEN_FRAMES = 8
_IN_HLS4ML = Path("templates", "vivado", "ap_types")
_HEADERS_MEND = "pip install 'hwbnn[csim]', or give the include folder of Vitis HLS"


def csim(design: Design, frames: IntArray, *, work: Path, headers: Path | None = None) -> IntArray:
    """Outputs (frames, elements) of the compiled HLS project for frames (frames, elements).

    The project is written to `work`; its self-checking test bench must first pass on golden
    vectors of the first frames. headers: the folder of ap_int.h; None: that of package hls4ml.
    """
    headers = headers_folder(headers)
    project = emit_program(design)
    golden = frames[:GOLDEN_FRAMES]
    write(project | emit_golden(design, golden, design.run(golden)).under("tb"), work)
    program = compile_program(project, work=work, headers=headers)
    _check_golden(design, program)
    given, taken = work / "frames_in.hex", work / "frames_out.hex"
    given.write_text(beat_lines(design.input.stream, frames))
    run([program, given.name, taken.name], cwd=work)
    return read_beats(design.output.stream, taken.read_text())


def compile_program(project: FileSet, *, work: Path, headers: Path) -> Path:
    """Compile the sources and the test bench of a project that lies in `work`."""
    program = work.resolve() / "testbench"
    sources = sorted(path for path in project.files if path.endswith(".cpp"))
    ours = [f"-I{folder}" for folder in INCLUDE_FOLDERS]
    theirs = ["-isystem", str(headers.resolve())]
    run(
        [*find_compiler(), *COMPILER_FLAGS, *ours, *theirs, "-o", str(program), *sources],
        cwd=work,
        mend=COMPILER_MEND,
        log=work / "compile.log",
    )
    return program


def headers_folder(headers: Path | None) -> Path:
    """Return the folder of ap_int.h: the given one, or that of package hls4ml (not imported)."""
    if headers is None:
        package = find_spec("hls4ml")
        if package is None or package.origin is None:
            raise ToolError(f"csim: the headers ap_*.h must be there, not missing; {_HEADERS_MEND}")
        headers = Path(package.origin).parent / _IN_HLS4ML
    if not (headers / "ap_int.h").is_file():
        raise ToolError(f"csim: {headers} must hold ap_int.h; {_HEADERS_MEND}")
    return headers


def _check_golden(design: Design, program: Path) -> None:
    log = program.parent / "testbench.log"
    try:
        run([program, "tb"], cwd=program.parent, log=log)
    except ToolError as error:
        said = log.read_text().strip()
        raise MismatchError(
            f"{design.name}: HLS C simulation must give the golden vectors, but {said}"
        ) from error
