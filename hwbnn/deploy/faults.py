# SPDX-License-Identifier: Apache-2.0
"""Faults: what the driver says, here or on a board, as errors of the command line."""

from collections.abc import Iterator
from contextlib import contextmanager

from hwbnn.deploy.runtime.errors import RuntimeFault
from hwbnn.errors import BoardError, ConfigError, HwbnnError, MismatchError

ERRORS: dict[str, type[HwbnnError]] = {
    "PackageFault": ConfigError,
    "InputFault": ConfigError,
    "MismatchFault": MismatchError,
}


def error_of(name: str, text: str) -> HwbnnError:
    """Return a fault, by the name of its class, as an error."""
    return ERRORS.get(name, BoardError)(text)


@contextmanager
def faults_as_errors() -> Iterator[None]:
    """Raise the driver's faults as errors."""
    try:
        yield
    except RuntimeFault as fault:
        raise error_of(type(fault).__name__, str(fault)) from fault
