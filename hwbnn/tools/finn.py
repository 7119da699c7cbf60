# SPDX-License-Identifier: Apache-2.0
"""finn-plus in an environment of its own: made once, kept in the user's cache, used by a worker."""

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hwbnn.errors import OutputError, ToolError
from hwbnn.tools.cosim import cache_folder
from hwbnn.tools.process import run

VERSION = "1.6.1"
REQUIREMENTS = Path(__file__).with_name("finn_requirements.txt")
WORKER = Path(__file__).with_name("finn_worker.py")
INSTALL_SECONDS, WORK_SECONDS = 3600.0, 3600.0
MEND = (
    "it needs a connection to a Python package index and 700 MB, once; try again, or name "
    "the folder of an environment that is there (--finn-folder)"
)

Json = dict[str, Any]


def installed(folder: Path | None = None) -> Path | None:
    """Return the Python of the environment, if it is whole and of these versions."""
    return _whole(_home(folder))


def environment(folder: Path | None = None) -> Path:
    """Return the Python of the environment, having made it if need be; minutes the first time.

    folder: where environments are kept, instead of the cache. One that was interrupted is never
    taken for whole: it gets its name when it is.
    """
    home = _home(folder)
    python = _whole(home)
    if python is not None:
        return python
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f"{home.name}-part-", dir=home.parent))
    except OSError as error:
        raise OutputError(
            f"{home.parent}: folder of finn-plus must be one that can be written; {error}"
        ) from error
    try:
        _install(made)
        (made / "complete").write_text(f"finn-plus {VERSION}\n")
        shutil.rmtree(home, ignore_errors=True)
        made.rename(home)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return _python(home)


def _home(folder: Path | None) -> Path:
    """Return the environment's folder: named by its versions and Python's."""
    pins = REQUIREMENTS.read_bytes() + f"{sys.implementation.cache_tag} {sys.platform}".encode()
    digest = hashlib.sha256(pins).hexdigest()[:12]
    return (folder or cache_folder()) / f"finn-plus-{VERSION}-{digest}"


def _python(home: Path) -> Path:
    return home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _whole(home: Path) -> Path | None:
    python = _python(home)
    return python if (home / "complete").is_file() and python.exists() else None


def _install(home: Path) -> None:
    python = _python(home)
    arguments = ["-m", "pip", "install", "--no-deps", "--disable-pip-version-check", "--quiet"]
    try:
        run([sys.executable, "-m", "venv", home], cwd=home, timeout=INSTALL_SECONDS)
        run([python, *arguments, "-r", REQUIREMENTS], cwd=home, timeout=INSTALL_SECONDS)
    except ToolError as error:
        reason = f"finn-plus: environment must install, not fail ({error}); {MEND}"
        raise ToolError(reason) from error


def ask(python: Path, task: str, *, work: Path, **wanted: object) -> Json:
    """Have the worker do a task (see finn_worker.py); return its answer.

    work: a folder for its files. A failure of FINN's own is the answer's "error".
    """
    request, answer = work / f"{task}-request.json", work / f"{task}-answer.json"
    request.write_text(json.dumps({"task": task, "work": str(work), **wanted}))
    answer.unlink(missing_ok=True)
    run(
        [python, "-I", WORKER, request, answer],
        cwd=work,
        log=work / f"{task}.log",
        timeout=WORK_SECONDS,
    )
    found: Json = json.loads(answer.read_text())
    return found


def sound(answer: Json, what: str) -> Json:
    """Return an answer that is not an error; else a ToolError that says FINN's reason."""
    if "error" in answer:
        raise ToolError(f"finn-plus: {what} must succeed, not fail: {answer['error']}")
    return answer
