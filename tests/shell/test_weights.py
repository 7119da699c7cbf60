# SPDX-License-Identifier: Apache-2.0
"""hwbnn_weight_reader in cocotb: from images in memory to words, at all widths."""

from pathlib import Path

import pytest

from hwbnn.emit.file_set import FileSet
from tests.shell.test_weights_sources import WEIGHTS, Parameters, reader

HERE = Path(__file__).parent
BENCH = WEIGHTS | FileSet.of(
    {
        f"{name}.sv": HERE.joinpath(f"{name}.sv").read_text()
        for name in ("weight_bench", "axi_latency", "axi3_rules")
    }
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [reader(64, 32, 64, 8), reader(64, 32, 5, 1), reader(128, 49, 27, 4)],
    ids=["beats", "bytes", "quarters"],
)
def test_words(parameters: Parameters, simulate) -> None:
    simulate(BENCH, "weight_bench", "tests.shell.weight_cases", parameters=parameters)
