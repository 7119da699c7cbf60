# SPDX-License-Identifier: Apache-2.0
"""finn-plus itself: its environment, and its word on what we emit for it.

The environment takes minutes to make: `make finn` does; without it these tests are skipped.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from hwbnn import flow, zoo
from hwbnn.board import find_board
from hwbnn.cli.compare import comparison
from hwbnn.cli.screen import Progress
from hwbnn.emit.finn import emit_finn
from hwbnn.errors import ToolError
from hwbnn.frontend import import_model, load_model
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import Preprocess
from hwbnn.sim.interpret import Interpreter
from hwbnn.step import Backend, Step
from hwbnn.tools import finn
from hwbnn.tools.finn import ask, environment, installed, sound
from hwbnn.units import SlidingWindow
from tests.dag_designs import dense, frames, residual
from tests.emit.test_finn import values_by_edge

BOARD = find_board("pynq-z2")
IMAGES = 20


@pytest.fixture(scope="module")
def python() -> Path:
    found = installed()
    if found is None:
        pytest.skip("finn-plus' environment is not there; `make finn` makes it, in minutes")
    return found


def built(name: str) -> tuple[Design, IntArray]:
    golden = zoo.golden(name)
    pixels = golden.images.reshape(len(golden.images), -1).astype(np.int64)[:IMAGES]
    config = flow.BuildConfig(
        model=zoo.path(name),
        name="net",
        board=BOARD,
        until=Step.FIFO,
        pixels=pixels,
        backends=(Backend.FINN,),
    )
    result = flow.build(config)
    x = flow.frames_of(result)
    x = np.concatenate([x] * -(-IMAGES // len(x)))[:IMAGES]
    return flow.design_of(result), x


def in_finn(design: Design, x: IntArray, python: Path, work: Path) -> list[str]:
    """Load a graph in finn-plus, check its streams, run it; return the tensors that differ."""
    graph = emit_finn(design)
    model = work / "model.onnx"
    model.write_bytes(graph.model.SerializeToString())
    sound(ask(python, "nodes", work=work, model=str(model), part=BOARD.part), "its estimate")
    np.save(work / "frames.npy", graph.tensors[0].meaning.of(x).astype(np.float32))
    tensors = work / "tensors.npz"
    answer = ask(
        python,
        "execute",
        work=work,
        model=str(model),
        frames=str(work / "frames.npy"),
        tensors=str(tensors),
    )
    assert sound(answer, "its run")["versions"]["finn-plus"] == finn.VERSION
    values, found = values_by_edge(design, x), np.load(tensors)
    known = [tensor for tensor in graph.tensors if tensor.meaning.edge]
    assert {tensor.name for tensor in known} <= set(found)
    return [
        tensor.name
        for tensor in known
        if not np.array_equal(found[tensor.name], tensor.meaning.of(values[tensor.meaning.edge]))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tfc-w1a1", "cnn-w1a1", "cnv-w1a1"])
def test_finn_plus_computes_every_tensor_as_we_do(name: str, python: Path, tmp_path: Path) -> None:
    design, x = built(name)
    assert len(x) == IMAGES
    assert in_finn(design, x, python, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("build", [residual, dense])
def test_finn_plus_on_branches(build, python: Path, tmp_path: Path) -> None:
    design = build(2, extent=5)
    assert in_finn(design, frames(design, 3, IMAGES), python, tmp_path) == []


@pytest.mark.slow
def test_a_residual_network(python: Path, tmp_path: Path) -> None:
    """ResNetE, exported and imported: a shortcut around each convolution."""
    pytest.importorskip("torch", reason="torch (extra train) is not installed")
    pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")
    from hwbnn.train.export import Style, export
    from hwbnn.train.methods import method
    from tests.train.nets import made, pixels

    model, path = made("resnete", method("ste")), tmp_path / "resnete.onnx"
    images = pixels(model.image, IMAGES)
    export(model, path, images, style=Style.TORCHSCRIPT)
    config = flow.BuildConfig(
        model=path,
        name="net",
        board=BOARD,
        until=Step.FIFO,
        pixels=images.reshape(IMAGES, -1).astype(np.int64),
        backends=(Backend.FINN,),
    )
    result = flow.build(config)
    design, x = flow.design_of(result), flow.frames_of(result)
    assert sum(len(instance.unit.inputs) > 1 for instance in design.instances) >= 8
    assert in_finn(design, x, python, tmp_path) == []


@pytest.mark.slow
def test_cycles_are_ours_but_for_windows(python: Path, tmp_path: Path) -> None:
    """What docs/finn.md says: only sliding windows differ, and how."""
    design, _ = built("cnv-w1a1")
    graph = emit_finn(design)
    model = tmp_path / "model.onnx"
    model.write_bytes(graph.model.SerializeToString())
    answer = ask(python, "nodes", work=tmp_path, model=str(model), part=BOARD.part)
    cycles = sound(answer, "its estimate")["cycles"]
    others = 0
    for node in graph.nodes:
        if node.instance and not isinstance(design[node.instance], SlidingWindow):
            assert cycles[node.name] == design[node.instance].cycles, node
            others += 1
    assert others > 10


@pytest.mark.slow
def test_the_dialect_of_finn_imports_convolutions(python: Path, tmp_path: Path) -> None:
    """MultiThreshold behind convolutions, as FINN's first step writes it, is the same network."""
    answer = ask(
        python,
        "estimate",
        work=tmp_path,
        model=str(zoo.path("cnn-w1a1")),
        pixels="",
        clock_ns=10.0,
        part=BOARD.part,
        target_fps=1000,
        folding=None,
        preprocess={"divisor": 255.0, "mean": 0.0, "std": 1.0},
        label=False,
    )
    assert "MaxPoolNHWC" in answer["error"]  # its flow ends here; hwbnn builds this network
    path = tmp_path / "build" / "intermediate_models" / "step_qonnx_to_finn.onnx"
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"Conv", "MultiThreshold"} <= kinds
    theirs = import_model(load_model(path), name="finn", preprocess=Preprocess(1.0))
    ours = import_model(load_model(zoo.path("cnn-w1a1")), name="ours")
    images = zoo.golden("cnn-w1a1").images
    pixels = images.reshape(len(images), -1).astype(np.int64)[:5]
    assert (Interpreter(theirs).run(pixels) == Interpreter(ours).run(pixels)).all()


