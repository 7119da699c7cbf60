# SPDX-License-Identifier: Apache-2.0
"""Faults of the driver: «where: what must be …, not value; what to do», with the board's state."""


class RuntimeFault(Exception):  # noqa: N818 - a board has faults
    """What every error of the driver is; `state` is what the board's counters said then."""

    def __init__(self, message: str, *, state: str = "") -> None:
        self.message = message
        self.state = state
        super().__init__(message + ("\n" + state if state else ""))


class PackageFault(RuntimeFault):
    """The package is damaged, incomplete, or of another version."""


class InputFault(RuntimeFault):
    """Images, or an option of the driver, are not what the package takes."""


class BoardFault(RuntimeFault):
    """The board, its driver or its bitstream is not there, or is not the package's."""


class TransferFault(RuntimeFault):
    """The board reported an error, or a line lost more than repetition could mend."""


class TimeoutFault(RuntimeFault):
    """The board did not finish in time."""


class MismatchFault(RuntimeFault):
    """The board does not compute what the package says it must."""
