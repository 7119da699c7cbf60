# SPDX-License-Identifier: Apache-2.0
"""What would relieve the slowest layer: a faster folding of it, its price, and if that fits."""

from typing import Any

from hwbnn.board import Board
from hwbnn.emit.figure import figure
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Resources, Unit

WORDS = {"lut": "LUT", "bram": "BRAM", "dsp": "DSP", "uram": "UltraRAM"}


def relief(
    design: Design, name: str, *, board: Board, used: Resources, clock_mhz: float
) -> dict[str, Any] | None:
    """Return a faster folding of a layer, and what the whole design would then do.

    It halves the layer's cycles or comes down to the next slower layer: the cheapest that fits, or
    if none does the cheapest. used: resources of the whole chip as it is.
    """
    unit, family = design[name], board.cost_family
    others = [i.unit.cycles for i in design.instances if i.name != name]
    borders = [design.input.stream.beats, design.output.stream.beats]
    goal = max([*others, *borders, -(-unit.cycles // 2)])
    if goal >= unit.cycles:
        goal = unit.cycles - 1
    faster = [one for one in map(unit.fold, unit.foldings()) if one.cycles <= goal]
    if not faster:
        return None
    rest = used.less(unit.resources(family))

    def key(one: Unit) -> tuple[bool, float, float, int]:
        cost, fold = one.resources(family), one.folding
        return not (rest + cost).within(board.limit), cost.lut, cost.bram, fold.pe * fold.simd

    relieved = min(faster, key=key)
    pairs = zip(relieved.resources(family).amounts, unit.resources(family).amounts, strict=True)
    lut, _, bram, dsp, uram = (round(after - before, 1) for after, before in pairs)
    bound = max([relieved.cycles, *others, *borders])
    return {
        "pe": relieved.folding.pe,
        "simd": relieved.folding.simd,
        "cycles": relieved.cycles,
        "lut_more": lut,
        "bram_more": bram,
        "dsp_more": dsp,
        "uram_more": uram,
        "fits": not key(relieved)[0],
        "frames_per_second": figure(clock_mhz * 1e6 / bound, "frames/s"),
    }


def advice(name: str, unit: Unit, found: dict[str, Any] | None, *, alike: int) -> str:
    """Say what is slowest, and what would relieve it; alike: other units that are as slow."""
    takes = f"{name} takes {unit.cycles:,} cycles"
    if alike:
        takes += f", as {'does one other unit' if alike == 1 else f'do {alike} others'}"
    if found is None:
        return f"{takes}, and is fully unrolled: nothing is faster."
    change = (
        f"{takes}. PE {found['pe']}, SIMD {found['simd']} instead of {unit.folding.pe}, "
        f"{unit.folding.simd} takes {found['cycles']:,}, for {_price(found)}"
    )
    if not found["fits"]:
        return f"{change}: more than is left of the board's limits."
    if alike:
        return f"{change}; the frame rate rises when all of them are faster."
    return f"{change}: {found['frames_per_second']['value']:,.0f} frames/s."


def _price(found: dict[str, Any]) -> str:
    """Return what is more as text: LUTs always, of other kinds what changes."""
    more = {kind: found[f"{kind}_more"] for kind in WORDS}
    return ", ".join(
        f"{amount:+,.{0 if kind == 'lut' else 1}f}".removesuffix(".0")
        + f" {word}{'' if abs(amount) == 1 else 's'}"
        for (kind, amount), word in zip(more.items(), WORDS.values(), strict=True)
        if amount or kind == "lut"
    )