@pytest.mark.slow
def test_comparison_of_a_network(python: Path) -> None:
    config = flow.BuildConfig(
        model=zoo.path("tfc-w1a1"), name="tfc", board=BOARD, argmax=True, target_fps=500_000.0
    )
    found = comparison(config, python, (), Progress(None))
    json.dumps(found)
    assert found["hwbnn"]["supported"] and found["finn"]["supported"]
    assert found["hwbnn"]["fps"] >= 500_000
    assert found["finn"]["version"] == finn.VERSION
    assert found["finn"]["lut"] > 0
    assert found["finn"]["classes"] == {"images": 5, "wrong": 0}


@pytest.mark.slow
def test_a_worker_that_fails_says_why(python: Path, tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"no model")
    answer = ask(python, "nodes", work=tmp_path, model=str(tmp_path / "no.onnx"), part=BOARD.part)
    with pytest.raises(ToolError, match=r"^finn-plus: its estimate must succeed, not fail: \w+: "):
        sound(answer, "its estimate")


# ---- the environment, without one ------------------------------------------------------------


def test_an_environment_is_named_by_its_versions(tmp_path: Path, monkeypatch) -> None:
    whole(tmp_path)
    assert installed(tmp_path) is not None
    assert environment(tmp_path) == installed(tmp_path)
    pins = tmp_path / "pins.txt"
    pins.write_text("finn-plus==9.9\n")
    monkeypatch.setattr(finn, "REQUIREMENTS", pins)
    assert installed(tmp_path) is None


def whole(folder: Path) -> Path:
    """Make what looks like an environment; return its folder."""
    home = finn._home(folder)
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").touch()
    (home / "Scripts").mkdir()
    (home / "Scripts" / "python.exe").touch()
    (home / "complete").touch()
    return home


def test_half_an_environment_is_none(tmp_path: Path) -> None:
    (whole(tmp_path) / "complete").unlink()
    assert installed(tmp_path) is None


def test_an_installation_that_fails_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    def run(argv, **_: object) -> None:
        if "pip" in [str(word) for word in argv]:
            raise ToolError("python: must end with status 0, not 1: no connection")

    monkeypatch.setattr(finn, "run", run)
    with pytest.raises(ToolError) as caught:
        environment(tmp_path)
    assert str(caught.value) == (
        "finn-plus: environment must install, not fail (python: must end with status 0, not 1: "
        f"no connection); {finn.MEND}"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_installation_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    def run(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(finn, "run", run)
    with pytest.raises(KeyboardInterrupt):
        environment(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_installation_is_what_is_pinned(tmp_path: Path, monkeypatch) -> None:
    seen: list[list[str]] = []

    def run(argv, *, cwd: Path, **_: object) -> None:
        seen.append([str(word) for word in argv])
        for name in ("bin/python", "Scripts/python.exe"):
            (cwd / name).parent.mkdir(exist_ok=True)
            (cwd / name).touch()

    monkeypatch.setattr(finn, "run", run)
    python = environment(tmp_path)
    assert python.exists()
    assert "venv" in seen[0]
    assert "--no-deps" in seen[1]
    pins = [line for line in finn.REQUIREMENTS.read_text().splitlines() if line[0] != "#"]
    assert all(line.count("==") == 1 for line in pins)
    assert f"finn-plus=={finn.VERSION}" in pins
    assert environment(tmp_path) == python
    assert len(seen) == 2  # not again


def test_what_is_compared_with_must_be_named(hwbnn) -> None:
    ran = hwbnn("compare", "zoo:tfc-w1a1", "-b", "pynq-z2")
    assert ran.status == 4
    assert "the other tool must be named, not left out; add --finn" in ran.err


def test_finn_has_parts_of_amd_alone(hwbnn) -> None:
    ran = hwbnn("compare", "zoo:tfc-w1a1", "-b", "ulx3s-85f", "--finn")
    assert ran.status == 4
    assert "board must have an AMD part" in ran.err


def test_without_finn_plus_a_clear_message(hwbnn, tmp_path: Path, monkeypatch) -> None:
    def run(*_: object, **__: object) -> None:
        raise ToolError("python: must end with status 0, not 1: no connection")

    monkeypatch.setattr(finn, "run", run)
    ran = hwbnn("compare", "zoo:tfc-w1a1", "-b", "pynq-z2", "--finn", "--finn-folder", tmp_path)
    assert ran.status == 5
    assert "it needs a connection to a Python package index" in " ".join(ran.err.split())


def test_build_for_finn(hwbnn, tmp_path: Path) -> None:
    ran = hwbnn(
        "build", "zoo:tfc-w1a1", "-b", "pynq-z2", "--backend", "finn", "-o", tmp_path / "out"
    )
    assert ran.status == 0
    names = {path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("*.*")}
    assert {"finn/tfc_w1a1.onnx", "finn/folding_config.json"} <= names
    assert not any(name.startswith(("rtl/", "hls/")) for name in names)
    onnx.load(tmp_path / "out" / "finn" / "tfc_w1a1.onnx")
