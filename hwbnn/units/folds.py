# SPDX-License-Identifier: Apache-2.0
"""Legal numbers of lanes."""

from hwbnn.errors import ConfigError


def divisors(number: int) -> list[int]:
    """All divisors, ascending."""
    return [d for d in range(1, number + 1) if number % d == 0]


def check_folding(origin: str, knob: str, value: int, limit: int, what: str) -> None:
    """Refuse lanes outside 1 to `limit`; lanes that do not divide are padded."""
    if 1 <= value <= limit:
        return
    choices = ", ".join(str(d) for d in divisors(limit))
    raise ConfigError(
        f"{origin}: {knob} must be 1 to {limit} ({what}), not {value}; "
        f"choose {choices}, or another in range (padded)"
    )
