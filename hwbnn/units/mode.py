# SPDX-License-Identifier: Apache-2.0
"""Mode: how a synapse of a product multiplies."""

from enum import Enum


class Mode(Enum):
    """How a synapse multiplies; the value is parameter `Mode` of hwbnn_mvu."""

    XNOR = 0  # 1-bit weight, 1-bit input: popcount of XNOR
    ADD = 1  # 1-bit weight, n-bit input: add or subtract
    MULTIPLY = 2  # m-bit weight, n-bit (or bipolar) input
