# SPDX-License-Identifier: Apache-2.0
"""Functions compiled by numba, kept on disk where a folder for that can be written."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(*, nogil: bool = False, forceinline: bool = False) -> Callable[[F], F]:
    """Compile a function on its first call. The options are numba's."""

    def decorate(function: F) -> F:
        try:
            return cast(F, njit(cache=True, nogil=nogil, forceinline=forceinline)(function))
        except RuntimeError:  # numba found no folder for its cache: compile in every process
            return cast(F, njit(nogil=nogil, forceinline=forceinline)(function))

    return decorate
