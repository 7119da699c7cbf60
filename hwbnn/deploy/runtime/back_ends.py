# SPDX-License-Identifier: Apache-2.0
"""Back ends: the one that a user names, or that this computer and the board's link ask for."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from .errors import InputFault
from .target import Target

if TYPE_CHECKING:
    from .back_end import BackEnd


def back_end_of(name: str | None, target: Target, *, link: str) -> BackEnd:
    """Return a back end, not loaded yet; link: the manifest's kind."""
    if name is None:
        name = _usual(link)
    kind, _, port = name.partition(":")
    if (kind == "uart") != (link == "uart") or kind not in ("pynq", "linux", "uart"):
        raise InputFault(
            f"back end: must be {'uart:PORT' if link == 'uart' else 'pynq or linux'} for "
            f"{target.board}, not {name}; choose that"
        )
    if kind == "uart":
        if not port:
            raise InputFault(
                f"back end: must name the port of {target.board}, not only {name}; choose "
                "uart:/dev/ttyUSB0, uart:COM3 or the like"
            )
        from .serial_port import SerialPort
        from .uart import UartBackEnd

        return UartBackEnd(target, SerialPort(port, target.baud))
    if kind == "pynq":
        from .pynq import PynqBackEnd

        return PynqBackEnd(target)
    from .linux import LinuxBackEnd

    return LinuxBackEnd(target)


def _usual(link: str) -> str:
    if link == "uart":
        return "uart"
    return "linux" if importlib.util.find_spec("pynq") is None else "pynq"
