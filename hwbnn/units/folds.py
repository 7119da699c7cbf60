# SPDX-License-Identifier: Apache-2.0
"""Legal numbers of lanes."""

from collections.abc import Iterator

from hwbnn.errors import ConfigError
from hwbnn.ir.unit import Folding


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


def pe_foldings(elements: int) -> Iterator[Folding]:
    """All divisor foldings of a unit with PE alone, cheapest first."""
    return (Folding(pe) for pe in divisors(elements))


def only_pe(origin: str, folding: Folding, what: str) -> int:
    """Return the PE of a folding; refuse a SIMD, which the unit has not: `what` says so."""
    check_folding(origin, "simd", folding.simd, 1, what)
    return folding.pe
