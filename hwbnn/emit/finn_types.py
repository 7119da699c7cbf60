# SPDX-License-Identifier: Apache-2.0
"""What FINN carries for one-bit values: bits (0 for -1), or numbers of two bits where it must add.

FINN multiplies bits by bits alone (XNOR), pads with the number 0 alone, and has no sets of
thresholds by position. A convolution padded with -1 is therefore one of bits, padded with the bit
0; one padded with 0 is one of numbers -1, 0 and +1.
"""

import numpy as np

from hwbnn.errors import ModelError
from hwbnn.ir.design import Design, Edge
from hwbnn.ir.dtype import BIPOLAR, IntArray, Kind
from hwbnn.ir.unit import Unit
from hwbnn.units.concat import Concat
from hwbnn.units.fork import Fork
from hwbnn.units.lookup import Lookup
from hwbnn.units.max_pool import MaxPool
from hwbnn.units.mvu import Mvu
from hwbnn.units.sliding_window import SlidingWindow
from hwbnn.units.width_converter import WidthConverter


def number_edges(design: Design) -> frozenset[str]:
    """Return the edges whose one-bit values FINN must carry as numbers.

    Units that only move values have one type on all their streams.
    """
    group = {edge.name: edge.name for edge in design.edges}
    for instance in design.instances:
        if not moves(instance.unit):
            continue
        joined = {
            group[e.name] for e in (*design.into(instance.name), *design.out_of(instance.name))
        }
        least = min(joined)
        group = {name: least if root in joined else root for name, root in group.items()}
    needed = {group[edge.name] for edge in design.edges if _needs_numbers(design, edge)}
    return frozenset(name for name, root in group.items() if root in needed)


def moves(unit: Unit) -> bool:
    """The unit's outputs are some of its inputs, as they are."""
    if isinstance(unit, Lookup):
        return identity(unit)
    return isinstance(unit, Fork | WidthConverter | SlidingWindow | MaxPool | Concat)


def identity(unit: Lookup) -> bool:
    """The table only gives its input another type."""
    domain = unit.input_dtype.decode(np.arange(1 << unit.input_dtype.bits))
    return bool((unit.values == domain).all())


def _needs_numbers(design: Design, edge: Edge) -> bool:
    if edge.consumer is None:
        return True
    unit = design[edge.consumer.instance]
    if isinstance(unit, Mvu):
        bits = unit.weight_dtype.kind is Kind.BIPOLAR and unit.input_dtype == BIPOLAR
        return not bits or unit.border is not None
    if isinstance(unit, MaxPool):
        return bool(unit.minimum.any())
    if isinstance(unit, Concat):
        return unit.output_dtype != BIPOLAR
    return not moves(unit)


def source(design: Design, name: str) -> Unit | None:
    """Return the unit that an instance reads, past width converters; None: the host."""
    (edge,) = design.into(name)
    while edge.producer is not None:
        unit = design[edge.producer.instance]
        if not isinstance(unit, WidthConverter):
            return unit
        (edge,) = design.into(edge.producer.instance)
    return None


def plain_thresholds(unit: Mvu, window: Unit | None) -> IntArray:
    """Return thresholds (outputs, steps) that serve every position, given taps of 0 in the padding.

    `hwbnn/passes/lower.py` sends such taps as -1, and moves the thresholds of the border by what
    they add to the sum; here they are moved back.
    """
    assert unit.thresholds is not None and unit.border is not None
    outputs, steps = len(unit.weights), unit.thresholds.shape[1]
    by_position = unit.thresholds.reshape(-1, outputs, steps)[unit.border.positions]
    if isinstance(window, SlidingWindow) and window.dtype == BIPOLAR:
        padded = window.window.sources[:, window.window.by_columns] < 0
        by_tap = unit.weights.reshape(outputs, window.window.taps, -1).sum(axis=2)
        by_position = by_position + (padded.astype(np.int64) @ by_tap.T)[..., None]
    if (by_position != by_position[0]).any():
        raise ModelError(
            f"{unit.origin}: thresholds must be the same at every position for FINN, which has "
            "one set a channel; leave out what differs at the border, or build for RTL or HLS"
        )
    first: IntArray = by_position[0]
    return first
