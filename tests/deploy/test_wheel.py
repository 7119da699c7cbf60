# SPDX-License-Identifier: Apache-2.0
"""The driver as a wheel: valid, the same bytes each time, and alone in the world."""

import ast
import base64
import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hwbnn.deploy.wheel import runtime_sources, wheel, wheel_name, zipped
from tests.deploy.packages import small

SOURCES = runtime_sources().files
ALONE = {"numpy", "pynq", "serial", "PIL"}  # what may be there on a board, besides the library


def test_same_bytes_each_time():
    assert wheel("1.2.3") == wheel("1.2.3")
    assert wheel_name("1.2.3") == "hwbnn_runtime-1.2.3-py3-none-any.whl"


def test_compiled_modules_beside_the_source_are_no_part(tmp_path, monkeypatch):
    (tmp_path / "driver.py").write_text("")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "driver.cpython-311.pyc").write_bytes(b"")
    monkeypatch.setattr("hwbnn.deploy.wheel.files", lambda _: tmp_path)
    assert list(runtime_sources().files) == ["driver.py"]


def test_record_holds_every_file():
    with zipfile.ZipFile(io.BytesIO(wheel("1.2.3"))) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
        assert all(entry.date_time == (1980, 1, 1, 0, 0, 0) for entry in archive.infolist())
    record = "hwbnn_runtime-1.2.3.dist-info/RECORD"
    rows = {
        path: (digest, size) for path, digest, size in csv.reader(held[record].decode().split())
    }
    assert rows.pop(record) == ("", "")
    assert set(rows) == set(held) - {record}
    for path, (digest, size) in rows.items():
        kind, _, text = digest.partition("=")
        assert kind == "sha256" and int(size) == len(held[path])
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        assert found == hashlib.sha256(held[path]).digest()
    assert {f"hwbnn_runtime/{name}" for name in SOURCES} < set(held)
    assert b"Requires-Python: >=3.8\n" in held["hwbnn_runtime-1.2.3.dist-info/METADATA"]


@pytest.mark.parametrize("name", SOURCES)
def test_is_python_3_8_and_imports_nothing_else(name):
    tree = ast.parse(SOURCES[name], feature_version=(3, 8))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            imported = [node.module or ""]
        elif isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        else:
            continue
        for module in imported:
            first = module.split(".")[0]
            assert first in sys.stdlib_module_names | ALONE, f"{name} imports {module}"


@pytest.mark.parametrize("name", SOURCES)
def test_newer_annotations_are_never_evaluated(name):
    text = SOURCES[name].decode()
    if re.search(r"(\w\]? \| None|: (list|dict|tuple)\[)", text):
        assert "from __future__ import annotations" in text


@pytest.mark.slow
def test_installs_and_runs_without_hwbnn(tmp_path: Path):
    made = small()
    name = json.loads(made.files.text("manifest.json"))["runtime"]
    (tmp_path / Path(name).name).write_bytes(made.files.files[name])
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    options = ["--no-deps", "--no-index", "--target", str(target), str(tmp_path / Path(name).name)]
    subprocess.run([*pip, *options], check=True, cwd=tmp_path)
    package = made.zip(tmp_path)
    code = (
        "import sys, runpy; sys.path.insert(0, sys.argv.pop(1)); "
        "runpy.run_module('hwbnn_runtime', run_name='__main__', alter_sys=True)"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code, str(target), "info", str(package), "--json"],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    found = json.loads(ran.stdout)
    assert found["schema"] == "hwbnn/info@1" and found["verified"] and found["name"] == "mlp"
    probe = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hwbnn_runtime, hwbnn_runtime.pynq, "
        "hwbnn_runtime.linux, hwbnn_runtime.uart; print(sorted(m for m in sys.modules "
        "if m.split('.')[0] in ('hwbnn', 'pynq', 'serial', 'PIL')))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", probe, str(target)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_zip_depends_on_nothing_but_its_contents():
    files = {"b": b"2", "a": b"1"}
    assert zipped(files) == zipped(dict(reversed(files.items())))
    with zipfile.ZipFile(io.BytesIO(zipped(files))) as archive:
        assert archive.namelist() == ["a", "b"]
        assert all(entry.external_attr == 0o100644 << 16 for entry in archive.infolist())
