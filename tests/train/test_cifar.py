# SPDX-License-Identifier: Apache-2.0
"""CIFAR's two formats give the same images; a batch that is none says so and runs nothing."""

from pathlib import Path

import numpy as np
import pytest

from hwbnn.errors import ConfigError
from hwbnn.train import data
from hwbnn.train.cifar import CIFAR10, CIFAR100, CIFAR100_COARSE, CLASSES_100
from hwbnn.train.dataset import Dataset
from tests.train.miniature import Form, cifar_batches, cifar_pickle, python2, python3, write_cifar

COUNT = 4  # images a batch
RAN: list[str] = []


def check(loaded: Dataset) -> None:
    made = cifar_batches(count=COUNT)
    images, labels = made["data_batch_2"]
    assert loaded.train_images.shape == (5 * COUNT, 32, 32, 3)
    assert loaded.train_images.dtype == loaded.train_labels.dtype == np.uint8
    assert np.array_equal(loaded.train_images[COUNT : 2 * COUNT], images.transpose(0, 2, 3, 1))
    assert np.array_equal(loaded.train_labels[COUNT : 2 * COUNT], labels[:, 0])
    images, labels = made["test_batch"]
    assert np.array_equal(loaded.test_images, images.transpose(0, 2, 3, 1))
    assert np.array_equal(loaded.test_labels, labels[:, 0])
    assert loaded.classes[3] == "cat"


def test_reads_binary_records(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    check(data.load("cifar10", tmp_path))


@pytest.mark.parametrize("write", [python2, python3])
def test_reads_pickles(tmp_path: Path, write: object) -> None:
    assert callable(write)
    for stem, (images, labels) in cifar_batches().items():
        (tmp_path / stem).write_bytes(write(cifar_pickle(images, labels)))
    check(data.load("cifar10", tmp_path))


@pytest.mark.parametrize(
    ("subfolder", "form"),
    [("cifar-10-batches-py", Form.PICKLED), ("cifar-10-batches-bin", Form.BINARY)],
)
def test_finds_the_unpacked_archive(tmp_path: Path, subfolder: str, form: Form) -> None:
    (tmp_path / subfolder).mkdir()
    write_cifar(tmp_path / subfolder, form=form)
    check(data.load("cifar10", tmp_path))


def test_a_transposed_array_is_read_by_columns(tmp_path: Path) -> None:
    write_cifar(tmp_path, form=Form.PICKLED)
    images, labels = cifar_batches()["test_batch"]
    turned = cifar_pickle(images, labels) | {"data": np.asfortranarray(images.reshape(COUNT, -1))}
    (tmp_path / "test_batch").write_bytes(python2(turned))
    check(data.load("cifar10", tmp_path))


def test_missing_files_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^cifar10: --data-dir must be given; unpack cifar-10-"):
        data.load("cifar10")
    with pytest.raises(ConfigError, match="none: must be a folder that exists; unpack cifar-10-"):
        data.load("cifar10", tmp_path / "none")
    with pytest.raises(ConfigError, match="must hold data_batch_1 to 5 and test_batch, or the"):
        data.load("cifar10", tmp_path)
    write_cifar(tmp_path)
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
    write_cifar(tmp_path, form=Form.PICKLED)
    (tmp_path / "data_batch_3").write_bytes(write(attack))
    expected = f"data_batch_3: must hold byte arrays, numbers and texts, not .*{named}; unpack"
    with pytest.raises(ConfigError, match=expected):
        data.load("cifar10", tmp_path)
    assert RAN == []


IMAGES, LABELS = cifar_batches()["test_batch"]
GOOD = python2(cifar_pickle(IMAGES, LABELS))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a pickled batch, not broken"),
        (GOOD[:-100], "must be a pickled batch, not broken"),
        (b"\x89PNG\r\n", "must be a pickled batch, not broken"),
        (python2([1, 2]), r"not broken \(a list and no dict\)"),
        (python2({"labels": [1]}), r"data must be an array of bytes \[n, 3072\], not NoneType"),
        (python2({"data": np.zeros((2, 8), np.uint8)}), r"not uint8\[2, 8\]; unpack"),
        (
            python2(cifar_pickle(IMAGES, LABELS) | {"labels": [1]}),
            "labels must be 4 numbers.* 1 entries",
        ),
        (python2(cifar_pickle(IMAGES, LABELS) | {"labels": ["a"] * 4}), "labels must be 4 numbers"),
        (python2(cifar_pickle(IMAGES, LABELS + 10)), r"labels must be 0 to 9, not 1\d; unpack"),
        (GOOD.replace(b"K\x04M\x00\x0c", b"K\x04M\x01\x0c"), r"bytes for an array \(4, 3073\)"),
    ],
)
def test_broken_pickle(tmp_path: Path, content: bytes, message: str) -> None:
    write_cifar(tmp_path, form=Form.PICKLED)
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
    write_cifar(tmp_path)
    (tmp_path / "data_batch_1.bin").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"data_batch_1.bin: {message}; unpack"):
        data.load("cifar10", tmp_path)


