# SPDX-License-Identifier: Apache-2.0
"""Pickles of byte arrays, texts, numbers, lists and dicts, read without running what they name.

A pickle names functions and calls them. Here a few names stand for harmless classes of this file,
and all others are refused; so a hostile pickle can do no more than make wrong values.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any, Final

import numpy as np

from hwbnn.train.dataset import Bytes


class ForbiddenName(pickle.UnpicklingError):
    """A pickle asks for something that is no part of a byte array."""


class _ByteType:
    """Stand in for numpy.dtype: unsigned bytes and no other."""

    def __init__(self, name: object, *_: object) -> None:
        if name not in ("u1", b"u1"):
            raise ForbiddenName(f"an array of {name!r}")

    def __setstate__(self, _: object) -> None:
        """Ignore byte order and alignment: a byte has none."""


class _Array:
    """Stand in for the array that numpy's _reconstruct makes and __setstate__ fills."""

    def __init__(self, *_: object) -> None:
        self.value: Bytes | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, element, by_columns, content = state
        if not isinstance(element, _ByteType) or len(content) != math.prod(shape):
            raise pickle.UnpicklingError(f"{len(content)} bytes for an array {shape}")
        order = "F" if by_columns else "C"
        self.value = np.frombuffer(content, np.uint8).reshape(shape, order=order)  # type: ignore[call-overload]


def _encode(text: str, encoding: str) -> bytes:
    """Stand in for codecs.encode, by which Python 3 writes bytes in Python 2's protocol."""
    if encoding != "latin1":
        raise ForbiddenName(f"text in {encoding!r}")
    return text.encode("latin1")


class _Unpickler(pickle.Unpickler):
    KNOWN: Final = {
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("numpy", "ndarray"): None,  # nothing but _reconstruct's argument
        ("numpy", "dtype"): _ByteType,
        ("_codecs", "encode"): _encode,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.KNOWN:
            raise ForbiddenName(f"{module}.{name}")
        return self.KNOWN[module, name]


def read_byte_pickle(content: bytes) -> dict[str, Any]:
    """Return the pickled dict with text keys and NumPy arrays; ValueError if it is none.

    ForbiddenName: it names what is neither NumPy array of bytes nor text.
    """
    try:
        found = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except ForbiddenName:
        raise
    # A damaged pickle can fail in any way that its opcodes can: there is no list of them.
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from error
    if not isinstance(found, dict):
        raise ValueError(f"a {type(found).__name__} and no dict")
    # Python 2 wrote its texts, and with them the keys, as bytes.
    return {
        key.decode("latin1") if isinstance(key, bytes) else str(key): (
            value.value if isinstance(value, _Array) else value
        )
        for key, value in found.items()
    }
