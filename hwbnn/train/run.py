# SPDX-License-Identifier: Apache-2.0
"""A training under way, and the file from which it goes on when it was stopped."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hwbnn.errors import ConfigError
from hwbnn.train.networks import Network


@dataclass
class Run:
    """All that the next epoch depends on; it changes from epoch to epoch."""

    model: Network
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    epochs: int = 0
    best: float = -1.0  # validation accuracy of best_state
    best_state: dict[str, Any] = field(default_factory=dict)


def save_run(run: Run, path: Path, identity: str) -> None:
    """Write the file in one go: a training that is stopped meanwhile leaves the last one."""
    state = {
        "identity": identity,
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "schedule": run.schedule.state_dict(),
        "generator": run.generator.get_state(),
        "epochs": run.epochs,
        "best": run.best,
        "best_state": run.best_state,
    }
    unfinished = path.with_name(path.name + ".part")
    torch.save(state, unfinished)
    unfinished.replace(path)


def load_run(run: Run, path: Path, identity: str) -> None:
    """Put the run where the file's training stopped; it must be one of the same identity."""
    try:
        state = torch.load(path, weights_only=True)
        found = state["identity"]
    except (OSError, EOFError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise ConfigError(
            f"{path}: must be a checkpoint of hwbnn.train, not another file; remove it"
        ) from error
    if found != identity:
        raise ConfigError(
            f"{path}: must be a checkpoint of {identity}, not of {found}; name another file"
        )
    run.model.load_state_dict(state["model"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.schedule.load_state_dict(state["schedule"])
    run.generator.set_state(state["generator"])
    run.epochs, run.best, run.best_state = state["epochs"], state["best"], state["best_state"]
