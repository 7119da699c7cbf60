# SPDX-License-Identifier: Apache-2.0
"""Weights in UltraRAM: integers = RTL = engine, the core's chain, its image, what is refused."""

import numpy as np

from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.emit.weight_images import load_image, weight_images
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Family, Knobs, Style
from hwbnn.passes import adapt, fold, lower, size_fifos
from hwbnn.sim.reference import reference
from hwbnn.tools import verilator
from hwbnn.tools.proof import compare
from hwbnn.units.mvu import Mvu
from tests.graphs import pixels
from tests.test_streamed_weights import cnn

ULTRA = Style.ULTRA
FOLDING = {
    "conv0": Knobs(6, 27),
    "conv1": Knobs(4, 27, weight_style=ULTRA),  # 108 bits: two columns
    "fc0": Knobs(5, 4, weight_style=ULTRA),
}


def folded() -> Design:
    """Return the network with the weights of two layers in UltraRAM."""
    return fold(lower(cnn()), foldings=FOLDING)


def made() -> Design:
    """Return it with FIFOs."""
    return size_fifos(adapt(folded()))


def test_rtl_and_engine_and_integers_are_equal() -> None:
    design, frames = made(), pixels(cnn(), 4)
    found = compare(design, frames)
    assert found.equal and found.result.complete, found.differences[:3]
    np.testing.assert_array_equal(found.result.output, reference(cnn(), frames))


def test_timing_is_that_of_block_ram() -> None:
    for name in ("conv1", "fc0"):
        unit = folded()[name]
        block = unit.with_knobs(Knobs(weight_style=Style.BLOCK))
        assert (unit.cycles, unit.latency) == (block.cycles, block.latency)
        assert (unit.inputs, unit.outputs) == (block.inputs, block.outputs)
        ours, others = unit.resources(Family.XC7), block.resources(Family.XC7)
        assert ours.bram < others.bram and ours.uram > others.uram == 0


def test_core_on_a_chip_is_loaded() -> None:
    design = made()
    files = emit_rtl(design, structure=Structure.BEHAVIOURAL, external_weights=True)
    assert [i.name for i in design.loaded] == ["conv1", "fc0"]
    assert "conv0_weights.hex" in files.files
    assert not {"conv1_weights.hex", "fc0_weights.hex"} & files.files.keys()
    assert "input  logic [71:0] load_data_i" in files.text("cnn.sv")
    verilator.lint(files, top="cnn")
    inside = emit_rtl(design, structure=Structure.BEHAVIOURAL)
    assert "load_data_i" not in inside.text("cnn.sv") and "hwbnn_load.sv" not in inside.files
    verilator.lint(inside, top="cnn")


def test_image_holds_every_column_in_the_order_of_the_chain() -> None:
    design = made()
    image = load_image(design)
    assert image is not None and load_image(adapt(lower(cnn()))) is None
    assert (image.word_bits, image.container_bytes, image.words_a_frame) == (72, 16, 0)
    assert not weight_images(design)
    expected = []
    for name, columns in (("conv1", 2), ("fc0", 1)):
        unit = design[name]
        assert isinstance(unit, Mvu)
        for lanes in unit.weight_words():
            word = sum(int(code) << lane for lane, code in enumerate(lanes))
            expected += [word >> 72 * i & (1 << 72) - 1 for i in range(columns)]
    found = [int.from_bytes(image.data[16 * i : 16 * i + 16], "little") for i in range(image.words)]
    assert found == expected
