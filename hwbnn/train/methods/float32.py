# SPDX-License-Identifier: Apache-2.0
"""No binarization: float weights and ReLUs in the same network, the mark to measure by."""

from __future__ import annotations

from hwbnn.train.method import Method


def float32() -> Method:
    """Return the method that leaves all values as they are; its networks cannot be exported."""
    return Method("float32", "", None, None, clip=None, learning_rate=2e-3)
