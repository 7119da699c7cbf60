# SPDX-License-Identifier: Apache-2.0
"""The RTL back end: what it emits, and that tools accept it."""

import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit import words
from hwbnn.emit.bench import emit_testbench
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.ir.design import Design
from hwbnn.tools import verilator
from hwbnn.units import UNITS, Mvu, Thresholds
from tests.units.single import joined, random_fifo, random_frames

CELLS = {
    structure: (
        Path(__file__).parents[1] / "units" / f"{structure.name.lower()}_cells.sv"
    ).read_text()
    for structure in (Structure.XC7, Structure.ECP5)
}


def design_of(kind: type, index: int = 0) -> Design:
    rng = random.Random(index)
    unit = kind.examples()[index].named("node_7")
    before, after = (
        [random_fifo(stream, rng) for stream in streams] for streams in (unit.inputs, unit.outputs)
    )
    return joined(unit, before, after)


def test_emits_the_library_modules_that_are_used() -> None:
    files = emit_rtl(design_of(Thresholds), structure=Structure.BEHAVIOURAL).files
    assert {"single.sv", "single.f", "hwbnn_fifo.sv", "hwbnn_thresholds.sv"} <= files.keys()
    assert "hwbnn_search.sv" in files  # used by hwbnn_thresholds
    assert "hwbnn_mvu.sv" not in files
    listed = files["single.f"].decode().split()
    assert sorted(listed) == sorted(path for path in files if path.endswith(".sv"))


def test_top_names_streams_units_and_nodes() -> None:
    text = emit_rtl(design_of(Mvu), structure=Structure.XC7).text("single.sv")
    assert "// Unit dut for node node_7" in text
    assert "// Stream before: BIPOLAR x1, 12 beats a frame" in text
    assert '.WeightsFile("dut_weights")' in text
    assert '.ThresholdsFile("dut_thresholds")' in text
    assert ".Structure(1)" in text
    assert "{{" not in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_memories_are_lines_of_hex() -> None:
    design = design_of(Mvu, 4)
    files = emit_rtl(design, structure=Structure.BEHAVIOURAL)
    unit = design["dut"]
    for memory in unit.memories():
        lines = files.text(f"dut_{memory.shape.name}.hex").split()
        assert len(lines) == memory.shape.depth
        assert {len(line) for line in lines} == {-(-memory.shape.width // 4)}
        for line, lanes in zip(lines, memory.words, strict=True):
            word = sum(int(code) << (memory.shape.lane_bits * i) for i, code in enumerate(lanes))
            assert int(line, 16) == word


@pytest.mark.parametrize(("lanes", "bits"), [(1, 1), (7, 1), (33, 1), (5, 3), (2, 13), (3, 33)])
def test_words_survive_packing(lanes: int, bits: int) -> None:
    codes = np.random.default_rng(1).integers(0, 1 << bits, (11, lanes))
    packed = words.pack(codes, lane_bits=bits)
    assert packed.shape == (11, -(-lanes * bits // 8))
    assert (words.unpack(packed, lane_bits=bits, lanes=lanes) == codes).all()


@pytest.mark.slow
@pytest.mark.parametrize("structure", Structure, ids=lambda s: s.name)
@pytest.mark.parametrize("kind", UNITS, ids=lambda kind: kind.__name__)
def test_verilator_has_no_warning(kind: type, structure: Structure) -> None:
    cells = FileSet.of({"cells.sv": CELLS[structure]} if structure in CELLS else {})
    for index in range(len(kind.examples())):
        sources = emit_rtl(design_of(kind, index), structure=structure)
        verilator.lint(sources | cells, top="single")


def test_testbench_holds_golden_vectors() -> None:
    design = design_of(Thresholds)
    frames = random_frames(design.input.stream, 3, random.Random(1))
    outputs = design.run(frames)
    files = emit_testbench(design, frames, outputs)
    golden = files.text("single_output.hex").split()
    expected = design.output.stream.pack(outputs)
    assert [int(line, 16) for line in golden] == expected[:, 0].tolist()
    assert len(files.text("single_input.hex").split()) == 36
    assert "{{" not in files.text("single_tb.sv") + files.text("single_tb.mk")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("make") or not shutil.which("perl"), reason="needs make, perl")
def test_testbench_passes_and_catches_one_wrong_bit(tmp_path) -> None:
    design = design_of(Mvu)
    frames = random_frames(design.input.stream, 6, random.Random(1))
    files = emit_rtl(design, structure=Structure.BEHAVIOURAL)
    files |= emit_testbench(design, frames, design.run(frames))
    for name, data in files.files.items():
        (tmp_path / name).write_bytes(data)
    program = verilator.find_verilator().program.with_name("verilator")
    argv = ["make", "-f", "single_tb.mk", "verilator", f"VERILATOR={program}"]
    argv.append("ARGS=+source_on=128 +sink_on=100")
    good = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    assert re.search(r"single: all 36 beats equal the golden vectors; \d+ cycles", good.stdout)

    lines = files.text("single_output.hex").split()
    lines[17] = "1" if lines[17] == "0" else "0"
    (tmp_path / "single_output.hex").write_text("\n".join(lines) + "\n")
    bad = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert bad.returncode != 0
    assert f"single: beat 17 must be {lines[17]}, not" in bad.stdout + bad.stderr
