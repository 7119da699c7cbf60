# SPDX-License-Identifier: Apache-2.0
"""A training under way, and the file from which it goes on when it was stopped."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hwbnn.errors import ConfigError, OutputError
from hwbnn.train.networks import Network

# What torch.load raises of other and of damaged files.
UNREADABLE = (
    OSError, EOFError, KeyError, TypeError, RuntimeError, ValueError, pickle.UnpicklingError,
    zipfile.BadZipFile,
)  # fmt: skip
Facts = Mapping[str, str]


@dataclass
class Run:
    """All that the next epoch depends on; it changes from epoch to epoch."""

    model: Network
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator  # of the order of images and of their augmentation
    stage: int = 0
    epochs: int = 0  # done of the stage
    best: float = -1.0  # validation accuracy of best_state
    best_state: dict[str, Any] = field(default_factory=dict)
    teacher_state: dict[str, Any] = field(default_factory=dict)  # trained in the same run, if any
    rows: list[dict[str, Any]] = field(default_factory=list)  # of the log, of every epoch so far


def save_run(
    run: Run, path: Path, *, identity: Facts, made: Mapping[str, Any], finished: bool
) -> None:
    """Write the file in one go: a training that is stopped meanwhile leaves the last one.

    identity: what a training that goes on from here must share; made: how the network is built.
    """
    state = {
        "identity": dict(identity),
        "made": dict(made),
        "finished": finished,
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "schedule": run.schedule.state_dict(),
        "generator": run.generator.get_state(),
        "torch_generator": torch.get_rng_state(),
        "gpu_generators": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "stage": run.stage,
        "epochs": run.epochs,
        "best": run.best,
        "best_state": run.best_state,
        "teacher_state": run.teacher_state,
        "rows": run.rows,
    }
    unfinished = path.with_name(path.name + ".part")
    try:
        with unfinished.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())  # else the name may reach the disk before the content
        unfinished.replace(path)
    except (OSError, RuntimeError) as error:  # torch's writer makes the second of the first
        raise OutputError(
            f"{path}: the checkpoint must be writable, not fail: {error}; make room, or name "
            "another file with --checkpoint"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)  # it is there only if something stopped the writing


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what save_run() wrote, on the CPU; ConfigError if the file is another."""
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        if not state.keys() >= {"identity", "made", "finished", "model", "rows"}:
            raise KeyError("identity")
    except (*UNREADABLE, AttributeError) as error:
        raise ConfigError(
            f"{path}: must be a checkpoint of hwbnn train, not another file; remove it"
        ) from error
    return state


def check_identity(path: Path, found: Facts, wanted: Facts) -> None:
    """Raise ConfigError with all that differs, unless the checkpoint is of the same training."""
    names = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    if names:
        differs = ", ".join(
            f"{name} {found.get(name, '(none)')} (here {wanted.get(name, '(none)')})"
            for name in names
        )
        raise ConfigError(
            f"{path}: must be a checkpoint of this training, not of one with {differs}; "
            "name another file"
        )


def restore(run: Run, state: Mapping[str, Any]) -> None:
    """Put the run, which is of the state's stage, where the checkpoint's training stopped."""
    overwrite(run.model, state["model"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.schedule.load_state_dict(state["schedule"])
    run.generator.set_state(state["generator"])
    torch.set_rng_state(state["torch_generator"])
    if torch.cuda.is_initialized() and len(state["gpu_generators"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["gpu_generators"])
    run.stage, run.epochs = state["stage"], state["epochs"]
    run.best, run.best_state = state["best"], state["best_state"]
    run.teacher_state, run.rows = state["teacher_state"], state["rows"]


@torch.no_grad()
def overwrite(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy a state of the same network into its parameters and buffers.

    Not by load_state_dict(): with it Brevitas makes new parameters of its trained scales, of
    which an optimizer knows nothing.
    """
    own = model.state_dict()
    if own.keys() != state.keys():
        raise ConfigError(
            f"checkpoint: must hold the network's values, not others: "
            f"{', '.join(sorted(own.keys() ^ state.keys()))}; it is of another version: remove it"
        )
    for name, values in state.items():
        own[name].copy_(values)


def copy_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the model's parameters and buffers as they are now."""
    return {name: values.detach().clone() for name, values in model.state_dict().items()}
