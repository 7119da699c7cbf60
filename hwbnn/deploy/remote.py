# SPDX-License-Identifier: Apache-2.0
"""Remote: a package on a board that ssh reaches: deployed whole or not at all, and run there."""

import hashlib
import io
import json
import re
import secrets
import shlex
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from hwbnn.deploy.faults import error_of, faults_as_errors
from hwbnn.deploy.runtime.install import INCOMING
from hwbnn.deploy.runtime.package import MANIFEST, Package, open_package
from hwbnn.deploy.ssh import Login, as_root, copy_there, run_there
from hwbnn.deploy.wheel import zipped
from hwbnn.errors import BoardError, ConfigError, HwbnnError
from hwbnn.ir.dtype import IntArray

SAFE = re.compile(r"[A-Za-z0-9_./+-]+")  # what ssh's shell and scp understand alike
PYTHON = (3, 8)
SPARE_BYTES = 1 << 20  # compiled files, folders
SECONDS = 300  # for what takes seconds on a slow board with a slow card

Json = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Remote:
    """A board behind ssh; folder: for packages, in the home folder or from the root."""

    login: Login
    folder: str = "hwbnn"

    def __post_init__(self) -> None:
        if not SAFE.fullmatch(self.folder) or self.folder.startswith("-"):
            raise ConfigError(
                f"board: folder must be of letters, digits and _./+-, not {self.folder!r}; choose "
                "another with --folder"
            )


@dataclass(frozen=True, eq=False)
class Archive:
    """A package to send: what it is, its ZIP, and the ZIP's hash."""

    package: Package
    data: bytes
    sha256: str

    @property
    def version(self) -> str:
        """Its name on the board, of 16 digits: another ZIP has another."""
        return self.sha256[:16]

    @property
    def needed_bytes(self) -> int:
        """On the board: the ZIP, its files, and the driver unpacked and compiled."""
        driver = self.package.file(self.package.manifest["runtime"])
        unpacked = sum(len(data) for data in self.package.files.values())
        return len(self.data) + unpacked + 8 * len(driver) + SPARE_BYTES


@dataclass(frozen=True)
class Deployed:
    """A package that is in place. previous: version that was in use; was_there: nothing was new."""

    name: str
    folder: str
    version: str
    previous: str | None
    was_there: bool
    sent_bytes: int


def read_archive(path: Path) -> Archive:
    """Return a package, verified."""
    with faults_as_errors():
        package = open_package(path)
    if path.is_dir():
        manifest = (path / MANIFEST).read_bytes()
        data = zipped({**package.files, MANIFEST: manifest})
    else:
        data = path.read_bytes()
    if not SAFE.fullmatch(package.manifest["name"]):
        raise ConfigError(f"{path}: name must be an identifier, not {package.manifest['name']!r}")
    return Archive(package, data, hashlib.sha256(data).hexdigest())


def deploy(archive: Archive, remote: Remote, *, say: Say = lambda _: None) -> Deployed:
    """Put a package on a board; what was there stays in use until the new one is whole."""
    name = archive.package.manifest["name"]
    folder = f"{remote.folder}/{name}"
    say(f"look at {remote.login.host}")
    _check_room(remote, _probe(remote, folder)["free"], archive.needed_bytes)
    incoming = f"{folder}/{INCOMING}{secrets.token_hex(8)}"
    say(f"send {len(archive.data) / 1e6:.1f} MB")
    try:
        _send(remote, archive.data, incoming)
    except HwbnnError:
        # scp has no word for a full disk (its protocol has SSH_FX_FAILURE): look
        _check_room(remote, _forget(remote, incoming), len(archive.data))
        raise
    say("check and unpack")
    done = _install(remote, "install", folder, incoming, archive.sha256)
    return Deployed(
        name=name,
        folder=f"{folder}/{done['version']}",
        version=done["version"],
        previous=done["previous"],
        was_there=done["was_there"],
        sent_bytes=len(archive.data),
    )


def run_driver(
    archive: Archive,
    remote: Remote,
    command: str,
    options: Sequence[str],
    *,
    images: IntArray | None = None,
) -> list[Json]:
    """Run the driver on a deployed package; return what it prints, line by line.

    images: sent along as the driver's file of images. It runs as root where the board's link
    wants that, by sudo without a password.
    """
    manifest = archive.package.manifest
    folder = f"{remote.folder}/{manifest['name']}"
    version = f"{folder}/{archive.version}"
    there = run_there(remote.login, f"test -d {shlex.quote(version)}", timeout=SECONDS)
    if there.status != 0:
        raise BoardError(
            f"{remote.login.host}: {folder} must hold this package (version {archive.version}), "
            "not others alone; run `hwbnn deploy` with it"
        )
    words = ["-B", "-m", "hwbnn_runtime", command, f"{version}/package"]
    sent = f"{folder}/{INCOMING}{secrets.token_hex(8)}.npy"
    if images is not None:
        _send(remote, _npy(images, tuple(manifest["input"]["shape"])), sent)
        words.append(sent)
    path = shlex.quote(f"{version}/runtime")
    script = (
        f'export PYTHONPATH={path}"${{PYTHONPATH:+:$PYTHONPATH}}"; '
        f"python3 {shlex.join([*words, '--json', *options])}"
    )
    if manifest["link"]["kind"] == "axi":
        script = as_root(script)
    script = f"({script}); status=$?; rm -f {shlex.quote(sent)}; exit $status"
    ended = run_there(remote.login, script)
    lines = _json_lines(ended.output)
    if lines and lines[-1].get("schema") == "hwbnn/error@1":
        raise error_of(lines[-1]["error"], f"{remote.login.host}: {lines[-1]['text']}")
    if ended.status != 0 or not lines:
        raise _unexpected(remote, ended.output)
    return lines


