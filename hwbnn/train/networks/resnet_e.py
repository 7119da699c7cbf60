# SPDX-License-Identifier: Apache-2.0
"""ResNetE: a shortcut around every single binary convolution."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from torch import nn

from hwbnn.train.layers import Residual, activation, clip8, conv, conv8_fixed, fixed_point, norm
from hwbnn.train.method import Method
from hwbnn.train.networks.network import Architecture, Image, Network, check_image, widened
from hwbnn.train.networks.stem import LEAST, head, stem, stem_sizes

CHANNELS = (64, 128, 256, 512)
TOP = 8.0  # the residual stream where a layer takes it: four batch norms' sum rarely exceeds it
STEP_TOP = 4.0  # of what is added to it: one batch norm exceeds it once in 16000, in steps of 1/32


class Downsample(Enum):
    """The 1x1 convolution of the shortcut where the map becomes smaller."""

    EIGHT_BIT = "eight bit"
    BINARY = "binary"


@dataclass(frozen=True)
class ResNetE:
    """The network of Bethge et al., Back to Simplicity (arXiv 1906.08637), as in BMXNet and larq.

    Stem, batch norm, four stages of 2 * blocks[i] convolutions, head. Around each convolution:
    x + batch norm(binary 3x3 convolution(sign(x))), where the sign sees the stream itself. At the
    entry of a later stage the convolution has stride 2, and the shortcut is a 2x2 mean, a
    multi-bit 1x1 convolution and a batch norm. -1 pads. BMXNet's batch norm of the image is left
    out, as in larq: pixels are fixed steps here.
    A block with a single convolution is also that of Bi-Real Net (Liu et al., arXiv 1808.00278).
    The residual stream is fixed point: all that is added to it, the stem's and each body's norm and
    the norm of a smaller shortcut, has eight bits with one step of 1/32 for the whole network, from
    -4 to 4. The sum itself is never rounded or clipped: it is an integer of up to 11 bits in front
    of each smaller map. Where a multi-bit layer takes it, it has eight bits again.
    width: factor on all channels; downsample: BINARY is the paper's ablation.
    """

    name: str
    blocks: tuple[int, ...]
    downsample: Downsample = Downsample.EIGHT_BIT
    width: float = 1.0

    def build(self, method: Method, image: Image, classes: int) -> Network:
        """Return the untrained network."""
        check_image(self.name, image, least=LEAST)
        fan_in = widened(CHANNELS[0], self.width)
        sizes = stem_sizes(image)
        layers = [*stem(method, image, fan_in), *_term(method, fan_in)]
        for stage, (published, blocks) in enumerate(zip(CHANNELS, self.blocks, strict=True)):
            channels = widened(published, self.width)
            for number in range(2 * blocks):
                entry = stage > 0 and number == 0
                shortcut = self._smaller(method, fan_in, channels, sizes) if entry else []
                body = [
                    activation(method, fan_in, padding=1),
                    conv(method, fan_in, channels, 3, stride=2 if entry else 1),
                    *_term(method, channels),
                ]
                layers.append(Residual(nn.Sequential(*body), nn.Sequential(*shortcut)))
                if entry:
                    sizes = ((sizes[0] + 1) // 2, (sizes[1] + 1) // 2)
                fan_in = channels
        layers += head(method, fan_in, classes, top=TOP)
        return Network(layers, image=image)

    def _smaller(
        self, method: Method, fan_in: int, fan_out: int, sizes: tuple[int, int]
    ) -> list[nn.Module]:
        # A convolution of stride 2 rounds odd sizes up, and so must the mean.
        odd = any(size % 2 for size in sizes)
        mean = nn.AvgPool2d(2, ceil_mode=odd, count_include_pad=False)
        end = _term(method, fan_out)
        if self.downsample is Downsample.BINARY:
            return [mean, activation(method, fan_in), conv(method, fan_in, fan_out, 1), *end]
        return [mean, clip8(method, top=TOP), *conv8_fixed(method, fan_in, fan_out, 1), *end]


def _term(method: Method, channels: int) -> list[nn.Module]:
    """Return the norm of what is added to the stream, in the stream's steps."""
    return [norm(channels), *fixed_point(method, top=STEP_TOP)]


RESNETES = (ResNetE("resnete18", (2, 2, 2, 2)), ResNetE("resnete34", (3, 4, 6, 3)))
RESNETS = {made.name: Architecture(made.build, (3, 224, 224)) for made in RESNETES}
