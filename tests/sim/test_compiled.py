# SPDX-License-Identifier: Apache-2.0
"""The simulators work where nothing can be written for numba's cache."""

import subprocess
import sys

import pytest

PROGRAM = """
from numba.core import caching
for kind in (caching.CompileResultCacheImpl, caching.CacheImpl):
    kind._locator_classes = []  # numba finds no folder
from hwbnn.sim.compiled import compiled

@compiled(nogil=True)
def twice(x):
    return 2 * x

print(twice(21), twice.stats.cache_path)
"""


@pytest.mark.slow
def test_compiles_without_a_folder_for_the_cache() -> None:
    argv = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["42", "None"], done.stderr
