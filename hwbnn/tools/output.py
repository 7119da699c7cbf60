# SPDX-License-Identifier: Apache-2.0
"""Output: a result folder that appears complete or not at all."""

import ctypes
import errno
import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hwbnn.emit.file_set import FileSet
from hwbnn.errors import OutputError

MARK = "report.json"  # only a folder that holds it is replaced
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_AT_FDCWD = -100


@contextmanager
def result_folder(target: Path, *, replace: bool) -> Iterator[Path]:
    """Give a new folder to fill; it becomes `target` when the block ends without an exception.

    Until then it is a hidden sibling, which a later call removes if the program is killed.
    An existing target is an OutputError, unless `replace` and it is a result of hwbnn.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 (a link at the end stays a link)
    _check_target(target, replace=replace)
    with _reported(target):
        made = _make_parents(target.parent)
        _remove_leftovers(target)
        scratch = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
        lock = _lock(scratch)
    try:
        yield scratch
        with _reported(target):
            scratch.chmod(0o755)  # mkdtemp is private
            _flush(scratch)
            _place(scratch, target, replace=replace)
    finally:
        if lock is not None:
            os.close(lock)
        shutil.rmtree(scratch, ignore_errors=True)
        for folder in made:
            _remove_if_empty(folder)


def write(files: FileSet, folder: Path, *, target: Path | None = None) -> None:
    """Write files below a folder; `target` is what it will be, for messages."""
    with _reported(target or folder):
        for name in sorted(files.files):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files.files[name])


def _check_target(target: Path, *, replace: bool) -> None:
    if not os.path.lexists(target):
        return
    if not replace:
        raise OutputError(
            f"{target}: result folder must not exist; choose another with -o, or replace it "
            "with --force"
        )
    if target.is_symlink() or not target.is_dir() or not (target / MARK).is_file():
        raise OutputError(
            f"{target}: only a result of hwbnn can be replaced, and this holds no {MARK}; "
            "choose another folder with -o"
        )


@contextmanager
def _reported(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        mend = "choose another folder with -o"
        if error.errno == errno.ENOSPC:
            mend = f"free some space, or {mend}"
        reason = (error.strerror or str(error)).lower()
        raise OutputError(
            f"{target}: result must be writable, not fail: {reason}; {mend}"
        ) from error


def _prefix(target: Path) -> str:
    return f".{target.name}.hwbnn-"


def _make_parents(folder: Path) -> list[Path]:
    """Make a folder and what is missing above it; return what was made, innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # holds the result, or something of the user's


def _remove_leftovers(target: Path) -> None:
    """Remove hidden siblings whose program is gone: their lock is free."""
    for folder in target.parent.glob(f"{glob.escape(_prefix(target))}*"):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder for the life of this process; None: somebody has it, or no locks here."""
    if sys.platform == "win32":
        return None
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _flush(folder: Path) -> None:
    """Bring files and folders to the disk, so that the rename cannot overtake them."""
    if sys.platform == "win32":
        return
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _place(scratch: Path, target: Path, *, replace: bool) -> None:
    if replace and target.is_dir():
        if not _exchange(scratch, target):
            old = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
            target.rename(old / "old")
            scratch.rename(target)
            shutil.rmtree(old, ignore_errors=True)
    else:
        # rename(2) would replace an empty folder that has appeared meanwhile: look once more
        _check_target(target, replace=False)
        scratch.rename(target)
    if sys.platform != "win32":
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two folders in one step, where the system can."""
    if sys.platform != "linux":
        return False
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:
        return False
    names = os.fsencode(first), os.fsencode(second)
    return bool(renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE) == 0)
