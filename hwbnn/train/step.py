# SPDX-License-Identifier: Apache-2.0
"""One step of a training: forward, loss, backward, optimizer, clip; and what must stay finite."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwbnn.errors import ConfigError
from hwbnn.train.distill import soft_loss, taught
from hwbnn.train.feed import as_floats
from hwbnn.train.networks import Network
from hwbnn.train.recipe import Recipe, Stage
from hwbnn.train.run import Run


class Stepper:
    """Takes the steps of a stage; what every step needs is looked up once."""

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        stage: Stage,
        teacher: Network | None,
        forward: nn.Module,
        device: torch.device,
    ) -> None:
        self.run, self.stage, self.teacher, self.forward = run, stage, teacher, forward
        self.how = recipe.distillation
        self.device, self.bfloat16 = device, recipe.bfloat16
        # To ask a layer whether it is binary quantizes its weights: not in every step.
        self.latents: list[Any] = [layer.weight for layer in run.model.binary_layers()]

    def step(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Learn one batch; return its loss and the number of right guesses."""
        x = as_floats(pixels)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            logits = self.forward(x)
        logits = logits.float() * self.run.model.logit_scale
        loss = self._loss(logits, labels, x)
        self.run.optimizer.zero_grad()
        loss.backward()
        self.run.optimizer.step()
        self.run.schedule.step()
        if (clip := self.stage.method.clip) is not None:
            with torch.no_grad():
                for latent in self.latents:
                    latent.clamp_(-clip, clip)
        return loss.detach(), (logits.detach().argmax(1) == labels).sum()

    def _loss(self, logits: Tensor, labels: Tensor, x: Tensor) -> Tensor:
        if self.teacher is None or self.how is None:
            loss = functional.cross_entropy(logits, labels)
        else:
            loss = soft_loss(logits, labels, taught(self.teacher, x), self.how)
        if self.stage.method.penalty is not None:
            # Not a part of what the processes average: the same in each, so it counts once.
            loss = loss + self.stage.method.penalty(self.run.model)
        return loss


def check_losses(losses: Tensor, *, epoch: int, mend: str) -> None:
    """Raise ConfigError if a loss of the epoch is not finite; it names the first such step."""
    finite = torch.isfinite(losses)
    if not finite.all():
        step = int(finite.logical_not().nonzero()[0])
        raise ConfigError(
            f"epoch {epoch}, step {step + 1}: loss must be finite, not {float(losses[step])}; "
            f"{mend}"
        )


def check_values(model: nn.Module, *, epoch: int, mend: str) -> None:
    """Raise ConfigError if a parameter or buffer is not finite.

    The loss may not show it: the sign of a latent weight that is no number looks healthy.
    """
    for name, values in model.state_dict().items():
        odd = torch.isfinite(values).logical_not()
        if odd.any():
            raise ConfigError(
                f"epoch {epoch}: {name} must be finite, not {float(values[odd][0])}; {mend}"
            )
