# SPDX-License-Identifier: Apache-2.0
"""Run a long program: its lines as they come, a sign of life in silence, a limit of time."""

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from hwbnn.tools.process import start, stop

CLOSED_TO_END = 60.0  # seconds that a program may run on after it has closed its output


@dataclass(frozen=True)
class Ended:
    """A program that has ended: well, badly, or killed at its limit of time."""

    status: int
    lines: tuple[str, ...]
    seconds: float
    timed_out: bool

    @property
    def output(self) -> str:
        """All that it said."""
        return "\n".join(self.lines)


def follow(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    mend: str,
    timeout: float | None = None,
    line: Callable[[str], None] = lambda _: None,
    alive: Callable[[float], None] = lambda _: None,
    heartbeat: float = 30.0,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program without a shell; what its status means is the caller's business.

    line: gets every line of both streams at once. alive: gets the seconds since the start whenever
    `heartbeat` seconds bring no line. Only a program that cannot start is a ToolError.
    """
    started = time.monotonic()
    process = start(argv, cwd=cwd, mend=mend, output=subprocess.PIPE, environment=environment)
    assert process.stdout is not None, "it is a pipe"
    said: SimpleQueue[str | None] = SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, said), daemon=True)
    reader.start()
    lines: list[str] = []
    timed_out = False
    try:
        while not timed_out:
            left = None if timeout is None else max(0.0, started + timeout - time.monotonic())
            try:
                found = said.get(timeout=heartbeat if left is None else min(heartbeat, left))
            except Empty:
                if process.poll() is not None:
                    break  # what it has started still holds its output
                timed_out = left is not None and left <= heartbeat
                if not timed_out:
                    alive(time.monotonic() - started)
                continue
            if found is None:
                break
            lines.append(found)
            line(found)
        if not timed_out:
            process.wait(CLOSED_TO_END)
    except subprocess.TimeoutExpired:
        timed_out = True
    finally:
        stop(process)
    return Ended(process.returncode, tuple(lines), time.monotonic() - started, timed_out)


def _read(stream: IO[bytes], said: "SimpleQueue[str | None]") -> None:
    with stream:
        for raw in stream:
            said.put(raw.decode(errors="replace").rstrip("\r\n"))
    said.put(None)
