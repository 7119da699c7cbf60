# SPDX-License-Identifier: Apache-2.0
"""A sample of the battery; `make battery` runs the whole of it."""

import pytest

from benchmarks.record import markdown
from tests.battery import EVERY, battery

pytestmark = pytest.mark.slow

FIRST = 1000  # the whole battery is committed with other seeds


@pytest.mark.parametrize("branches", [False, True])
def test_random_networks(branches: bool) -> None:
    seeds = range(FIRST, FIRST + 8)
    print(f"seeds {seeds}, branches {branches}")
    rows = list(battery(seeds, branches=branches))
    assert [row["seed"] for row in rows] == list(seeds)
    assert len(markdown(rows).splitlines()) == 2 + len(seeds)
    if branches:
        assert all(row["in RTL"] for row in rows if row["seed"] % EVERY == 0)
