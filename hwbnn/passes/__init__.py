# SPDX-License-Identifier: Apache-2.0
"""Passes: Graph to Design, and Design to Design."""

from hwbnn.passes.adapt import adapt
from hwbnn.passes.fit import fold_to_fit
from hwbnn.passes.fold import fold, fold_to
from hwbnn.passes.lower import lower
from hwbnn.passes.size_fifos import size_fifos

__all__ = ["adapt", "fold", "fold_to", "fold_to_fit", "lower", "size_fifos"]
