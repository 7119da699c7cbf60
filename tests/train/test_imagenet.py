# SPDX-License-Identifier: Apache-2.0
"""Image folders: what is read, cropped and dealt out, and what is said of damaged ones."""

import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs hwbnn[train]")

import torch
from PIL import Image, ImageOps

from hwbnn.errors import ConfigError
from hwbnn.train import data, imagenet
from hwbnn.train.augment import Augment, crop_boxes, generator_of
from hwbnn.train.dataset import Source, Split
from tests.train.miniature import write_image_folder

EVERY = Augment(shift=1, flip=True, crop=True)
SIDE = 28


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_image_folder(tmp_path)
    return tmp_path


def opened(folder: Path, *, threads: int = 2) -> Source:
    return data.open_source("image-folder", folder, side=SIDE, threads=threads)


def gathered(source: Source, split: Split = Split.TRAIN, **how: object) -> torch.Tensor:
    return torch.cat([images for images, _ in source.batches(split, **how)])


def test_lists_images_by_class(folder: Path) -> None:
    source = opened(folder)
    assert source.shape == (3, SIDE, SIDE)
    assert source.classes == ("n01440764", "n01443537", "n01484850")
    assert (source.count(Split.TRAIN), source.count(Split.TEST)) == (12, 6)
    assert source.labels(Split.TEST).tolist() == [0, 0, 1, 1, 2, 2]
    batches = list(source.batches(Split.TRAIN, batch=5))
    assert [tuple(images.shape) for images, _ in batches] == [
        (5, 3, SIDE, SIDE), (5, 3, SIDE, SIDE), (2, 3, SIDE, SIDE)
    ]  # fmt: skip
    assert torch.cat([labels for _, labels in batches]).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert batches[0][0].dtype == torch.uint8 and batches[0][1].dtype == torch.int64


def test_default_is_224_out_of_256(folder: Path) -> None:
    source = data.open_source("image-folder", folder)
    images, _ = next(source.batches(Split.TEST, batch=1))
    file = folder / "val" / "n01440764" / "n01440764_0.JPEG"  # 48x36
    resized = Image.open(file).resize((341, 256), Image.Resampling.BILINEAR)
    expected = resized.crop((58, 16, 58 + 224, 16 + 224))
    assert np.array_equal(images[0].permute(1, 2, 0), np.asarray(expected))


