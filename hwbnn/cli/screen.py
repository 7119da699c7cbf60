# SPDX-License-Identifier: Apache-2.0
"""Screen: data goes to stdout, progress and errors to stderr; colour only on a terminal."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from hwbnn.errors import HwbnnError

PIPE_WIDTH = 200  # of a table that no terminal bounds
INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h


@dataclass
class Session:
    """What `main` must know of the command that failed."""

    debug: bool = False
    json: bool = False


def show(renderable: object) -> None:
    """Print data for people on stdout: a table or text."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    console.print(renderable)


def show_json(data: Any) -> None:
    """Print data for programs on stdout."""
    Console(highlight=False, soft_wrap=True, markup=False, color_system=None).print(
        json.dumps(data, indent=2, ensure_ascii=False), crop=False, no_wrap=True, emoji=False
    )


def show_note(text: str) -> None:
    """Print a remark on stderr."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(text)


def show_error(error: HwbnnError, *, as_json: bool) -> None:
    """Print a user's error: one problem a paragraph."""
    if as_json:
        show_json(
            {
                "schema": "hwbnn/error@1",
                "error": type(error).__name__,
                "exit_status": error.exit_status,
                "problems": list(error.problems),
            }
        )
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for problem in error.problems:
        console.print(Text.assemble(("error: ", "bold red"), problem))


def show_internal_error(error: BaseException) -> None:
    """Print that the fault is ours, and how to report it."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    said = f"{type(error).__name__}: {error}"
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
