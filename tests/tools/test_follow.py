# SPDX-License-Identifier: Apache-2.0
"""A long program: its lines come at once, its silence is told, its limit of time holds."""

import os
import sys
import time
from pathlib import Path

import pytest

from hwbnn.errors import ToolError
from hwbnn.tools.follow import Ended, follow


def python(code: str, tmp_path: Path, **options) -> Ended:
    return follow([sys.executable, "-u", "-c", code], cwd=tmp_path, mend="-", **options)


def test_lines_of_both_streams_come_before_the_end(tmp_path: Path) -> None:
    came: list[tuple[str, bool]] = []
    code = (
        "import os, sys, time; print('one'); print('two', file=sys.stderr);"
        "[time.sleep(0.01) for _ in iter(lambda: os.path.exists('go'), True)]; sys.exit(3)"
    )

    def line(text: str) -> None:
        came.append((text, (tmp_path / "go").exists()))
        if len(came) == 2:
            (tmp_path / "go").touch()

    ended = python(code, tmp_path, line=line, timeout=20)
    assert came == [("one", False), ("two", False)]
    assert (ended.status, ended.lines, ended.timed_out) == (3, ("one", "two"), False)
    assert ended.output == "one\ntwo"


def test_silence_is_told(tmp_path: Path) -> None:
    seconds: list[float] = []
    code = "import time; time.sleep(0.5); print('late')"
    ended = python(code, tmp_path, alive=seconds.append, heartbeat=0.1, timeout=20)
    assert ended.lines == ("late",)
    assert len(seconds) >= 2
    assert seconds == sorted(seconds)


def test_what_runs_on_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time; print('here');"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "open('pid', 'w').write(str(child.pid)); time.sleep(60)"
    )
    ended = python(code, tmp_path, timeout=1.5, heartbeat=0.2)
    assert ended.timed_out and ended.status != 0
    assert ended.lines == ("here",)
    assert ended.seconds < 10
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not _runs(child):
            return
        time.sleep(0.05)
    pytest.fail(f"process {child} runs on")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_program_that_talks_is_killed_too(tmp_path: Path) -> None:
    code = "import time\nwhile True: print('more'); time.sleep(0.01)"
    ended = python(code, tmp_path, timeout=1.0)
    assert ended.timed_out
    assert set(ended.lines) == {"more"}


def test_a_program_that_leaves_a_child_ends(tmp_path: Path) -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '20']); print('done')"
    ended = python(code, tmp_path, timeout=30, heartbeat=0.2)
    assert (ended.status, ended.lines, ended.timed_out) == (0, ("done",), False)
    assert ended.seconds < 10


def test_a_program_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="nothing: must be a program that can run, not .*; get it"):
        follow([tmp_path / "nothing"], cwd=tmp_path, mend="get it")
