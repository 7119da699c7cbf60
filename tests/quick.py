# SPDX-License-Identifier: Apache-2.0
"""Cases of which `make fast` runs the first few, and `make test` all."""

from collections.abc import Iterable

import pytest


def quick(cases: Iterable[object], *, first: int) -> list[object]:
    """Return the values of one parameter, those after the first ones marked slow."""
    slow = pytest.mark.slow
    return [case if n < first else pytest.param(case, marks=slow) for n, case in enumerate(cases)]
