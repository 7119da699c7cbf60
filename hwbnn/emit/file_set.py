# SPDX-License-Identifier: Apache-2.0
"""FileSet: files as a value. Emitters return one; tools/ writes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, eq=False)
class FileSet:
    """Relative POSIX path to contents."""

    files: Mapping[str, bytes]

    @classmethod
    def of(cls, files: Mapping[str, str | bytes]) -> "FileSet":
        """Return a set of text (as UTF-8) and binary files."""
        return cls({k: v.encode() if isinstance(v, str) else v for k, v in files.items()})

    def __or__(self, other: "FileSet") -> "FileSet":
        """Union; a path in both must hold the same bytes."""
        for path in self.files.keys() & other.files.keys():
            assert self.files[path] == other.files[path], path
        return FileSet({**self.files, **other.files})

    def under(self, folder: str) -> "FileSet":
        """Return the same files below a folder."""
        return FileSet({f"{folder}/{path}": data for path, data in self.files.items()})

    def text(self, path: str) -> str:
        """Contents of a text file."""
        return self.files[path].decode()

    def digest(self, head: str) -> bytes:
        """SHA-256 of a text and of all files, by path."""
        whole = sha256(head.encode())
        for path in sorted(self.files):
            whole.update(sha256(path.encode() + b"\0" + self.files[path]).digest())
        return whole.digest()

    @staticmethod
    def union(sets: Iterable["FileSet"]) -> "FileSet":
        """Union of many."""
        result = FileSet({})
        for files in sets:
            result = result | files
        return result
