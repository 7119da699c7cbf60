# SPDX-License-Identifier: Apache-2.0
"""Sources of hwbnn_shell_axi: without a warning, wrong parameters refused, and their size."""

import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.errors import ToolError
from hwbnn.ir.unit import Family
from hwbnn.tools import verilator, yosys
from tests.shell.test_shell_axi import SHELL, chip

# A beat of half a word, of a word and a bit, of several; results of one beat and of many.
SHAPES = [
    chip(64, 32, (32, 1), (4, 1)) | {"IdBits": 1},
    chip(64, 40, (65, 3), (7, 100)) | {"Fifos": 1},
    chip(64, 64, (1, 64), (64, 18)) | {"Fifos": 9},
    chip(128, 40, (784, 1), (128, 2)) | {"Fifos": 192},
    chip(128, 49, (24, 1024), (16, 5)),
]
# What hangs on the shell's pins is not the shell's business.
TOP = """// verilator lint_off PINMISSING
module top;
  hwbnn_shell_axi #({parameters}) i_shell ();
endmodule
"""

USUAL = chip(64, 32, (64, 98), (8, 10)) | {"Fifos": 8}
LUT_LIMIT = 1100  # cells, never two in a LUT


def inside(parameters: dict[str, int]) -> FileSet:
    """The shell in a top that gives it its parameters."""
    listed = ", ".join(f".{name}({value})" for name, value in parameters.items())
    return SHELL | FileSet.of({"top.sv": TOP.format(parameters=listed)})


@pytest.mark.parametrize("parameters", SHAPES, ids=lambda p: "-".join(map(str, p.values())))
def test_no_warning(parameters: dict[str, int]) -> None:
    verilator.lint(inside(parameters), top="top")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"DataBits": 32}, "DataBits must be 64 or 128"),
        ({"AddressBits": 31}, "AddressBits must be 32 to 64"),
        ({"CoreInBeats": 0}, "OutBits and OutBeats must be at least 1"),
        ({"IdBits": 0}, "IdBits must be at least 1"),
        ({"Fifos": 193}, "Fifos must be at most 192"),
    ],
)
def test_wrong_parameters(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ToolError, match=message):
        verilator.lint(inside(USUAL | wrong), top="top")


@pytest.mark.slow
@pytest.mark.skipif(not yosys.available(), reason="needs pip install 'hwbnn[synth]'")
def test_size(tmp_path) -> None:
    """Yosys maps it; a third is what the host reads, an eighth the FIFOs."""
    found = yosys.synthesise(inside(USUAL), "top", Family.XC7, work=tmp_path).total
    assert found.bram == found.dsp == 0
    assert found.lut_memory == 132  # 64 and 32 words, in RAM64M and RAM32M
    assert 800 < found.lut <= LUT_LIMIT, (found.lut, found.ff)
