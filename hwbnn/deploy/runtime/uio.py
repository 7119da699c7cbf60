# SPDX-License-Identifier: Apache-2.0
"""Uio: the interrupt of the board through Linux' userspace I/O, or sleeping where there is none."""

from __future__ import annotations

import os
import select
import struct
import time
from pathlib import Path
from typing import NamedTuple

POLL_SECONDS = 0.0002  # between two looks at STATUS without an interrupt
LOOK_SECONDS = 0.05  # with one: what a lost interrupt may cost


class Device(NamedTuple):
    """A UIO device: its file, and the physical memory that it maps (0, 0: none)."""

    file: Path
    address: int
    size: int


def find_uio(name: str, *, system: Path = Path("/sys"), dev: Path = Path("/dev")) -> Device | None:
    """Return the UIO device of a name that the device tree gave, if there is one."""
    for folder in sorted((system / "class/uio").glob("uio*")):
        if _text(folder / "name") == name and (dev / folder.name).exists():
            map0 = folder / "maps/map0"
            sizes = (int(_text(map0 / attribute) or "0", 0) for attribute in ("addr", "size"))
            return Device(dev / folder.name, *sizes)
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""  # not there, or gone meanwhile


class Interrupt:
    """Waits for the interrupt of a UIO device; without a device, or one that fails, it sleeps."""

    def __init__(self, device: Device | None) -> None:
        self._file: int | None = None
        if device is not None:
            try:
                self._file = os.open(str(device.file), os.O_RDWR | os.O_NONBLOCK)
            except OSError:
                self._file = None  # polling needs no device

    @property
    def polling(self) -> bool:
        """There is no interrupt."""
        return self._file is None

    def wait(self, timeout: float) -> None:
        """Return when the interrupt has come, or soon."""
        if self._file is None:
            time.sleep(min(timeout, POLL_SECONDS))
            return
        try:
            os.write(self._file, struct.pack("=I", 1))  # a level: comes again if it still stands
            poll = select.poll()
            poll.register(self._file, select.POLLIN)
            if poll.poll(1000 * min(timeout, LOOK_SECONDS)):
                os.read(self._file, 4)
        except OSError:
            self.close()  # and sleep from now on

    def close(self) -> None:
        """Give the device back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
