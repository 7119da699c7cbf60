# SPDX-License-Identifier: Apache-2.0
"""Wheel: the driver as a pure Python wheel, the same bytes each time (PEP 427, PEP 566)."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from importlib.resources import files

from hwbnn.emit.file_set import FileSet

NAME = "hwbnn_runtime"
DATE = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP can hold
MODE = 0o100644 << 16  # of a plain file

METADATA = """\
Metadata-Version: 2.1
Name: hwbnn-runtime
Version: {version}
Summary: Driver of hwbnn's accelerators: PYNQ, plain Linux, or a serial line
License: Apache-2.0
Requires-Python: >=3.8
Requires-Dist: numpy (>=1.19)
Provides-Extra: uart
Requires-Dist: pyserial (>=3.5) ; extra == 'uart'
"""
WHEEL = """\
Wheel-Version: 1.0
Generator: hwbnn {version}
Root-Is-Purelib: true
Tag: py3-none-any
"""


def wheel_name(version: str) -> str:
    """Return the file name that installers ask of a wheel."""
    return f"{NAME}-{version}-py3-none-any.whl"


def wheel(version: str) -> bytes:
    """Return the driver of this hwbnn as a wheel."""
    info = f"{NAME}-{version}.dist-info"
    held = runtime_sources().under(NAME) | FileSet.of(
        {
            f"{info}/METADATA": METADATA.format(version=version),
            f"{info}/WHEEL": WHEEL.format(version=version),
        }
    )
    record = f"{info}/RECORD"
    rows = [_row(path, held.files[path]) for path in sorted(held.files)]
    lines = "".join(f"{row}\n" for row in [*rows, f"{record},,"])
    return zipped({**held.files, record: lines.encode()})


def runtime_sources() -> FileSet:
    """Return the modules of the driver."""
    folder = files("hwbnn.deploy.runtime")
    modules = [entry for entry in folder.iterdir() if entry.name.endswith(".py")]
    return FileSet({entry.name: entry.read_bytes() for entry in modules})


def zipped(contents: Mapping[str, bytes]) -> bytes:
    """Return a ZIP that depends on nothing but its contents: sorted, without dates."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(contents):
            entry = zipfile.ZipInfo(path, DATE)
            entry.external_attr = MODE
            entry.create_system = 3  # Unix, wherever it is made
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, contents[path])
    return buffer.getvalue()


def _row(path: str, data: bytes) -> str:
    """Return a line of RECORD: URL-safe base64 without its padding."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}"
