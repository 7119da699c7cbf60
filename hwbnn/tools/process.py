# SPDX-License-Identifier: Apache-2.0
"""Start an external program, keep its output, and stop its whole process group if need be."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hwbnn.errors import ToolError


@dataclass(frozen=True)
class Finished:
    """A program that ended well: what it wrote (both streams), and how long it took."""

    output: str
    seconds: float


@dataclass(frozen=True)
class Ended(Finished):
    """A program that ended, well or not; status: 0, or what went wrong by its own count."""

    status: int


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    mend: str = "install it, or add its folder to PATH",
    log: Path | None = None,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run a program without a shell and wait; its output also goes to `log`.

    `mend` says how to get the program; `environment` adds variables to this process's own.
    A missing program, a status other than 0 and `timeout` (seconds) are ToolErrors.
    """
    ended = run_to_end(argv, cwd=cwd, mend=mend, log=log, timeout=timeout, environment=environment)
    if ended.status != 0:
        where = f"; see {log}" if log is not None else ""
        raise ToolError(
            f"{Path(argv[0]).name}: must end with status 0, not {ended.status}: "
            f"{first_error(ended.output)}{where}"
        )
    return Finished(ended.output, ended.seconds)


def run_to_end(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    mend: str = "install it, or add its folder to PATH",
    log: Path | None = None,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program as `run` does, but leave the meaning of its status to the caller."""
    name = Path(argv[0]).name
    started = time.monotonic()
    with _opened(log) as sink:
        process = start(argv, cwd=cwd, mend=mend, output=sink, environment=environment)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise ToolError(
                f"{name}: must end within {timeout:g} s, not run on; "
                "look for a hang, or allow more time"
            ) from error
        finally:
            stop(process)
        sink.seek(0)
        output = sink.read().decode(errors="replace")
    return Ended(output, time.monotonic() - started, status)


def first_error(output: str) -> str:
    """Return the line of a program's output that best says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if "exiting due to" not in line.lower()] or lines
    for mark in ("%error", "error:", "error", "fatal", "%warning"):
        for line in lines:
            if mark in line.lower():
                return line
    return lines[-1] if lines else "it said nothing"


def _opened(log: Path | None) -> IO[bytes]:
    if log is None:
        return tempfile.TemporaryFile()
    log.parent.mkdir(parents=True, exist_ok=True)
    return log.open("w+b")


def start(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    mend: str,
    output: int | IO[bytes],
    environment: Mapping[str, str] | None,
) -> subprocess.Popen[bytes]:
    """Start a program without a shell, in a process group of its own; both streams to `output`."""
    try:
        return subprocess.Popen(
            [str(word) for word in argv],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=os.name == "posix",
        )
    except OSError as error:
        raise ToolError(
            f"{Path(argv[0]).name}: must be a program that can run, not {argv[0]}; {mend}"
        ) from error


def stop(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that still runs, with all that it has started."""
    if process.poll() is not None:
        return
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
