# SPDX-License-Identifier: Apache-2.0
"""Several processes at once: outputs, the first failure ends the others, none is left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hwbnn.errors import ToolError
from hwbnn.tools import process
from hwbnn.tools.yosys import AT_ONCE

posix = pytest.mark.skipif(os.name != "posix", reason="process groups")


def run_at_once(count: int, programs: dict[str, str], work: Path, **options: float) -> str:
    """Run Python programs of the given names; return what they all wrote."""
    for name, program in programs.items():
        (work / name).write_text(program)
    argv = [sys.executable, "-I", AT_ONCE, str(count), ",".join(programs), sys.executable]
    return process.run(argv, cwd=work, **options).output


def ended(pid: int) -> bool:
    """Wait up to ten seconds for a process to end."""
    for _ in range(500):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if b") Z" in Path(f"/proc/{pid}/stat").read_bytes():
            return True
        time.sleep(0.02)
    return False


SLEEPS = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path("pids.part").write_text(f"{os.getpid()} {child.pid}")
os.rename("pids.part", "pids")
time.sleep(60)
"""
FAILS = """
import pathlib, sys, time
while not pathlib.Path("pids").exists():
    time.sleep(0.01)
sys.exit("ERROR: broken")
"""


def test_runs_all(tmp_path: Path) -> None:
    programs = {f"p{i}.py": f"print({i})" for i in range(5)}
    assert run_at_once(2, programs, tmp_path) == ""
    assert [(tmp_path / f"p{i}.log").read_text() for i in range(5)] == [f"{i}\n" for i in range(5)]


def test_so_many_at_once(tmp_path: Path) -> None:
    times = "import time; a = time.time(); time.sleep(0.2); print(a, time.time())"
    run_at_once(2, {f"p{i}.py": times for i in range(4)}, tmp_path)
    spans = [tuple(map(float, (tmp_path / f"p{i}.log").read_text().split())) for i in range(4)]
    for start, _ in spans:
        assert sum(a <= start < b for a, b in spans) <= 2


@posix
def test_a_failure_ends_the_others(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="must end with status 0, not 1: ERROR: broken"):
        run_at_once(2, {"sleeps.py": SLEEPS, "fails.py": FAILS}, tmp_path)
    assert all(ended(int(pid)) for pid in (tmp_path / "pids").read_text().split())


@posix
def test_running_out_of_time_ends_all(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="must end within 5 s"):
        run_at_once(1, {"sleeps.py": SLEEPS}, tmp_path, timeout=5)
    assert all(ended(int(pid)) for pid in (tmp_path / "pids").read_text().split())


@posix
def test_an_interrupt_ends_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> int:
        while not (tmp_path / "pids").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    (tmp_path / "sleeps.py").write_text(SLEEPS)
    wait, calls = subprocess.Popen.wait, iter([interrupt])

    def first_interrupted(self: subprocess.Popen[bytes], *args: float) -> int:
        return next(calls, wait)(self, *args)

    monkeypatch.setattr(subprocess.Popen, "wait", first_interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_at_once(1, {"sleeps.py": SLEEPS}, tmp_path)
    assert all(ended(int(pid)) for pid in (tmp_path / "pids").read_text().split())
