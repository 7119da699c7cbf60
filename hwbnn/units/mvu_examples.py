# SPDX-License-Identifier: Apache-2.0
"""Mvus that reach every mode, for the registry's tests."""

from dataclasses import replace

import numpy as np

from hwbnn.ir.dtype import BIPOLAR, DType, signed, smallest, unsigned
from hwbnn.ir.ranges import sum_range
from hwbnn.ir.unit import Multiplier, Style, Unit
from hwbnn.ir.window import Border
from hwbnn.units.mvu import Mvu


def _example(
    weight: DType,
    data: DType,
    out: DType | None,
    *,
    steps: int = 1,
    neurons: int = 6,
    synapses: int = 12,
    vectors: int = 1,
    groups: int = 1,
    border: Border | None = None,
    multipliers: Multiplier = Multiplier.LUT,
) -> Mvu:
    rng = np.random.default_rng([weight.bits, data.bits, steps, synapses])
    weights = weight.decode(rng.integers(0, 1 << weight.bits, (groups * neurons, synapses)))
    low, high = sum_range(weights, data.min, data.max)
    unit = Mvu(weights, weight, data, smallest(min(low, -1), high), vectors=vectors, groups=groups)
    unit = replace(unit, multipliers=multipliers)
    if out is None:
        return unit
    spread, classes = max(2, (high - low) // 4), 1 if border is None else border.classes
    thresholds = rng.integers(-spread, spread, (classes * groups * neurons, steps))
    thresholds.sort(axis=1)
    thresholds[0], thresholds[1] = low, high + 1  # always and never reached
    return replace(unit, output_dtype=out, thresholds=thresholds, base=out.min, border=border)


def examples() -> tuple[Unit, ...]:
    """Return them: plain products, then groups and borders, then products on DSPs."""
    bit, u1, u2, i3, u8 = BIPOLAR, unsigned(1), unsigned(2), signed(3), unsigned(8)
    square = Border(np.array([0, 1, 2]), np.array([0, 1, 1, 2]))  # 3 x 3 padded, 3 x 4 positions
    line = Border(np.array([0]), np.array([0, 1, 0, 1, 0]))  # a sequence, stride 2
    streamed = (
        _example(bit, bit, bit, vectors=2),
        _example(bit, u1, u2, steps=3, neurons=5, synapses=6),
        _example(bit, i3, None, neurons=3, synapses=4, vectors=2, groups=2),
        _example(i3, u2, u2, steps=3, neurons=3, synapses=4, vectors=12, border=square),
    )
    ultra = (
        _example(bit, bit, bit, neurons=8, vectors=2),  # 96 bits unrolled: two columns
        _example(i3, u2, None, neurons=4, synapses=6, vectors=2, groups=2),
    )
    return (
        _example(bit, bit, bit),
        _example(bit, bit, None, vectors=2),
        _example(bit, u1, u2, steps=3),
        _example(bit, u1, None),
        _example(bit, signed(1), u2, steps=3),  # 1 bit, but not {0, 1}
        _example(bit, u8, u8, steps=255, neurons=3, synapses=4),
        _example(bit, i3, i3, steps=5),
        _example(i3, bit, bit),
        _example(i3, u2, None, synapses=9),
        _example(signed(4), signed(4), signed(2), steps=2, neurons=5, synapses=7, vectors=3),
        _example(bit, bit, bit, neurons=5, synapses=8, vectors=2, groups=2),
        _example(bit, u1, u2, steps=3, neurons=3, synapses=6, vectors=2, groups=3),
        _example(bit, i3, None, neurons=3, synapses=4, vectors=2, groups=2),
        _example(bit, bit, bit, neurons=4, synapses=6, vectors=12, border=square),
        _example(bit, u1, i3, steps=5, neurons=3, synapses=6, vectors=5, border=line),
        _example(i3, u2, u2, steps=3, neurons=3, synapses=4, vectors=12, groups=2, border=square),
        *(replace(unit, weight_style=Style.STREAM) for unit in streamed),
        *(replace(unit, weight_style=Style.ULTRA) for unit in ultra),
        *_on_dsps(),
    )


def _on_dsps() -> tuple[Unit, ...]:
    """Return products on DSPs: two a DSP and an odd lane, then types that take a DSP each."""
    i4, u4, i8, dsp = signed(4), unsigned(4), signed(8), Multiplier.DSP
    return (
        _example(i8, unsigned(8), None, neurons=3, synapses=4, vectors=2, multipliers=dsp),
        _example(i8, i8, i4, steps=4, neurons=4, synapses=3, vectors=2, multipliers=dsp),
        _example(i4, u4, u4, neurons=5, synapses=4, multipliers=dsp),
        _example(i8, unsigned(12), None, neurons=3, synapses=4, multipliers=dsp),
        _example(u4, BIPOLAR, None, neurons=2, synapses=3, vectors=2, multipliers=dsp),
        replace(
            _example(unsigned(8), i4, i4, neurons=3, synapses=2, vectors=2, multipliers=dsp),
            weight_style=Style.STREAM,
        ),
    )
