# SPDX-License-Identifier: Apache-2.0
"""Weights in UltraRAM: integers = RTL = engine, the core's chain, its image, what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwbnn.board import find_board
from hwbnn.emit.finn import emit_finn
from hwbnn.emit.hls import emit_sources
from hwbnn.emit.report_weights import loaded_weights
from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.emit.shell import readers_cost
from hwbnn.emit.weight_images import load_image, weight_images
from hwbnn.errors import ConfigError, HwbnnError
from hwbnn.flow import BuildConfig, build
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Family, Knobs, Resources, Style
from hwbnn.outcome import files_of, report_of
from hwbnn.passes import adapt, cheapest_folding, fastest_folding, fold, lower, size_fifos
from hwbnn.passes.folding_file import parse_toml, to_toml
from hwbnn.passes.stream_weights import WeightMemory, check_streams
from hwbnn.proving import prove
from hwbnn.sim.reference import reference
from hwbnn.step import Backend, Proof, Step
from hwbnn.tools import verilator
from hwbnn.tools.proof import compare
from hwbnn.units import DepthwiseMvu
from hwbnn.units.mvu import Mvu
from tests.graphs import binary_mlp, pixels
from tests.test_streamed_weights import cnn

ULTRA = Style.ULTRA
FOLDING = {
    "conv0": Knobs(6, 27),
    "conv1": Knobs(4, 27, weight_style=ULTRA),  # 108 bits: two columns
    "fc0": Knobs(5, 4, weight_style=ULTRA),
}


MEMORY = WeightMemory("a board", ("HP1", "HP2"), 128, 1e6, frame_bytes=200, ultra_rams=64)


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


def test_a_build_with_a_folding_file_that_loads(small_model: Path, tmp_path: Path) -> None:
    folding = tmp_path / "folding.toml"
    folding.write_text('[layers.Gemm_9]\npe = 4\nsimd = 2\nweights = "ultra"\n')
    config = BuildConfig(small_model, name="tiny", board=find_board("kv260"), folding=folding)
    result = build(config)
    files, report = files_of(result), report_of(result)
    (layer,) = report["loaded_weights"]["layers"]
    assert (layer["layer"], layer["words"], layer["word_bits"], layer["uram"]) == (
        "Gemm_9",
        8,
        8,
        1,
    )
    assert report["loaded_weights"]["image_bytes"] == 16 * layer["columns"] == 128
    assert 'weights = "ultra"' in files.text("folding.toml")
    assert "The weights of 1 layer lie in 1 UltraRAM (Gemm_9)" in files.text("report.html")
    assert "hls/README.md" not in files.files
    assert "load_data_i" in files.text("rtl/xc7/tiny.sv")
    assert prove(result, Proof.COSIM, work=tmp_path).cosimulated is not None
    with pytest.raises(ConfigError, match="must not be in UltraRAM for HLS"):
        build(replace(config, backends=(Backend.RTL, Backend.HLS)))
    with pytest.raises(ConfigError, match="must have UltraRAM, which pynq-z2 has not"):
        build(replace(config, board=find_board("pynq-z2")))


@pytest.mark.slow
def test_synthesis_counts_the_link_with_its_layer(small_model: Path, tmp_path: Path) -> None:
    folding = tmp_path / "folding.toml"
    folding.write_text('[layers.Gemm_9]\npe = 4\nsimd = 2\nweights = "ultra"\n')
    board = find_board("kv260")
    config = BuildConfig(small_model, "tiny", board, folding=folding, until=Step.SIMULATE)
    result = prove(build(config), Proof.SYNTH, work=tmp_path)
    assert result.synthesised is not None and result.design is not None
    cost = result.design["Gemm_9"].resources(Family.XC7)
    found = result.synthesised.layers["Gemm_9"]
    assert found.uram == cost.uram == 1
    assert found.ff == pytest.approx(cost.ff, rel=0.1)


# ---- whose weights are loaded --------------------------------------------------------------------


@pytest.mark.slow
def test_search_takes_ultra_ram_where_it_is_cheaper() -> None:
    design = lower(binary_mlp((256, 512, 512, 10)))
    limit = Resources(lut=6000, ff=24000, bram=8, dsp=10, uram=40)

    def fastest(ultra: bool) -> tuple[Design, int]:
        found = fastest_folding(design, limit=limit, family=Family.XC7, ultra=ultra)
        assert found.resources.within(limit)
        return found.design, found.cycles

    without, slow = fastest(False)
    with_it, fast = fastest(True)
    assert not without.loaded and with_it.loaded and fast < slow
    cheap = cheapest_folding(design, target_cycles=slow, limit=limit, family=Family.XC7, ultra=True)
    dear = cheapest_folding(design, target_cycles=slow, limit=limit, family=Family.XC7)
    assert cheap.resources.share(limit) < dear.resources.share(limit)


def test_shallow_weights_are_not_tried_in_ultra_ram() -> None:
    design = lower(binary_mlp((64, 32, 10)))
    limit = Resources(lut=20000, ff=80000, bram=0, dsp=10, uram=64)
    found = fastest_folding(design, limit=limit, family=Family.XC7, ultra=True)
    assert not found.design.loaded


def test_a_loader_needs_ultra_ram_and_a_port_of_its_own() -> None:
    design = folded()
    assert MEMORY.loads(design)
    for backend in (Backend.HLS, Backend.FINN):
        assert not MEMORY.loads(design, (Backend.RTL, backend))
    check_streams(design, MEMORY)
    with pytest.raises(ConfigError, match="conv1, fc0: .* must have UltraRAM, which a board has n"):
        check_streams(design, replace(MEMORY, ultra_rams=0))
    with pytest.raises(ConfigError, match="a memory port of 128 bits, not of 64 as a board"):
        check_streams(design, replace(MEMORY, bits=64))
    mixed = fold(design, foldings={"conv1": Knobs(weight_style=Style.STREAM)})
    check_streams(mixed, MEMORY)
    with pytest.raises(ConfigError, match="fc0: .* a memory port of a board that no layer streams"):
        check_streams(mixed, replace(MEMORY, ports=("HP1",)))


def test_a_loader_costs_a_reader() -> None:
    board = find_board("kv260")
    assert readers_cost(adapt(lower(cnn())), board) == Resources()
    loader = readers_cost(made(), board)  # one, for all memories
    streams = fold(folded(), foldings={"fc0": Knobs(weight_style=Style.STREAM)})
    assert 0 < loader.lut < readers_cost(adapt(streams), board).lut


def test_folding_file_says_ultra() -> None:
    text = to_toml(folded())
    assert 'weights = "ultra"' in text
    assert parse_toml(text, where="f").layers["conv1"].weight_style is ULTRA


def test_report_names_memories_and_bytes() -> None:
    found = loaded_weights(made())
    conv, dense = found["layers"]
    assert (conv["layer"], conv["columns"], conv["uram"]) == ("conv1", 8, 2)
    assert (dense["layer"], dense["columns"], dense["uram"]) == ("fc0", dense["words"], 1)
    assert found["columns"] == conv["columns"] + dense["columns"]
    assert found["image_bytes"] == 16 * found["columns"]
    assert "the project is for RTL alone; with --backend hls" in found["text"]
    assert found["text"].startswith("The weights of 2 layers lie in 3 UltraRAMs (conv1, fc0)")


def test_what_cannot_be_loaded_is_refused() -> None:
    design = made()
    with pytest.raises(ConfigError, match="conv1: weights must not be in UltraRAM for HLS"):
        emit_sources(design)
    with pytest.raises(HwbnnError, match="weights must not be in UltraRAM for FINN"):
        emit_finn(design)
    unit = DepthwiseMvu.examples()[0]
    with pytest.raises(ConfigError, match="must be auto, distributed or block, not ultra"):
        unit.with_knobs(Knobs(weight_style=ULTRA))
