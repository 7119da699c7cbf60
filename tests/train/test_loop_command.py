# SPDX-License-Identifier: Apache-2.0
"""`hwbnn train`: what it prints and writes, and what it refuses."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hwbnn import zoo
from hwbnn.cli.training import parse_options
from hwbnn.errors import ConfigError
from tests.conftest import Ran

Run = Callable[..., Ran]
TINY = ("tfc-w1a1", "--data", "tiny", "--batch", 32, "--device", "cpu")


@pytest.fixture
def _trains() -> None:
    pytest.importorskip("torch", reason="torch (extra train) is not installed")
    pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")


@pytest.mark.slow
@pytest.mark.usefixtures("_trains")
def test_trains_logs_and_exports(hwbnn: Run, tmp_path: Path) -> None:
    out, log, file = tmp_path / "small.onnx", tmp_path / "small.csv", tmp_path / "small.pt"
    wanted = (*TINY, "--epochs", 2, "--out", out, "--log", log, "--checkpoint", file)
    done = hwbnn("train", *wanted)
    assert done.status == 0
    first, proved = done.out.splitlines()
    assert first.endswith(" of 128 test images")
    assert proved.endswith("logit for logit = integers, and the trained model's labels")
    lines = done.err.splitlines()
    assert [line.split(":")[1] for line in lines] == [" epoch 1", " epoch 2"]
    assert all(
        word in lines[0]
        for word in ("loss", "training", "validation", "flips", "saturation", "dead", "images/s")
    )
    entry = json.loads((tmp_path / "manifest.json").read_text())["small"]
    assert entry["test_accuracy"] > 0.9
    assert entry["dataset"] == "tiny"
    assert (tmp_path / entry["golden"]).exists()
    assert entry["recipe"] == (
        f"hwbnn train tfc-w1a1 --data tiny --epochs 2 --batch 32 --device cpu --out {out}"
    )
    again = hwbnn("train", *wanted, "--json")  # nothing is left to train
    assert again.err == ""
    assert again.json["schema"] == "hwbnn/train@1"
    assert [epoch["epoch"] for epoch in again.json["epochs"]] == [1, 2]
    assert again.json["test_accuracy"] == pytest.approx(entry["test_accuracy"], abs=1e-6)
    assert again.json["files"]["model"] == str(out)


@pytest.mark.slow
@pytest.mark.usefixtures("_trains")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_last_checkpoint(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "run.pt"
    words = ["train", *map(str, TINY), "--epochs", "100000", "--checkpoint", str(file)]
    process = subprocess.Popen(
        [sys.executable, "-m", "hwbnn", *words], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    while not file.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "error" not in said

    from hwbnn.train.run import read_checkpoint

    assert read_checkpoint(file)["epochs"] >= 1
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


@pytest.mark.usefixtures("_trains")
def test_options_of_the_method(hwbnn: Run, tmp_path: Path) -> None:
    done = hwbnn(
        "train", *TINY, "--epochs", 1, "--method", "bnn+", "--option", "regularizer=R1",
        "--option", "beta=10", "--option", "trained_scales=false", "--json",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert done.json["recipe"]["method"] == "bnn+ beta=10 regularizer=R1 trained_scales=False"
    assert done.json["recipe"]["learning_rate"] == "0.005"
    assert done.json["files"] == {}
    assert done.json["test_images"] == 128


def test_values_of_options() -> None:
    given = ["a=1", "b=1e-3", "c=true", "d=False", "e=R2", "f=x=y", "g="]
    assert parse_options(given) == {
        "a": 1, "b": 1e-3, "c": True, "d": False, "e": "R2", "f": "x=y", "g": "",
    }  # fmt: skip
    for wrong in ("beta", "=3", ""):
        with pytest.raises(ConfigError, match=f"^--option: must be NAME=VALUE, not {wrong}; "):
            parse_options([wrong])
    with pytest.raises(ConfigError, match=r"^--option: a must be given once, not again as 2"):
        parse_options(["a=1", "a=2"])


@pytest.mark.usefixtures("_trains")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("xfc",), "network: must be a known network, not xfc; choose tfc-w1a1"),
        ((*TINY, "--method", "magic"), "method: must be a known one, not magic; choose float32"),
        ((*TINY, "--option", "beta=1"), "method ste: must know the option, not beta; leave it"),
        ((*TINY, "--out", "model.pt"), "--out: must end in .onnx, not model.pt; add it"),
        (
            (*TINY, "--method", "float32", "--out", "model.onnx"),
            "--out: the method must make binary weights, not float32, to be exported; leave out",
        ),
        ((*TINY, "--style", "new"), "--style: must be dynamo or torchscript, not new; choose"),
        ((*TINY, "--device", "tpu"), "--device: must be cpu or cuda, not tpu; choose one of"),
        ((*TINY, "--validation", "1"), "validation: must be a share above 0 and below 1, not 1.0"),
        ((*TINY, "--teacher", "none.pt"), "none.pt: the teacher must be a readable checkpoint"),
        ((*TINY, "--temperature", "0", "--teacher", "self-float"), "temperature: must be a fini"),
        ((*TINY, "--teacher-share", "2", "--teacher", "self-float"), "teacher share: must be abo"),
        ((*TINY, "--data", "other"), "data: must be a known set, not other; choose"),
    ],
)
def test_wrong_choices(hwbnn: Run, arguments: tuple[object, ...], text: str) -> None:
    done = hwbnn("train", *arguments)
    assert done.status == 4
    assert done.out == ""
    assert done.err.startswith(f"error: {text}"), done.err


@pytest.mark.usefixtures("_trains")
def test_a_folder_must_be_there(hwbnn: Run, tmp_path: Path) -> None:
    done = hwbnn("train", *TINY, "--log", tmp_path / "no" / "run.csv")
    assert done.status == 6
    assert "its folder must exist" in done.err


@pytest.mark.usefixtures("_trains")
def test_defaults_are_the_recipes() -> None:
    import inspect

    from hwbnn.cli.training import train
    from hwbnn.train.distill import Distillation
    from hwbnn.train.recipe import Recipe

    shown = {name: p.default for name, p in inspect.signature(train).parameters.items()}
    recipe = Recipe(epochs=1)
    for name in ("seed", "batch", "shift", "flip", "crop", "bfloat16", "stages", "learning_rate"):
        assert shown[name] == getattr(recipe, name), name
    assert shown["method"] == recipe.method.name
    assert (shown["temperature"], shown["teacher_share"]) == (
        Distillation.temperature, Distillation.share,
    )  # fmt: skip


def test_without_the_extra(hwbnn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "brevitas", None)
    done = hwbnn("train", "tfc-w1a1")
    assert done.status == 5
    assert done.err == (
        "error: train: torch, brevitas must be installed; run `pip install 'hwbnn[train]'`\n"
    )


def test_help_needs_no_torch(hwbnn: Run) -> None:
    shown = hwbnn("train", "--help")
    assert shown.status == 0
    assert "--learning-rate" in shown.out
    code = "import sys, hwbnn.cli.app; sys.exit('torch' in sys.modules or 'onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", zoo.names())
def test_recipes_of_shipped_models_are_commands(name: str) -> None:
    """What followed `python -m hwbnn.train` follows `hwbnn train`."""
    import shlex

    from typer.main import get_command

    from hwbnn.cli.app import app

    recipe = zoo.manifest()[name]["recipe"]
    command = recipe.removeprefix("python -m hwbnn.train ").removeprefix("hwbnn train ")
    arguments = shlex.split(command)
    train = get_command(app).commands["train"]  # type: ignore[attr-defined]
    context = train.make_context("train", list(arguments))
    assert context.params["network"] == zoo.manifest()[name]["network"]
    assert context.params["epochs"] == zoo.manifest()[name]["epochs"]
