# SPDX-License-Identifier: Apache-2.0
"""Package: a folder or ZIP of `hwbnn package`, every file of which has the hash it should have."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import PackageFault

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = "hwbnn/package@1"
SCHEMA_WEIGHTS = "hwbnn/package@2"  # with weights that must lie in memory; else the same
SCHEMA_LOADED = "hwbnn/package@3"  # with weights that are loaded once; else as @2
SCHEMAS = (SCHEMA, SCHEMA_WEIGHTS, SCHEMA_LOADED)
MANIFEST = "manifest.json"
KEYS = frozenset(
    "name hwbnn board build_hash clock link input output classes preprocess cycles fifos golden "
    "bitstream files".split()
)

DAMAGES = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    RuntimeError,  # NotImplementedError too: another compression, a password
)  # what reading a changed ZIP raises


class Package(NamedTuple):
    """Manifest and files; what was read is what was verified."""

    where: str
    manifest: dict[str, Any]
    files: dict[str, bytes]

    def file(self, name: str) -> bytes:
        """Return the contents of a file."""
        if name not in self.files:
            raise PackageFault(
                f"{self.where}: must hold {name}, as its manifest says; make it again"
            )
        return self.files[name]

    def array(self, name: str) -> NDArray[Any]:
        """Return the array of an .npy file."""
        try:
            array: NDArray[Any] = np.load(io.BytesIO(self.file(name)), allow_pickle=False)
        except (ValueError, OSError) as error:
            raise PackageFault(
                f"{self.where}: {name} must be an .npy file, not fail: {error}; make it again"
            ) from error
        return array

    @property
    def bitstream(self) -> bytes | None:
        """The bitstream, if the package has one."""
        name = self.manifest["bitstream"]
        return None if name is None else self.file(name)


def open_package(path: Any) -> Package:
    """Return a package, read and verified; PackageFault: something is missing or changed."""
    path = Path(path)
    try:
        if path.is_dir():
            return _verified(str(path), lambda name: (path / name).read_bytes())
        with zipfile.ZipFile(str(path)) as archive:
            return _verified(str(path), archive.read)
    except DAMAGES as error:
        raise PackageFault(
            f"{path}: package must be a readable folder or ZIP of `hwbnn package`, not fail: "
            f"{error}; copy it again"
        ) from error


def _verified(where: str, read: Any) -> Package:
    manifest = _manifest(where, _read(where, read, MANIFEST))
    files = {}
    for name, sha256 in manifest["files"].items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise PackageFault(f"{where}: files must lie inside the package, not at {name}")
        files[name] = _read(where, read, name)
        found = hashlib.sha256(files[name]).hexdigest()
        if found != sha256:
            raise PackageFault(
                f"{where}: {name} must have the SHA-256 {sha256}, not {found}; copy the package "
                "again"
            )
    return Package(where, manifest, files)


def _read(where: str, read: Any, name: str) -> bytes:
    try:
        contents: bytes = read(name)
    except (KeyError, FileNotFoundError) as error:
        raise PackageFault(f"{where}: must hold {name}, not be without; copy it again") from error
    except DAMAGES as error:
        raise PackageFault(
            f"{where}: {name} must be whole, not damaged ({error}); copy the package again"
        ) from error
    return contents


def _manifest(where: str, text: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(text.decode("utf-8"))
        schema = manifest.get("schema")
    except (ValueError, AttributeError) as error:
        raise PackageFault(f"{where}: {MANIFEST} must be JSON ({error}); copy it again") from error
    if schema not in SCHEMAS:
        raise PackageFault(
            f"{where}: schema must be {SCHEMA}, {SCHEMA_WEIGHTS[-2:]} or {SCHEMA_LOADED[-2:]}, not "
            f"{schema}; use the driver that came with it (runtime/ in the package)"
        )
    keys = KEYS if schema == SCHEMA else KEYS | {"weights"}
    missing = sorted(keys - set(manifest))
    if missing:
        raise PackageFault(f"{where}: {MANIFEST} must have {', '.join(missing)}; make it again")
    found: dict[str, Any] = manifest
    return found
