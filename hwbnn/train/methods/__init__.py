# SPDX-License-Identifier: Apache-2.0
"""The training methods by name, each in a file of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hwbnn.errors import ConfigError
from hwbnn.train.method import Method
from hwbnn.train.methods.approx_sign import approx_sign
from hwbnn.train.methods.back_to_simplicity import back_to_simplicity
from hwbnn.train.methods.bnn_plus import bnn_plus
from hwbnn.train.methods.bop import bop
from hwbnn.train.methods.float32 import float32
from hwbnn.train.methods.ir_net import ir_net
from hwbnn.train.methods.learnt_threshold import learnt_threshold
from hwbnn.train.methods.self_binarizing import self_binarizing
from hwbnn.train.methods.ste import ste
from hwbnn.train.methods.trained_binarization import trained_binarization

METHODS: dict[str, Callable[..., Method]] = {
    "float32": float32,
    "ste": ste,
    "bnn+": bnn_plus,
    "self-binarizing": self_binarizing,
    "back-to-simplicity": back_to_simplicity,
    "trained-binarization": trained_binarization,
    "approx-sign": approx_sign,
    "ir-net": ir_net,
    "rsign": learnt_threshold,
    "bop": bop,
}


def method(name: str, **options: Any) -> Method:
    """Make a method by its name; the options are those of its own function."""
    if name not in METHODS:
        raise ConfigError(f"method: must be a known one, not {name}; choose {', '.join(METHODS)}")
    make = METHODS[name]
    known = tuple(inspect.signature(make).parameters)
    for option in options:
        if option not in known:
            choices = f"choose {', '.join(known)}" if known else "leave it out: it has none"
            raise ConfigError(f"method {name}: must know the option, not {option}; {choices}")
    return replace(make(**options), options=tuple(sorted(options.items())))
