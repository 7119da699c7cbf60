# SPDX-License-Identifier: Apache-2.0
"""RSign: straight-through, and a trained threshold of every channel before its sign.

Liu, Shen, Savvides, Cheng: ReActNet, arXiv 2003.03488, eq. 2: +1 where x > alpha_channel, else -1.
In hardware it is an offset of the thresholds that are there anyway.
"""

from __future__ import annotations

from dataclasses import replace

from hwbnn.train.method import Method
from hwbnn.train.methods.ste import ste


def learnt_threshold() -> Method:
    """Return straight-through with RSign."""
    return replace(ste(), name="rsign", source="arXiv 2003.03488", learnt_threshold=True)
