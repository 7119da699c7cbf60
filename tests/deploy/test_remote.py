# SPDX-License-Identifier: Apache-2.0
"""Deployment over ssh to OpenSSH's own server: it is whole there, or what was there stays."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hwbnn.deploy import remote as remote_module
from hwbnn.deploy.remote import Archive, Remote, deploy, read_archive, run_driver
from hwbnn.deploy.ssh import Login
from hwbnn.errors import BoardError, MismatchError, ToolError
from tests.deploy import sshd
from tests.deploy.packages import bit_file, make, small
from tests.graphs import binary_mlp

pytestmark = pytest.mark.skipif(sshd.why_not() is not None, reason=str(sshd.why_not()))
REPOSITORY = Path(__file__).parents[2]
SYNC = b"\xaa\x99\x55\x66"
IMAGES = np.random.default_rng(5).integers(0, 256, (6, 24))

# 700,000 bytes of what scp sends, in requests of 255 KiB, and no more until some are on the disk.
HALF = f"""\
(
  dd bs=64K count=700000 iflag=count_bytes status=none
  tries=100
  until [ -s DISK/mlp/.incoming-* ] || [ $((tries -= 1)) = 0 ]; do sleep 0.05; done
) | {sshd.SFTP}
"""

# A PYNQ whose fabric holds the design: tests/deploy/fake_pynq.py.
PYNQ = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from tests.deploy.fake_pynq import FakePynq, FakeSystem
from tests.deploy.packages import small
registers = FakeSystem({{0xF8000108: 20 << 12, 0xF8000170: 0x00500800}})
sys.modules[__name__] = FakePynq("3.1.2", small().board(wrong=WRONG), registers, base=0x40000000)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = sshd.start(tmp_path_factory.mktemp("sshd"))
    yield found
    found.stop()


@pytest.fixture
def board(server, tmp_path, monkeypatch):
    """The server with an empty disk, and this machine's ssh as the server's client."""
    monkeypatch.setenv("PATH", f"{server.folder / 'client'}{os.pathsep}{os.environ['PATH']}")
    disk = tmp_path / "disk"
    return replace(server, disk=disk)


@pytest.fixture
def with_programs(board):
    """Programs of the board that a test may replace; restored afterwards."""
    folder = board.folder / "bin"
    before = {path.name: path.read_bytes() for path in folder.iterdir() if not path.is_symlink()}
    links = {path.name: path.readlink() for path in folder.iterdir() if path.is_symlink()}
    sftp = (board.folder / "sftp").read_bytes()
    yield board
    for path in folder.iterdir():
        path.unlink()
    for name, target in links.items():
        (folder / name).symlink_to(target)
    for name, data in before.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o755)
    (board.folder / "sftp").write_bytes(sftp)


@cache
def data_of(seed: int, size: int) -> bytes:
    bits = np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()
    made = make(binary_mlp((24, 16, 10)), bitstream=bit_file(b"\xff" * 32 + SYNC + bits))
    return remote_module.zipped(made.files.files)


def archive_of(folder: Path, seed: int = 1, size: int = 1 << 16) -> Archive:
    """The package of the small network, with a bitstream of its own that does not compress."""
    file = folder / f"{seed}.zip"
    file.write_bytes(data_of(seed, size))
    return read_archive(file)


def versions(board) -> list[str]:
    return sorted(path.name for path in (board.disk / "mlp").iterdir() if path.name != ".lock")


def current(board) -> str:
    return str((board.disk / "mlp" / "current").readlink())


# ---- what is there afterwards --------------------------------------------------------------------


def test_deployed_whole(board, tmp_path):
    archive = archive_of(tmp_path)
    done = deploy(archive, board.remote)
    assert (done.name, done.version) == ("mlp", archive.version)
    assert (done.previous, done.was_there) == (None, False)
    assert done.sent_bytes == len(archive.data)
    assert versions(board) == sorted([archive.version, "current"])
    assert current(board) == archive.version
    for path, data in archive.package.files.items():
        assert (Path(done.folder) / "package" / path).read_bytes() == data
    assert list((Path(done.folder) / "runtime/hwbnn_runtime/__pycache__").glob("uart.*.pyc"))


@pytest.mark.slow
def test_a_new_one_replaces_the_old_and_the_one_before_is_kept(board, tmp_path):
    first, second, third = (archive_of(tmp_path, seed, 64) for seed in (1, 2, 3))
    deploy(first, board.remote)
    assert deploy(second, board.remote).previous == first.version
    assert versions(board) == sorted([first.version, second.version, "current"])
    (board.disk / "mlp" / "notes").mkdir()
    assert deploy(third, board.remote).previous == second.version
    assert versions(board) == sorted([second.version, third.version, "current", "notes"])
    assert current(board) == third.version
    again = deploy(second, board.remote)
    assert again.was_there and again.previous == third.version
    assert current(board) == second.version


@pytest.mark.slow
def test_what_was_changed_there_is_mended(board, tmp_path):
    archive = archive_of(tmp_path, size=64)
    file = Path(deploy(archive, board.remote).folder) / "package/golden_in.npy"
    data = file.read_bytes()
    file.write_bytes(data[:-1])
    assert not deploy(archive, board.remote).was_there
    assert file.read_bytes() == data
    assert versions(board) == sorted([archive.version, "current"])


@pytest.mark.slow
def test_leftovers_are_removed_but_not_what_somebody_sends(board, tmp_path):
    folder = board.disk / "mlp"
    (folder / ".scratch-dead" / "made").mkdir(parents=True)
    for name in (".incoming-dead", ".incoming-live"):
        (folder / name).write_bytes(b"PK")
    long_ago = time.time() - 1000
    os.utime(folder / ".incoming-dead", (long_ago, long_ago))
    deploy(archive_of(tmp_path, size=64), board.remote)
    assert [name for name in versions(board) if name.startswith(".")] == [".incoming-live"]


@pytest.mark.slow
def test_two_at_once(board, tmp_path):
    """Both are whole in the end, and the second one is in use."""
    archives = [archive_of(tmp_path, seed, 64) for seed in (1, 2)]
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda archive: deploy(archive, board.remote), archives))
    assert {one.version for one in done} == {archive.version for archive in archives}
    last = next(one for one in done if one.previous is not None)
    assert current(board) == last.version
    assert len(versions(board)) == 3


def test_a_folder_is_sent_as_the_zip_would_be(tmp_path):
    made = small()
    from_folder = read_archive(made.folder(tmp_path / "folder"))
    assert from_folder.data == made.zip(tmp_path).read_bytes()


# ---- what goes wrong -----------------------------------------------------------------------------


@pytest.fixture
def old(with_programs, tmp_path):
    """A board with an older package in use."""
    archive = archive_of(tmp_path, 9, 64)
    deploy(archive, with_programs.remote)
    return archive


def unharmed(board, old: Archive) -> bool:
    package = board.disk / "mlp" / "current" / "package"
    same = all((package / path).read_bytes() == data for path, data in old.package.files.items())
    return same and current(board) == old.version


@pytest.mark.slow
def test_connection_cut_half_way(board, old, tmp_path):
    archive = archive_of(tmp_path, 1, 1 << 20)
    board.sftp(HALF.replace("DISK", str(board.disk)) + "kill -9 $SESSION")
    with pytest.raises(BoardError) as caught:
        deploy(archive, board.remote)
    assert "127.0.0.1: the connection must last, not fail: " in str(caught.value)
    assert unharmed(board, old)
    assert versions(board) == sorted([old.version, "current"]), "the half upload is removed"
    board.sftp(f"exec {sshd.SFTP}")
    assert deploy(archive, board.remote).previous == old.version


@pytest.mark.slow
def test_connection_cut_and_board_gone(old, board, tmp_path):
    """What is left of the upload is removed by the next deployment."""
    keys = board.folder / "user.pub"
    half = HALF.replace("DISK", str(board.disk))
    board.sftp(f"{half}mv {keys} {board.folder}/away; kill -9 $SESSION")
    with pytest.raises(BoardError, match="the connection must last"):
        deploy(archive_of(tmp_path, 1, 1 << 20), board.remote)
    (board.folder / "away").rename(keys)
    (left,) = (board.disk / "mlp").glob(".incoming-*")
    assert 0 < left.stat().st_size < 700_000
    assert unharmed(board, old)
    os.utime(left, (0, 0))
    board.sftp(f"exec {sshd.SFTP}")
    deploy(archive_of(tmp_path, 1, 1 << 20), board.remote)
    assert not left.exists()


@pytest.mark.slow
def test_damaged_on_the_way(board, old, tmp_path, monkeypatch):
    archive = archive_of(tmp_path, 1, 64)
    monkeypatch.setattr(remote_module, "_send", lambda there, data, path: Path(path).write_bytes(
        data[:-1] + b"x"
    ))  # fmt: skip
    with pytest.raises(BoardError, match="must arrive whole, not with SHA-256 [0-9a-f]{64}"):
        deploy(archive, board.remote)
    assert unharmed(board, old)
    assert versions(board) == sorted([old.version, "current"])


@pytest.fixture
def small_disk(board):
    """A file system of 1 MB."""
    board.disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(board.disk)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"only root can mount a small disk: {mounted.stderr.decode().strip()}")
    yield board
    subprocess.run(["umount", str(board.disk)], check=True)


def test_full_disk_is_seen_before(small_disk, tmp_path):
    with pytest.raises(BoardError) as caught:
        deploy(archive_of(tmp_path, size=1 << 20), small_disk.remote)
    assert f"the disk of {small_disk.disk} must have 3." in str(caught.value)
    assert " MB free, not 1.0 MB; free some space there" in str(caught.value)
    assert versions(small_disk) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "text"),
    [(1 << 20, "MB free, not 0.0 MB; free some"), (200_000, "the disk must have room, not fail")],
    ids=["while sent", "while unpacked"],
)
def test_disk_that_fills_up(small_disk, tmp_path, monkeypatch, size, text):
    monkeypatch.setattr(Archive, "needed_bytes", 0)
    old = archive_of(tmp_path, 9, 64)
    deploy(old, small_disk.remote)
    with pytest.raises(BoardError) as caught:
        deploy(archive_of(tmp_path, 1, size), small_disk.remote)
    assert text in str(caught.value)
    assert unharmed(small_disk, old)
    assert versions(small_disk) == sorted([old.version, "current"])


def test_wrong_key(board, tmp_path):
    sshd.keygen(tmp_path / "other")
    wrong = Remote(Login("127.0.0.1", port=board.port, identity=tmp_path / "other"))
    (board.folder / "ssh_config").rename(tmp_path / "config")
    text = (tmp_path / "config").read_text()
    (board.folder / "ssh_config").write_text(text.replace("IdentityFile", "# IdentityFile"))
    try:
        with pytest.raises(BoardError) as caught:
            deploy(archive_of(tmp_path, size=64), wrong)
    finally:
        (tmp_path / "config").rename(board.folder / "ssh_config")
    assert "the board must accept a key of yours, not fail: " in str(caught.value)
    assert f"ssh-copy-id -p {board.port} 127.0.0.1" in str(caught.value)


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ("", "host key must be known, as ssh is told to check it, not fail: Host key verification"),
        ("other", "the host key must be the one that is known, not fail: "),
    ],
)
def test_host_keys(board, tmp_path, known, text):
    before = (board.folder / "known_hosts").read_text()
    if known:
        sshd.keygen(tmp_path / known)
        known = f"[127.0.0.1]:{board.port} {(tmp_path / 'other.pub').read_text()}"
    (board.folder / "known_hosts").write_text(known)
    try:
        with pytest.raises(BoardError) as caught:
            deploy(archive_of(tmp_path, size=64), board.remote)
    finally:
        (board.folder / "known_hosts").write_text(before)
    assert text in str(caught.value)


def test_nobody_listens(board, tmp_path):
    nowhere = Remote(board.login(port=sshd.free_port()))
    with pytest.raises(BoardError, match="an ssh server must listen there, not fail: .*refused"):
        deploy(archive_of(tmp_path, size=64), nowhere)


def test_unknown_name(board, tmp_path):
    nowhere = Remote(board.login(host="pynq.invalid"))
    with pytest.raises(BoardError, match="pynq.invalid: the name must be known here, not fail"):
        deploy(archive_of(tmp_path, size=64), nowhere)


@pytest.mark.parametrize(
    ("python", "text"),
    [
        (None, "python3 must be there, 3.8 or newer, not fail: .*not found; install it there"),
        ("exec {} -c 'import sys; sys.version_info = (3, 5, 2); exec(sys.argv[2])' \"$@\"",
         r"python3 must be there, 3.8 or newer, not fail: \(3, 5, 2\); install"),
        ("exec {} -I -S \"$@\"", "NumPy must be there for python3, not missing"),
    ],
    ids=["no Python", "an old one", "no NumPy"],
)  # fmt: skip
def test_python_of_the_board(with_programs, tmp_path, python, text):
    board = with_programs
    if python is None:
        (board.folder / "bin" / "python3").unlink()
    else:
        board.program("python3", python.format(sshd.sys.executable))
    with pytest.raises(BoardError, match=text):
        deploy(archive_of(tmp_path, size=64), board.remote)


@pytest.mark.parametrize("output", ["sh: python3: not found\nhwbnn: python\n",
                                    "hwbnn: python\nsh: python3: not found\n"])  # fmt: skip
def test_errors_and_output_come_in_any_order(output):
    said = str(remote_module._unexpected(Remote(Login("board"), "here"), output))
    assert "python3 must be there, 3.8 or newer, not fail: sh: python3: not found; install" in said


def test_a_folder_that_cannot_be_made(board, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BoardError, match="file must be writable, not fail: .*choose another --fol"):
        deploy(archive_of(tmp_path, size=64), Remote(board.login(), str(tmp_path / "file")))


def test_no_ssh_here(board, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="install OpenSSH's client"):
        deploy(archive_of(tmp_path, size=64), board.remote)


# ---- what runs there -----------------------------------------------------------------------------


@pytest.fixture
def running(with_programs, tmp_path):
    """The small network's package on a board with a PYNQ that computes it."""
    archive = read_archive(small().zip(tmp_path))
    with_programs.module("pynq", PYNQ.replace("WRONG", "0"))
    deploy(archive, with_programs.remote)
    return archive


