# SPDX-License-Identifier: Apache-2.0
"""The driver: pure Python (3.8 or newer) with NumPy; imports nothing else of hwbnn."""

from .accelerator import Accelerator, Throughput
from .errors import (
    BoardFault,
    InputFault,
    MismatchFault,
    PackageFault,
    RuntimeFault,
    TimeoutFault,
    TransferFault,
)
from .state import State

__all__ = [
    "Accelerator",
    "BoardFault",
    "InputFault",
    "MismatchFault",
    "PackageFault",
    "RuntimeFault",
    "State",
    "Throughput",
    "TimeoutFault",
    "TransferFault",
]
