# SPDX-License-Identifier: Apache-2.0
"""Install: put an uploaded package in place on a board, whole or not at all.

It runs before anything is there, as `python3 -c` with the text of this file, so it imports Python's
own modules alone. A package's folder holds

    VERSION/package, VERSION/runtime   what is in use, and what was before
    current                            a link to the version in use, changed in one step
    .incoming-*, .scratch-*            uploads and half-made versions, removed by the next one

It prints one JSON value: what was done, or a fault with its kind.
"""

from __future__ import annotations

import compileall
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

INCOMING = ".incoming-"
SCRATCH = ".scratch-"
CURRENT = "current"
LOCK = ".lock"
VERSION = re.compile("[0-9a-f]{16}")
IDLE_SECONDS = 60.0  # of a file that nobody uploads any more: a dead line is given up sooner
LOCK_SECONDS = 60.0
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class InstallFault(Exception):  # noqa: N818 - as in errors.py, which is not there yet
    """What went wrong; kind: numpy, busy, damaged, driver, full or folder."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(text)


def probe(folder: Path) -> dict[str, Any]:
    """Make the folder, remove what is left over there, and say what this board has."""
    try:
        import numpy
    except ImportError as error:
        raise InstallFault("numpy", str(error)) from error
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _clean(folder)
    return {
        "python": list(sys.version_info[:3]),
        "numpy": numpy.__version__,
        "free": shutil.disk_usage(str(folder)).free,
    }


def install(folder: Path, archive: Path, sha256: str) -> dict[str, Any]:
    """Unpack and check an uploaded ZIP of this SHA-256, then make it the current version."""
    with _locked(folder):
        scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=str(folder)))
        try:
            _check(archive, sha256)
            target = folder / sha256[:16]
            there = _is_whole(target)
            if not there:
                _unpack(archive, scratch / "made")
                _verify(scratch / "made")
                os.sync()  # boards are switched off, not shut down
                if target.exists():
                    target.rename(scratch / "damaged")
                (scratch / "made").rename(target)
            previous = _switch(folder, target.name, scratch / "link")
            return {"version": target.name, "previous": previous, "was_there": there}
        finally:
            shutil.rmtree(str(scratch), ignore_errors=True)
            if archive.exists():
                archive.unlink()


def remove(archive: Path) -> dict[str, Any]:
    """Remove an upload that failed, and say how much room there was with it."""
    free = shutil.disk_usage(str(archive.parent)).free
    if archive.exists():
        archive.unlink()
    return {"free": free}


def _check(archive: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with archive.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    if digest.hexdigest() != sha256:
        raise InstallFault(
            "damaged", f"SHA-256 {digest.hexdigest()}, {archive.stat().st_size} bytes"
        )


def _unpack(archive: Path, made: Path) -> None:
    """Unpack a package and the driver in it; Python's compiled files too, as root writes none."""
    try:
        with zipfile.ZipFile(str(archive)) as opened:
            opened.extractall(str(made / "package"))
        manifest = json.loads((made / "package/manifest.json").read_text("utf-8"))
        with zipfile.ZipFile(str(made / "package" / manifest["runtime"])) as opened:
            opened.extractall(str(made / "runtime"))
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, FileNotFoundError) as error:
        raise InstallFault("damaged", f"it cannot be unpacked: {error}") from error
    compileall.compile_dir(str(made / "runtime"), quiet=2)


def _is_whole(version: Path) -> bool:
    try:
        _verify(version)
    except InstallFault:
        return False
    return True


def _verify(version: Path) -> None:
    """Let the driver check its package."""
    ran = subprocess.run(
        [sys.executable, "-B", "-m", "hwbnn_runtime", "info", str(version / "package")],
        env={**os.environ, "PYTHONPATH": str(version / "runtime")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if ran.returncode:
        lines = ran.stdout.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise InstallFault("driver", lines[-1])


def _switch(folder: Path, version: str, link: Path) -> str | None:
    """Make a version the current one; return the one before, which alone is kept besides."""
    current = folder / CURRENT
    before = os.readlink(str(current)) if current.is_symlink() else None
    link.symlink_to(version)
    link.replace(current)
    if before != version:
        for entry in folder.iterdir():
            if VERSION.fullmatch(entry.name) and entry.name not in (version, before):
                shutil.rmtree(str(entry), ignore_errors=True)
    return before


def _clean(folder: Path) -> None:
    """Remove what was left over: half-made versions, as nobody else has the lock, and uploads."""
    for entry in folder.iterdir():
        if entry.name.startswith(SCRATCH):
            shutil.rmtree(str(entry), ignore_errors=True)
        elif entry.name.startswith(INCOMING) and _is_idle(entry):
            entry.unlink()


def _is_idle(file: Path) -> bool:
    """Nobody writes it any more; a clock that is set meanwhile may go either way."""
    return abs(time.time() - file.stat().st_mtime) > IDLE_SECONDS


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One at a time; the lock goes with the process, however that ends."""
    until = time.monotonic() + LOCK_SECONDS
    with (folder / LOCK).open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise InstallFault("busy", f"{folder / LOCK} is locked") from error
                time.sleep(0.1)
        yield


def main(arguments: list[str]) -> None:
    """Do what the words say, and print what came of it."""
    commands: dict[str, Callable[..., dict[str, Any]]]
    commands = {"probe": probe, "install": install, "remove": remove}
    words: list[Any] = [*map(Path, arguments[1:3]), *arguments[3:]]
    try:
        found = {"schema": "hwbnn/install@1", **commands[arguments[0]](*words)}
    except InstallFault as fault:
        found = _fault(fault.kind, str(fault))
    except OSError as error:
        found = _fault("full" if error.errno in FULL else "folder", str(error))
    sys.stdout.write(json.dumps(found) + "\n")


def _fault(kind: str, text: str) -> dict[str, Any]:
    return {"schema": "hwbnn/error@1", "error": kind, "text": text}


if __name__ == "__main__":
    main(sys.argv[1:])
