# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10's two formats give the same images; a batch that is none says so and runs nothing."""

import io
import pickle
import struct
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from hwbnn.errors import ConfigError
from hwbnn.train import data
from hwbnn.train.dataset import Dataset

COUNT = 4  # images a batch
STEMS = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5",
         "test_batch")  # fmt: skip
RAN: list[str] = []


class Python2Pickler(pickle._Pickler):
    """Write texts and bytes as Python 2 did, when it made CIFAR-10's files."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        content = value.encode() if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def python2(value: object) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue().replace(b"numpy._core", b"numpy.core")


def python3(value: object) -> bytes:
    return pickle.dumps(value, protocol=2)


def batches() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return {
        stem: (
            rng.integers(0, 256, (COUNT, 3, 32, 32)).astype(np.uint8),
            rng.integers(0, 10, COUNT).astype(np.uint8),
        )
        for stem in STEMS
    }


def batch(images: np.ndarray, labels: np.ndarray) -> dict[str, object]:
    return {
        "batch_label": "a batch",
        "labels": labels.tolist(),
        "data": images.reshape(COUNT, -1),
        "filenames": [f"{label}.png" for label in labels],
    }


def write_binary(folder: Path) -> None:
    for stem, (images, labels) in batches().items():
        rows = np.concatenate([labels[:, None], images.reshape(COUNT, -1)], 1)
        (folder / f"{stem}.bin").write_bytes(rows.tobytes())


def write_python(folder: Path) -> None:
    for stem, (images, labels) in batches().items():
        (folder / stem).write_bytes(python2(batch(images, labels)))


def check(loaded: Dataset) -> None:
    made = batches()
    images, labels = made["data_batch_2"]
    assert loaded.train_images.shape == (5 * COUNT, 32, 32, 3)
    assert loaded.train_images.dtype == loaded.train_labels.dtype == np.uint8
    assert np.array_equal(loaded.train_images[COUNT : 2 * COUNT], images.transpose(0, 2, 3, 1))
    assert np.array_equal(loaded.train_labels[COUNT : 2 * COUNT], labels)
    images, labels = made["test_batch"]
    assert np.array_equal(loaded.test_images, images.transpose(0, 2, 3, 1))
    assert np.array_equal(loaded.test_labels, labels)
    assert loaded.classes[3] == "cat"


def test_reads_binary_records(tmp_path: Path) -> None:
    write_binary(tmp_path)
    check(data.load("cifar10", tmp_path))


@pytest.mark.parametrize("write", [python2, python3])
def test_reads_pickles(tmp_path: Path, write: object) -> None:
    assert callable(write)
    for stem, (images, labels) in batches().items():
        (tmp_path / stem).write_bytes(write(batch(images, labels)))
    check(data.load("cifar10", tmp_path))


@pytest.mark.parametrize(
    ("subfolder", "write"),
    [("cifar-10-batches-py", write_python), ("cifar-10-batches-bin", write_binary)],
)
def test_finds_the_unpacked_archive(tmp_path: Path, subfolder: str, write: object) -> None:
    assert callable(write)
    (tmp_path / subfolder).mkdir()
    write(tmp_path / subfolder)
    check(data.load("cifar10", tmp_path))


def test_a_transposed_array_is_read_by_columns(tmp_path: Path) -> None:
    write_python(tmp_path)
    images, labels = batches()["test_batch"]
    turned = batch(images, labels) | {"data": np.asfortranarray(images.reshape(COUNT, -1))}
    (tmp_path / "test_batch").write_bytes(python2(turned))
    check(data.load("cifar10", tmp_path))


def test_missing_files_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^cifar10: --data-dir must be given; unpack cifar-10-"):
        data.load("cifar10")
    with pytest.raises(ConfigError, match="must hold data_batch_1 to 5 and test_batch, or the"):
        data.load("cifar10", tmp_path)
    write_binary(tmp_path)
    (tmp_path / "data_batch_4.bin").unlink()
    with pytest.raises(ConfigError) as error:
        data.load("cifar10", tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'data_batch_4.bin'}: must be there beside the others; unpack "
        "cifar-10-python.tar.gz or cifar-10-binary.tar.gz, and name it with --data-dir"
    )


def run(word: str) -> None:
    RAN.append(word)


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        (Call(run, "x"), r"test_cifar\.run"),
        (Call(exec, "raise SystemExit"), "exec"),
        ({"data": Call(getattr, 1, "real")}, "getattr"),
        ({"data": np.array([run, 1], object)}, "an array of b?'O8'"),
        ({"data": np.zeros(2)}, "an array of b?'f8'"),
    ],
)
@pytest.mark.parametrize("write", [python2, python3])
def test_a_pickle_runs_nothing(tmp_path: Path, write: object, attack: object, named: str) -> None:
    assert callable(write)
    write_python(tmp_path)
    (tmp_path / "data_batch_3").write_bytes(write(attack))
    expected = f"data_batch_3: must hold byte arrays, numbers and texts, not .*{named}; unpack"
    with pytest.raises(ConfigError, match=expected):
        data.load("cifar10", tmp_path)
    assert RAN == []


IMAGES, LABELS = batches()["test_batch"]
GOOD = python2(batch(IMAGES, LABELS))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a pickled batch, not broken"),
        (GOOD[:-100], "must be a pickled batch, not broken"),
        (b"\x89PNG\r\n", "must be a pickled batch, not broken"),
        (python2([1, 2]), r"not broken \(a list and no dict\)"),
        (python2({"labels": [1]}), r"data must be an array of bytes \[n, 3072\], not NoneType"),
        (python2({"data": np.zeros((2, 8), np.uint8)}), r"not uint8\[2, 8\]; unpack"),
        (python2(batch(IMAGES, LABELS) | {"labels": [1]}), "labels must be 4 numbers.* 1 entries"),
        (python2(batch(IMAGES, LABELS) | {"labels": ["a"] * 4}), "labels must be 4 numbers"),
        (python2(batch(IMAGES, LABELS + 10)), r"labels must be 0 to 9, not 1\d; unpack"),
        (GOOD.replace(b"K\x04M\x00\x0c", b"K\x04M\x01\x0c"), r"bytes for an array \(4, 3073\)"),
    ],
)
def test_broken_pickle(tmp_path: Path, content: bytes, message: str) -> None:
    write_python(tmp_path)
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{tmp_path / 'test_batch'}: .*{message}"):
        data.load("cifar10", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must hold records of 3073 bytes, not 0 bytes"),
        (bytes(3072), "must hold records of 3073 bytes, not 3072 bytes"),
        (b"\x0a" + bytes(3072), "labels must be 0 to 9, not 10"),
    ],
)
def test_broken_records(tmp_path: Path, content: bytes, message: str) -> None:
    write_binary(tmp_path)
    (tmp_path / "data_batch_1.bin").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"data_batch_1.bin: {message}; unpack"):
        data.load("cifar10", tmp_path)
