# SPDX-License-Identifier: Apache-2.0
"""The log of a training: CSV, its first line a comment that says which training it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwbnn.errors import ConfigError, OutputError

MARK = "# hwbnn train "


def first_line(identity: Mapping[str, str]) -> str:
    """Return the comment that tells one training's log from another's."""
    return MARK + " ".join(f"{name}={value}" for name, value in identity.items())


def check_log(path: Path, identity: Mapping[str, str]) -> None:
    """Raise ConfigError if the file is there and is not a log of the same training."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            found = file.readline().rstrip("\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(
            f"{path}: the log must be a file, not fail: {error.strerror}; name another with --log"
        ) from error
    if found not in ("", first_line(identity)):
        said = found.removeprefix(MARK) if found.startswith(MARK) else "another file"
        raise ConfigError(
            f"{path}: must be a log of this training, not of {said}; name another with --log"
        )


def write_log(path: Path, identity: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write all rows in one go: each stands there once, whenever a training was stopped."""
    text = io.StringIO()
    text.write(first_line(identity) + "\n")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_text(text.getvalue(), "utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: the log must be writable, not fail: {error.strerror}; name another with --log"
        ) from error
