# SPDX-License-Identifier: Apache-2.0
"""Result folder: complete or not at all, whatever happens on the way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.errors import OutputError
from hwbnn.tools.output import MARK, result_folder, write

FILES = FileSet.of({MARK: "{}", "rtl/top.sv": "module top; endmodule\n", "b.bin": b"\x00\xff"})

KILLED = """
import sys, time
from pathlib import Path
from hwbnn.emit.file_set import FileSet
from hwbnn.tools.output import result_folder, write
with result_folder(Path(sys.argv[1]), replace=False) as folder:
    write(FileSet.of({"report.json": "{}"}), folder)
    print("half", flush=True)
    time.sleep(60)
"""


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def fill(target: Path, files: FileSet = FILES, *, replace: bool = False) -> None:
    with result_folder(target, replace=replace) as folder:
        write(files, folder)
        assert folder != target


def test_complete(tmp_path):
    fill(tmp_path / "out")
    assert tree(tmp_path) == ["out", "out/b.bin", "out/report.json", "out/rtl", "out/rtl/top.sv"]
    assert (tmp_path / "out/b.bin").read_bytes() == b"\x00\xff"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755


def test_error_names_the_target(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        write(FILES, tmp_path / "file", target=tmp_path / "out")
    assert str(caught.value).startswith(f"{tmp_path / 'out'}: result must be writable")


def test_missing_parents_are_made_and_unmade(tmp_path):
    fill(tmp_path / "a/b/out")
    assert (tmp_path / "a/b/out" / MARK).is_file()
    with pytest.raises(KeyError), result_folder(tmp_path / "c/d/out", replace=False):
        raise KeyError
    assert tree(tmp_path)[0] == "a"
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_after_an_exception(tmp_path, error):
    with pytest.raises(error), result_folder(tmp_path / "out", replace=False) as folder:
        write(FILES, folder)
        raise error
    assert tree(tmp_path) == []


def test_existing_folder_is_refused_untouched(tmp_path):
    fill(tmp_path / "out")
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="must not exist; choose another with -o, or replace it"):
        fill(tmp_path / "out")
    assert "out/mine.txt" in tree(tmp_path)


def test_force_replaces_a_result(tmp_path):
    fill(tmp_path / "out")
    fill(tmp_path / "out", FileSet.of({MARK: "{}", "new": "new"}), replace=True)
    assert tree(tmp_path) == ["out", "out/new", "out/report.json"]


def test_force_without_exchange_in_one_step(tmp_path, monkeypatch):
    monkeypatch.setattr("hwbnn.tools.output._exchange", lambda first, second: False)
    fill(tmp_path / "out")
    fill(tmp_path / "out", FileSet.of({MARK: "{}", "new": "new"}), replace=True)
    assert tree(tmp_path) == ["out", "out/new", "out/report.json"]


def test_force_keeps_the_old_result_when_the_build_fails(tmp_path):
    fill(tmp_path / "out")
    with pytest.raises(ValueError), result_folder(tmp_path / "out", replace=True):  # noqa: PT011
        raise ValueError
    assert "out/b.bin" in tree(tmp_path)


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_force_never_replaces_what_is_not_a_result(tmp_path, make):
    make(tmp_path / "out")
    with pytest.raises(OutputError, match="only a result of hwbnn can be replaced"):
        fill(tmp_path / "out", replace=True)
    assert tree(tmp_path) == ["out"]


def test_link_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    for replace in (False, True):
        with pytest.raises(OutputError):
            fill(tmp_path / "out", replace=replace)
    assert tree(tmp_path) == ["elsewhere", "out"]


def test_folder_that_appears_meanwhile(tmp_path):
    with (
        pytest.raises(OutputError, match="must not exist"),
        result_folder(tmp_path / "out", replace=False) as folder,
    ):
        write(FILES, folder)
        (tmp_path / "out").mkdir()
    assert tree(tmp_path) == ["out"]


def test_parent_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="must be writable, not fail: "):
        fill(tmp_path / "file/out")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission denied"):
        fill(tmp_path / "out")
    tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_full_disk(tmp_path):
    with (
        pytest.raises(OutputError, match="free some space"),
        result_folder(tmp_path / "out", replace=False) as folder,
    ):
        (folder / "big").symlink_to("/dev/full")
        write(FileSet.of({"big": "x" * 100}), folder)
    assert tree(tmp_path) == []


def started(target: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", KILLED, target], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"half\n"
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_build_leaves_no_result(tmp_path):
    target = tmp_path / "out"
    process = started(target)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    assert len(tree(tmp_path)) == 2  # the hidden folder, and what was in it
    fill(target)
    assert tree(tmp_path) == ["out", "out/b.bin", "out/report.json", "out/rtl", "out/rtl/top.sv"]


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_live_build_is_left_alone(tmp_path):
    process = started(tmp_path / "out")
    fill(tmp_path / "out")
    assert any(name.startswith(".out.hwbnn-") for name in tree(tmp_path))
    process.send_signal(signal.SIGINT)
    process.wait()
    assert not any(name.startswith(".out.hwbnn-") for name in tree(tmp_path))
