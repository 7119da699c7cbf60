# SPDX-License-Identifier: Apache-2.0
"""Augmentation of image batches [n, channels, height, width]: shift, mirror, crop and resize.

Every function takes bytes or floats, on any device. What is drawn comes from an explicit generator
on the CPU, so that a GPU sees the same images; what it is applied to is a whole batch at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hwbnn.errors import ConfigError

# Random resized crop as Inception is trained (Szegedy et al., "Going deeper with convolutions",
# section 6): 8 to 100 % of the area, sides as 3:4 to 4:3; ten tries, as the field has settled on.
AREA = (0.08, 1.0)
ASPECT = (3 / 4, 4 / 3)
TRIES = 10


@dataclass(frozen=True)
class Augment:
    """What happens to training images; first the crop, then the shift, then the mirror."""

    shift: int = 0  # pixels: zeros come in at the border (pad and crop)
    flip: bool = False  # half of the images are mirrored left to right
    crop: bool = False  # random resized crop, to the same size

    def __post_init__(self) -> None:
        if self.shift < 0:
            raise ConfigError(f"shift: must be 0 or more pixels, not {self.shift}; choose 0 to 4")


@dataclass(frozen=True)
class Draws:
    """What is drawn for n images."""

    boxes: Tensor  # [n, 4], see crop_boxes()
    corners: Tensor  # [2, n]: rows and columns 0 to 2 shift, where the image with its border is cut
    mirrored: Tensor  # bool [n]

    def of(self, numbers: Tensor) -> Draws:
        """Return the draws for some of the images."""
        return Draws(self.boxes[numbers], self.corners[:, numbers], self.mirrored[numbers])


def generator_of(*numbers: int) -> torch.Generator:
    """Return a generator on the CPU that is seeded by all the numbers (0 or more each)."""
    if min(numbers) < 0:
        raise ConfigError(f"seed: must be 0 or more, not {min(numbers)}; choose another")
    # torch's Mersenne twister takes 32 bits of a seed; SeedSequence mixes all numbers into them.
    state = np.random.SeedSequence(numbers).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))


def draw(
    augment: Augment, count: int, *, height: int, width: int, generator: torch.Generator
) -> Draws:
    """Draw for `count` images of height x width pixels, also what `augment` does not ask for."""
    return Draws(
        crop_boxes(count, height=height, width=width, generator=generator),
        _corners(count, augment.shift, generator),
        _mirrored(count, generator),
    )


def apply(augment: Augment, draws: Draws, x: Tensor) -> Tensor:
    """Return the images changed as drawn; same shape and type."""
    if augment.crop:
        x = resized(x, draws.boxes, height=x.shape[2], width=x.shape[3])
    if augment.shift:
        x = _moved(x, draws.corners, augment.shift)
    return _mirror(x, draws.mirrored) if augment.flip else x


def shifted(x: Tensor, limit: int, generator: torch.Generator) -> Tensor:
    """Move every image by -limit to limit pixels down and right; zeros come in."""
    if limit == 0:
        return x
    return _moved(x, _corners(len(x), limit, generator), limit)


def flipped(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images, drawn at random, left to right."""
    return _mirror(x, _mirrored(len(x), generator))


def resized_crop(x: Tensor, *, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Cut a random box out of every image and resize it to height x width."""
    boxes = crop_boxes(len(x), height=x.shape[2], width=x.shape[3], generator=generator)
    return resized(x, boxes, height=height, width=width)


def crop_boxes(count: int, *, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw boxes [count, 4] of whole pixels: top, left, height, width.

    The first of ten tries that fits into the image; else the largest centred box of a legal aspect.
    """
    place = torch.rand((2, count), generator=generator, dtype=torch.float64)
    share, aspect = torch.rand((2, count, TRIES), generator=generator, dtype=torch.float64)
    area = height * width * (AREA[0] + share * (AREA[1] - AREA[0]))
    low, high = math.log(ASPECT[0]), math.log(ASPECT[1])
    ratio = torch.exp(low + aspect * (high - low))  # width : height, as likely as its reciprocal
    rows = torch.round(torch.sqrt(area / ratio)).long()
    columns = torch.round(torch.sqrt(area * ratio)).long()
    fits = (rows >= 1) & (rows <= height) & (columns >= 1) & (columns <= width)
    first = fits.long().argmax(1, keepdim=True)
    some = fits.any(1)
    whole = (
        max(1, min(height, round(width / ASPECT[0]))),
        max(1, min(width, round(height * ASPECT[1]))),
    )
    tall = torch.where(some, rows.gather(1, first)[:, 0], whole[0])
    wide = torch.where(some, columns.gather(1, first)[:, 0], whole[1])
    top = torch.where(some, (place[0] * (height - tall + 1)).long(), (height - tall) // 2)
    left = torch.where(some, (place[1] * (width - wide + 1)).long(), (width - wide) // 2)
    return torch.stack([top, left, tall, wide], 1)


def resized(x: Tensor, boxes: Tensor, *, height: int, width: int) -> Tensor:
    """Resize a box of every image to height x width: bilinear, averaging where it shrinks.

    Rows and columns apart, each as one product with a matrix of triangle weights per image, as
    wide as the shrinking asks for (as Pillow resizes). Bytes are rounded; same type as x.
    """
    boxes = boxes.to(x.device)
    down = _weights(x.shape[2], boxes[:, 0], boxes[:, 2], height)
    across = _weights(x.shape[3], boxes[:, 1], boxes[:, 3], width)
    values = x if x.is_floating_point() else x.float()
    made = down.to(values.dtype)[:, None] @ values @ across.to(values.dtype)[:, None].mT
    return made if x.is_floating_point() else made.round().clamp(0, 255).to(x.dtype)


def _weights(size: int, start: Tensor, length: Tensor, wanted: int) -> Tensor:
    """Return [n, wanted, size]: the share of every pixel of a line in every one wanted."""
    scale = (length.float() / wanted)[:, None, None]
    reach = scale.clamp(min=1.0)
    centre = (torch.arange(wanted, device=start.device) + 0.5)[None, :, None] * scale
    pixel = torch.arange(size, device=start.device)[None, None, :] - start[:, None, None]
    weight = (1 - (pixel + 0.5 - centre).abs() / reach).clamp(min=0.0)
    inside = (pixel >= 0) & (pixel < length[:, None, None])  # nothing from outside the box
    weight = torch.where(inside, weight, 0.0)
    return weight / weight.sum(2, keepdim=True)


def _corners(count: int, limit: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2 * limit + 1, (2, count), generator=generator)


def _mirrored(count: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, (count, 1, 1, 1), generator=generator).bool()[:, 0, 0, 0]


def _moved(x: Tensor, corners: Tensor, limit: int) -> Tensor:
    """Cut every image, with a border of `limit` zeros, at its corner [2, n] of 0 .. 2 limit."""
    down, right = corners.to(x.device)
    height, width = x.shape[2:]
    padded = functional.pad(x, (limit, limit, limit, limit))
    # A view of all cuts, of which each image takes one: rows are copied whole.
    cuts = padded.unfold(2, height, 1).unfold(3, width, 1)
    return cuts[torch.arange(len(x), device=x.device), :, down, right]


def _mirror(x: Tensor, mirrored: Tensor) -> Tensor:
    return torch.where(mirrored.to(x.device)[:, None, None, None], x.flip(3), x)
