# SPDX-License-Identifier: Apache-2.0
"""The networks by name."""

from __future__ import annotations

from hwbnn.errors import ConfigError
from hwbnn.train.method import Method
from hwbnn.train.methods import method
from hwbnn.train.networks.alexnet import ALEXNETS
from hwbnn.train.networks.chains import CHAINS
from hwbnn.train.networks.densenet import DENSENETS
from hwbnn.train.networks.dorefa import DOREFA
from hwbnn.train.networks.network import Architecture, Image, Network
from hwbnn.train.networks.resnet_e import RESNETS
from hwbnn.train.networks.vgg_small import VGG

NETWORKS: dict[str, Architecture] = {
    **CHAINS, **VGG, **ALEXNETS, **DOREFA, **DENSENETS, **RESNETS
}  # fmt: skip

__all__ = ["NETWORKS", "Architecture", "Image", "Network", "network"]


def network(
    name: str, *, how: Method | None = None, image: Image | None = None, classes: int = 10
) -> Network:
    """Make an untrained network by its name; seed torch before.

    how: the training method, plain straight-through if None; image: [channels, height, width],
    the published one if None.
    """
    if name not in NETWORKS:
        raise ConfigError(
            f"network: must be a known network, not {name}; choose {', '.join(NETWORKS)}"
        )
    architecture = NETWORKS[name]
    return architecture.build(how or method("ste"), image or architecture.image, classes)
