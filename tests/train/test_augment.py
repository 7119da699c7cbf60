# SPDX-License-Identifier: Apache-2.0
"""Augmentation does what slow loops over images and Pillow do, and what is drawn is as it says."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs hwbnn[train]")

import torch
from PIL import Image

from hwbnn.errors import ConfigError
from hwbnn.train.augment import (
    Augment,
    apply,
    crop_boxes,
    draw,
    flipped,
    generator_of,
    resized,
    resized_crop,
    shifted,
)


def images(count: int = 12, channels: int = 3, height: int = 9, width: int = 7) -> torch.Tensor:
    rng = np.random.default_rng(3)
    return torch.tensor(rng.integers(1, 256, (count, channels, height, width)).astype(np.uint8))


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 3 + columns, 255 - rows * 2, columns * 4], 2).astype(np.uint8)


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_shift_moves_each_image_as_drawn(kind: torch.dtype) -> None:
    x = images().to(kind)
    moved = shifted(x, 2, torch.Generator().manual_seed(5))
    down, right = torch.randint(0, 5, (2, len(x)), generator=torch.Generator().manual_seed(5))
    assert len({*zip(down.tolist(), right.tolist(), strict=True)}) > 5
    for number, image in enumerate(x):
        bordered = np.pad(image.numpy(), ((0, 0), (2, 2), (2, 2)))
        top, left = int(down[number]), int(right[number])
        assert np.array_equal(moved[number], bordered[:, top : top + 9, left : left + 7])
    assert moved.dtype == kind


def test_no_shift_draws_nothing() -> None:
    generator = torch.Generator().manual_seed(5)
    before = generator.get_state()
    x = images()
    assert shifted(x, 0, generator) is x
    assert torch.equal(generator.get_state(), before)


def test_flip_mirrors_half_of_the_images() -> None:
    x = images(count=400, height=2, width=3)
    mirrored = flipped(x, torch.Generator().manual_seed(5))
    drawn = torch.randint(0, 2, (400, 1, 1, 1), generator=torch.Generator().manual_seed(5))
    chosen = drawn.flatten().bool()
    assert torch.equal(mirrored[chosen], x[chosen].flip(3))
    assert torch.equal(mirrored[~chosen], x[~chosen])
    assert 150 < int(chosen.sum()) < 250


@pytest.mark.parametrize(("height", "width"), [(32, 32), (300, 500), (40, 10)])
def test_boxes_are_inside_and_of_a_legal_size(height: int, width: int) -> None:
    boxes = crop_boxes(2000, height=height, width=width, generator=generator_of(1)).double()
    top, left, tall, wide = boxes.T
    assert int(top.min()) >= 0 and int((top + tall).max()) <= height
    assert int(left.min()) >= 0 and int((left + wide).max()) <= width
    # Half a pixel of rounding on either side.
    assert bool(((tall + 0.5) * (wide + 0.5) >= 0.08 * height * width).all())
    assert bool(((wide - 0.5) / (tall + 0.5) <= 4 / 3).all())
    assert bool(((wide + 0.5) / (tall - 0.5) >= 3 / 4).all())
    assert len({*tall.tolist()}) > 3 and len({*top.tolist()}) > 3


def test_a_strip_gives_its_centre() -> None:
    # No box of 8 % of the area and an aspect of at most 4:3 fits into 1:100.
    boxes = crop_boxes(3, height=4, width=400, generator=generator_of(1))
    assert boxes.tolist() == [[0, 197, 4, 5]] * 3


def test_the_area_of_boxes_is_uniform() -> None:
    # Up to 3/4 of a square, every aspect fits and no box is drawn anew.
    boxes = crop_boxes(20000, height=1000, width=1000, generator=generator_of(2)).double()
    share = boxes[:, 2] * boxes[:, 3] / 1e6
    share = share[share < 0.75]
    assert abs(float((share < 0.25).double().mean()) - 0.17 / 0.67) < 0.02
    mean_aspect = float(torch.log(boxes[:, 3] / boxes[:, 2]).mean())
    assert abs(mean_aspect) < 0.01  # wide as often as tall


@pytest.mark.parametrize("size", [(16, 20), (40, 48), (64, 64), (5, 7)])
@pytest.mark.parametrize("box", [(0, 0, 40, 48), (7, 3, 20, 31), (11, 40, 8, 6), (39, 47, 1, 1)])
def test_resize_is_pillows(size: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    picture = smooth(40, 48)
    top, left, tall, wide = box
    cut = Image.fromarray(picture).crop((left, top, left + wide, top + tall))
    expected = cut.resize(size[::-1], Image.Resampling.BILINEAR)
    x = torch.tensor(picture).permute(2, 0, 1)[None].expand(2, -1, -1, -1)
    boxes = torch.tensor([[0, 0, 40, 48], box])
    made = resized(x, boxes, height=size[0], width=size[1])
    assert made.dtype == torch.uint8
    difference = made[1].permute(1, 2, 0).int() - torch.tensor(np.asarray(expected)).int()
    assert int(difference.abs().max()) <= 1  # Pillow rounds after each direction


def test_resize_to_the_same_size_changes_nothing() -> None:
    x = images().float()
    whole = torch.tensor([[0, 0, 9, 7]] * len(x))
    assert torch.equal(resized(x, whole, height=9, width=7), x)


def test_resized_crop_takes_the_drawn_boxes() -> None:
    x = images(height=30, width=20)
    made = resized_crop(x, height=10, width=8, generator=generator_of(4))
    boxes = crop_boxes(len(x), height=30, width=20, generator=generator_of(4))
    assert made.shape == (12, 3, 10, 8)
    assert torch.equal(made, resized(x, boxes, height=10, width=8))


def test_apply_does_crop_then_shift_then_mirror() -> None:
    x = images()
    every = Augment(shift=2, flip=True, crop=True)
    draws = draw(every, len(x), height=9, width=7, generator=generator_of(6))
    made = apply(every, draws, x)
    for augment in (Augment(crop=True), Augment(shift=2), Augment(flip=True)):
        x = apply(augment, draws, x)
    assert torch.equal(made, x)


def test_draws_of_some_images_are_theirs() -> None:
    augment = Augment(shift=2, flip=True, crop=True)
    x = images()
    draws = draw(augment, len(x), height=9, width=7, generator=generator_of(6))
    some = torch.tensor([7, 2, 2, 11])
    assert torch.equal(apply(augment, draws.of(some), x[some]), apply(augment, draws, x)[some])


def test_a_generator_depends_on_every_number() -> None:
    seeds = {
        int(torch.randint(2**40, (), generator=generator_of(*numbers)))
        for numbers in ((0, 0), (0, 1), (1, 0), (0, 2**33), (2**33, 0), (0, 0, 1))
    }
    assert len(seeds) == 6


def test_bad_values() -> None:
    with pytest.raises(ConfigError, match=r"^shift: must be 0 or more pixels, not -1; choose 0 "):
        Augment(shift=-1)
    with pytest.raises(ConfigError, match=r"^seed: must be 0 or more, not -3; choose another$"):
        generator_of(-3, 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_sees_the_same_images() -> None:
    augment = Augment(shift=2, flip=True, crop=False)
    x = images()
    draws = draw(augment, len(x), height=9, width=7, generator=generator_of(6))
    assert torch.equal(apply(augment, draws, x.cuda()).cpu(), apply(augment, draws, x))
