# SPDX-License-Identifier: Apache-2.0
"""Fold: set PE and SIMD of the units that a list names, and of those that follow them."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.unit import Family, Knobs, Resources
from hwbnn.passes.search.chain import UNLIMITED, search
from hwbnn.passes.search.search_space import Choice, Space, is_chain, prices

A_DEVICE = Resources(lut=53200, ff=106400, bram=140, dsp=220)  # Zynq-7020: what is dear, what not


def fold(design: Design, *, foldings: Mapping[str, Knobs], family: Family = Family.XC7) -> Design:
    """Return the design with the named layers folded as said.

    Of the others, those with weights stay as they are and those without follow the rest. If none
    is named all stay.
    """
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
    return fold_unnamed(with_units(design, tuple(instances)), named=foldings.keys(), family=family)


def fold_unnamed(design: Design, *, named: Collection[str], family: Family) -> Design:
    """Fold the layers without weights that are not named so that they slow nothing down.

    They are windows, pools, thresholds and tables. Their foldings are together the cheapest, with
    the converters between, that keep the pace of the other layers, or come nearest to it.
    """
    free = {
        i.name: [Choice(i.unit.fold(f).cycles, Knobs(f.pe, f.simd)) for f in i.unit.foldings()]
        for i in design.instances
        if i.name not in named and i.unit.knobs.weight_style is None
    }
    fixed = [i.unit.cycles for i in design.instances if i.name not in free]
    if not named or not free or not fixed or not is_chain(design):
        return design
    fastest = [min(choice.cycles for choice in found) for found in free.values()]
    members = (
        (i.unit, tuple(free.get(i.name, (Choice(i.unit.cycles, i.unit.knobs),))))
        for i in design.instances
    )
    space = Space(members, family=family)
    chain = space.within(max(fixed + fastest))
    paces = [pace for pace in chain.paces if pace >= max(fixed + fastest)]
    found = (search(chain, target=p, price=prices(A_DEVICE), limit=UNLIMITED) for p in paces)
    best = next(result for result in found if result is not None)
    units = space.units(best.choices)
    names = (instance.name for instance in design.instances)
    return with_units(design, tuple(map(Instance, names, units)))


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
