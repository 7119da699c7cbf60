# SPDX-License-Identifier: Apache-2.0
"""Bop: no latent weights; binary weights flip where their averaged gradient insists.

Helwegen, Widdicombe, Geiger, Liu, Cheng, Nusselder: Latent Weights Do Not Exist, arXiv 1906.02107,
algorithm 1, with w in -1 and +1 and g the gradient of the loss to w:

    m <- (1 - adaptivity) m + adaptivity g
    w <- -w  where m w > threshold, that is |m| > threshold and sign(m) = sign(w)

All other parameters are Adam's. A learning-rate schedule lowers the adaptivity in the same
proportion, as the paper does in steps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from hwbnn.train.binary import SurrogateSign, binary_activation, binary_weight, hard_sign, within
from hwbnn.train.method import Method, binary_layers
from hwbnn.train.methods.options import number

NAME = "bop"


class Bop(torch.optim.Optimizer):
    """Bop for the binary weights in the second parameter group, Adam for the first.

    The second group's lr only sets the proportion lr / first_lr of its adaptivity.
    """

    def __init__(
        self,
        others: list[nn.Parameter],
        binary: list[nn.Parameter],
        *,
        learning_rate: float,
        adaptivity: float,
        threshold: float,
    ) -> None:
        groups: list[dict[str, Any]] = [
            {"params": others, "betas": (0.9, 0.999), "eps": 1e-8, "binary": False},
            {"params": binary, "adaptivity": adaptivity, "threshold": threshold, "binary": True},
        ]
        for group in groups:
            group["first_lr"] = learning_rate
        super().__init__(groups, {"lr": learning_rate})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [one for one in group["params"] if one.grad is not None]
            if not parameters:
                continue
            if group["binary"]:
                self._flip(parameters, group)
            else:
                self._adam(parameters, group)
        return loss

    def _flip(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        adaptivity = group["adaptivity"] * float(group["lr"]) / group["first_lr"]
        for weight in weights:
            state = self.state[weight]
            if not state:
                state["average"] = torch.zeros_like(weight)
            average = state["average"]
            average.lerp_(weight.grad, adaptivity)
            kept = torch.le(average * weight, group["threshold"], out=torch.empty_like(weight))
            weight.mul_(kept.mul_(2).sub_(1))

    def _adam(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["step"] = torch.zeros(())
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
        states = [self.state[parameter] for parameter in parameters]
        adam(
            parameters,
            [parameter.grad for parameter in parameters],  # type: ignore[misc]  # all have one
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=0.0,
            eps=group["eps"],
            maximize=False,
        )


def optimizer(
    model: nn.Module, learning_rate: float, *, adaptivity: float, threshold: float
) -> torch.optim.Optimizer:
    """Return Bop for the model's binary layers, Adam for the rest of its parameters."""
    binary = [layer.weight for layer in binary_layers(model)]
    known = {id(weight) for weight in binary}
    others = [one for one in model.parameters() if id(one) not in known]
    return Bop(
        others, binary, learning_rate=learning_rate, adaptivity=adaptivity, threshold=threshold
    )


def _binary(weight: Tensor) -> object:
    return weight.copy_(hard_sign(weight))


def bop(*, adaptivity: float = 1e-4, threshold: float = 1e-8) -> Method:
    """Return Bop; adaptivity and threshold are the paper's gamma and tau.

    A long memory (small adaptivity) and a high threshold mean fewer flips.
    """
    adaptivity = number(NAME, "adaptivity", adaptivity, above=0.0, usual=1e-4)
    threshold = number(NAME, "threshold", threshold, above=0.0, usual=1e-8, equal=True)
    return Method(
        NAME,
        "arXiv 1906.02107",
        binary_weight(SurrogateSign),
        binary_activation(partial(SurrogateSign, partial(within, limit=1.0))),
        clip=None,
        initialise=_binary,
        optimizer=partial(optimizer, adaptivity=adaptivity, threshold=threshold),
    )
