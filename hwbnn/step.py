# SPDX-License-Identifier: Apache-2.0
"""Step: where a build may stop; Proof, Goal, Backend: of its result, its folding, its files."""

from enum import Enum


class Step(Enum):
    """A step of a build, in order; the value is its name on the command line."""

    IMPORT = "import"
    LOWER = "lower"
    FOLD = "fold"
    FIFO = "fifo"
    EMIT = "emit"
    SIMULATE = "simulate"
    BITSTREAM = "bitstream"

    def reaches(self, step: "Step") -> bool:
        """Return whether a build until this step includes the given one."""
        steps = list(Step)
        return steps.index(step) <= steps.index(self)


class Proof(Enum):
    """What a tool can make of a design, each independent of the others."""

    COSIM = "cosim"
    CSIM = "csim"
    SYNTH = "synth"


class Goal(Enum):
    """What a folding may be made the most of."""

    FPS = "fps"


class Backend(Enum):
    """What a design may be emitted for."""

    RTL = "rtl"
    HLS = "hls"
    FINN = "finn"
