# SPDX-License-Identifier: Apache-2.0
"""Search space: what each unit of a chain may be folded to, and what lies between two of them.

Costs are whole thousandths (PARTS) of each kind of resource (KINDS): their sums are exact.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.dtype import IntArray, unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import (
    KINDS,
    Family,
    Folding,
    Knobs,
    Multiplier,
    Resources,
    Style,
    Unit,
)
from hwbnn.ir.window import BoolArray
from hwbnn.passes.adapt import converters

PARTS = 1000
_PRICE = 1 << 26  # of a part of the scarcest resource: enough for seven digits in the others
HASTE = 8  # how many times faster than the design a unit may be, to spare a converter


@dataclass(frozen=True)
class Choice:
    """One way to fold a unit."""

    cycles: int
    knobs: Knobs


@dataclass(frozen=True, eq=False)
class Options:
    """Choices of a unit; arrays are by choice.

    costs: (choices, kinds), with the FIFO behind the unit. reads, writes: the stream that the
    choice reads, counted in `wanted`, and that which it writes, counted in `given`.
    """

    choices: tuple[Choice, ...]
    cycles: IntArray
    costs: IntArray
    reads: IntArray
    writes: IntArray
    wanted: tuple[Stream, ...]
    given: tuple[Stream, ...]


@dataclass(frozen=True, eq=False)
class Joins:
    """Converters between two units, with a FIFO each: cycles (given, wanted), costs (.., kinds)."""

    cycles: IntArray
    costs: IntArray


@dataclass(frozen=True, eq=False)
class Chain:
    """Options of units one after another; joins[i] stands behind unit i."""

    options: tuple[Options, ...]
    joins: tuple[Joins, ...]

    @property
    def used(self) -> BoolArray:
        """Whether anything costs any of each resource, bool (kinds,)."""
        units = [options.costs for options in self.options]
        between = [joins.costs.reshape(-1, len(KINDS)) for joins in self.joins]
        used: BoolArray = np.logical_or.reduce(np.concatenate([*units, *between]) > 0)
        return used

    @property
    def paces(self) -> list[int]:
        """Numbers of cycles a frame that a design of these options may take, rising."""
        units = [options.cycles for options in self.options]
        between = [joins.cycles.reshape(-1) for joins in self.joins]
        return [int(cycles) for cycles in np.unique(np.concatenate([*units, *between]))]


def in_parts(cost: Resources) -> tuple[int, ...]:
    """Return a cost in whole thousandths, rounded up, by kind."""
    amounts = cost.amounts
    return tuple([math.ceil(round(amount * PARTS, 3)) if amount else 0 for amount in amounts])


def prices(limit: Resources) -> IntArray:
    """Return what a part of each resource costs: its share of the limit; flip-flops cost nothing.

    A sum of shares makes a block RAM worth as many LUTs as there are for one. Flip-flops come two
    to a LUT and are limited alone.
    """
    room = {kind: max(getattr(limit, kind), 1.0) for kind in KINDS}
    scarcest = min(room["lut"], room["bram"], room["dsp"])  # UltraRAMs, the least of all, only add
    price = {kind: round(_PRICE * scarcest / amount) for kind, amount in room.items()}
    return np.array(list((price | {"ff": 0}).values()))


def is_chain(design: Design) -> bool:
    """Return whether no streams part or meet."""
    names = [instance.name for instance in design.instances]
    return all(len(design.into(n)) == len(design.out_of(n)) == 1 for n in names)


# ---- choices -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Beat:
    """The widest beat, in bits, of an input of a unit: no more arrives in a cycle."""

    port: int
    bits: int


def all_choices(
    design: Design,
    *,
    floor: int,
    family: Family,
    port_bits: int | None = None,
    ultra: bool = False,
) -> tuple[tuple[Unit, tuple[Choice, ...]], ...]:
    """Return every unit of a design that takes `floor` cycles at the least, with its choices.

    port_bits: the most that arrive in a cycle; the unit at the input reads no wider beats, nor
    does one with streamed weights read wider words of them. ultra: weights may be loaded into
    UltraRAM.
    """
    units = [instance.unit for instance in design.instances]
    found = [
        cycles_of_foldings(instance.unit, beats=beats_of(design, instance, port_bits))
        for instance in design.instances
    ]
    serial = max(max(cycles.values()) for cycles in found)  # nothing need be slower
    each = (
        _choices(*pair, floor=min(floor, serial), family=family, ultra=ultra)
        for pair in zip(units, found, strict=True)
    )
    return tuple(zip(units, each, strict=True))


def choices(unit: Unit, *, floor: int, family: Family = Family.XC7) -> tuple[Choice, ...]:
    """Return the choices for a unit of a design that takes `floor` cycles at the least.

    For each number of folds the fewest PE, and the fewest SIMD; both weight styles, and multipliers
    of both kinds. Left out is what takes less than an eighth of the floor, but for one choice
    within it.
    """
    return _choices(unit, cycles_of_foldings(unit), floor=floor, family=family, ultra=False)


def _choices(
    unit: Unit, found: dict[Folding, int], *, floor: int, family: Family, ultra: bool
) -> tuple[Choice, ...]:
    least = min(floor // HASTE, max(cycles for cycles in found.values() if cycles <= floor))
    kept = {folding: cycles for folding, cycles in found.items() if cycles >= least}
    style = unit.knobs.weight_style
    fixed = style is None or style is Style.STREAM
    styles = (style,) if fixed else (Style.DISTRIBUTED, Style.BLOCK)
    loaded = (Style.ULTRA,) if ultra and not fixed else ()
    either = family is Family.XC7 and unit.knobs.multipliers is not None
    multipliers = tuple(Multiplier) if either else (None,)
    return tuple(
        Choice(cycles, Knobs(folding.pe, folding.simd, weight_style=style, multipliers=multiplier))
        for folding, cycles in kept.items()
        for style in (*styles, *(loaded if ultra and unit.worth_loading(folding) else ()))
        for multiplier in multipliers
    )


def cycles_of_foldings(unit: Unit, *, beats: Iterable[Beat] = ()) -> dict[Folding, int]:
    """Return the cycles of every folding that the search looks at.

    If every one of them reads wider beats than one of `beats` says, the narrowest stay.
    """
    units = {folding: unit.fold(folding) for folding in unit.foldings()}
    most_pe, most_simd = (max(getattr(f, name) for f in units) for name in ("pe", "simd"))
    for folding in _padded(most_pe, most_simd):
        if folding not in units:
            try:
                units[folding] = unit.fold(folding)
            except ConfigError:  # the unit takes divisors alone
                break
    for beat in beats:
        widths = {folding: made.inputs[beat.port].bits for folding, made in units.items()}
        widest = max(beat.bits, min(widths.values()))
        units = {folding: made for folding, made in units.items() if widths[folding] <= widest}
    return {folding: made.cycles for folding, made in units.items()}


def beats_of(design: Design, instance: Instance, port_bits: int | None) -> tuple[Beat, ...]:
    """Return the bounds on a unit's beats: from the design's input, and of streamed weights."""
    if port_bits is None:
        return ()
    entry, beats = design.input.consumer, []
    if entry is not None and entry.instance == instance.name:
        beats.append(Beat(entry.port, port_bits))
    if instance.unit.knobs.weight_style is Style.STREAM:
        beats.append(Beat(len(instance.unit.inputs) - 1, port_bits))
    return tuple(beats)


def _padded(pe: int, simd: int) -> Iterator[Folding]:
    for lanes in _least_lanes(pe):
        for inputs in _least_lanes(simd):
            yield Folding(lanes, inputs)


def _least_lanes(elements: int) -> list[int]:
    """Fewest lanes for each number of folds."""
    return sorted({-(-elements // folds) for folds in range(1, elements + 1)})


# ---- costs ---------------------------------------------------------------------------------------


class Space:
    """Choices of every unit of a chain; works out what each costs once, when it is first wanted."""

    def __init__(
        self, members: Iterable[tuple[Unit, tuple[Choice, ...]]], *, family: Family
    ) -> None:
        self.members = tuple(members)
        self.family = family
        self._options: dict[tuple[int, Knobs], _Option] = {}
        self._joins: dict[tuple[Stream, Stream], tuple[int, tuple[int, ...]]] = {}

    @property
    def slowest(self) -> int:
        """Most cycles of a choice."""
        return max(choice.cycles for _, found in self.members for choice in found)

    @property
    def costed_choices(self) -> int:
        """Choices whose cost was worked out."""
        return len(self._options)

    @property
    def costed_joins(self) -> int:
        """Pairs of streams whose converters' cost was worked out."""
        return len(self._joins)

    def within(self, cycles: int) -> Chain:
        """Return the chain of all choices of at most so many cycles."""
        options = tuple(self._within(index, cycles) for index in range(len(self.members)))
        joins = tuple(
            self._between(before.given, after.wanted) for before, after in pairwise(options)
        )
        return Chain(options, joins)

    def units(self, chosen: Iterable[Choice]) -> list[Unit]:
        """Return every unit as chosen."""
        return [self._unit(index, choice) for index, choice in enumerate(chosen)]

    def _unit(self, index: int, choice: Choice) -> Unit:
        return self.members[index][0].with_knobs(choice.knobs)

    def _within(self, index: int, cycles: int) -> Options:
        found = tuple(choice for choice in self.members[index][1] if choice.cycles <= cycles)
        options = [self._option(index, choice) for choice in found]
        wanted = tuple(dict.fromkeys(option.wanted for option in options))
        given = tuple(dict.fromkeys(option.given for option in options))
        reads = {stream: i for i, stream in enumerate(wanted)}
        writes = {stream: i for i, stream in enumerate(given)}
        return Options(
            found,
            np.array([choice.cycles for choice in found], np.int64),
            np.array([option.cost for option in options], np.int64).reshape(-1, len(KINDS)),
            np.array([reads[option.wanted] for option in options], np.int64),
            np.array([writes[option.given] for option in options], np.int64),
            wanted,
            given,
        )

    def _option(self, index: int, choice: Choice) -> "_Option":
        key = index, choice.knobs
        if key not in self._options:
            unit = self._unit(index, choice)
            cost = unit_cost(unit, family=self.family, joined=1, entry=None if index else 0)
            option = _Option(in_parts(cost), unit.inputs[0], unit.outputs[0])
            self._options[key] = option
        return self._options[key]

    def _between(self, given: tuple[Stream, ...], wanted: tuple[Stream, ...]) -> Joins:
        pairs = [self._join(a, b) for a in given for b in wanted]
        shape = len(given), len(wanted)
        cycles = np.array([cycles for cycles, _ in pairs], np.int64).reshape(shape)
        costs = np.array([cost for _, cost in pairs], np.int64).reshape(*shape, len(KINDS))
        return Joins(cycles, costs)

    def _join(self, given: Stream, wanted: Stream) -> tuple[int, tuple[int, ...]]:
        key = given, wanted
        if key not in self._joins:
            self._joins[key] = join_cost(given, wanted, self.family)
        return self._joins[key]


