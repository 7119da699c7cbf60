# SPDX-License-Identifier: Apache-2.0
"""The training loop against plain PyTorch: the same network, images and steps, on one thread.

    python -m benchmarks training_speed

Plain: torch layers with signs by autograd functions of three lines, Adam, a cosine, clamped
weights, accuracy on the validation images after each epoch; nothing else. Bare: the same few lines
around the Brevitas network that hwbnn trains. In turn, so that a busy machine slows all three;
the time is the process' own on the CPU, of the fastest of the epochs.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from benchmarks.record import record

NETWORKS = ("sfc-w1a1", "cnn-w1a1")
IMAGES = {"sfc-w1a1": 12_000, "cnn-w1a1": 3_000}
EPOCHS, ROUNDS, BATCH, RATE = 3, 3, 128, 5e-3


def main() -> None:
    import torch

    torch.set_num_threads(1)
    rows = []
    for name in NETWORKS:
        ours, bare, plain = _times(name)
        rows.append(
            {
                "network": name,
                "images an epoch": IMAGES[name],
                "plain PyTorch s": round(plain, 3),
                "bare loop on Brevitas s": round(bare, 3),
                "hwbnn train s": round(ours, 3),
                "to plain": round(ours / plain, 3),
                "to bare": round(ours / bare, 3),
            }
        )
    record(
        "training_speed",
        rows,
        command="python -m benchmarks training_speed",
        note="CPU seconds an epoch, validation and metrics included, one thread.",
    )


def _times(name: str) -> tuple[float, float, float]:
    from hwbnn.train.data import load
    from hwbnn.train.networks import network

    whole = load("fashion-mnist")
    data = replace(
        whole,
        train_images=whole.train_images[: IMAGES[name]],
        train_labels=whole.train_labels[: IMAGES[name]],
    )
    best = [float("inf")] * 3
    for _ in range(ROUNDS):
        found = (
            _ours(name, data),
            _bare(network(name), data),
            _bare(_plain(name), data),
        )
        best = [min(pair) for pair in zip(best, found, strict=True)]
    return best[0], best[1], best[2]


def _ours(name: str, data: Any) -> float:
    from hwbnn.train.loop import Recipe, train

    times = [time.process_time()]
    recipe = Recipe(epochs=EPOCHS, batch=BATCH, learning_rate=RATE)
    train(name, data, recipe, report=lambda _: times.append(time.process_time()))
    return _fastest(times)


def _bare(model: Any, data: Any) -> float:
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    model.to(memory_format=torch.channels_last)
    images = torch.tensor(data.train_images[:, None])
    labels = torch.from_numpy(data.train_labels.astype("int64"))
    held = round(len(labels) / 12)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    steps = (len(labels) - held) // BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * steps)
    latents = [layer.weight for layer in model.modules() if _has_matrix(layer)]
    times = [time.process_time()]
    for _ in range(EPOCHS):
        model.train()
        for part in (held + torch.randperm(len(labels) - held))[: steps * BATCH].split(BATCH):
            loss = functional.cross_entropy(
                model(images[part].float() / 255.0) * model.logit_scale, labels[part]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                for latent in latents:
                    latent.clamp_(-1, 1)
        model.eval()
        with torch.no_grad():
            for part in torch.arange(held).split(1000):
                (model(images[part].float() / 255.0).argmax(1) == labels[part]).float().mean()
        times.append(time.process_time())
    return _fastest(times)


def _has_matrix(layer: Any) -> bool:
    return hasattr(layer, "weight") and layer.weight is not None and layer.weight.ndim > 1


def _fastest(times: list[float]) -> float:
    return min(after - before for before, after in pairwise(times))


def _plain(name: str) -> Any:
    """Return the network in plain torch: same layers, no Brevitas."""
    from torch import nn

    sign, linear, conv, layer = _plain_layers()
    if name == "sfc-w1a1":
        layers = [nn.Flatten(), layer(lambda x: 2 * x - 1), sign]
        for fan_in in (784, 256, 256):
            layers += [linear(fan_in, 256, bias=False), nn.BatchNorm1d(256), sign]
        last = 256
    else:
        layers = [layer(lambda x: ((2 * x - 1) * 128).round().clamp(-128, 127) / 128)]
        for fan_in, fan_out, pool in ((1, 32, True), (32, 64, True), (64, 64, False)):
            layers.append(conv(fan_in, fan_out, 3, padding=1, bias=False))
            layers += [nn.MaxPool2d(2)] if pool else []
            layers += [nn.BatchNorm2d(fan_out), sign]
        layers.append(nn.Flatten())
        last = 64 * 7 * 7
    model = nn.Sequential(*layers, linear(last, 10, bias=False))
    model.logit_scale = 0.5 * last**-0.5
    return model


def _plain_layers() -> tuple[Any, Any, Any, Any]:
    import torch
    from torch import nn
    from torch.nn import functional

    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Any) -> Any:
            context.save_for_backward(x)
            return torch.where(x >= 0, 1.0, -1.0)

        @staticmethod
        def backward(context: Any, gradient: Any) -> Any:
            (x,) = context.saved_tensors
            return gradient * (x.abs() <= 1)

    class Through(torch.autograd.Function):
        @staticmethod
        def forward(_context: Any, x: Any) -> Any:
            return torch.where(x >= 0, 1.0, -1.0)

        @staticmethod
        def backward(_context: Any, gradient: Any) -> Any:
            return gradient

    class Linear(nn.Linear):
        def forward(self, x: Any) -> Any:
            return functional.linear(x, Through.apply(self.weight))

    class Conv(nn.Conv2d):
        def forward(self, x: Any) -> Any:
            return functional.conv2d(x, Through.apply(self.weight), padding=self.padding)

    class Layer(nn.Module):
        def __init__(self, function: Callable[[Any], Any]) -> None:
            super().__init__()
            self.function = function

        def forward(self, x: Any) -> Any:
            return self.function(x)

    return Layer(Sign.apply), Linear, Conv, Layer
