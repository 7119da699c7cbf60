# SPDX-License-Identifier: Apache-2.0
"""Fold: set PE and SIMD of every unit, from a list or for a number of cycles a frame."""

from collections.abc import Mapping
from dataclasses import replace

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.unit import Family, Knobs, Unit


def fold(design: Design, *, foldings: Mapping[str, Knobs]) -> Design:
    """Return the design with the named layers folded as said, the others as they are."""
    names = [instance.name for instance in design.instances]
    problems = [
        f"folding: layer must be one of {', '.join(names)}, not {name}"
        for name in foldings
        if name not in names
    ]
    instances = []
    for instance in design.instances:
        try:
            wanted = foldings.get(instance.name, Knobs())
            instances.append(Instance(instance.name, instance.unit.with_knobs(wanted)))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return with_units(design, tuple(instances))


def fold_to(design: Design, *, target_cycles: int, family: Family = Family.XC7) -> Design:
    """Return the cheapest divisor folding of each unit that needs at most `target_cycles`.

    Cheapest: fewest modelled LUTs on `family`, then block RAMs, then lanes.
    """
    if target_cycles < 1:
        raise ConfigError(f"target cycles must be at least 1, not {target_cycles}")
    instances = []
    for instance in design.instances:
        best = cheapest(instance.unit, target_cycles=target_cycles, family=family)
        if best is None:
            fastest = min(instance.unit.fold(f).cycles for f in instance.unit.foldings())
            raise ConfigError(
                f"{instance.name}: target cycles must be at least {fastest}, not {target_cycles}; "
                "no folding of this layer is faster"
            )
        instances.append(Instance(instance.name, best))
    return with_units(design, tuple(instances))


def cheapest(unit: Unit, *, target_cycles: int, family: Family) -> Unit | None:
    """Return the unit at its cheapest folding within a number of cycles; None: there is none."""
    best: tuple[tuple[float, float, int], Unit] | None = None
    for folding in unit.foldings():
        candidate = unit.with_knobs(Knobs(folding.pe, folding.simd))
        if candidate.cycles > target_cycles:
            continue
        cost = candidate.resources(family)
        key = (cost.lut, cost.bram, folding.pe * folding.simd)
        if best is None or key < best[0]:
            best = key, candidate
    return None if best is None else best[1]


def with_units(design: Design, instances: tuple[Instance, ...]) -> Design:
    """Put other units in; each edge carries its producer's stream, the input its reader's."""
    units = {instance.name: instance.unit for instance in instances}
    edges = []
    for edge in design.edges:
        if edge.producer is not None:
            stream = units[edge.producer.instance].outputs[edge.producer.port]
        else:
            assert edge.consumer is not None
            stream = units[edge.consumer.instance].inputs[edge.consumer.port]
        edges.append(replace(edge, fifo=replace(edge.fifo, stream=stream)))
    return replace(design, instances=instances, edges=tuple(edges))
