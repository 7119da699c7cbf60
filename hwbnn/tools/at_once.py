# SPDX-License-Identifier: Apache-2.0
"""Run a command on several files, some at once: the first that fails ends the others.

    python at_once.py COUNT FILE,FILE,... COMMAND...

A process of its own, in whose group all of them are: who stops the group stops everything. Each
one's output goes to the file's name with `.log`; that of the one that fails also to ours.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

POLL_SECONDS = 0.02


def main(count: int, files: list[Path], command: list[str]) -> int:
    """Run until all have ended or one has failed; return its status, or 0."""
    waiting, running = list(reversed(files)), dict[Path, subprocess.Popen[bytes]]()
    while waiting or running:
        while waiting and len(running) < count:
            file = waiting.pop()
            running[file] = _start(command, file)
        for file, process in list(running.items()):
            status = process.poll()
            if status:
                _stop(running.values())
                sys.stdout.write(file.with_suffix(".log").read_text(errors="replace"))
                return status if status > 0 else 128 - status
            if status == 0:
                del running[file]
        time.sleep(POLL_SECONDS)
    return 0


def _start(command: list[str], file: Path) -> subprocess.Popen[bytes]:
    with file.with_suffix(".log").open("wb") as log:
        return subprocess.Popen([*command, str(file)], stdout=log, stderr=subprocess.STDOUT)


def _stop(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    if os.name == "posix":  # the whole group, so that what they have started ends too
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
    for process in processes:
        process.kill()
        process.wait()


if __name__ == "__main__":
    at_once, names, *words = sys.argv[1:]
    sys.exit(main(int(at_once), [Path(name) for name in names.split(",")], words))
