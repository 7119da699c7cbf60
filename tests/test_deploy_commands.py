# SPDX-License-Identifier: Apache-2.0
"""package, deploy, run and bench, as a user types them."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hwbnn import zoo
from hwbnn.cli import main
from hwbnn.cli.images import read_images
from hwbnn.deploy.runtime.package import open_package
from hwbnn.errors import ConfigError
from tests.deploy import sshd
from tests.deploy.packages import BITSTREAM, make, small, small_uart
from tests.deploy.test_remote import PYNQ
from tests.graphs import binary_mlp

PIXELS = np.random.default_rng(3).integers(0, 256, (5, 24)).astype(np.uint8)


@pytest.fixture(scope="module")
def result(small_model, tmp_path_factory):
    """A result of `build` for a board whose bitstream Vivado makes."""
    folder = tmp_path_factory.mktemp("built") / "result"
    with pytest.raises(SystemExit) as stopped:
        main(["build", str(small_model), "--board", "pynq-z2", "-o", str(folder)])
    assert not stopped.value.code
    return folder


@pytest.fixture
def built(result, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(result, tmp_path / "result")


# ---- package -------------------------------------------------------------------------------------


def test_build_makes_a_package(built, hwbnn):
    ran = hwbnn("package", built, "--json")
    found = ran.json
    assert found["schema"] == "hwbnn/packaged@1"
    file = built / "package" / "tiny-pynq-z2.zip"
    assert found["package"] == str(file)
    assert found["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (found["board"], found["bitstream"]) == ("pynq-z2", None)
    assert "chip/chip.sv" in open_package(file).files
    text = hwbnn("package", built)
    assert found["build_hash"] in text.out and "docs/vivado.md" in text.err


def test_a_bitstream_is_put_in(built, hwbnn, tmp_path):
    file = built / "package" / "tiny-pynq-z2.zip"
    before = open_package(file)
    (built / "chip" / "tiny.bit").write_bytes(BITSTREAM)
    other = tmp_path / "other.zip"
    assert hwbnn("package", built, "-o", other, "--json").json["bitstream"] == "bitstream.bit"
    assert open_package(file).bitstream is None
    assert hwbnn("package", built).status == 0
    assert file.read_bytes() == other.read_bytes()
    after = open_package(file)
    assert after.bitstream == BITSTREAM
    assert after.files == {**before.files, "bitstream.bit": BITSTREAM}
    assert after.manifest["build_hash"] == before.manifest["build_hash"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "bitstream must be readable, not fail: no such file"),
        (b"\x00" * 100, "must be a .bit file with a header"),
        (BITSTREAM.replace(b"7z020clg400", b"7z010clg400"), "must be for xc7z020clg400-1, not 7z0"),
    ],
)
def test_bitstreams_that_are_refused(built, hwbnn, tmp_path, data, text):
    if data is not None:
        (tmp_path / "a.bit").write_bytes(data)
    file = built / "package" / "tiny-pynq-z2.zip"
    before = file.read_bytes()
    ran = hwbnn("package", built, "--bitstream", tmp_path / "a.bit")
    assert ran.status == 4 and text in ran.err
    assert file.read_bytes() == before


def test_no_package(hwbnn, tmp_path, built):
    assert "package must be a readable folder or ZIP" in hwbnn("package", tmp_path / "none").err
    for file in (built / "package").iterdir():
        file.unlink()
    assert "must hold one package, not 0; build again" in hwbnn("package", built).err


# ---- run and bench -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("--on", "moon"),
            "place must be simulation, local, uart:PORT, /dev/tty... or ssh:[USER@]",
        ),
        (("--on", "ssh:"), "place must be simulation"),
        (("--back-end", "pynq"), "simulation: --back-end must be left out, not pynq"),
        (("--on", "local"), "must have a bitstream to be loaded, not only its sources"),
        (("--on", "ssh:-oProxyCommand=x"), "host must be a name or an address"),
    ],
)
def test_places_that_are_refused(built, hwbnn, arguments, text):
    ran = hwbnn("bench", built, *arguments)
    assert ran.status == 4 and text in ran.err


def test_images_that_are_refused(built, hwbnn, tmp_path):
    np.save(tmp_path / "a.npy", PIXELS)
    ran = hwbnn("run", built, tmp_path / "a.npy")
    assert ran.status == 4 and "images: must have 16 pixels, 16, not 24; resize them" in ran.err


def test_deploying_without_a_bitstream(built, hwbnn):
    ran = hwbnn("deploy", built, "pynq")
    assert ran.status == 4 and "package must have a bitstream to be deployed" in ran.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "options"), [("pynq-z2", ()), ("ulx3s-85f", ("--packed-input",))]
)
def test_simulated_boards_say_what_simulate_says(hwbnn, tmp_path, board, options):
    result, model = tmp_path / "result", "zoo:tfc-w1a1"
    until = ("--until", "simulate")
    assert hwbnn("build", model, "--board", board, *options, *until, "-o", result).status == 0
    golden = zoo.golden("tfc-w1a1")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for index in range(4):
        picture = golden.images[index].reshape(28, 28).astype(np.uint8)
        Image.fromarray(picture).save(pictures / f"{index}.png")
    pixels = golden.images[4:24].reshape(20, -1).astype(np.uint8)
    np.savez(tmp_path / "rest.npz", images=pixels, labels=golden.labels[4:24])
    found = hwbnn("run", result, pictures, tmp_path / "rest.npz", "--json").json
    wanted = hwbnn("simulate", model, "--board", board, *options, "-n", 24, "--json").json
    assert [row["class"] for row in found["outputs"]] == [r["class"] for r in wanted["outputs"]]
    assert [row["label"] for row in found["outputs"]] == [r["label"] for r in wanted["outputs"]]
    assert found["outputs"][1]["image"] == str(pictures / "1.png")
    assert found["outputs"][4]["image"] == f"{tmp_path / 'rest.npz'}[0]"
    assert found["accuracy"] is None, "pictures have no labels"
    with_labels = hwbnn("run", result, tmp_path / "rest.npz")
    right = sum(row["class"] == row["truth"] for row in wanted["outputs"][4:])
    assert f"accuracy {right / 20:.2%}: {right} of 20" in with_labels.out

    measured = hwbnn("bench", result, "-n", 8, "--json").json
    assert measured["provenance"] == "cosimulated" and "frames_per_second" not in measured
    single = measured["latency"]
    assert single["cycles"] == single["predicted_cycles"] + single["in_stall"]
    if board == "pynq-z2":
        assert measured["cycles"] == measured["predicted_cycles"]
    shown = hwbnn("bench", result, "-n", 8).out
    assert f"{measured['cycles']:,}" in shown and "wall clock" not in shown


# ---- over ssh ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(sshd.why_not() is not None, reason=str(sshd.why_not()))
def test_deploy_run_and_bench_over_ssh(hwbnn, tmp_path, monkeypatch):
    (tmp_path / "sshd").mkdir()
    server = sshd.start(tmp_path / "sshd")
    server.module("pynq", PYNQ.replace("WRONG", "0"))
    monkeypatch.setenv("PATH", f"{server.folder / 'client'}{os.pathsep}{os.environ['PATH']}")
    package, options = small().zip(tmp_path), ("--port", server.port)
    host = server.login().target
    wanted = small().contents.design.run(PIXELS.astype(np.int64)).argmax(axis=1)
    np.savez(tmp_path / "some.npz", images=PIXELS, labels=wanted)
    try:
        early = hwbnn("run", package, tmp_path / "some.npz", "--on", f"ssh:{host}", *options)
        assert early.status == 8 and "run `hwbnn deploy` with it" in early.err
        done = hwbnn("deploy", package, host, *options, "--json").json
        assert done["schema"] == "hwbnn/deployed@1" and done["previous"] is None
        assert (server.folder / "home" / done["folder"] / "package/manifest.json").is_file()
        assert (
            f"mlp was there already: {host}:hwbnn/mlp/"
            in hwbnn("deploy", package, host, *options).out
        )
        found = hwbnn(
            "run", package, tmp_path / "some.npz", "--on", f"ssh:{host}", *options, "--json"
        )
        assert [row["class"] for row in found.json["outputs"]] == wanted.tolist()
        assert found.json["accuracy"] == 1
        shown = hwbnn("bench", package, "-n", 10, "--on", f"ssh:{host}", *options)
        for word in ("pack", "copy", "execute", "unpack", "rest", "10 frames, ms", "1 frames, ms"):
            assert word in shown.out
        assert "measured on board" in shown.out
    finally:
        server.stop()
    gone = hwbnn("bench", package, "--on", f"ssh:{host}", *options, "--json")
    assert gone.status == 8
    assert json.loads(gone.out)["error"] == "BoardError"
    assert "an ssh server must listen there" in gone.err


# ---- over USB ------------------------------------------------------------------------------------


def test_usb(hwbnn, tmp_path, monkeypatch):
    loader, said = tmp_path / "openFPGALoader", tmp_path / "said"
    sshd.script(loader, f'echo "$1 $2 ${{3##*/}}" > {said}; cat "$3" >> {said}')
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    ran = hwbnn("deploy", small_uart().zip(tmp_path), "usb")
    assert ran.status == 0 and "mlp is in the ulx3s until it is switched off" in ran.out
    assert said.read_bytes() == b"-b ulx3s bitstream.bit\n" + BITSTREAM
    sshd.script(loader, "echo 'Error: no device found' >&2; exit 1")
    ran = hwbnn("deploy", small_uart().zip(tmp_path), "usb")
    assert ran.status == 5 and "Error: no device found" in ran.err
    ran = hwbnn("deploy", small().zip(tmp_path), "usb")
    assert ran.status == 4 and "a serial line drives, not pynq-z2" in ran.err
    empty = make(binary_mlp((24, 8, 4)), board="ulx3s-85f", bitstream=None)
    ran = hwbnn("deploy", empty.zip(tmp_path), "usb")
    assert ran.status == 4 and "must have a bitstream to be loaded" in ran.err


# ---- folders of images ---------------------------------------------------------------------------


def test_a_folder_stands_for_its_images(tmp_path):
    np.save(tmp_path / "b.npy", PIXELS)
    Image.fromarray(PIXELS[:4, :6].copy()).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("")
    found = read_images([tmp_path])
    assert found.names[:2] == (str(tmp_path / "a.png"), f"{tmp_path / 'b.npy'}[0]")
    assert len(found.names) == len(found.pixels) == 6
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="folder must hold images .*not none; name others"):
        read_images([Path(tmp_path / "empty")])
