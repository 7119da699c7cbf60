# SPDX-License-Identifier: Apache-2.0
"""Knowledge distillation: the network also learns the soft targets of a teacher.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (arXiv 1503.02531),
section 2: softmax of logits / T; the soft part counts T^2 times, so that its gradients keep
their size whatever T is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from hwbnn.errors import ConfigError
from hwbnn.train.methods import method
from hwbnn.train.networks import Image, Network, network
from hwbnn.train.run import overwrite, read_checkpoint


@dataclass(frozen=True)
class Distillation:
    """How a network learns from its teacher.

    teacher: checkpoint of a finished training; None: the same network with float32 weights and
    activations, trained before in the same run.
    """

    teacher: Path | None = None
    temperature: float = 4.0
    share: float = 0.5  # of the loss that is the teacher's; the labels' is the rest

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ConfigError(
                f"temperature: must be a finite number above 0, not {self.temperature}; "
                "choose 1 to 10"
            )
        if not 0 < self.share <= 1:
            raise ConfigError(
                f"teacher share: must be above 0 and at most 1, not {self.share}; choose 0.5"
            )

    def __str__(self) -> str:
        who = "self-float"
        if self.teacher is not None:
            who = f"{self.teacher.name} ({_digest(self.teacher)})"
        return f"{who} at temperature {self.temperature}, share {self.share}"


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise ConfigError(
            f"{path}: the teacher must be a readable checkpoint, not one that fails: "
            f"{error.strerror}; train it with --checkpoint"
        ) from error


def soft_loss(logits: Tensor, labels: Tensor, taught: Tensor, how: Distillation) -> Tensor:
    """Return the mixed loss of scaled logits [n, classes], the teacher's `taught` likewise."""
    heat = how.temperature
    divergence = functional.kl_div(
        functional.log_softmax(logits / heat, 1),
        functional.log_softmax(taught / heat, 1),
        reduction="batchmean",
        log_target=True,
    )
    hard = functional.cross_entropy(logits, labels)
    return (1 - how.share) * hard + how.share * heat**2 * divergence


def teacher_of(path: Path, *, image: Image, classes: int) -> Network:
    """Return the network of a finished training's checkpoint, in eval mode.

    ConfigError: the file is none, the training is not done, or it had other images or classes.
    """
    state = read_checkpoint(path)
    if not state["finished"]:
        raise ConfigError(
            f"{path}: the teacher's training must be finished, not at epoch {state['epochs']}; "
            "go on with it"
        )
    made = state["made"]
    if tuple(made["image"]) != image or made["classes"] != classes:
        raise ConfigError(
            f"{path}: the teacher must take images {_size(image)} and give {classes} classes, not "
            f"{_size(made['image'])} and {made['classes']}; train one on the same data"
        )
    model = network(
        made["network"],
        how=method(made["method"], **dict(made["options"])),
        image=image,
        classes=classes,
    )
    overwrite(model, state["best_state"])
    return model.eval()


@torch.no_grad()
def taught(teacher: Network, x: Tensor) -> Tensor:
    """Return the teacher's scaled logits [n, classes]."""
    logits: Tensor = teacher(x).float() * teacher.logit_scale
    return logits


def _size(image: Image) -> str:
    return "x".join(str(length) for length in image)
