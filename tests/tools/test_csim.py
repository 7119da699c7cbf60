# SPDX-License-Identifier: Apache-2.0
"""HLS C simulation of whole networks, the emitted test bench, and missing tools."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.emit.golden import emit_golden
from hwbnn.errors import MismatchError, ToolError
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import signed, unsigned
from hwbnn.ir.unit import Knobs
from hwbnn.tools import csim as module
from hwbnn.tools import process, verilator
from hwbnn.tools.csim import csim, headers_folder
from tests.graphs import (
    TFC,
    TFC_64_CYCLES,
    TFC_UNROLLED,
    binary_mlp,
    finished,
    integer_mlp,
    pixels,
)

LFC = (784, 1024, 1024, 1024, 10)
LFC_FOLDING = {
    "q": Knobs(49),
    "fc0": Knobs(32, 49),
    "fc1": Knobs(32, 64),
    "fc2": Knobs(32, 64),
    "fc3": Knobs(10, 8),
}
FRAMES = 50


def small() -> Design:
    graph = binary_mlp((20, 12, 6))
    return finished(graph, {"q": Knobs(5), "fc0": Knobs(5, 7)})


def frames(count: int = FRAMES):
    return pixels(binary_mlp((20, 12, 6)), count)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """The folder of a simulation that passed: a project, golden vectors, a compiled test bench."""
    work = tmp_path_factory.mktemp("csim")
    np.testing.assert_array_equal(csim(small(), frames(), work=work), small().run(frames()))
    return work


def bench(work: Path, folder: Path) -> tuple[int, str]:
    """Run the emitted test bench as a user would."""
    done = subprocess.run([work / "testbench", folder], capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip().replace(str(folder), "tb")


@pytest.mark.slow
def test_bench_passes(simulated) -> None:
    assert bench(simulated, simulated / "tb") == (0, "mlp: 8 frames agree")


@pytest.mark.slow
def test_headers_are_found_without_importing_their_package(simulated) -> None:
    assert "hls4ml" not in sys.modules


@pytest.mark.slow
def test_make_runs_the_bench(simulated) -> None:
    if shutil.which("make") is None:
        pytest.skip("needs make")
    argv = ["make", "csim", f"AP_TYPES={headers_folder(None)}"]
    assert process.run(argv, cwd=simulated).output.endswith("mlp: 8 frames agree\n")


@pytest.mark.slow
def test_multi_bit_network(tmp_path) -> None:
    graph = integer_mlp(unsigned(2), signed(3), unsigned(3))
    made = finished(graph, {"fc0": Knobs(5, 3), "fc1": Knobs(2, 4)})
    data = pixels(graph, FRAMES)
    np.testing.assert_array_equal(csim(made, data, work=tmp_path), made.run(data))


GOLDEN_FAULTS = {
    "a wrong bit": ("golden_out.hex", 7, "15", r"^mlp: frame 1, beat 1: must be 15, not 02$"),
    "no digit": ("golden_out.hex", 7, "0g", r"line 8: must be one beat in hex a line"),
    "a short line": ("golden_in.hex", 5, "123", r"line 6: must be one beat in hex a line"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", GOLDEN_FAULTS)
def test_bench_sees_a_corrupted_vector(simulated, tmp_path, fault: str) -> None:
    name, line, text, message = GOLDEN_FAULTS[fault]
    shutil.copytree(simulated / "tb", tmp_path / "tb")
    lines = (tmp_path / "tb" / name).read_text().splitlines()
    lines[line] = text
    (tmp_path / "tb" / name).write_text("\n".join(lines) + "\n")
    status, said = bench(simulated, tmp_path / "tb")
    assert status == 1, said
    assert re.search(message, said), said


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kept"), [("golden_in.hex", 5), ("golden_out.hex", 3)])
def test_bench_sees_missing_beats(simulated, tmp_path, name: str, kept: int) -> None:
    shutil.copytree(simulated / "tb", tmp_path / "tb")
    lines = (tmp_path / "tb" / name).read_text().splitlines()[:kept]
    (tmp_path / "tb" / name).write_text("\n".join(lines) + "\n")
    assert bench(simulated, tmp_path / "tb")[0] == 1
    (tmp_path / "tb" / name).unlink()
    status, said = bench(simulated, tmp_path / "tb")
    assert status == 1
    assert f"tb/{name}: line 0: must be a file that can be read" in said


@pytest.mark.slow
def test_a_difference_is_a_mismatch(simulated, tmp_path, monkeypatch) -> None:
    def other(design: Design, inputs, outputs) -> FileSet:
        return emit_golden(design, inputs, outputs[::-1])

    def compiled(project: FileSet, *, work: Path, headers: Path) -> Path:
        return Path(shutil.copy(simulated / "testbench", work))

    monkeypatch.setattr(module, "emit_golden", other)
    monkeypatch.setattr(module, "compile_program", compiled)
    with pytest.raises(MismatchError, match=r"mlp: HLS .* golden vectors, but mlp: frame 0, beat"):
        csim(small(), frames(), work=tmp_path)


def test_missing_headers(tmp_path, monkeypatch) -> None:
    with pytest.raises(
        ToolError, match=r"must hold ap_int.h; pip install 'hwbnn\[csim\]', or give"
    ):
        csim(small(), frames(1), work=tmp_path, headers=tmp_path)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"headers ap_\*.h must be there, not missing; pip install"):
        csim(small(), frames(1), work=tmp_path)


def test_missing_compiler(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(verilator.shutil, "which", lambda name: None)
    monkeypatch.setattr(verilator.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"C\+\+ compiler: must be installed, .* install g\+\+"):
        csim(small(), frames(1), work=tmp_path, headers=headers_folder(None))


NETWORKS = {
    "TFC, 64 cycles": (TFC, TFC_64_CYCLES, 200),
    "TFC, unrolled": (TFC, TFC_UNROLLED, 200),
    "TFC, padded": (TFC, {"fc0": Knobs(9, 50)}, 200),
    "TFC, serial": (TFC, {}, 200),
    "LFC": (LFC, LFC_FOLDING, 50),
}


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_networks(network: str, tmp_path) -> None:
    sizes, foldings, count = NETWORKS[network]
    graph = binary_mlp(sizes, argmax=True)
    made, data = finished(graph, foldings), pixels(graph, count)
    np.testing.assert_array_equal(csim(made, data, work=tmp_path), made.run(data))
