# SPDX-License-Identifier: Apache-2.0
"""Products on DSPs: two of one multiplication are exact, for which types, and where not."""

from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit.bench import emit_bench
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure
from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, signed, smallest, unsigned
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.unit import Family, Folding, Knobs, Multiplier, Resources
from hwbnn.passes.folding_file import parse_finn_json, parse_toml, to_toml
from hwbnn.passes.search.fit import cheapest_folding
from hwbnn.tools import cosim
from hwbnn.tools.cosim import Job
from hwbnn.tools.proof import compare_many
from hwbnn.units import Mvu, dsp
from tests.units.single import random_job, single
from tests.units.test_registry import describe, seeded

CELLS = FileSet.of({"xc7_cells.sv": Path(__file__).with_name("xc7_cells.sv").read_text()})
SMALL = [signed(2), signed(3), signed(4), unsigned(2), unsigned(3)]
WIDE = [signed(8), unsigned(7), unsigned(8), signed(6)]


def every(dtype: DType) -> IntArray:
    return np.unique(dtype.decode(np.arange(1 << dtype.bits)))


def ends(dtype: DType) -> IntArray:
    return np.unique([dtype.min, dtype.min + 1, -1 if dtype.min else 0, 0, 1, dtype.max])


def multiplied(a: IntArray, b: IntArray, x: IntArray, shift: int) -> tuple[IntArray, IntArray]:
    """What hwbnn_multiply makes of its DSP's 48 bits, by the two's complement of each field."""
    p = ((a << shift) + b) * x + (1 << (shift - 1))
    field = signed(shift)
    return field.decode(p >> shift & ((1 << shift) - 1)), field.decode(
        (p ^ (1 << (shift - 1))) & ((1 << shift) - 1)
    )


@pytest.mark.parametrize("weight", [*SMALL, *WIDE], ids=str)
@pytest.mark.parametrize("data", [BIPOLAR, *SMALL, *WIDE], ids=str)
def test_both_products_are_exact(weight: DType, data: DType) -> None:
    values = every if weight in SMALL and data in [BIPOLAR, *SMALL] else ends
    a, b, x = (v.ravel() for v in np.meshgrid(values(weight), values(weight), every(data)))
    shift = dsp.product_dtype(weight, data).bits
    high, low = multiplied(a, b, x, shift)
    np.testing.assert_array_equal(high, a * x)
    np.testing.assert_array_equal(low, b * x)
    factors = (a << shift) + b
    room = factors.min() >= -(1 << 24) and factors.max() < 1 << 24  # the ends are among them
    assert dsp.pairs(weight, data) == room


def test_one_bit_less_would_not_do() -> None:
    weight, data = signed(8), unsigned(8)
    shift = dsp.product_dtype(weight, data).bits - 1
    a, b, x = (v.ravel() for v in np.meshgrid(ends(weight), ends(weight), every(data)))
    high, _ = multiplied(a, b, x, shift)
    assert (high != a * x).any()


def test_which_types_pair() -> None:
    assert dsp.pairs(signed(8), unsigned(8)) and dsp.pairs(signed(8), signed(8))
    assert dsp.pairs(signed(4), unsigned(4)) and dsp.pairs(signed(4), unsigned(16))
    assert not dsp.pairs(signed(8), unsigned(9)) and dsp.multiplies(signed(8), unsigned(9))
    assert not dsp.multiplies(signed(8), unsigned(18)) and not dsp.multiplies(signed(26), signed(4))
    assert not dsp.multiplies(BIPOLAR, unsigned(8))


def corners() -> Job:
    """Pairs of the extreme weights of 8 bits, and an odd lane, on every input of 8 bits."""
    pairs = list(product((-128, -127, -1, 0, 1, 127), repeat=2))
    weights = np.array([(*pair, -128) for pair in pairs]).reshape(-1, 1)
    unit = Mvu(weights, signed(8), unsigned(8), signed(16), vectors=256, pe=3)
    unit = replace(unit, multipliers=Multiplier.DSP)
    design = single(unit, before=Fifo(unit.inputs[0], 2), after=Fifo(unit.outputs[0], 9))
    return Job(design, np.arange(256).reshape(1, -1))


