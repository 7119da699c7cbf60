# SPDX-License-Identifier: Apache-2.0
"""Folding search on CNV for a PYNQ-Z2, against the greedy rule of FINN's SetFolding.

    python -m benchmarks folding

Both are judged by the same cost model: units, width converters, FIFOs of the least depth. FINN's
rule as its source states it: for each node SIMD up through the divisors until the target is met or
a weight word would be wider than 36 bits, then PE; and once more with the cycles so reached.
"""

import time
from typing import Any

from benchmarks.record import record
from hwbnn.board import find_board
from hwbnn.emit.shell import room
from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.unit import Folding, Resources, Unit
from hwbnn.passes import adapt, cheapest_folding, fastest_folding, lower
from hwbnn.passes.fold import with_units
from hwbnn.passes.search.fit import Searched
from hwbnn.passes.search.search_space import with_least_fifos
from hwbnn.units.folds import divisors
from hwbnn.units.mvu import Mvu
from tests.graphs import cnv

COMMAND = "python -m benchmarks folding"
BOARD = find_board("pynq-z2")
LIMIT, FAMILY = room(BOARD), BOARD.cost_family
TARGETS = (32_768, 16_384, 12_544, 8_100)
WIDEST_WORD = 36  # SetFolding's mvau_wwidth_max
CLOCK_MHZ = 100
FASTEST = "fastest"
NOTE = (
    f"Modelled, on what the shell leaves of the limits of pynq-z2 ({LIMIT.lut:,.0f} LUT, "
    f"{LIMIT.bram:g} BRAM36), without its counters of FIFOs; frames a second at {CLOCK_MHZ} MHz; "
    "seconds of CPU. share: sum of the shares of the limits on LUT, BRAM and DSP, which the search "
    "minimises. For SetFolding `fastest` is its fastest folding "
    "that fits; ratio: its share over the search's at a target, the search's rate over its rate "
    "for `fastest`. SetFolding misses a target where its cycles are more: no ratio."
)


def main() -> None:
    """Fold CNV for each goal with both, and record the table."""
    design = lower(cnv())
    rows = [_row(FASTEST, *_timed_fastest(design), _greedy_fastest(design))]
    for target in TARGETS:
        started = time.process_time()
        found = cheapest_folding(design, target_cycles=target, limit=LIMIT, family=FAMILY)
        took = time.process_time() - started
        rows.append(_row(f"{target} cycles", found, took, _greedy_twice(design, target)))
    record("folding", rows, command=COMMAND, note=NOTE)


def _timed_fastest(design: Design) -> tuple[Searched, float]:
    started = time.process_time()
    found = fastest_folding(design, limit=LIMIT, family=FAMILY, port_bits=BOARD.data.bits)
    return found, time.process_time() - started


def _row(goal: str, found: Searched, took: float, greedy: Design) -> dict[str, Any]:
    built = with_least_fifos(adapt(greedy), family=FAMILY)
    cost = built.resources(FAMILY)
    cheaper, faster = _share(cost) / _share(found.resources), built.bound / found.cycles
    missed = built.bound > found.certificate.target
    ratio: float | str = round(faster if goal == FASTEST else cheaper, 2)
    return {
        "goal": goal,
        "cycles": found.cycles,
        "fps": round(CLOCK_MHZ * 1e6 / found.cycles),
        "lut": round(found.resources.lut),
        "bram": found.resources.bram,
        "share": round(_share(found.resources), 3),
        "CPU s": round(took, 2),
        "labels": found.certificate.labels,
        "SetFolding cycles": built.bound,
        "SetFolding lut": round(cost.lut),
        "SetFolding bram": cost.bram,
        "SetFolding share": round(_share(cost), 3),
        "ratio": "" if missed and goal != FASTEST else ratio,
    }


def _share(cost: Resources) -> float:
    return cost.lut / LIMIT.lut + cost.bram / LIMIT.bram + cost.dsp / LIMIT.dsp


# ---- SetFolding ----------------------------------------------------------------------------------


def _greedy_fastest(design: Design) -> Design:
    """Try the cycles that some unit can take, from the fewest."""
    units = [i.unit for i in design.instances]
    paces = sorted({unit.fold(f).cycles for unit in units for f in unit.foldings()})
    for target in paces:
        folded = _greedy_twice(design, target)
        if folded.bound > 2 * target:
            continue  # the cap on words keeps it from coming near
        if with_least_fifos(adapt(folded), family=FAMILY).resources(FAMILY).within(LIMIT):
            return folded
    raise ConfigError(f"{design.name}: SetFolding finds no folding that fits")


def _greedy_twice(design: Design, target: int) -> Design:
    return _greedy(design, _greedy(design, target).bound)


def _greedy(design: Design, target: int) -> Design:
    instances = (Instance(i.name, _greedy_unit(i.unit, target)) for i in design.instances)
    return with_units(design, tuple(instances))


def _greedy_unit(unit: Unit, target: int) -> Unit:
    if not isinstance(unit, Mvu):
        return next((u for u in map(unit.fold, unit.foldings()) if u.cycles <= target), unit)
    simd = 1
    for wanted in divisors(unit.synapses):
        if wanted * unit.weight_dtype.bits > WIDEST_WORD:
            break
        simd = wanted
        if unit.fold(Folding(1, simd)).cycles <= target:
            break
    widened = [unit.fold(Folding(pe, simd)) for pe in divisors(unit.neurons)]
    return next((u for u in widened if u.cycles <= target), widened[-1])


if __name__ == "__main__":
    main()
