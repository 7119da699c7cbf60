# SPDX-License-Identifier: Apache-2.0
"""Screen: data goes to stdout, progress and errors to stderr; colour only on a terminal."""

import errno
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from hwbnn.errors import HwbnnError, OutputError

PIPE_WIDTH = 200  # of a table that no terminal bounds
INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h


@dataclass
class Session:
    """What `main` must know of the command that failed."""

    debug: bool = False
    json: bool = False
    stopped: int = 0  # by this signal


def show(renderable: object) -> None:
    """Print data for people on stdout: a table or text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    with _reported():
        console.print(renderable)


def show_json(data: Any) -> None:
    """Print data for programs on stdout, in ASCII: no locale can spoil it."""
    console = Console(highlight=False, soft_wrap=True, markup=False, color_system=None)
    with _reported():
        console.print(json.dumps(data, indent=2), crop=False, no_wrap=True, emoji=False)


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # who read has seen enough
        # What is still buffered would fail again when Python ends, and change the exit status.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        reason = (error.strerror or str(error)).lower()
        raise OutputError(
            f"stdout: must be writable, not fail: {reason}; send it elsewhere"
        ) from error


def show_note(text: str) -> None:
    """Print a remark on stderr."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(text)


def show_error(error: HwbnnError, *, as_json: bool) -> None:
    """Print a user's error: one problem a paragraph."""
    if as_json:
        _show_json_error(type(error).__name__, error.exit_status, error.problems)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for problem in error.problems:
        console.print(Text.assemble(("error: ", "bold red"), problem))


def _show_json_error(name: str, exit_status: int, problems: Sequence[str]) -> None:
    data = {"schema": "hwbnn/error@1", "error": name, "exit_status": exit_status}
    with suppress(OutputError):  # stderr says the same
        show_json({**data, "problems": list(problems)})


def show_internal_error(error: BaseException, *, as_json: bool) -> None:
    """Print that the fault is ours, and how to report it."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    said = f"{type(error).__name__}: {error}"
    if as_json:
        _show_json_error("InternalError", INTERNAL_ERROR, [said])
    console.print(Text.assemble(("internal error: ", "bold red"), said))
    console.print(
        "This is a fault of hwbnn, not yours. Run the command again as `hwbnn --debug ...` and "
        "report the traceback with the model, please.",
        markup=False,
    )


@contextmanager
def progress() -> Iterator["Progress"]:
    """Show on stderr which step is under way; on a terminal only."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield Progress(None)
        return
    with console.status("start") as status:
        yield Progress(status)


@dataclass(frozen=True)
class Progress:
    """The line that says what is under way; None: nobody reads it."""

    status: Any

    def say(self, what: str) -> None:
        """Replace the line."""
        if self.status is not None:
            self.status.update(what)
