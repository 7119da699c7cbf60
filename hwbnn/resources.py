# SPDX-License-Identifier: Apache-2.0
"""Files that travel with hwbnn: rtl/, hls_templates/ and boards/, in a checkout or in a wheel."""

from enum import Enum
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


class Room(Enum):
    """A folder of files; the value is its name."""

    RTL = "rtl"
    HLS_TEMPLATES = "hls_templates"
    BOARDS = "boards"

    @property
    def path(self) -> Path:
        """Inside the package in a wheel, beside it in a checkout."""
        inside = _PACKAGE / self.value
        return inside if inside.is_dir() else _PACKAGE.parent / self.value


def read_text(room: Room, name: str) -> str:
    """Contents of the file at the POSIX path `name` of a room."""
    return room.path.joinpath(name).read_text(encoding="utf-8")


def names(room: Room) -> tuple[str, ...]:
    """Names of the files that stand directly in a room, sorted."""
    return names_under(room, "")


def names_under(room: Room, folder: str) -> tuple[str, ...]:
    """Names of the files that stand directly in a folder of a room, sorted."""
    return tuple(sorted(file.name for file in (room.path / folder).iterdir() if file.is_file()))
