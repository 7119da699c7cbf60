# SPDX-License-Identifier: Apache-2.0
"""Batches of arrays: which images, in which order, changed how, dealt out to which process."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs hwbnn[train]")

import torch

from hwbnn.errors import ConfigError
from hwbnn.train import data
from hwbnn.train.arrays import source_of
from hwbnn.train.augment import Augment
from hwbnn.train.dataset import Dataset, Source, Split, as_pixels, step_numbers

TINY = data.load("tiny")
SOURCE = source_of(TINY)
EVERY = Augment(shift=2, flip=True, crop=True)


def gathered(source: Source, **how: object) -> tuple[torch.Tensor, torch.Tensor]:
    """All batches of the training images in one."""
    batches = list(source.batches(Split.TRAIN, **how))
    return torch.cat([images for images, _ in batches]), torch.cat([n for _, n in batches])


def numbered(count: int) -> Source:
    """A set of `count` images 1x1 whose pixel is the image's number."""
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1)
    labels = (np.arange(count) % 3).astype(np.uint8)
    return source_of(Dataset("numbered", images, labels, images, labels, ("a", "b", "c")))


def test_batches_in_order_hold_every_image_once() -> None:
    images, labels = gathered(SOURCE, batch=100)
    assert torch.equal(images, torch.tensor(TINY.train_images)[:, None])
    assert labels.tolist() == TINY.train_labels.tolist()
    assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
    sizes = [len(y) for _, y in SOURCE.batches(Split.TEST, batch=100)]
    assert sizes == [100, 28] and sum(sizes) == SOURCE.count(Split.TEST)


def test_says_what_it_is() -> None:
    assert (SOURCE.name, SOURCE.shape, len(SOURCE.classes)) == ("tiny", (1, 28, 28), 10)
    assert SOURCE.labels(Split.TEST).tolist() == TINY.test_labels.tolist()
    assert data.open_source("tiny-32x32x3").shape == (3, 32, 32)


def test_colours_become_channels() -> None:
    coloured = data.load("tiny-32x32x3")
    images, _ = next(source_of(coloured).batches(Split.TEST, batch=5))
    assert np.array_equal(images, coloured.test_images[:5].transpose(0, 3, 1, 2))
    assert np.array_equal(images, as_pixels(coloured.test_images[:5]))


def test_shuffled_batches_are_whole_and_of_the_seed_and_epoch() -> None:
    source = numbered(103)
    first, labels = gathered(source, batch=10, shuffle=True, seed=1, epoch=4)
    order = first.flatten().tolist()
    assert len(order) == len(set(order)) == 100
    assert labels.tolist() == [number % 3 for number in order]
    assert torch.equal(first, gathered(source, batch=10, shuffle=True, seed=1, epoch=4)[0])
    for other in ({"seed": 1, "epoch": 5}, {"seed": 2, "epoch": 4}, {"seed": 4, "epoch": 1}):
        assert not torch.equal(first, gathered(source, batch=10, shuffle=True, **other)[0])


def test_only_the_numbers_asked_for() -> None:
    source = numbered(50)
    numbers = np.array([7, 3, 40, 11, 12])
    images, _ = gathered(source, batch=2, numbers=numbers)
    assert images.flatten().tolist() == numbers.tolist()
    mixed, _ = gathered(source, batch=2, numbers=numbers, shuffle=True)
    assert set(mixed.flatten().tolist()) < set(numbers.tolist()) and len(mixed) == 4


@pytest.mark.parametrize("augment", [None, EVERY])
def test_ranks_share_every_step(augment: Augment | None) -> None:
    how = {"batch": 12, "shuffle": True, "seed": 3, "epoch": 1, "augment": augment}
    together = list(SOURCE.batches(Split.TRAIN, **how))
    shares = [list(SOURCE.batches(Split.TRAIN, rank=rank, ranks=3, **how)) for rank in range(3)]
    for step, (images, labels) in enumerate(together):
        for rank, share in enumerate(shares):
            assert torch.equal(share[step][0], images[rank::3])
            assert torch.equal(share[step][1], labels[rank::3])
    assert len(together) == 512 // 12 == len(shares[0])


