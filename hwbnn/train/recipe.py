# SPDX-License-Identifier: Apache-2.0
"""All that decides the result of a training, and the stages it consists of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from hwbnn.errors import ConfigError
from hwbnn.train.augment import Augment
from hwbnn.train.distill import Distillation
from hwbnn.train.method import Method, adam
from hwbnn.train.methods import method

LEAST_BATCH = 2  # batch norm needs two values of a channel


@dataclass(frozen=True)
class Recipe:
    """All that decides the result of a training, with the data and the network."""

    epochs: int  # of each stage
    method: Method = field(default_factory=lambda: method("ste"))
    seed: int = 0
    learning_rate: float | None = None  # None: the method's
    batch: int = 128  # images of a step, on all processes together
    shift: int = 0  # augmentation: images move by up to so many pixels
    flip: bool = False  # augmentation: half of the images are mirrored
    bfloat16: bool = False  # products in bfloat16: faster; validation and export stay exact
    validation: float = 1 / 12  # share of the training images, held out to choose the epoch
    crop: bool = False  # augmentation: a random box of each image, resized
    stages: int = 1  # 2: first binary activations with float weights, then all binary
    distillation: Distillation | None = None

    def __post_init__(self) -> None:
        problems = [text for wrong, text in self._checks() if wrong]
        if problems:
            raise ConfigError(problems)

    @property
    def rate(self) -> float:
        """Return the learning rate to begin with."""
        return self.method.learning_rate if self.learning_rate is None else self.learning_rate

    @property
    def augment(self) -> Augment:
        """Return what happens to the training images."""
        return Augment(shift=self.shift, flip=self.flip, crop=self.crop)

    def facts(self) -> dict[str, str]:
        """Return what two recipes may differ in, by name."""
        values = vars(self) | {"learning_rate": self.rate}
        return {name: str(value) for name, value in values.items()}

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.facts().items())

    def _checks(self) -> list[tuple[bool, str]]:
        binary = self.method.weight is not None and self.method.activation is not None
        return [
            (
                self.epochs < 1,
                f"epochs: must be 1 or more, not {self.epochs}; name more epochs",
            ),
            (
                self.batch < LEAST_BATCH,
                f"batch: must be {LEAST_BATCH} or more images, for batch norm, not {self.batch}; "
                "choose a larger batch",
            ),
            (
                not 0 < self.validation < 1,
                f"validation: must be a share above 0 and below 1, not {self.validation}; "
                "it chooses the epoch: hold out 0.1 or so",
            ),
            (
                not 0 < self.rate < math.inf,
                f"learning rate: must be a finite number above 0, not {self.rate}; "
                f"the method's is {self.method.learning_rate}",
            ),
            (self.seed < 0, f"seed: must be 0 or more, not {self.seed}; choose another"),
            (
                self.stages not in (1, 2),
                f"stages: must be 1 or 2, not {self.stages}; choose one of them",
            ),
            (
                self.stages > 1 and not binary,
                f"stages: must be 1 with {self.method.name}, which has no binary weights and "
                f"activations, not {self.stages}; leave out --stages, or take another method",
            ),
        ]


@dataclass(frozen=True)
class Stage:
    """One training within a run: same network and data, a method of its own."""

    name: str
    method: Method
    learning_rate: float
    distilled: bool  # learns from the teacher too
    goes_on: bool = False  # begins with the latent weights of the stage before


TEACHER = "teacher"


def stages_of(recipe: Recipe) -> tuple[Stage, ...]:
    """Return the stages in their order; each takes all the recipe's epochs.

    Two stages as Martinez et al., "Training binary neural networks with real-to-binary
    convolutions" (arXiv 2003.11535), section 4.1.
    """
    found = []
    learns = recipe.distillation is not None
    if recipe.distillation is not None and recipe.distillation.teacher is None:
        plain = method("float32")
        found.append(Stage(TEACHER, plain, plain.learning_rate, distilled=False))
    if recipe.stages > 1:
        # Its weights are float: what acts on binary ones (penalty, clip, Bop) has no object yet.
        begun = replace(recipe.method, weight=None, penalty=None, clip=None, optimizer=adam)
        found.append(Stage("activations", begun, recipe.rate, distilled=learns))
    going_on = recipe.stages > 1
    found.append(Stage("network", recipe.method, recipe.rate, distilled=learns, goes_on=going_on))
    return tuple(found)
