# SPDX-License-Identifier: Apache-2.0
"""A training that was killed goes on, and gives the same network bit for bit."""

import csv
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

from hwbnn.errors import ConfigError, OutputError  # noqa: E402
from hwbnn.train import data  # noqa: E402
from hwbnn.train.distill import Distillation  # noqa: E402
from hwbnn.train.loop import Epoch, Recipe, train  # noqa: E402
from hwbnn.train.methods import method  # noqa: E402
from hwbnn.train.networks import Network  # noqa: E402

TINY = data.load("tiny")
RECIPE = Recipe(epochs=3, batch=32, seed=5, shift=1, flip=True)
# Killed while it trains, and while it writes the checkpoint.
KILLED_IN_A_STEP = """
def kill(moment):
    if (moment.epoch, moment.step) == (2, 5):
        os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_IN_WRITING = """
kill = None
save = torch.save
def half(state, file):
    if state["epochs"] == 2:
        file.write(b"half of it")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    save(state, file)
torch.save = half
"""
PROGRAM = """
import os, signal, sys
from pathlib import Path
import torch
from hwbnn.train import data
from hwbnn.train.loop import Recipe, train
torch.set_num_threads(1)
{how}
recipe = Recipe(epochs=3, batch=32, seed=5, shift=1, flip=True)
folder = Path(sys.argv[1])
train("tfc-w1a1", data.load("tiny"), recipe, checkpoint=folder / "run.pt", log=folder / "run.csv",
      progress=kill)
"""


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def assert_equal(one: Network, other: Network) -> None:
    state = other.state_dict()
    for name, values in one.state_dict().items():
        assert torch.equal(values, state[name]), name


def rows(file: Path) -> list[dict[str, str]]:
    lines = file.read_text().splitlines()
    assert lines[0].startswith("# hwbnn train network=tfc-w1a1 data=tiny image=1x28x28 classes=10")
    found = list(csv.DictReader(lines[1:]))
    for row in found:
        del row["images_per_second"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("how", [KILLED_IN_A_STEP, KILLED_IN_WRITING])
def test_a_killed_training_goes_on(tmp_path: Path, how: str) -> None:
    program = [sys.executable, "-c", PROGRAM.format(how=how), str(tmp_path)]
    assert subprocess.run(program, check=False).returncode == -signal.SIGKILL
    file, log = tmp_path / "run.pt", tmp_path / "run.csv"
    assert [row["epoch"] for row in rows(log)] == ["1"]
    left: list[Epoch] = []
    resumed = train("tfc-w1a1", TINY, RECIPE, checkpoint=file, log=log, report=left.append)
    assert [epoch.number for epoch in left] == [2, 3]
    whole_log = tmp_path / "whole.csv"
    assert_equal(train("tfc-w1a1", TINY, RECIPE, log=whole_log), resumed)
    assert rows(log) == rows(whole_log)


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(replace(RECIPE, epochs=2, method=method(name)), marks=marks)
        for name, marks in (
            ("trained-binarization", pytest.mark.slow),
            ("self-binarizing", pytest.mark.slow),
            ("bop", ()),
            ("bnn+", pytest.mark.slow),
            ("rsign", pytest.mark.slow),
        )
    ]
    + [
        pytest.param(
            replace(RECIPE, epochs=2, stages=2, distillation=Distillation()), marks=pytest.mark.slow
        )
    ],
    ids=str,
)
def test_a_training_stopped_after_every_epoch(tmp_path: Path, recipe: Recipe) -> None:
    """Trained scales, nu, Bop's averages, stages and the teacher: all stand in the checkpoint."""
    whole = train("tfc-w1a1", TINY, recipe)
    file, log = tmp_path / "run.pt", tmp_path / "run.csv"
    count = recipe.epochs * (3 if recipe.stages == 2 else 1)
    seen: list[tuple[str, int]] = []

    def stop(epoch: Epoch) -> None:
        seen.append((epoch.stage, epoch.number))
        raise KeyboardInterrupt

    for _ in range(count):
        with pytest.raises(KeyboardInterrupt):
            train("tfc-w1a1", TINY, recipe, checkpoint=file, log=log, report=stop)
    assert_equal(train("tfc-w1a1", TINY, recipe, checkpoint=file, log=log, report=stop), whole)
    assert len(seen) == len(set(seen)) == count
    assert [(row["stage"], int(row["epoch"])) for row in rows(log)] == seen


def test_a_checkpoint_of_another_training(tmp_path: Path) -> None:
    file = tmp_path / "run.pt"
    once = Recipe(epochs=1, batch=64)
    train("tfc-w1a1", TINY, once, checkpoint=file)
    with pytest.raises(ConfigError) as error:
        train("tfc-w1a2", TINY, replace(once, seed=1, method=method("bop")), checkpoint=file)
    assert str(error.value) == (
        f"{file}: must be a checkpoint of this training, not of one with network tfc-w1a1 (here "
        "tfc-w1a2), method ste (here bop), seed 0 (here 1); name another file"
    )
    with pytest.raises(ConfigError, match=r"learning_rate 0.01 \(here 0.005\); name another file"):
        train("tfc-w1a1", TINY, replace(once, learning_rate=5e-3), checkpoint=file)


@pytest.mark.parametrize("content", [b"no checkpoint", b"", b"PK\x03\x04"])
def test_a_file_that_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "run.pt"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        train("tfc-w1a1", TINY, RECIPE, checkpoint=file)
    assert str(error.value) == (
        f"{file}: must be a checkpoint of hwbnn train, not another file; remove it"
    )
    torch.save({"a": 1}, file)
    with pytest.raises(ConfigError, match="must be a checkpoint of hwbnn train"):
        train("tfc-w1a1", TINY, RECIPE, checkpoint=file)


def test_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "run.pt"
    file.mkdir()
    with pytest.raises(ConfigError, match="must be a checkpoint of hwbnn train, not another file"):
        train("tfc-w1a1", TINY, RECIPE, checkpoint=file)
    file.rmdir()
    with pytest.raises(OutputError, match=r"the checkpoint must be writable, not fail: .*; make r"):
        train("tfc-w1a1", TINY, RECIPE, checkpoint=tmp_path / "no" / "run.pt")
    assert not list(tmp_path.iterdir())


def test_a_log_of_another_training(tmp_path: Path) -> None:
    log = tmp_path / "run.csv"
    once = Recipe(epochs=1, batch=64)
    train("tfc-w1a1", TINY, once, log=log)
    first = rows(log)
    train("tfc-w1a1", TINY, once, log=log)  # the same again, from the beginning
    assert rows(log) == first
    with pytest.raises(ConfigError, match=r"must be a log of this training, not of network=tfc-w1"):
        train("tfc-w1a2", TINY, once, log=log)
    log.write_text("precious\n")
    with pytest.raises(ConfigError) as error:
        train("tfc-w1a1", TINY, once, log=log)
    assert str(error.value) == (
        f"{log}: must be a log of this training, not of another file; name another with --log"
    )
    assert log.read_text() == "precious\n"
