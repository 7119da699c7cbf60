# SPDX-License-Identifier: Apache-2.0
"""The front end: QONNX and FINN-dialect models to integer graphs, proven against the oracle."""

from hwbnn.frontend.ending import Output
from hwbnn.frontend.facts import preprocess_of
from hwbnn.frontend.importer import check, import_model
from hwbnn.frontend.inspect import Inspection, Layer, inspect_model
from hwbnn.frontend.load import input_shape, load_model
from hwbnn.frontend.oracle import Oracle

__all__ = [
    "Inspection",
    "Layer",
    "Oracle",
    "Output",
    "check",
    "import_model",
    "input_shape",
    "inspect_model",
    "load_model",
    "preprocess_of",
]
