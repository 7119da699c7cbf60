# SPDX-License-Identifier: Apache-2.0
"""Fold: set PE and SIMD of every unit, from a list or for a number of cycles a frame."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.unit import Family, Folding, Style, Unit
from hwbnn.units.mvu import Mvu

TREE_LEVELS_PER_REGISTER = 4  # of log2(SIMD): what xc7 adds up in 10 ns with room to spare


@dataclass(frozen=True)
class LayerFolding:
    """What a folding file says of a layer; None keeps the compiler's choice."""

    pe: int | None = None
    simd: int | None = None
    stages: int | None = None
    weight_style: Style | None = None


def fold(design: Design, *, foldings: Mapping[str, LayerFolding]) -> Design:
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
            wanted = foldings.get(instance.name, LayerFolding())
            instances.append(Instance(instance.name, _fold_unit(instance.unit, wanted)))
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
        candidate = _fold_unit(unit, LayerFolding(folding.pe, folding.simd))
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


def _fold_unit(unit: Unit, wanted: LayerFolding) -> Unit:
    now = unit.folding
    folded = unit.fold(
        Folding(
            now.pe if wanted.pe is None else wanted.pe,
            now.simd if wanted.simd is None else wanted.simd,
        )
    )
    if isinstance(folded, Mvu):
        stages = default_stages(folded) if wanted.stages is None else wanted.stages
        style = folded.weight_style if wanted.weight_style is None else wanted.weight_style
        return replace(folded, stages=stages, weight_style=style)
    if wanted.stages is not None or wanted.weight_style is not None:
        raise ConfigError(
            f"{unit.origin}: stages and weights are knobs of matrix-vector layers only; remove them"
        )
    return folded


def default_stages(unit: Mvu) -> int:
    """Pipeline registers of the adder tree: one for every few levels."""
    return (unit.simd - 1).bit_length() // TREE_LEVELS_PER_REGISTER