def _probe(remote: Remote, folder: str) -> Json:
    """Make the folder, and check Python and NumPy."""
    return _install(remote, "probe", folder)


def _install(remote: Remote, *words: str) -> Json:
    """Run runtime/install.py on the board; return what it says."""
    source = files("hwbnn.deploy.runtime").joinpath("install.py").read_text("utf-8")
    version = f"import sys; sys.exit(sys.version_info < {PYTHON} and str(sys.version_info[:3]))"
    script = (
        f"python3 -c {shlex.quote(version)} || {{ echo hwbnn: python; exit 1; }}; "
        f"exec python3 -c {shlex.quote(source)} {shlex.join(words)}"
    )
    ended = run_there(remote.login, script, timeout=SECONDS)
    lines = _json_lines(ended.output)
    if ended.status != 0 or not lines:
        raise _unexpected(remote, ended.output)
    if lines[-1]["schema"] == "hwbnn/error@1":
        raise _refused(remote, lines[-1]["error"], lines[-1]["text"])
    return lines[-1]


def _refused(remote: Remote, kind: str, text: str) -> BoardError:
    """Return why install.py did not do it."""
    texts = {
        "numpy": f"NumPy must be there for python3, not missing ({text}); install it on the board "
        "(Debian: python3-numpy)",
        "busy": f"nobody else must deploy at the same time ({text}); wait, and run it again",
        "damaged": f"the package must arrive whole, not with {text}; run it again",
        "driver": f"the driver must accept the package there, not say: {text}; report it",
        "full": f"the disk must have room, not fail: {text}; free some space there, or choose "
        "another --folder",
    }
    usual = f"{remote.folder} must be writable, not fail: {text}; choose another --folder"
    return BoardError(f"{remote.login.host}: {texts.get(kind, usual)}")


def _unexpected(remote: Remote, output: str) -> BoardError:
    """Return what stopped a script before it could say so in JSON."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it said nothing"]
    host = remote.login.host
    if "hwbnn: python" in lines:
        others = [line for line in lines if line != "hwbnn: python"]  # before or behind: two pipes
        said = others[-1] if others else "it is missing"
        return BoardError(
            f"{host}: python3 must be there, 3.8 or newer, not fail: {said}; install it there"
        )
    if any(line.startswith("sudo:") for line in lines):
        user = remote.login.user or "the user"
        return BoardError(
            f"{host}: sudo must let {user} become root without a password, as the board's memory "
            f"and registers are root's, not fail: {lines[-1]}; log in as root, or allow it there: "
            f"echo '{user} ALL=(ALL) NOPASSWD: ALL' | sudo tee /etc/sudoers.d/hwbnn"
        )
    return BoardError(
        f"{host}: the driver must run to its end, not stop: {lines[-1]}; deploy the package again, "
        "and report it if it stays"
    )


def _send(remote: Remote, data: bytes, path: str) -> None:
    with tempfile.NamedTemporaryFile(prefix="hwbnn-") as file:
        file.write(data)
        file.flush()
        copy_there(remote.login, Path(file.name), path)


def _forget(remote: Remote, incoming: str) -> float:
    """Remove an upload that failed, and return how much room was left; unknown is enough.

    If the board cannot be reached now, the next deployment removes it.
    """
    with suppress(HwbnnError):
        return float(_install(remote, "remove", incoming)["free"])
    return float("inf")


def _check_room(remote: Remote, free: float, needed: int) -> None:
    if free < needed:
        raise BoardError(
            f"{remote.login.host}: the disk of {remote.folder} must have {needed / 1e6:.1f} MB "
            f"free, not {free / 1e6:.1f} MB; free some space there, or choose another --folder"
        )


def _json_lines(output: str) -> list[Json]:
    """Return the lines that are JSON objects: a login may print others around them."""
    found = []
    for line in output.splitlines():
        if line.startswith("{"):
            with suppress(ValueError):
                found.append(json.loads(line))
    return [line for line in found if isinstance(line, dict)]


def _npy(images: IntArray, shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, images.astype(np.uint8).reshape(len(images), *shape))
    return buffer.getvalue()