def test_a_training_image_is_the_drawn_crop(folder: Path) -> None:
    made = gathered(opened(folder), batch=12, seed=2, epoch=3, augment=Augment(crop=True))
    for number in (0, 7):
        label, index = divmod(number, 4)
        name = ("n01440764", "n01443537")[label]
        image = Image.open(folder / "train" / name / f"{name}_{index}.JPEG")
        generator = generator_of(2, 3, 1, number)
        top, left, tall, wide = crop_boxes(1, height=36, width=48, generator=generator)[0].tolist()
        cut = image.crop((left, top, left + wide, top + tall))
        expected = np.asarray(cut.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        assert np.array_equal(made[number].permute(1, 2, 0), expected)


def test_flip_and_shift_of_the_centre_crop(folder: Path) -> None:
    source = opened(folder)
    plain = gathered(source, batch=12)
    made = gathered(source, batch=12, augment=Augment(shift=2, flip=True))
    found = set()
    for image, changed in zip(plain, made, strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        bordered = ImageOps.expand(picture, 2)
        legal = {}
        for top in range(5):
            for left in range(5):
                cut = bordered.crop((left, top, left + SIDE, top + SIDE))
                legal[cut.tobytes()] = (top, left, False)
                legal[ImageOps.mirror(cut).tobytes()] = (top, left, True)
        found.add(legal[changed.permute(1, 2, 0).numpy().tobytes()])
    assert len(found) > 6 and {mirrored for *_, mirrored in found} == {True, False}


def test_what_happens_depends_on_seed_epoch_and_number_alone(folder: Path) -> None:
    base = gathered(opened(folder), batch=12, seed=1, epoch=2, augment=EVERY)
    again = gathered(opened(folder, threads=4), batch=5, seed=1, epoch=2, augment=EVERY)
    assert torch.equal(again, base)
    numbers = np.array([11, 4, 6])
    some = gathered(opened(folder), batch=2, seed=1, epoch=2, augment=EVERY, numbers=numbers)
    assert torch.equal(some, base[torch.from_numpy(numbers)])
    half = gathered(opened(folder), batch=12, seed=1, epoch=2, augment=EVERY, rank=1, ranks=2)
    assert torch.equal(half, base[1::2])
    for other in ({"seed": 1, "epoch": 3}, {"seed": 2, "epoch": 2}):
        changed = gathered(opened(folder), batch=12, augment=EVERY, **other)
        assert not (changed == base).flatten(1).all(1).any()


def test_shuffled_as_arrays_are(folder: Path) -> None:
    source = opened(folder)
    plain, mixed = gathered(source, batch=12), gathered(source, batch=5, shuffle=True, seed=7)
    order = torch.randperm(12, generator=generator_of(7, 0, 0))[:10]
    assert torch.equal(mixed, plain[order])


def test_leaving_off_early_stops_the_threads(folder: Path) -> None:
    batches = opened(folder).batches(Split.TRAIN, batch=1)
    next(batches)
    assert any(thread.name.startswith("images") for thread in threading.enumerate())
    batches.close()
    assert not any(thread.name.startswith("images") for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", ".png"), ("RGBA", ".png"), ("CMYK", ".JPG"), ("P", ".png")]
)
def test_every_kind_of_colour_becomes_rgb(folder: Path, mode: str, suffix: str) -> None:
    picture = Image.new("RGB", (40, 40), (200, 30, 60)).convert(mode, dither=Image.Dither.NONE)
    picture.save(folder / "val" / "n01440764" / f"a{suffix}")
    images, _ = next(opened(folder).batches(Split.TEST, batch=1))  # "a..." is the first by name
    expected = np.asarray(picture.convert("RGB"))[0, 0]
    assert np.abs(images[0, :, 5, 5].numpy().astype(int) - expected).max() <= 2


def test_other_files_are_left_out(folder: Path) -> None:
    (folder / "train" / "n01440764" / "readme.txt").write_text("x")
    (folder / "train" / "n01440764" / "._n01440764_0.JPEG").write_bytes(b"x")
    (folder / "val" / "LOC_val_solution.csv").write_text("x")
    (folder / "train" / ".cache").mkdir()
    assert opened(folder).count(Split.TRAIN) == 12


def test_test_folder_may_be_called_test(folder: Path) -> None:
    (folder / "val").rename(folder / "test")
    assert opened(folder).count(Split.TEST) == 6


JPEG = "train/n01443537/n01443537_2.JPEG"


@pytest.mark.parametrize("content", ["", "text", "half", "bomb"])
def test_a_damaged_image_is_named(folder: Path, content: str) -> None:
    whole = (folder / JPEG).read_bytes()
    size = whole.index(b"\xff\xc0") + 5  # of the frame header: height and width, 16 bits each
    huge = whole[:size] + b"\xff\xff\xff\xff" + whole[size + 4 :]
    damaged = {"": b"", "text": b"<html>", "half": whole[: len(whole) * 2 // 3], "bomb": huge}
    (folder / JPEG).write_bytes(damaged[content])
    with pytest.raises(ConfigError) as error:
        gathered(opened(folder), batch=4)
    text = str(error.value)
    assert text.startswith(f"{folder / JPEG}: must be a whole image file, not a damaged one (")
    assert text.endswith("); copy it anew, or remove it")


def test_an_image_removed_meanwhile_is_named(folder: Path) -> None:
    source = opened(folder)
    (folder / JPEG).unlink()
    with pytest.raises(ConfigError, match=r"n01443537_2.JPEG: must be .*\(.*No such file"):
        gathered(source, batch=4)


MEND = (
    "arrange the images as train/CLASS/*.JPEG and val/CLASS/*.JPEG, and name the folder with "
    "--data-dir"
)


def message(folder: Path) -> str:
    with pytest.raises(ConfigError) as error:
        opened(folder)
    return str(error.value)


def remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def test_missing_folders(folder: Path) -> None:
    none = folder / "none"
    assert message(none) == f"{none}: must be a folder that exists; {MEND}"
    remove(folder / "val")
    assert message(folder) == f"{folder}: must hold a folder val or test; {MEND}"
    remove(folder / "train")
    assert message(folder) == f"{folder}: must hold a folder train; {MEND}"


def test_images_without_class_folders(folder: Path) -> None:
    for path in (folder / "val").rglob("*.JPEG"):
        path.rename(folder / "val" / path.name)
    for path in (folder / "val").iterdir():
        if path.is_dir():
            path.rmdir()
    assert message(folder) == (
        f"{folder / 'val'}: must hold a folder per class, 2 or more, not 0 folders and 6 loose "
        f"images; {MEND}"
    )


def test_empty_class_folder(folder: Path) -> None:
    place = folder / "val" / "n01443537"
    for path in place.iterdir():
        path.rename(path.with_suffix(".txt"))
    assert message(folder).startswith(f"{place}: must hold images (.jpeg, .jpg, .png, ")
    assert message(folder).endswith(f"), not none; {MEND}")


def test_different_classes(folder: Path) -> None:
    (folder / "val" / "n01443537").rename(folder / "val" / "n99999999")
    assert message(folder) == (
        f"{folder / 'val'}: must hold the same class folders as train, not lack n01443537 "
        f"(2 differ); {MEND}"
    )
    remove(folder / "train" / "n01443537")
    assert message(folder) == (
        f"{folder / 'train'}: must hold the same class folders as val, not lack n99999999; {MEND}"
    )


def test_imagenet_has_1000_classes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError) as error:
        data.open_source("imagenet", folder)
    assert str(error.value) == (
        f"{folder}: imagenet must have 1000 class folders, not 3; unpack ILSVRC2012_img_train.tar "
        "and ILSVRC2012_img_val.tar as docs/data.md says, and name the folder with --data-dir, "
        "or take another set by --data image-folder"
    )
    monkeypatch.setattr(imagenet, "IMAGENET_CLASSES", 3)
    assert data.open_source("imagenet", folder).name == "imagenet"


@pytest.mark.parametrize("what", ["side", "threads"])
def test_bad_choices(folder: Path, what: str) -> None:
    with pytest.raises(ConfigError, match=f"^{what}: must be 1 or more, not 0; choose a larger"):
        data.open_source("image-folder", folder, **{what: 0})
