# SPDX-License-Identifier: Apache-2.0
"""Weights from memory in cocotb: readers at all widths, and the registers that set them."""

from pathlib import Path

import pytest

from hwbnn.emit.file_set import FileSet
from tests.shell.test_weights_sources import SLAVE, WEIGHTS, Parameters, reader

HERE = Path(__file__).parent
BENCH = WEIGHTS | FileSet.of(
    {
        f"{name}.sv": HERE.joinpath(f"{name}.sv").read_text()
        for name in ("weight_bench", "axi_latency", "axi3_rules")
    }
)

CONTROL = (
    WEIGHTS
    | SLAVE
    | FileSet.of({"weight_control_bench.sv": HERE.joinpath("weight_control_bench.sv").read_text()})
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [reader(128, 40, 72, 16), reader(64, 32, 5, 1), reader(128, 49, 27, 4)],
    ids=["beats", "bytes", "quarters"],
)
def test_words(parameters: Parameters, simulate) -> None:
    simulate(BENCH, "weight_bench", "tests.shell.weight_cases", parameters=parameters)


@pytest.mark.slow
def test_registers(simulate) -> None:
    simulate(CONTROL, "weight_control_bench", "tests.shell.weight_control_cases")
