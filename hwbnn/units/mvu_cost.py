# SPDX-License-Identifier: Apache-2.0
"""What an Mvu costs, by the model of cost.py."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self

from hwbnn.ir.unit import Family, MemoryShape, Resources, Style
from hwbnn.units import border, cost, weights
from hwbnn.units.mode import Mode

if TYPE_CHECKING:
    from hwbnn.units.mvu import Mvu


@dataclass(frozen=True)
class _Sizes:
    """What several terms of the cost depend on. depth, width: of the weights; data: bits in."""

    neuron_folds: int
    synapse_folds: int
    depth: int
    width: int
    style: Style
    data: int
    tables: tuple[MemoryShape, ...]
    sum_bits: int
    dsps: int

    @classmethod
    def of(cls, mvu: "Mvu", family: Family) -> Self:
        """Return the sizes of a product."""
        neuron_folds, synapse_folds = mvu.neuron_folds, mvu.synapse_folds
        depth, width = mvu.groups * neuron_folds * synapse_folds, mvu.weight_width
        return cls(
            neuron_folds,
            synapse_folds,
            depth,
            width,
            weights.chosen_style(depth, width, mvu.weight_style),
            mvu.simd * mvu.input_dtype.bits,
            mvu.table_shapes,
            mvu.sum_bits,
            _dsps(mvu, family),
        )


def resources(mvu: "Mvu", family: Family) -> Resources:
    """Return the modelled cost of a product on a family."""
    sizes = _Sizes.of(mvu, family)
    lut = mvu.pe * _lane_luts(mvu, sizes, family) + _control_luts(mvu, sizes, family)
    logic = Resources(lut=lut, ff=_registers(mvu, sizes), dsp=sizes.dsps)
    words = _words(sizes, family)
    if sizes.neuron_folds > 1 and sizes.synapse_folds > 1:
        words += cost.written(sizes.synapse_folds, sizes.data, family)
    tables = [*sizes.tables, *mvu.border_shapes]
    if len(sizes.tables) == 1:
        words += cost.starts(tables.pop(0), family)
    return logic + words + cost.memories(tables, family)


def _words(sizes: _Sizes, family: Family) -> Resources:
    """Cost of the memory of the weights, without its register."""
    match sizes.style:
        case Style.STREAM:
            return Resources()
        case Style.ULTRA:
            return cost.loaded(sizes.depth, sizes.width)
        case _:
            return cost.rom(sizes.depth, sizes.width, sizes.style, family)


def _dsps(mvu: "Mvu", family: Family) -> int:
    if not mvu.on_dsps or family is not Family.XC7:
        return 0
    return mvu.simd * (-(-mvu.pe // 2) if mvu.paired else mvu.pe)


def _lane_luts(mvu: "Mvu", sizes: _Sizes, family: Family) -> float:
    tables, inputs, mode = sizes.tables, mvu.simd, mvu.mode
    if mode is Mode.XNOR:
        constant = sizes.depth == 1 and sizes.style not in (Style.STREAM, Style.ULTRA)
        pe = mvu.pe if constant else 1  # of no account without
        sums = cost.popcount(inputs, pe=pe, constant=constant, family=family)
    elif sizes.dsps:
        sums = _tree(mvu).lut
    else:
        bits, factor = mvu.input_dtype.bits, None if mode is Mode.ADD else mvu.weight_dtype.bits
        sums = cost.products(
            inputs, sizes.depth, pe=mvu.pe, bits=bits, weight_bits=factor, family=family
        )
    one_adder = family is Family.XC7 or mode is Mode.XNOR
    lane = sums + sizes.sum_bits * (1.0 if one_adder else 2.5) + 1
    if len(tables) > 1:
        lane += len(tables) * (tables[0].lane_bits / 2 + 2)
    return lane


def _control_luts(mvu: "Mvu", sizes: _Sizes, family: Family) -> float:
    luts = 12.0 + 3 * sizes.depth.bit_length() + sizes.data * (sizes.neuron_folds > 1)
    if mvu.border is not None:
        folds = mvu.groups * sizes.neuron_folds
        luts += border.luts(mvu.border, folds=folds, family=family)
    return luts


def _registers(mvu: "Mvu", sizes: _Sizes) -> float:
    steps, data, folds, width = len(sizes.tables), sizes.data, sizes.synapse_folds, sizes.sum_bits
    result = 1 if steps == 1 else width
    count = data + mvu.pe * (result + (width if folds > 1 else 0))
    count += 3 * sizes.depth.bit_length() + 8
    if sizes.neuron_folds > 1 and folds == 1:
        count += data
    if steps > 1:
        count += mvu.pe * sum(width + step + 1 for step in range(steps))
    if mvu.streamed:
        count += sizes.width
    elif sizes.style not in (Style.BLOCK, Style.ULTRA) and sizes.depth > 1:
        # Equal columns are one: of few words there are few different ones.
        count += min(sizes.width, 1 << min(32, sizes.depth))
    if sizes.dsps:
        return count + mvu.pe * _tree(mvu).ff
    # A stage cuts the tree of adders where few numbers, here two, are left.
    narrow = mvu.simd.bit_length() + (0 if mvu.mode is Mode.XNOR else mvu.input_dtype.bits)
    return count + mvu.stages * mvu.pe * min(data, 2 * narrow)


def _tree(mvu: "Mvu") -> Resources:
    """Cost of hwbnn_adder_tree on xc7, for the products of DSPs; LUTs fitted to 2 to 64 terms.

    Yosys compresses what lies between two registers, as soon as it is more than two numbers.
    """
    bits, levels = mvu.product.bits, (mvu.simd - 1).bit_length()
    registers = min(mvu.stages, levels)
    at = [-(-i * levels // registers) for i in range(1, registers + 1)] or [levels]
    lut, ff = 0.0, (mvu.stages - registers) * (bits + levels)
    for below, above in pairwise((0, *at)):
        sums = -(-mvu.simd >> above)
        additions = -(-mvu.simd >> below) - sums
        plain, compressed = 1.06 * additions, 1.75 * additions - 1.6 * sums
        lut += (bits + below) * max(plain, compressed)
        ff += sums * (bits + above) if registers else 0
    return Resources(lut=lut, ff=ff)
