# SPDX-License-Identifier: Apache-2.0
"""The training methods under one protocol on Fashion-MNIST: accuracy of the hard integer network.

    python -m benchmarks training

Every method has the same epochs, batch, optimizer, schedule and grid of learning rates; 5,000 of
the 60,000 training images choose learning rate and epoch; the 10,000 test images are looked at
once, by the integer interpreter on the exported network. Two runs at a time with a thread each. A
finished run is kept in build/training, so that an interrupted benchmark goes on.
"""

import hashlib
import json
import multiprocessing
import statistics
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.record import RESULTS, record

COMMAND = "python -m benchmarks training"
KEPT = Path("build/training")
DATA = "fashion-mnist"
GRID = (1e-3, 2e-3, 5e-3, 1e-2)
WORKERS = 2
FLOAT = "float32"
METHODS = (
    FLOAT,
    "ste",
    "bnn+",
    "self-binarizing",
    "back-to-simplicity",
    "trained-binarization",
)


@dataclass(frozen=True)
class Contest:
    """A network, how long it trains, and how long each learning rate of the grid is tried."""

    network: str
    epochs: int
    tried: int
    seeds: tuple[int, ...]
    bfloat16: bool = False
    methods: tuple[str, ...] = METHODS


CONTESTS = (
    Contest("sfc-w1a1", epochs=10, tried=10, seeds=(0, 1, 2)),
    Contest("cnn-w1a1", epochs=8, tried=3, seeds=(0,), bfloat16=True),
    # tanh(nu x) needs time to harden: the same again, for it and its rival, with more epochs.
    Contest("sfc-w1a1", epochs=24, tried=10, seeds=(0,), methods=("ste", "self-binarizing")),
)


@dataclass(frozen=True)
class Job:
    """One training; options are those of the method, name and value."""

    network: str
    method: str
    learning_rate: float
    epochs: int
    seed: int
    bfloat16: bool = False
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Done:
    """What a training gave: accuracies as shares; measures by their names."""

    validation: float  # of the hard network, best epoch
    test: float  # of the integers; of the float network where nothing is binary
    seconds: float  # an epoch
    measures: dict[str, float] = field(default_factory=dict)


def run(job: Job) -> Done:
    """Train and measure, or return what was kept of the same run."""
    name = hashlib.sha256(repr(job).encode()).hexdigest()[:16]
    kept = KEPT / f"{job.network}-{job.method}-{name}.json"
    if not kept.exists():
        done = _train(job)
        KEPT.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        part.write_text(json.dumps({"job": asdict(job), "done": asdict(done)}))
        part.replace(kept)
    return Done(**json.loads(kept.read_text())["done"])


def run_all(jobs: Iterable[Job]) -> dict[Job, Done]:
    """Run each job once, two at a time."""
    wanted = list(dict.fromkeys(jobs))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=spawn) as pool:
        return dict(zip(wanted, pool.map(run, wanted), strict=True))


def _train(job: Job) -> Done:
    import torch

    from hwbnn.train.data import load
    from hwbnn.train.loop import Recipe, accuracy, train
    from hwbnn.train.methods import method

    torch.set_num_threads(1)
    data = load(DATA)
    recipe = Recipe(
        epochs=job.epochs,
        method=method(job.method, **dict(job.options)),
        seed=job.seed,
        learning_rate=job.learning_rate,
        bfloat16=job.bfloat16,
    )
    epochs: list[Any] = []
    started = time.perf_counter()
    model = train(job.network, data, recipe, report=epochs.append)
    took = (time.perf_counter() - started) / job.epochs
    best = max(epoch.validation for epoch in epochs)
    if job.method == FLOAT:
        labels = torch.from_numpy(data.test_labels.astype(int))
        return Done(best, accuracy(model, data.test_images, labels), took)
    measures = _measures(epochs[-1]) | _own_measures(job.method, model, data)
    return Done(best, _integer_accuracy(model, data), took, measures)


def _integer_accuracy(model: Any, data: Any) -> float:
    import hwbnn
    from hwbnn.frontend import import_model, load_model
    from hwbnn.sim.interpret import Interpreter

    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        hwbnn.export(model, path, data.test_images[:100])
        graph = import_model(load_model(path), name="model", check=False)  # export has checked
    pixels = data.test_images.reshape(len(data.test_images), -1).astype(np.int64)
    logits = Interpreter(graph.on_pixels, threads=1).run(pixels)
    if graph.output_values is not None:
        logits = graph.output_values.apply(logits)
    return float((logits.argmax(1) == data.test_labels).mean())


def _measures(epoch: Any) -> dict[str, float]:
    names = ("flip_rate", "saturation", "dead_channels")
    return {name: float(getattr(epoch, name)) for name in names}


