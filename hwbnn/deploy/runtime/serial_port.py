# SPDX-License-Identifier: Apache-2.0
"""SerialPort: a serial line by pyserial, as bytes that come and go."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from .errors import BoardFault

WRITE_SECONDS = 5.0  # for the operating system to take what is written


class Port(Protocol):
    """A line to a board, 8 bits, no parity, 1 stop bit."""

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have come, at least one; nothing if none comes in `timeout` s."""

    def write(self, data: bytes) -> None:
        """Send bytes, all of them."""

    def close(self) -> None:
        """Give the line back; closing twice does nothing."""


class SerialPort:
    """A serial line of the operating system, like /dev/ttyUSB0 or COM3."""

    def __init__(self, name: str, baud: int) -> None:
        self.name = name
        try:
            serial: Any = importlib.import_module("serial")
        except ImportError as error:
            raise BoardFault(
                "uart: the package pyserial must be installed, not missing; run "
                "pip install pyserial"
            ) from error
        self._failures = (OSError, ValueError)  # SerialException is an OSError
        try:
            self._line: Any = serial.Serial(name, baud, timeout=0, write_timeout=WRITE_SECONDS)
            self._line.reset_input_buffer()
        except self._failures as error:
            raise BoardFault(
                f"{name}: the port must open at {baud} baud, not fail: {error}; see the list of "
                "python -m serial.tools.list_ports, and whether you may use it (group dialout)"
            ) from error

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have come."""
        try:
            if self._line.timeout != timeout:
                self._line.timeout = timeout
            first: bytes = self._line.read(1)
            return first + self._line.read(self._line.in_waiting) if first else first
        except self._failures as error:
            raise self._lost(error) from error

    def write(self, data: bytes) -> None:
        """Send bytes, all of them."""
        try:
            self._line.write(data)
        except self._failures as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """Give the line back."""
        self._line.close()

    def _lost(self, error: Exception) -> BoardFault:
        return BoardFault(
            f"{self.name}: the port must stay open, not fail: {error}; is the board still plugged "
            "in, and no other program on this port?"
        )