def test_what_happens_to_an_image_depends_on_seed_epoch_and_number_alone() -> None:
    def changed(epoch: int = 1, seed: int = 3, **how: object) -> dict[int, bytes]:
        plain, _ = gathered(SOURCE, seed=seed, epoch=epoch, **how)
        made, _ = gathered(SOURCE, seed=seed, epoch=epoch, augment=EVERY, **how)
        return {a.numpy().tobytes(): b.numpy().tobytes() for a, b in zip(plain, made, strict=True)}

    base = changed(batch=512)
    assert len(base) == 512  # no two images are alike
    assert changed(batch=64, shuffle=True) == base
    assert changed(batch=64, numbers=np.arange(9, 400)).items() <= base.items()
    assert changed(batch=512, rank=1, ranks=2).items() <= base.items()
    for other in (changed(batch=512, epoch=2), changed(batch=512, seed=4)):
        same = sum(other[image] == base[image] for image in base)
        assert same < 20


def test_one_change_leaves_the_others_draws_alone() -> None:
    flip, _ = gathered(SOURCE, batch=512, augment=Augment(flip=True))
    plain, _ = gathered(SOURCE, batch=512)
    both, _ = gathered(SOURCE, batch=512, augment=Augment(flip=True, crop=True))
    crop, _ = gathered(SOURCE, batch=512, augment=Augment(crop=True))
    mirrored = ~(flip == plain).flatten(1).all(1)
    assert 200 < int(mirrored.sum()) < 312
    assert torch.equal(both[mirrored], crop[mirrored].flip(3))
    assert torch.equal(both[~mirrored], crop[~mirrored])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"batch": 10, "ranks": 4},
            "batch: must be a multiple of the 4 processes, not 10; choose 8",
        ),
        ({"batch": 0}, "batch: must be a multiple of the 1 processes, not 0; choose 1"),
        ({"batch": 3, "ranks": 4}, "batch: must be .* not 3; choose 4"),
        ({"batch": 4, "rank": 2, "ranks": 2}, "rank: must be 0 to 1, not 2; start with torchrun"),
        ({"batch": 4, "shuffle": True, "seed": -1}, "seed: must be 0 or more, not -1; choose anot"),
    ],
)
def test_bad_choices(how: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        next(SOURCE.batches(Split.TRAIN, **how))


def test_a_short_last_step_may_leave_a_rank_without_images() -> None:
    steps = [
        [step.tolist() for step in
         step_numbers(np.arange(5), batch=4, whole=False, rank=rank, ranks=2)]
        for rank in range(2)
    ]  # fmt: skip
    assert steps == [[[0, 2], [4]], [[1, 3]]]


def changes(**parts: object) -> Dataset:
    return replace(TINY, **parts)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"train_images": TINY.train_images[1:]}, "train images and labels must be of one number, "
         "1 or more, not 511 and 512; take the files of one set"),
        ({"test_images": TINY.test_images[:0], "test_labels": TINY.test_labels[:0]},
         "test images and labels must be of one number, 1 or more, not 0 and 0"),
        ({"test_images": TINY.test_images / 255.0}, r"test images must be bytes \[n, height, "
         r"width\] or \[n, height, width, 3\], not float64\[128, 28, 28\]; convert them"),
        ({"train_images": np.zeros((512, 4, 4, 2), np.uint8)}, r"not uint8\[512, 4, 4, 2\]"),
        ({"test_images": TINY.test_images[:, 1:]}, "tiny: test images must be of the training "
         "images' size 28x28, not 27x28; take the files of one set"),
        ({"classes": ("a", "b")}, "tiny: train: labels must be 0 to 1, not [2-9]; take the files"),
    ],
)  # fmt: skip
def test_a_dataset_that_contradicts_itself(parts: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        changes(**parts)


def test_unknown_source() -> None:
    with pytest.raises(ConfigError, match=r"not cifar; choose cifar10.*imagenet, image-folder$"):
        data.open_source("cifar")
    with pytest.raises(ConfigError, match=r"^imagenet: --data-dir must be given; unpack ILSVRC"):
        data.open_source("imagenet")
    with pytest.raises(ConfigError, match=r"^image-folder: --data-dir must be given; arrange the"):
        data.open_source("image-folder")
    with pytest.raises(ConfigError, match=r"^tiny: is generated"):
        data.open_source("tiny", Path("x"))
