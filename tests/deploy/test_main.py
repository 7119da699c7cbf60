# SPDX-License-Identifier: Apache-2.0
"""The driver's command line: JSON lines on stdout, faults with exit status 7."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hwbnn.deploy.runtime import BoardFault, registers
from hwbnn.deploy.runtime import accelerator as accelerator_module
from hwbnn.deploy.runtime.__main__ import main
from hwbnn.deploy.runtime.errors import InputFault
from hwbnn.deploy.runtime.images import read_images
from tests.deploy.packages import make
from tests.graphs import binary_mlp

GRAPH = replace(binary_mlp((24, 16, 10)), input_shape=(4, 6), classes=tuple("abcdefghij"))
IMAGES = np.random.default_rng(5).integers(0, 256, (5, 4, 6)).astype(np.uint8)


@pytest.fixture(scope="module")
def made():
    return make(GRAPH)


@pytest.fixture(scope="module")
def package(made, tmp_path_factory):
    return str(made.zip(tmp_path_factory.mktemp("package")))


@pytest.fixture
def board(made, monkeypatch):
    found, asked = made.board(), []
    monkeypatch.setattr(
        accelerator_module, "back_end_of", lambda name, target, link: asked.append(name) or found
    )
    found.asked = asked
    return found


@pytest.fixture
def wanted(made):
    return made.contents.design.run(IMAGES.reshape(5, -1))


@pytest.fixture
def call(capsys):
    def run(*arguments):
        status = main(arguments)
        printed = capsys.readouterr()
        return status, [json.loads(line) for line in printed.out.splitlines()], printed.err

    return run


def test_run(call, package, board, wanted, tmp_path):
    labels = wanted.argmax(axis=1)
    np.savez(tmp_path / "some.npz", images=IMAGES, labels=np.where(np.arange(5) < 3, labels, 99))
    file = str(tmp_path / "some.npz")
    status, lines, told = call("run", package, file, "--json", "--scores", "--back-end", "pynq")
    assert status == 0 and board.asked == ["pynq"] and board.closed
    assert lines[-1] == {"schema": "hwbnn/run@1", "images": 5, "correct": 3}
    for index, line in enumerate(lines[:-1]):
        assert line["image"] == index and line["label"] == labels[index]
        assert line["class"] == "abcdefghij"[labels[index]]
        assert line["scores"] == wanted[index].tolist()
    assert "mlp on pynq-z2 at 100 MHz" in told


def test_run_in_text(package, board, wanted, tmp_path, capsys):
    np.save(tmp_path / "some.npy", IMAGES[:1])
    assert main(["run", package, str(tmp_path / "some.npy"), "--no-self-test"]) == 0
    label = wanted[0].argmax()
    assert capsys.readouterr().out.splitlines() == [
        f"image 0, label {label}, class {'abcdefghij'[label]}", "images 1",
    ]  # fmt: skip
    assert board.batches == [1]


def test_bench(call, package, board):
    status, (line,), _ = call("bench", package, "--frames", "50", "--json")
    assert status == 0
    assert line["schema"] == "hwbnn/bench@1" and line["provenance"] == "measured on board"
    assert (line["frames"], line["cycles"]) == (50, 500)
    assert line["frames_per_second"] == pytest.approx(50 / line["total"])


def test_self_test(call, package, board):
    status, (line,), _ = call("self-test", package, "--json")
    assert status == 0
    assert (line["schema"], line["frames"], line["equal"]) == ("hwbnn/self-test@1", 3, True)
    assert line["high_water"] == {"in": 3, "q_out": 4, "fc0_out": 5, "out": 6}
    board.wrong = 1
    status, (line,), told = call("self-test", package, "--json")
    assert status == 7 and "error: mlp: golden frame 0 must give" in told
    assert (line["schema"], line["error"]) == ("hwbnn/error@1", "MismatchFault")


def test_info_needs_no_board(call, package):
    status, (line,), _ = call("info", package, "--json")
    assert status == 0 and line["verified"] and line["files"] == 5
    assert line["schema"] == "hwbnn/info@1" and line["board"]["id"] == "pynq-z2"


def test_a_fault_is_told(call, package, board, capsys):
    board.dead = {registers.ID: 0}
    status, lines, told = call("bench", package)
    assert (status, lines) == (7, [])
    assert told.startswith("error: board: register ID must be 0x4e4e4248, not 0x0")


def test_wrong_words(package):
    for arguments in ([], ["run", package], ["dance", package]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2


# ---- files of images ---------------------------------------------------------------------------


def test_several_files(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES)
    Image.fromarray(IMAGES[0]).save(tmp_path / "b.png")
    found = read_images([str(tmp_path / "a.npy"), str(tmp_path / "b.png")], (4, 6))
    assert found.labels is None
    np.testing.assert_array_equal(found.pixels, np.concatenate([IMAGES, IMAGES[:1]]).reshape(6, -1))


def test_a_picture_in_colour(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "b.png")
    found = read_images([str(tmp_path / "b.png")], (3, 4, 6))
    np.testing.assert_array_equal(found.pixels.reshape(3, 4, 6), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("name", "array", "text"),
    [
        ("a.npy", IMAGES / 255, "must be uint8 of the shape (n, 4, 6), not float64 (5, 4, 6)"),
        ("a.npy", IMAGES[:, :3], "not uint8 (5, 3, 6); resize or convert them"),
        ("a.npy", IMAGES[0], "not uint8 (4, 6)"),
        ("a.npz", {"pixels": IMAGES}, "it has no array images, only pixels"),
        ("a.npz", {"images": IMAGES, "labels": IMAGES}, "labels must be one an image, 5"),
        ("a.png", b"\x89PNG", "images must be readable, not fail"),
        ("a.npy", b"", "images must be readable, not fail"),
        ("a.npz", b"PK", "images must be readable, not fail"),
        ("a.txt", b"", "the name must end in .npy, .npz, .png"),
    ],
)
def test_files_that_are_refused(tmp_path, name, array, text):
    file = tmp_path / name
    if isinstance(array, bytes):
        file.write_bytes(array)
    elif isinstance(array, dict):
        np.savez(file, **array)
    else:
        np.save(file, array)
    with pytest.raises(InputFault) as caught:
        read_images([str(file)], (4, 6))
    assert text in str(caught.value)


def test_a_picture_without_pillow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(InputFault, match="pip install pillow"):
        read_images([str(tmp_path / "a.png")], (4, 6))


def test_faults_are_of_one_tree():
    assert issubclass(BoardFault, Exception)
    fault = BoardFault("a", state="b")
    assert (str(fault), fault.message, fault.state) == ("a\nb", "a", "b")
