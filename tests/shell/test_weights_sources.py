# SPDX-License-Identifier: Apache-2.0
"""Sources of the weight readers: without a warning, wrong parameters refused, and their size."""

import pytest

from hwbnn.board import find_board
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.shell import readers_cost
from hwbnn.errors import ToolError
from hwbnn.ir.unit import Family, Knobs, Resources, Style
from hwbnn.passes import adapt, fold, lower
from hwbnn.resources import Room, names_under, read_text
from hwbnn.tools import verilator, yosys
from tests.test_streamed_weights import FOLDING, cnn

FOLDER = "shell/weights"
WEIGHTS = FileSet.of(
    {name: read_text(Room.RTL, f"{FOLDER}/{name}") for name in names_under(Room.RTL, FOLDER)}
) | FileSet.of({"hwbnn_fifo.sv": read_text(Room.RTL, "hwbnn_fifo.sv")})
SLAVE = FileSet.of(
    {
        name: read_text(Room.RTL, f"shell/{name}")
        for name in ("hwbnn_axi_registers.sv", "hwbnn_axi_beats.sv")
    }
)
# What hangs on the pins is not the modules' business.
TOP = """// verilator lint_off PINMISSING
module top;
  {module} #({parameters}) i_dut ();
endmodule
"""

Parameters = dict[str, int]


def reader(data: int, address: int, word: int, container: int) -> Parameters:
    return {
        "DataBits": data,
        "AddressBits": address,
        "WordBits": word,
        "ContainerBytes": container,
    }


def inside(module: str, parameters: Parameters) -> FileSet:
    """A module in a top that gives it its parameters."""
    listed = ", ".join(f".{name}({value})" for name, value in parameters.items())
    return WEIGHTS | FileSet.of({"top.sv": TOP.format(module=module, parameters=listed)})


USUAL = reader(64, 32, 64, 8)


@pytest.mark.parametrize(
    ("module", "parameters"),
    [
        ("hwbnn_weight_reader", USUAL),
        ("hwbnn_weight_reader", reader(64, 32, 1, 1)),
        ("hwbnn_weight_reader", reader(64, 64, 17, 4) | {"Outstanding": 1}),
        ("hwbnn_weight_reader", reader(128, 49, 8, 1)),
        ("hwbnn_weight_reader", reader(128, 40, 100, 16)),
        ("hwbnn_weight_registers", {"Ports": 1}),
        ("hwbnn_weight_registers", {"Ports": 8, "Loader": 1}),
        ("hwbnn_axi_split", {"IdBits": 1}),
        ("hwbnn_axi_split", {"IdBits": 16}),
    ],
)
def test_no_warning(module: str, parameters: Parameters) -> None:
    verilator.lint(inside(module, parameters), top="top")


@pytest.mark.parametrize(
    ("module", "wrong", "message"),
    [
        ("hwbnn_weight_reader", {"DataBits": 32}, "DataBits must be 64 or 128"),
        ("hwbnn_weight_reader", {"AddressBits": 31}, "AddressBits must be 32 to 64"),
        ("hwbnn_weight_reader", {"ContainerBytes": 3}, "a power of two that holds WordBits"),
        ("hwbnn_weight_reader", {"ContainerBytes": 16}, "a power of two that holds WordBits"),
        ("hwbnn_weight_reader", {"WordBits": 65}, "a power of two that holds WordBits"),
        ("hwbnn_weight_registers", {"Ports": 9}, "Ports must be 1 to 8"),
    ],
)
def test_wrong_parameters(module: str, wrong: Parameters, message: str) -> None:
    usual = USUAL if module == "hwbnn_weight_reader" else {}
    with pytest.raises(ToolError, match=message):
        verilator.lint(inside(module, usual | wrong), top="top")


@pytest.mark.slow
@pytest.mark.skipif(not yosys.available(), reason="needs pip install 'hwbnn[synth]'")
@pytest.mark.parametrize(("board", "loads"), [("pynq-z2", False), ("zcu104", True)])
def test_cost_is_that_of_yosys(board: str, loads: bool, tmp_path) -> None:
    """Within 15 %; and no block RAM: that is what weights in memory outside are to save."""
    knobs = FOLDING | {"conv0": Knobs(6, 27, weight_style=Style.ULTRA if loads else None)}
    where, made = find_board(board), adapt(fold(lower(cnn()), foldings=knobs))
    bits, count = where.data.bits, len(made.sources) + len(made.loaded)
    parts = [
        ("hwbnn_weight_reader", reader(bits, 32, 27, 4)),
        ("hwbnn_weight_reader", reader(bits, 32, 20, 4)),
    ]
    if loads:
        parts.append(("hwbnn_weight_reader", reader(bits, 32, 72, 16)))
    parts.append(("hwbnn_weight_control", {"Ports": count, "Loader": int(loads)}))
    found = Resources()
    for number, (module, parameters) in enumerate(parts):
        sources = inside(module, parameters) | SLAVE
        counts = yosys.synthesise(sources, "top", Family.XC7, work=tmp_path / str(number)).total
        found += Resources(lut=counts.lut, ff=counts.ff, bram=counts.bram, dsp=counts.dsp)
    modelled = readers_cost(made, where)
    assert found.bram == found.dsp == 0
    assert modelled.lut == pytest.approx(found.lut, rel=0.15)
    assert modelled.ff == pytest.approx(found.ff, rel=0.15)
    assert readers_cost(adapt(lower(cnn())), where) == Resources()
