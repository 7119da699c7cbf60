# SPDX-License-Identifier: Apache-2.0
"""Data parallel training: two processes, one network."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

from hwbnn.errors import ConfigError  # noqa: E402
from hwbnn.train import parallel  # noqa: E402
from hwbnn.train.parallel import Place  # noqa: E402

PROGRAM = """
import sys
from pathlib import Path
import torch
from hwbnn.train import data, parallel
from hwbnn.train.loop import Recipe, train
from hwbnn.train.methods import method
torch.set_num_threads(1)
folder = Path(sys.argv[1])
with parallel.joined(torch.device("cpu")) as place:
    for name in ("bnn+", "bop"):
        recipe = Recipe(epochs=2, batch=32, method=method(name), shift=1, flip=True)
        model = train("tfc-w1a1", data.load("tiny"), recipe, place=place,
                      checkpoint=folder / f"{name}.pt", log=folder / f"{name}.csv")
        torch.save(model.state_dict(), folder / f"{name}-{place.rank}.pt")
"""


@pytest.mark.slow
def test_two_processes_end_with_the_same_network(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [*run, str(program), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for name in ("bnn+", "bop"):
        first, second = (torch.load(tmp_path / f"{name}-{rank}.pt") for rank in range(2))
        assert first.keys() == second.keys()
        for key, values in first.items():
            assert torch.equal(values, second[key]), key
        lines = (tmp_path / f"{name}.csv").read_text().splitlines()[1:]
        epochs = list(csv.DictReader(lines))
        assert [row["epoch"] for row in epochs] == ["1", "2"]
        assert float(epochs[-1]["validation"]) > 0.7
        assert float(epochs[-1]["loss"]) < float(epochs[0]["loss"])


def test_a_batch_that_processes_cannot_share() -> None:
    parallel.check_batch(8, 4)
    for batch, ranks, choice in ((10, 4, 8), (4, 4, 8), (33, 2, 32)):
        with pytest.raises(ConfigError) as error:
            parallel.check_batch(batch, ranks)
        assert str(error.value) == (
            f"batch: must be a multiple of the {ranks} processes, {2 * ranks} or more, not "
            f"{batch}; choose {choice}"
        )


def test_processes_draw_alike_and_each_its_own() -> None:
    generators = [torch.Generator().manual_seed(0) for _ in range(3)]
    drawn = [
        torch.rand(4, generator=Place(rank=rank, ranks=3).own(generator))
        for rank, generator in enumerate(generators)
    ]
    assert not torch.equal(drawn[0], drawn[1])
    states = [generator.get_state() for generator in generators]
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])
    alone = torch.Generator()
    assert Place().own(alone) is alone


def test_devices() -> None:
    assert parallel.find_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"^--device: must be cpu or cuda, not tpu; choose one"):
        parallel.find_device("tpu")
    if not torch.cuda.is_available():
        assert parallel.find_device(None) == torch.device("cpu")
        with pytest.raises(ConfigError, match=r"^--device: must be cpu, not cuda, where torch fin"):
            parallel.find_device("cuda")


def test_alone_without_torchrun() -> None:
    with parallel.joined(torch.device("cpu")) as place:
        assert place == Place()
        assert place.first
        assert place.agreed(0.5) == 0.5
