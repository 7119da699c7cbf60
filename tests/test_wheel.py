# SPDX-License-Identifier: Apache-2.0
"""The wheel carries all that a build needs: installed elsewhere, it builds a shipped model."""

import json
import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*argv, str(ROOT)], check=True, capture_output=True, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.slow
def test_contents(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, pattern in (("rtl", "*.sv"), ("hls_templates", "*.j2"), ("boards", "*.toml")):
        expected = {f"hwbnn/{folder}/{p.name}" for p in (ROOT / folder).glob(pattern)}
        assert expected
        assert expected <= names
    assert {f"hwbnn/zoo/{p.name}" for p in (ROOT / "hwbnn/zoo").glob("*.onnx")} <= names
    assert "hwbnn/emit/report.html.j2" in names
    assert not [name for name in names if name.startswith("tests") or "__pycache__" in name]


@pytest.mark.slow
def test_installed_wheel_builds(wheel: Path, tmp_path: Path):
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    argv = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(argv, check=True)
    # the libraries of this environment, without its editable hwbnn
    (packages,) = (home / "lib").glob("python*/site-packages")
    for folder in filter(Path.is_dir, map(Path, site.getsitepackages())):
        for entry in folder.iterdir():
            if "hwbnn" not in entry.name and not (packages / entry.name).exists():
                (packages / entry.name).symlink_to(entry)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    argv = [home / "bin" / "hwbnn", "build", "zoo:tfc-w1a1", "--board", "pynq-z2", "--json"]
    ran = subprocess.run(
        argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["board"]["id"] == "pynq-z2"
    assert (tmp_path / "tfc_w1a1-pynq-z2" / "rtl" / "tfc_w1a1.sv").is_file()
    where = subprocess.run(
        [python, "-c", "import hwbnn; print(hwbnn.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(home)
