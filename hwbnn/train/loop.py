# SPDX-License-Identifier: Apache-2.0
"""The training loop: a cosine, clipped latent weights, the best epoch of the hard network kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from brevitas.core.scaling import ParameterScaling
from torch import Tensor

from hwbnn.train.binary import Binarize
from hwbnn.train.dataset import Dataset, Source, Split, as_pixels
from hwbnn.train.distill import teacher_of
from hwbnn.train.feed import Feed, as_input, feed_of
from hwbnn.train.log import check_log, write_log
from hwbnn.train.metrics import Epoch, Judged, accuracy, flips, judge, signs
from hwbnn.train.networks import Image, Network, network
from hwbnn.train.parallel import Place, check_batch
from hwbnn.train.recipe import TEACHER, Recipe, Stage, stages_of
from hwbnn.train.run import (
    Run,
    check_identity,
    copy_of,
    overwrite,
    read_checkpoint,
    restore,
    save_run,
)
from hwbnn.train.step import Stepper, check_losses, check_values

LOOKED_AT = 50  # steps after which the losses are looked at: a GPU must wait for that

__all__ = [
    "Epoch", "Moment", "Place", "Recipe", "accuracy", "as_input", "as_pixels", "image_of", "train",
]  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """Where a training is: step of steps in epoch of epochs of a stage."""

    stage: str
    epoch: int
    epochs: int
    step: int
    steps: int


@dataclass(frozen=True)
class _Job:
    """What stays the same from the first epoch to the last."""

    name: str
    recipe: Recipe
    stages: tuple[Stage, ...]
    feed: Feed
    classes: int
    place: Place
    identity: dict[str, str]
    checkpoint: Path | None
    log: Path | None
    report: Callable[[Epoch], None] | None
    progress: Callable[[Moment], None] | None


def train(
    name: str,
    data: Dataset | Source,
    recipe: Recipe,
    *,
    checkpoint: Path | None = None,
    report: Callable[[Epoch], None] | None = None,
    log: Path | None = None,
    progress: Callable[[Moment], None] | None = None,
    place: Place | None = None,
) -> Network:
    """Train a network; the same arguments give the same network on the same machine.

    checkpoint: file that is written after every epoch, and from which a stopped training goes on;
    log: CSV file of all epochs; progress is called after every step. The network is returned in
    eval mode, on the place's device. Not finite values stop the training (ConfigError).
    """
    place = place or Place()
    _make_deterministic(place.device)
    check_batch(recipe.batch, place.ranks)
    generator = torch.Generator().manual_seed(recipe.seed)
    feed = feed_of(data, recipe, place, generator)
    identity = {
        "network": name,
        "data": data.name,
        "image": "x".join(str(length) for length in feed.image),
        "classes": str(len(data.classes)),
        **recipe.facts(),
    }
    if log is not None:
        check_log(log, identity)
    job = _Job(
        name, recipe, stages_of(recipe), feed, len(data.classes), place, identity, checkpoint, log,
        report, progress,
    )  # fmt: skip
    run = _resumed(job, generator) or _begin(job, generator, 0, None)
    while True:
        _train_stage(job, run)
        if run.stage + 1 == len(job.stages):
            break
        run = _begin(job, generator, run.stage + 1, run)
    overwrite(run.model, run.best_state)
    return run.model.eval()


def image_of(data: Dataset | Source) -> Image:
    """Return the channels, height and width of a set's images."""
    if not isinstance(data, Dataset):
        return data.shape
    channels, height, width = as_pixels(data.part(Split.TRAIN)[0][:1]).shape[1:]
    return channels, height, width


def _make_deterministic(device: torch.device) -> None:
    on_gpu = device.type == "cuda"
    if on_gpu:
        # cuBLAS sums in one order only with this, read when it starts (CUDA's manual of cuBLAS,
        # "Results reproducibility").
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # A GPU has operations without a deterministic form: those only warn.
    torch.use_deterministic_algorithms(True, warn_only=on_gpu)
    # Else every new tensor is filled first, to show reads of what nobody wrote.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _resumed(job: _Job, generator: torch.Generator) -> Run | None:
    """Return the run of the checkpoint, if there is one."""
    if job.checkpoint is None or not job.checkpoint.exists():
        return None
    state = read_checkpoint(job.checkpoint)
    check_identity(job.checkpoint, state["identity"], job.identity)
    run = _begin(job, generator, state["stage"], None)
    restore(run, state)
    if job.log is not None and job.place.first:
        write_log(job.log, job.identity, run.rows)
    return run


