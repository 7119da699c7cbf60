# SPDX-License-Identifier: Apache-2.0
"""Errors that a user can meet; each knows the exit status of the command line."""

from collections.abc import Iterable


class HwbnnError(Exception):
    """One or more problems, each «where: what must be …, not value; what to do»."""

    exit_status = 1

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class ModelError(HwbnnError):
    """The model cannot be read, is not supported, or contradicts itself."""

    exit_status = 3


class ConfigError(HwbnnError):
    """A choice of the user's (folding, board, option, file) is not possible."""

    exit_status = 4


class ToolError(HwbnnError):
    """An external program is missing, or failed."""

    exit_status = 5


class OutputError(HwbnnError):
    """A result cannot be written where the user wants it."""

    exit_status = 6


class MismatchError(HwbnnError):
    """Two layers of the proof disagree: a bug of ours, or a tie of the model's float arithmetic."""

    exit_status = 7


class BoardError(HwbnnError):
    """A board, or the way to it, is not as it must be."""

    exit_status = 8
