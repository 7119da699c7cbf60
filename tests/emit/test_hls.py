# SPDX-License-Identifier: Apache-2.0
"""The HLS project: its files, its Tcl, what Vitis would refuse, and its golden vectors."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from jinja2 import UndefinedError

from hwbnn.emit.file_set import FileSet
from hwbnn.emit.golden import beat_lines, emit_golden, read_beats
from hwbnn.emit.hls import emit_hls
from hwbnn.emit.template import render
from hwbnn.errors import ConfigError, ToolError
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Knobs
from hwbnn.resources import Room
from hwbnn.tools.output import write
from hwbnn.tools.process import run
from hwbnn.units import UNITS, WeightSource
from tests.graphs import binary_mlp, finished, integer_mlp, pixels

PART = "xc7z020clg400-1"
FOLDINGS = {"q": Knobs(5), "fc0": Knobs(3, 7), "fc1": Knobs(2, 4)}


def design() -> Design:
    return finished(binary_mlp((20, 12, 5), argmax=True), FOLDINGS)


def project(made: Design | None = None) -> FileSet:
    return emit_hls(made or design(), part=PART, clock_ns=10)


def test_files() -> None:
    files = project().files
    assert {path for path in files if not path.startswith("src/")} == {
        "Makefile",
        "README.md",
        "csim/hls_stream.h",
        "run_hls.tcl",
        "steps.tcl",
        "tb/beats.hpp",
        "tb/bench.hpp",
        "tb/testbench.cpp",
    }
    units = [i.name for i in design().instances]
    assert {f"src/unit_{name}.hpp" for name in units} <= files.keys()
    for path, data in files.items():
        first, *rest = data.decode().splitlines()
        assert "SPDX-License-Identifier: Apache-2.0" in first, path
        assert "None" not in data.decode(), path
        assert all(line == line.rstrip() for line in rest), path


def test_templates_are_short_and_one_a_unit() -> None:
    stems = {kind.module.removeprefix("hwbnn_") for kind in UNITS if kind is not WeightSource}
    room = Room.HLS_TEMPLATES.path
    assert {path.name for path in room.glob("*.j2")} == {f"{stem}.hpp.j2" for stem in stems}
    for path in room.rglob("*.*"):
        assert len(path.read_text().splitlines()) <= 160, path.name


def test_a_hole_without_a_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="design"):
        render(Room.HLS_TEMPLATES, "project/top.hpp.j2")


def test_fifos_are_those_of_the_design() -> None:
    made = design()
    edge = next(e for e in made.edges if e.producer and e.consumer)
    made = made.with_fifos({edge.name: Fifo(edge.stream, 77, Storage.BLOCK)})
    top = project(made).text("src/top_mlp.cpp")
    signal = f"stream_{edge.name}"
    assert f"#pragma HLS STREAM variable={signal} depth=77\n" in top
    assert f"#pragma HLS BIND_STORAGE variable={signal} type=fifo impl=bram\n" in top


def test_impossible_choices() -> None:
    with pytest.raises(ConfigError, match=r"mlp: part must be the name of a device, not 'a; exit'"):
        emit_hls(design(), part="a; exit", clock_ns=10)
    with pytest.raises(ConfigError, match=r"mlp: clock period must be above 0 ns, not 0"):
        emit_hls(design(), part=PART, clock_ns=0)
    for name in ("double", "hwbnn", "a-b", "2x"):
        with pytest.raises(ConfigError, match=f"{name}: design name must be a C\\+\\+ identifier"):
            project(replace(design(), name=name))
    wide = finished(binary_mlp((1030, 2)), {"q": Knobs(1030), "fc0": Knobs(1, 1030)})
    with pytest.raises(ConfigError, match=r"in: a stream must have at most 8191 bits .* not 8240"):
        project(wide)


def test_sources_hold_only_what_can_be_synthesised() -> None:
    files = project(finished(integer_mlp(unsigned(2), signed(3), unsigned(2)))).files
    files = {**files, **project().files}
    for path, data in files.items():
        if path.startswith("src/"):
            seen = synthesised(data.decode())
            banned = re.search(
                r"\bstd::|\bnew\b|\bdelete\b|\bmalloc\b|#include <(?!ap_|hls_)", seen
            )
            assert banned is None, f"{path}: {banned}"
            assert not recursive(seen), path


def synthesised(text: str) -> str:
    """What is left of a source where __SYNTHESIS__ is defined, without comments."""
    kept, active = [], [True]
    for line in re.sub(r"//.*", "", text).splitlines():
        match line.split():
            case ["#ifdef", "__SYNTHESIS__"]:
                active.append(True)
            case ["#ifndef", "__SYNTHESIS__"]:
                active.append(False)
            case ["#ifndef" | "#ifdef", *_]:
                active.append(True)
            case ["#else"]:
                active[-1] = not active[-1]
            case ["#endif"]:
                active.pop()
            case _ if all(active):
                kept.append(line)
    assert active == [True]
    return "\n".join(kept)


def recursive(text: str) -> bool:
    """A function is named again in its own body (bodies end with a brace in column 0)."""
    bodies = re.findall(r"^[\w:<>, ]+ (\w+)\([^;]*?\) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    assert "void unit_" not in text or bodies
    return any(re.search(rf"\b{name}\(", body) for name, body in bodies)


# ---- Tcl --------------------------------------------------------------------------------------

MOCK = """\
foreach command {open_project set_top add_files open_solution set_part create_clock csim_design
    csynth_design cosim_design export_design} {
  proc $command {args} "puts \\[linsert \\$args 0 $command\\]"
}
"""


def tcl(tmp_path, *words: str) -> list[str]:
    """Commands that run_hls.tcl gives Vitis."""
    if shutil.which("tclsh") is None:
        pytest.skip("needs tclsh")
    folder = tmp_path / "project"
    if not folder.exists():
        write(project(), folder)
    setup = f"{MOCK}\nset argv [list {' '.join(words)}]\nsource {folder / 'run_hls.tcl'}\n"
    (tmp_path / "mock.tcl").write_text(setup)
    output = run(["tclsh", "mock.tcl"], cwd=tmp_path, log=tmp_path / "log").output
    return output.replace(str(folder), "ROOT").splitlines()


def test_tcl_builds_the_project(tmp_path) -> None:
    assert tcl(tmp_path) == [
        "open_project -reset mlp_prj",
        "set_top mlp",
        "add_files ROOT/src/top_mlp.cpp -cflags {-std=c++14 -IROOT/src}",
        "add_files -tb ROOT/tb/testbench.cpp -cflags "
        "{-std=c++14 -IROOT/src -IROOT/tb -Wno-unknown-pragmas}",
        "open_solution -reset solution1 -flow_target vivado",
        f"set_part {PART}",
        "create_clock -period 10 -name default",
        "csim_design -argv ROOT/tb",
        "csynth_design",
        "export_design -format ip_catalog -vendor hwbnn -library hls -ipname mlp -version 1.0",
    ]


def test_tcl_takes_steps(tmp_path) -> None:
    assert tcl(tmp_path, "-f", "run_hls.tcl", "-tclargs", "csynth", "cosim")[7:] == [
        "csynth_design",
        "cosim_design -argv ROOT/tb",
    ]
    (tmp_path / "project" / "steps.tcl").write_text("set steps {csim}\n")
    assert tcl(tmp_path)[7:] == ["csim_design -argv ROOT/tb"]
    (tmp_path / "project" / "steps.tcl").write_text("set steps {implement}\n")
    with pytest.raises(ToolError):
        tcl(tmp_path)
    said = (tmp_path / "log").read_text()
    assert "steps.tcl: step must be one of csim csynth cosim export, not implement" in said


# ---- golden vectors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stream",
    [
        Stream(BIPOLAR, 7, 17, vectors=3),
        Stream(unsigned(8), 3, 3),
        Stream(signed(5), 1, 4),
        Stream(signed(33), 5, 7),
    ],
    ids=str,
)
def test_beats_are_read_as_they_were_written(stream: Stream) -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 1 << stream.dtype.bits, (6, stream.vectors * stream.elements))
    values = stream.dtype.decode(codes)
    text = beat_lines(stream, values)
    assert {len(line) for line in text.splitlines()} == {-(-stream.bits // 4)}
    assert len(text.splitlines()) == 6 * stream.beats
    np.testing.assert_array_equal(read_beats(stream, text), values)


def test_golden_vectors() -> None:
    made = design()
    frames = pixels(binary_mlp((20, 12, 5)), 3)
    golden = emit_golden(made, frames, made.run(frames))
    first = golden.text("golden_in.hex").splitlines()[0]
    assert first == "".join(f"{pixel:02x}" for pixel in frames[0, 4::-1])
    labels = [int(line, 16) for line in golden.text("golden_out.hex").splitlines()]
    assert labels == made.run(frames)[:, 0].tolist()
    shape = json.loads(golden.text("golden.json"))
    assert shape["frames"] == 3
    assert shape["in"] == {
        "type": "UINT8",
        "lanes": 5,
        "elements": 20,
        "vectors": 1,
        "beat_bits": 40,
        "beats": 4,
    }
