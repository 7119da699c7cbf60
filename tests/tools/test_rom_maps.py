# SPDX-License-Identifier: Apache-2.0
"""Distributed ROMs in LUTs: equal to their words by proof, and as many as the model says."""

import json
from pathlib import Path

import numpy as np
import pytest

from hwbnn.ir.unit import Family
from hwbnn.resources import Room, read_text
from hwbnn.tools import yosys
from hwbnn.units import cost

DEPTHS = (9, 17, 32, 33, 65, 128, 144, 145, 200, 257, 300, 1025)
WIDTH = 2
CELLS = {
    Family.XC7: "+/xilinx/cells_sim.v",
    Family.ECP5: "+/lattice/common_sim.vh",
    Family.ICE40: "+/ice40/cells_sim.v",
}


def rom(depth: int) -> str:
    """A ROM without registers; addresses beyond its words read the first."""
    address = (depth - 1).bit_length() - 1
    return f"""\
module rom_{depth} (input logic [{address}:0] address_i, output logic [{WIDTH - 1}:0] word_o);
  (* rom_style = "distributed" *) logic [{WIDTH - 1}:0] words[{depth}];
  initial $readmemh("{depth}.hex", words);
  assign word_o = words[address_i < {depth} ? address_i : 0];
endmodule
"""


@pytest.mark.slow
@pytest.mark.skipif(not yosys.available(), reason="needs pip install 'hwbnn[synth]'")
@pytest.mark.parametrize("family", list(Family))
def test_maps_are_the_words(family: Family, tmp_path: Path) -> None:
    maps = ("rom.v", f"rom_{family.value}.v")
    for name in maps:
        (tmp_path / name).write_text(read_text(Room.RTL, f"yosys/{name}"))
    (tmp_path / "roms.sv").write_text("".join(rom(depth) for depth in DEPTHS))
    script = ["read_verilog -sv roms.sv", "proc", "memory -nomap", "opt_clean"]
    for depth in DEPTHS:
        contents = np.random.default_rng(depth).integers(0, 1 << WIDTH, depth)
        (tmp_path / f"{depth}.hex").write_text("".join(f"{word:x}\n" for word in contents))
        script.append(f"copy rom_{depth} words_{depth}")
    script += [
        "memory_map words_*",
        f"techmap {' '.join(f'-map {name}' for name in maps)} rom_*",
        "tee -q -o stat.json stat -json",
        f"read_verilog {CELLS[family]}",
        "design -save roms",
    ]
    for depth in DEPTHS:
        script += [
            "design -load roms",
            f"miter -equiv words_{depth} rom_{depth} miter_{depth}",
            f"hierarchy -check -top miter_{depth}",
            "proc",
            "flatten",
            f"sat -verify -prove trigger 0 miter_{depth}",
        ]
    yosys._run(yosys._yosys(), script, tmp_path, "prove")
    modules = json.loads((tmp_path / "stat.json").read_text())["modules"]
    for depth in DEPTHS:
        cells = yosys.Counts(modules[f"\\rom_{depth}"]["num_cells_by_type"])
        assert cells.lut == cost.rom_luts(depth, WIDTH, family), depth
