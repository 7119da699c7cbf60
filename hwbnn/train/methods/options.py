# SPDX-License-Identifier: Apache-2.0
"""Checks of the options that a method is made by: what a user typed becomes what it means."""

from __future__ import annotations

import math
from enum import Enum
from typing import TypeVar

from hwbnn.errors import ConfigError

Choice = TypeVar("Choice", bound=Enum)


def choice(method: str, option: str, given: str, choices: type[Choice]) -> Choice:
    """Return the member whose value is `given`."""
    for member in choices:
        if member.value == given:
            return member
    known = ", ".join(str(member.value) for member in choices)
    raise ConfigError(f"method {method}: {option} must be a known one, not {given}; choose {known}")


def number(
    method: str, option: str, given: float, *, above: float, usual: float, equal: bool = False
) -> float:
    """Return `given` if it is finite and above the limit, or equal to it where that is allowed."""
    if not _is_real(given) or given < above or (given == above and not equal):
        limit = f"{above:g} or more" if equal else f"above {above:g}"
        raise ConfigError(
            f"method {method}: {option} must be a number, {limit}, not {given}; "
            f"the usual one is {usual:g}"
        )
    return float(given)


def _is_real(given: object) -> bool:
    return isinstance(given, int | float) and given is not True and math.isfinite(given)


def flag(method: str, option: str, given: bool) -> bool:
    """Return `given` if it is true or false."""
    if not isinstance(given, bool):
        raise ConfigError(
            f"method {method}: {option} must be a truth value, not {given}; choose True, False"
        )
    return given
