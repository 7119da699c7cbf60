# SPDX-License-Identifier: Apache-2.0
"""Passes: Graph to Design, and Design to Design."""

from hwbnn.passes.adapt import adapt
from hwbnn.passes.carry import carry
from hwbnn.passes.fifos.size_fifos import size_fifos
from hwbnn.passes.fold import fold
from hwbnn.passes.lower import lower
from hwbnn.passes.search.fit import cheapest_folding, fastest_folding

__all__ = ["adapt", "carry", "cheapest_folding", "fastest_folding", "fold", "lower", "size_fifos"]