def examples() -> list[Mvu]:
    """Products on DSPs: one lane, two and an odd one, all; 0 to 2 registers in the tree."""
    found = [u for u in Mvu.examples() if isinstance(u, Mvu) and u.on_dsps]
    foldings = [[(1, 1), (2, 2), (u.neurons, u.synapses)] for u in found]
    return [
        replace(u.fold(Folding(*lanes)), stages=stages)
        for u, every in zip(found, foldings, strict=True)
        for stages, lanes in enumerate(every)
    ]


@pytest.mark.slow
def test_cells_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    emit = partial(emit_bench, structure=Structure.XC7)
    monkeypatch.setattr(cosim, "emit_bench", lambda designs: emit(designs) | CELLS)
    rng = seeded("DSP48E1")
    jobs = [corners(), *(random_job(unit, rng, frames=9) for unit in examples())]
    wrong = [
        describe(job, found)
        for job, found in zip(jobs, compare_many(jobs), strict=True)
        if not (found.equal and found.result.complete)
    ]
    assert not wrong, "\n".join(wrong)


def unit(weight: DType, data: DType, pe: int = 4) -> Mvu:
    weights = weight.decode(np.arange(12 * 6).reshape(12, 6) % (1 << weight.bits))
    return Mvu(weights, weight, data, smallest(-(1 << 30), 1 << 30), pe=pe, simd=3)


@pytest.mark.parametrize(
    ("data", "pe", "dsps"), [(8, 4, 6), (8, 3, 6), (8, 1, 3), (9, 4, 12), (17, 1, 3)]
)
def test_dsps_of_a_product(data: int, pe: int, dsps: int) -> None:
    made = unit(signed(8), unsigned(data), pe)
    assert made.resources(Family.XC7).dsp == 0
    made = made.with_knobs(Knobs(multipliers=Multiplier.DSP))
    assert made.knobs.multipliers is Multiplier.DSP
    assert made.resources(Family.XC7).dsp == dsps
    assert made.resources(Family.ECP5).dsp == 0


@pytest.mark.parametrize(
    ("family", "dsps", "chosen"),
    [
        (Family.XC7, 500, Multiplier.DSP),
        (Family.XC7, 10, Multiplier.LUT),
        (Family.ECP5, 500, Multiplier.LUT),
    ],
)
def test_search_takes_dsps_where_there_are_some(
    family: Family, dsps: int, chosen: Multiplier
) -> None:
    made = unit(signed(8), unsigned(8))
    design = single(made, before=Fifo(made.inputs[0], 2), after=Fifo(made.outputs[0], 2))
    limit = Resources(lut=53_200, ff=106_400, bram=140, dsp=dsps)
    found = cheapest_folding(design, target_cycles=3, limit=limit, family=family).design["dut"]
    assert found.knobs.multipliers is chosen
    assert parse_toml(to_toml(design), where="f").layers["dut"] == made.knobs


def test_resource_type_of_finn() -> None:
    made = unit(signed(8), unsigned(8))
    design = single(made, before=Fifo(made.inputs[0], 2), after=Fifo(made.outputs[0], 2))
    for name, chosen in (("auto", None), ("lut", Multiplier.LUT), ("dsp", Multiplier.DSP)):
        text = f'{{"MVAU_hls_0": {{"PE": 2, "resType": "{name}"}}}}'
        knobs = parse_finn_json(text, where="f", design=design).layers["dut"]
        assert knobs == Knobs(2, multipliers=chosen)


@pytest.mark.parametrize("pair", [(BIPOLAR, unsigned(8)), (signed(8), unsigned(18))], ids=str)
def test_products_that_no_dsp_multiplies(pair: tuple[DType, DType]) -> None:
    made = unit(*pair).named("conv0")
    assert made.knobs.multipliers is None
    with pytest.raises(ConfigError, match=r"conv0: multipliers must be lut, not dsp, for"):
        made.with_knobs(Knobs(multipliers=Multiplier.DSP))
