# SPDX-License-Identifier: Apache-2.0
"""hwbnn_registers against the constants that the host has of it, on its own bus and over AXI."""

from pathlib import Path

import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.resources import Room, read_text

REGISTERS = FileSet.of({"hwbnn_registers.sv": read_text(Room.RTL, "shell/hwbnn_registers.sv")})
SLAVE = REGISTERS | FileSet.of(
    {
        name: read_text(Room.RTL, f"shell/{name}")
        for name in ("hwbnn_axi_registers.sv", "hwbnn_axi_beats.sv")
    }
)
BENCH = Path(__file__).with_name("axi_register_bench.sv").read_text()
HASH = "128'h" + bytes(range(1, 17))[::-1].hex()


def check(simulate, *, fifos: int, room: int) -> None:
    """Run all cases on a register file: of AXI, or with a room that of a UART."""
    constants = {"word": 16, "in": 784, "out": 32, "fifos": fifos, "room": room}
    constants["address"] = 0 if room else 40
    names = ("WordBytes", "InBytes", "OutBytes", "Fifos", "InRoom", "AddressBits")
    parameters = dict(zip(names, constants.values(), strict=True)) | {"BuildHash": HASH}
    module = "tests.shell.register_cases"
    simulate(REGISTERS, "hwbnn_registers", module, parameters=parameters, plusargs=constants)


@pytest.mark.slow
def test_registers(simulate) -> None:
    check(simulate, fifos=3, room=0)


@pytest.mark.slow
@pytest.mark.parametrize(("fifos", "room"), [(192, 0), (0, 4096)], ids=["all FIFOs", "no memory"])
def test_other_registers(fifos: int, room: int, simulate) -> None:
    check(simulate, fifos=fifos, room=room)


@pytest.mark.slow
def test_over_axi(simulate) -> None:
    sources = SLAVE | FileSet.of({"axi_register_bench.sv": BENCH})
    simulate(sources, "axi_register_bench", "tests.shell.axi_register_cases", seed=2)
