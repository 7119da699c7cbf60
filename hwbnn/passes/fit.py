# SPDX-License-Identifier: Apache-2.0
"""Fit: the folding that is used when the user names none."""

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Family, Resources
from hwbnn.passes.adapt import adapt
from hwbnn.passes.fold import fold_to
from hwbnn.passes.size_fifos import size_fifos


def fold_to_fit(design: Design, *, port_bits: int, limit: Resources, family: Family) -> Design:
    """Return the design folded for the rate of the board's port, slower by halves until it fits.

    The port brings `port_bits` a cycle, so a frame of B bits takes ceil(B / port_bits) cycles at
    least. Whether it fits is by modelled resources, converters and FIFOs included.
    """
    frame_bits = design.input.stream.dtype.bits * design.input.stream.elements
    target = max(1, -(-frame_bits // port_bits), slowest_of_fastest(design))
    serial = design.bound
    while True:
        folded = fold_to(design, target_cycles=min(target, serial), family=family)
        cost = size_fifos(adapt(folded), family=family).resources(family)
        if cost.within(limit):
            return folded
        if target >= serial:
            raise ConfigError(
                f"{design.name}: design must fit {limit.lut:.0f} LUTs and {limit.bram:.0f} block "
                f"RAMs, not {cost.lut:.0f} and {cost.bram:.0f} at its slowest folding; "
                "choose a larger board"
            )
        target *= 2


def slowest_of_fastest(design: Design) -> int:
    """Return the fewest cycles a frame that every unit can reach."""
    return max(
        min(instance.unit.fold(folding).cycles for folding in instance.unit.foldings())
        for instance in design.instances
    )
