# SPDX-License-Identifier: Apache-2.0
"""Scratch: a folder for a tool's files, kept where a message names a log in it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hwbnn.emit.file_set import FileSet
from hwbnn.errors import ToolError


@contextmanager
def scratch() -> Iterator[Path]:
    """Give an empty folder, and remove it; after a ToolError it stays, as the message names it."""
    folder = Path(tempfile.mkdtemp(prefix="hwbnn-"))
    try:
        yield folder
    except ToolError:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def put(files: FileSet, folder: Path) -> None:
    """Write files below a folder of our own."""
    for path, data in files.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