@dataclass(frozen=True)
class _Option:
    cost: tuple[int, ...]
    wanted: Stream
    given: Stream


def unit_cost(unit: Unit, *, family: Family, joined: int, entry: int | None) -> Resources:
    """Return the cost of a unit, of the least FIFOs behind it, and of those of `entry_cost`."""
    cost, latency = unit.resources(family), unit.latency
    for stream in unit.outputs:
        cost += _fifo_cost(stream.bits, latency, family)
    return cost + entry_cost(unit, family=family, joined=joined, entry=entry)


def entry_cost(unit: Unit, *, family: Family, joined: int, entry: int | None) -> Resources:
    """Return the cost of the FIFOs by which streamed weights and the design's frames enter.

    joined: inputs that other units feed; those behind take streamed weights. entry: the input that
    frames enter by.
    """
    ends = [*unit.inputs[joined:], *(() if entry is None else (unit.inputs[entry],))]
    return sum((_fifo_cost(end.bits, 1, family) for end in ends), Resources())


def join_cost(given: Stream, wanted: Stream, family: Family) -> tuple[int, tuple[int, ...]]:
    """Return the cycles and the cost, in parts, of the converters between two streams."""
    cost, cycles = Resources(), 0
    for unit in converters(given, wanted):
        cost += unit.resources(family)
        cost += _fifo_cost(unit.outputs[0].bits, 1, family)
        cycles = max(cycles, unit.cycles)
    return cycles, in_parts(cost)


def least_fifo(stream: Stream, latency: int, family: Family) -> Fifo:
    """Return the cheapest FIFO that takes a word a cycle from a unit of this latency.

    Depth L + 1 (timing.md): so few words are never cheaper in block RAM.
    """
    fifo = Fifo(stream, latency + 1)
    kinds = (replace(fifo, storage=storage) for storage in (Storage.LUTRAM, Storage.SRL))
    return min(kinds, key=lambda kind: kind.resources(family).lut)


@cache
def _fifo_cost(bits: int, latency: int, family: Family) -> Resources:
    """Cost of the least FIFO for beats of so many bits: it depends on nothing else of a stream."""
    return least_fifo(Stream(unsigned(1), bits, bits), latency, family).resources(family)


def with_least_fifos(design: Design, *, family: Family) -> Design:
    """Return an adapted design with the FIFOs that the costs reckon with."""
    fifos = {}
    for edge in design.edges:
        latency = 1 if edge.producer is None else design[edge.producer.instance].latency
        fifos[edge.name] = least_fifo(edge.stream, latency, family)
    return design.with_fifos(fifos)
