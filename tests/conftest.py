# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several tests share."""

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.models import mlp

# Started in the background of a script, the tests would ignore Ctrl-C, and so would the programs
# that they start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout, which must be one JSON text."""
        return json.loads(self.out)


@pytest.fixture
def hwbnn(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run the command line in this process."""
    from hwbnn.cli import main

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ran(int(stopped.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 16-8-8-4 network with 1-bit weights and activations."""
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(mlp((16, 8, 8, 4), style="new").SerializeToString())
    return path