def test_a_batch_cut_between_two_records(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    file = tmp_path / "data_batch_3.bin"
    file.write_bytes(file.read_bytes()[:-3073])
    expected = "data_batch_3.bin: must hold as many images as data_batch_1.bin, 4, not 3; unpack"
    with pytest.raises(ConfigError, match=expected):
        data.load("cifar10", tmp_path)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("subfolder", [".", "cifar-100-python"])
@pytest.mark.parametrize("layout", [CIFAR100, CIFAR100_COARSE])
def test_reads_cifar100(tmp_path: Path, form: Form, subfolder: str, layout: object) -> None:
    assert layout in (CIFAR100, CIFAR100_COARSE)
    (tmp_path / subfolder).mkdir(exist_ok=True)
    made = write_cifar(tmp_path / subfolder, CIFAR100, form=form, count=6)
    loaded = data.load(layout.name, tmp_path)
    column = 1 if layout is CIFAR100 else 0  # the records' order: coarse, fine
    for images, labels, stem in (
        (loaded.train_images, loaded.train_labels, "train"),
        (loaded.test_images, loaded.test_labels, "test"),
    ):
        assert np.array_equal(images, made[stem][0].transpose(0, 2, 3, 1))
        assert np.array_equal(labels, made[stem][1][:, column])
    assert loaded.name == layout.name


def test_classes_are_as_many_as_labels_and_sorted() -> None:
    assert [len(layout.classes) for layout in (CIFAR10, CIFAR100, CIFAR100_COARSE)] == [10, 100, 20]
    assert list(CLASSES_100) == sorted(set(CLASSES_100))
    assert list(CIFAR100_COARSE.classes) == sorted(set(CIFAR100_COARSE.classes))


def test_cifar100_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        data.load("cifar100", tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: must hold train and test, or the same as .bin; unpack "
        "cifar-100-python.tar.gz or cifar-100-binary.tar.gz, and name it with --data-dir"
    )
    write_cifar(tmp_path, CIFAR100)
    (tmp_path / "test.bin").write_bytes(bytes([3, 100]) + bytes(3072))
    with pytest.raises(ConfigError, match="test.bin: labels must be 0 to 99, not 100; unpack"):
        data.load("cifar100", tmp_path)
    (tmp_path / "test.bin").write_bytes(bytes([20, 99]) + bytes(3072))
    with pytest.raises(ConfigError, match="test.bin: labels must be 0 to 19, not 20; unpack"):
        data.load("cifar100-coarse", tmp_path)
    (tmp_path / "train.bin").write_bytes(bytes(3073))
    with pytest.raises(ConfigError, match="must hold records of 3074 bytes, not 3073 bytes"):
        data.load("cifar100", tmp_path)


def test_files_of_cifar10_are_none_of_cifar100(tmp_path: Path) -> None:
    images, labels = cifar_batches()["test_batch"]
    for stem in ("train", "test"):
        (tmp_path / stem).write_bytes(python2(cifar_pickle(images, labels)))
    with pytest.raises(ConfigError, match="train: fine_labels must be 4 numbers.* not NoneType"):
        data.load("cifar100", tmp_path)


def test_a_pickle_of_cifar100_runs_nothing(tmp_path: Path) -> None:
    write_cifar(tmp_path, CIFAR100, form=Form.PICKLED)
    (tmp_path / "train").write_bytes(python2({"data": Call(run, "x")}))
    with pytest.raises(ConfigError, match=r"train: must hold byte arrays.*test_cifar\.run; unpack"):
        data.load("cifar100", tmp_path)
    assert RAN == []
