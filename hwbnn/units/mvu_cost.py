# SPDX-License-Identifier: Apache-2.0
"""What an Mvu costs, by the model of cost.py."""

from itertools import pairwise
from typing import TYPE_CHECKING

from hwbnn.ir.unit import Family, Resources, Style
from hwbnn.units import border, cost
from hwbnn.units.mode import Mode

if TYPE_CHECKING:
    from hwbnn.units.mvu import Mvu


def resources(mvu: "Mvu", family: Family) -> Resources:
    """Return the modelled cost of a product on a family."""
    lut = mvu.pe * _lane_luts(mvu, family) + _control_luts(mvu, family)
    logic = Resources(lut=lut, ff=_registers(mvu, family), dsp=_dsps(mvu, family))
    words = _words(mvu, family)
    if mvu.neuron_folds > 1 and mvu.synapse_folds > 1:
        data = mvu.simd * mvu.input_dtype.bits
        words += cost.written(mvu.synapse_folds, data, family)
    tables = list(mvu.memory_shapes()[0 if mvu.streamed else 1 :])
    if len(mvu.table_shapes) == 1:
        words += cost.starts(tables.pop(0), family)
    return logic + words + cost.memories(tables, family)


def _words(mvu: "Mvu", family: Family) -> Resources:
    """Cost of the memory of the weights, without its register."""
    depth, width, style = mvu.weight_depth, mvu.weight_width, mvu.weight_shape.style
    match style:
        case Style.STREAM:
            return Resources()
        case Style.ULTRA:
            return cost.loaded(depth, width)
        case _:
            return cost.rom(depth, width, style, family)


def _dsps(mvu: "Mvu", family: Family) -> int:
    if not mvu.on_dsps or family is not Family.XC7:
        return 0
    return mvu.simd * (-(-mvu.pe // 2) if mvu.paired else mvu.pe)


def _lane_luts(mvu: "Mvu", family: Family) -> float:
    tables, inputs = mvu.table_shapes, mvu.simd
    bits, weight_bits = mvu.input_dtype.bits, mvu.weight_dtype.bits
    if mvu.mode is Mode.XNOR:
        constant = mvu.weight_depth == 1 and mvu.weight_style not in (Style.STREAM, Style.ULTRA)
        sums = cost.popcount(inputs, pe=mvu.pe, constant=constant, family=family)
    elif _dsps(mvu, family):
        sums = _tree(mvu).lut
    else:
        factor = None if mvu.mode is Mode.ADD else weight_bits
        sums = cost.products(
            inputs, mvu.weight_depth, pe=mvu.pe, bits=bits, weight_bits=factor, family=family
        )
    one_adder = family is Family.XC7 or mvu.mode is Mode.XNOR
    lane = sums + mvu.sum_bits * (1.0 if one_adder else 2.5) + 1
    if len(tables) > 1:
        lane += len(tables) * (tables[0].lane_bits / 2 + 2)
    return lane


def _control_luts(mvu: "Mvu", family: Family) -> float:
    data = mvu.simd * mvu.input_dtype.bits
    luts = 12.0 + 3 * mvu.weight_depth.bit_length() + data * (mvu.neuron_folds > 1)
    if mvu.border is not None:
        folds = mvu.groups * mvu.neuron_folds
        luts += border.luts(mvu.border, folds=folds, family=family)
    return luts


def _registers(mvu: "Mvu", family: Family) -> float:
    steps, style = len(mvu.table_shapes), mvu.weight_shape.style
    data, folds, width = mvu.simd * mvu.input_dtype.bits, mvu.synapse_folds, mvu.sum_bits
    result = 1 if steps == 1 else width
    count = data + mvu.pe * (result + (width if folds > 1 else 0))
    count += 3 * mvu.weight_depth.bit_length() + 8
    if mvu.neuron_folds > 1 and folds == 1:
        count += data
    if steps > 1:
        count += mvu.pe * sum(width + step + 1 for step in range(steps))
    if mvu.streamed:
        count += mvu.weight_width
    elif style not in (Style.BLOCK, Style.ULTRA) and mvu.weight_depth > 1:
        # Equal columns are one: of few words there are few different ones.
        count += min(mvu.weight_width, 1 << min(32, mvu.weight_depth))
    if _dsps(mvu, family):
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