def _own_measures(method: str, model: Any, data: Any) -> dict[str, float]:
    """Measure what a paper claims of its own training."""
    import torch

    from hwbnn.train.loop import accuracy
    from hwbnn.train.methods.bnn_plus import share_near_alpha
    from hwbnn.train.methods.self_binarizing import soft

    if method == "bnn+":
        return {"near_alpha": share_near_alpha(model)}
    if method == "self-binarizing":
        with soft(model):
            labels = torch.from_numpy(data.test_labels.astype(int))
            return {"soft": accuracy(model, data.test_images, labels)}
    return {}


def main() -> None:
    """Try the grid, train with what it chose, record table and plot."""
    rows = []
    for contest in CONTESTS:
        rows += _contest(contest)
    record("training", rows, command=COMMAND, note=NOTE)
    plot(rows, RESULTS / "training.png")


def _contest(contest: Contest) -> list[dict[str, Any]]:
    tries = {
        name: [_job(contest, name, rate, contest.tried, 0) for rate in GRID]
        for name in contest.methods
    }
    tried = run_all(job for jobs in tries.values() for job in jobs)
    rates = {
        name: max(jobs, key=lambda job: tried[job].validation).learning_rate
        for name, jobs in tries.items()
    }
    finals = {
        name: [_job(contest, name, rates[name], contest.epochs, seed) for seed in contest.seeds]
        for name in contest.methods
    }
    done = run_all(job for jobs in finals.values() for job in jobs)
    return [
        _row(contest, name, rates[name], [done[job] for job in jobs])
        for name, jobs in finals.items()
    ]


def _job(contest: Contest, method: str, rate: float, epochs: int, seed: int) -> Job:
    return Job(contest.network, method, rate, epochs, seed, contest.bfloat16)


def _row(
    contest: Contest, method: str, learning_rate: float, runs: Sequence[Done]
) -> dict[str, Any]:
    tests = [100 * run.test for run in runs]
    last = runs[0].measures
    return {
        "network": contest.network,
        "epochs": contest.epochs,
        "method": method,
        "learning rate": learning_rate,
        "validation %": round(100 * statistics.mean(run.validation for run in runs), 2),
        "test %": round(statistics.mean(tests), 2),
        "deviation": round(statistics.stdev(tests), 2) if len(tests) > 1 else "",
        "seeds": len(tests),
        "flips %": round(100 * last["flip_rate"], 2) if last else "",
        "dead": int(last["dead_channels"]) if last else "",
    }


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the test accuracies, a panel for each network and length."""
    from matplotlib.figure import Figure

    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(f"{row['network']}, {row['epochs']} epochs", []).append(row)
    sizes = [len(group) for group in groups.values()]
    figure = Figure(figsize=(8, 0.9 + 0.42 * sum(sizes)), layout="constrained")
    panels = figure.subplots(len(groups), 1, height_ratios=sizes, squeeze=False)[:, 0]
    for panel, (title, group) in zip(panels, groups.items(), strict=True):
        names = [row["method"] for row in group]
        values = np.array([row["test %"] for row in group])
        errors = np.array([row["deviation"] or 0.0 for row in group])
        for place, (name, value, error) in enumerate(zip(names, values, errors, strict=True)):
            colour = "0.5" if name == FLOAT else "#2a6f97"
            panel.errorbar(
                value, place, xerr=error or None, fmt="o", color=colour, capsize=3, markersize=6
            )
            panel.annotate(f"{value:.2f}", (value + error, place), (8, 0),
                           textcoords="offset points", va="center", fontsize=8)  # fmt: skip
        panel.set_yticks(range(len(names)), names)
        panel.set_ylim(len(names) - 0.5, -0.5)
        panel.set_xlim(values.min() - 0.5, values.max() + 0.7)
        panel.grid(axis="x", color="0.9")
        panel.set_title(title, loc="left", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("test accuracy of the hard integer network, % (float32: of the floats)")
    figure.savefig(path, dpi=110)


NOTE = (
    "Fashion-MNIST; Adam, cosine to 0, batch 128, no augmentation, no weight decay on latent "
    "weights, and bfloat16 products for the CNN. The validation images (5,000) choose learning "
    f"rate, of {', '.join(map(str, GRID))}, and epoch; the CNN's grid is tried with 3 epochs, that "
    "of 24 epochs with 10. Test: 10,000 images through the integer interpreter, mean and standard "
    "deviation over the seeds. Differences of the CNN's one seed under 0.5 are noise. flips: "
    "weights whose sign changed in the last epoch; dead: activation channels, counted, that never "
    "change over the validation images."
)

if __name__ == "__main__":
    main()
