# SPDX-License-Identifier: Apache-2.0
"""The process that a command runs in: what its libraries are told before they are loaded."""

import gc
import os


def settle() -> None:
    """Save the time that a build loses in libraries; a user's own OPENBLAS_NUM_THREADS stays.

    The matrix products of a build are small and many: further threads of OpenBLAS spend more time
    waiting for the next one, in a loop, than they save. And what a build makes it keeps: the usual
    search for circular garbage, every 700 new objects, finds none.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(50_000, 20, 10)