@pytest.mark.slow
def test_run_and_bench(running, board):
    wanted = small().contents.design.run(IMAGES).argmax(axis=1)
    lines = run_driver(running, board.remote, "run", (), images=IMAGES)
    assert [line["label"] for line in lines[:-1]] == wanted.tolist()
    (found,) = run_driver(running, board.remote, "bench", ("--frames", "20"))
    assert found["frames"] == 20 and found["provenance"] == "measured on board"
    assert found["latency"]["frames"] == 1
    stages = found["latency"]["seconds"]
    assert set(stages) == {"pack", "copy", "execute", "unpack"}
    assert 0 < sum(stages.values()) <= found["latency"]["total"]
    assert versions(board) == sorted([running.version, "current"]), "no images are left there"


@pytest.mark.slow
def test_faults_of_the_driver(running, board):
    board.module("pynq", PYNQ.replace("WRONG", "1"))
    with pytest.raises(MismatchError, match="127.0.0.1: mlp: golden frame 0 must give"):
        run_driver(running, board.remote, "run", (), images=IMAGES)
    (board.folder / "modules" / "pynq.py").unlink()
    with pytest.raises(BoardError, match="127.0.0.1: "):
        run_driver(running, board.remote, "bench", ("--back-end", "pynq"))


@pytest.mark.slow
def test_another_package_is_there(old, board, tmp_path):
    other = archive_of(tmp_path, 2, 64)
    with pytest.raises(BoardError, match=f"must hold this package .version {other.version}"):
        run_driver(other, board.remote, "bench", ())


@pytest.mark.slow
def test_root_is_needed(running, board):
    board.program("id", "echo 1000")
    board.program("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    with pytest.raises(BoardError, match="sudo must let .* become root without a password"):
        run_driver(running, board.remote, "bench", ())
    board.program("sudo", '[ "$1" = -n ] && shift && touched=1 exec "$@"')
    (found,) = run_driver(running, board.remote, "bench", ("--frames", "2"))
    assert found["frames"] == 2
