# SPDX-License-Identifier: Apache-2.0
"""Tiny networks of every kind, with values as a training leaves them."""

from collections.abc import Callable

import numpy as np
import torch
from brevitas.core.scaling import ParameterScaling
from torch import nn

from hwbnn.train.layers import Shift
from hwbnn.train.method import Method
from hwbnn.train.networks.alexnet import BnnAlexNet, XnorAlexNet
from hwbnn.train.networks.chains import Chain, Convolution, Pool
from hwbnn.train.networks.densenet import BinaryDenseNet
from hwbnn.train.networks.dorefa import DoReFa
from hwbnn.train.networks.network import Image, Network
from hwbnn.train.networks.resnet_e import ResNetE
from hwbnn.train.networks.vgg_small import VggSmall

CLASSES = 5
CONVOLUTIONS = (
    Convolution(4, padding=1, pool=Pool.SUMS),
    Convolution(6, pool=Pool.ACTIVATIONS),
    Convolution(5),
)
Build = Callable[[Method, Image, int], Network]

# Those that import as integers.
CHAINS: dict[str, tuple[Build, Image]] = {
    "mlp": (Chain("mlp", (), (13, 9), 1, 1).build, (1, 4, 4)),
    "cnn": (Chain("cnn", CONVOLUTIONS, (7,), 1, 8).build, (1, 16, 16)),
    "alexnet-bnn": (BnnAlexNet(width=1 / 64).build, (3, 15, 15)),
    "alexnet": (XnorAlexNet(width=1 / 128).build, (3, 15, 15)),
    "vgg-small": (VggSmall(width=1 / 32).build, (3, 8, 8)),
    "dorefa": (DoReFa(width=1 / 16).build, (3, 24, 24)),
}
# Those with several paths.
GRAPHS: dict[str, tuple[Build, Image]] = {
    "binarydensenet": (
        BinaryDenseNet("tiny", (1,) * 4, (2.0,) * 3, growth=3, first=4, multiple=2).build,
        (3, 8, 8),
    ),
    "resnete": (ResNetE("tiny", (1,) * 4, width=1 / 32).build, (3, 8, 8)),
}


def made(name: str, how: Method) -> Network:
    """Return a network by name with random values."""
    build, image = (CHAINS | GRAPHS)[name]
    torch.manual_seed(7)
    return trained_looking(build(how, image, CLASSES))


@torch.no_grad()
def trained_looking(model: nn.Module) -> nn.Module:
    """Fill in statistics, norms of both signs, scales and thresholds, at random."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 2)
            module.running_var.uniform_(1, 9)
            module.weight.normal_()
            module.bias.normal_()
        if isinstance(module, ParameterScaling):
            module.value.uniform_(0.3, 2.0)
        if isinstance(module, Shift):
            module.shift.normal_(0, 0.5)
    return model.eval()


def pixels(image: Image, count: int = 12) -> np.ndarray:
    """Return random images [count, channels, height, width]."""
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (count, *image), dtype=np.uint8)
