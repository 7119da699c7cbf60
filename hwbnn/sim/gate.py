# SPDX-License-Identifier: Apache-2.0
"""Gate: an on/off pattern at a border of the design, a pure function of cycle and seed."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Gate:
    """On in a cycle with chance fine / 256, and in a block of 64 cycles with chance coarse / 256.

    The same function stands in the Verilator harness (rtl/bench/harness.cpp) and in the engine.
    """

    seed: int = 0
    fine: int = 256
    coarse: int = 256

    @property
    def always(self) -> bool:
        """Never off."""
        return self.fine >= 256 and self.coarse >= 256

    def of(self, border: int) -> "Gate":
        """The gate of one of several borders: the same chances, at other times."""
        return replace(self, seed=(self.seed + 0x3C6EF35F * border) & 0xFFFFFFFF)

    def on(self, cycles: np.ndarray) -> np.ndarray:
        """Whether the gate is on in each of `cycles`."""
        c = cycles.astype(np.uint32)
        block = (c >> np.uint32(6)) | np.uint32(0x15 << 26)
        fine = (_mix(c, self.seed) >> np.uint32(8)) & np.uint32(255)
        coarse = (_mix(block, self.seed) >> np.uint32(8)) & np.uint32(255)
        return (fine < self.fine) & (coarse < self.coarse)


ALWAYS = Gate()


def _mix(value: np.ndarray, seed: int) -> np.ndarray:
    """Hash 32 bits, modulo 2**32 (multiply and xor-shift, the constants of MurmurHash3)."""
    with np.errstate(over="ignore"):
        x = value * np.uint32(0x9E3779B1) + np.uint32(seed)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return np.asarray(x ^ (x >> np.uint32(16)))