def _begin(job: _Job, generator: torch.Generator, index: int, before: Run | None) -> Run:
    """Return the run at the beginning of a stage; `before`: as the last stage ended."""
    stage = job.stages[index]
    torch.manual_seed(job.recipe.seed)
    model = network(job.name, how=stage.method, image=job.feed.image, classes=job.classes)
    if before is not None and stage.goes_on:
        _take_over(model, before.best_state)
    model.to(device=job.place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = stage.method.optimizer(model, stage.learning_rate)
    steps = job.recipe.epochs * job.feed.steps
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    run = Run(model, optimizer, schedule, generator, stage=index)
    if before is not None:
        run.rows, run.teacher_state = before.rows, before.teacher_state
        if job.stages[before.stage].name == TEACHER:
            run.teacher_state = before.best_state
    return run


def _take_over(model: Network, state: dict[str, Tensor]) -> None:
    """Begin with a trained network's values, whose latent weights are to become binary."""
    own = model.state_dict()
    overwrite(model, own | {name: values for name, values in state.items() if name in own})
    for layer in model.binary_layers():
        made = layer.weight_quant.tensor_quant
        if isinstance(made, Binarize) and isinstance(made.scaling_impl, ParameterScaling):
            # A trained scale begins anew, at what it begins with for these weights.
            made.scaling_impl.value.data.copy_(layer.weight_quant.quant_injector.scaling_init)


def _teacher(job: _Job, run: Run) -> Network | None:
    how = job.recipe.distillation
    if how is None or not job.stages[run.stage].distilled:
        return None
    if how.teacher is not None:
        model = teacher_of(how.teacher, image=job.feed.image, classes=job.classes)
    else:
        plain = job.stages[0].method
        model = network(job.name, how=plain, image=job.feed.image, classes=job.classes).eval()
        overwrite(model, run.teacher_state)
    model.to(device=job.place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def _train_stage(job: _Job, run: Run) -> None:
    """Train until the stage's last epoch; after each, judge, save, log and report."""
    stage, place = job.stages[run.stage], job.place
    if run.epochs == job.recipe.epochs:
        return
    stepper = Stepper(
        run, job.recipe, stage, _teacher(job, run), place.parallel(run.model), place.device
    )
    made = {
        "network": job.name,
        "method": stage.method.name,
        "options": [list(option) for option in stage.method.options],
        "image": list(job.feed.image),
        "classes": job.classes,
    }
    while run.epochs < job.recipe.epochs:
        epoch = _epoch(job, run, stepper)
        if job.checkpoint is not None and place.first:
            last = run.epochs == job.recipe.epochs and run.stage + 1 == len(job.stages)
            save_run(run, job.checkpoint, identity=job.identity, made=made, finished=last)
        if job.log is not None and place.first:
            write_log(job.log, job.identity, run.rows)
        if job.report is not None and place.first:
            job.report(epoch)


def _epoch(job: _Job, run: Run, stepper: Stepper) -> Epoch:
    """Train once over the images, judge the hard network, and keep it if it is the best."""
    stage, place = job.stages[run.stage], job.place
    if stage.method.advance is not None:
        stage.method.advance(run.model, run.epochs / max(1, job.recipe.epochs - 1))
    before = signs(run.model) if place.first else []
    run.model.train()
    began = time.perf_counter()
    losses = torch.zeros(job.feed.steps, device=place.device)
    hits = torch.zeros((), dtype=torch.int64, device=place.device)
    for step, (x, y) in enumerate(job.feed.train(run.generator, run.epochs)):
        losses[step], hit = stepper.step(x, y)
        hits += hit
        if step % LOOKED_AT == 0 or step + 1 == job.feed.steps:
            check_losses(losses[: step + 1], epoch=run.epochs + 1, mend=_mend(job, run))
        if job.progress is not None:
            job.progress(
                Moment(stage.name, run.epochs + 1, job.recipe.epochs, step + 1, job.feed.steps)
            )
    took = time.perf_counter() - began
    check_values(run.model, epoch=run.epochs + 1, mend=_mend(job, run))
    place.agree(run.model)
    run.epochs += 1
    judged = judge(run.model, job.feed.held_out()) if place.first else Judged(0, 0, None, 0, 0)
    score = place.agreed(judged.accuracy)
    if score > run.best:
        run.best, run.best_state = score, copy_of(run.model)
    mine = job.feed.steps * (job.recipe.batch // place.ranks)
    epoch = Epoch(
        run.epochs,
        sum(losses.tolist()) / job.feed.steps,
        score,
        training=int(hits) / mine,
        flip_rate=flips(before, signs(run.model)) if place.first else None,
        saturation=judged.saturation,
        dead_channels=judged.dead,
        channels=judged.channels,
        images_per_second=round(mine * place.ranks / took, 1),
        stage=stage.name,
    )
    run.rows.append(epoch.row())
    return epoch


def _mend(job: _Job, run: Run) -> str:
    rate = job.stages[run.stage].learning_rate
    text = f"choose a --learning-rate below {rate:g}"
    if job.checkpoint is not None and job.checkpoint.exists():
        text += f"; {job.checkpoint} still holds the last good epoch"
    return text
