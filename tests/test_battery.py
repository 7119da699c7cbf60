# SPDX-License-Identifier: Apache-2.0
"""A sample of the battery; `make battery` runs the whole of it."""

import pytest

from tests.battery import EVERY, network, prove, prove_hls, prove_least, prove_slower

pytestmark = pytest.mark.slow

FIRST = 1000  # the whole battery is committed with other seeds


@pytest.mark.parametrize("branches", [False, True])
def test_random_networks(branches: bool) -> None:
    seeds = range(FIRST, FIRST + 8)
    print(f"seeds {seeds}, branches {branches}")
    networks = [network(seed, branches=branches) for seed in seeds]
    prove(networks)
    for made in networks:
        if branches:
            prove_least(made)
        if made.seed % EVERY == 0:
            prove_hls(made)
            assert not branches or prove_slower(made)
