# SPDX-License-Identifier: Apache-2.0
"""Weights from memory: integers = RTL = engine, who streams, at what pace, and what is refused."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from hwbnn.board import find_board
from hwbnn.emit.chip_open import emit_open_chip
from hwbnn.emit.finn import emit_finn
from hwbnn.emit.hls import emit_sources
from hwbnn.emit.report_weights import streamed_weights
from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.emit.weight_images import weight_images
from hwbnn.errors import ConfigError, HwbnnError
from hwbnn.flow import BuildConfig, build
from hwbnn.ir.design import Design
from hwbnn.ir.graph import Graph
from hwbnn.ir.unit import Family, Knobs, Resources, Style
from hwbnn.outcome import files_of, report_of
from hwbnn.passes import adapt, fastest_folding, fold, lower, size_fifos
from hwbnn.passes.folding_file import parse_toml, to_toml
from hwbnn.passes.search.fit import Searched
from hwbnn.passes.stream_weights import (
    Fold,
    WeightMemory,
    check_bandwidth,
    check_streams,
    fold_streaming,
    pace,
)
from hwbnn.proving import prove
from hwbnn.sim.engine import performance
from hwbnn.sim.reference import reference
from hwbnn.step import Backend, Proof
from hwbnn.tools import verilator
from hwbnn.tools.proof import compare
from hwbnn.units.mvu import Mvu
from tests.graphs import binary_mlp, pixels, random_cnn

STREAM = Style.STREAM
FOLDING = {
    "conv0": Knobs(6, 27),
    "conv1": Knobs(3, 9, weight_style=STREAM),  # lanes of the last word are padding
    "fc0": Knobs(5, 4, weight_style=STREAM),
}
MEMORY = WeightMemory("a board", ("HP1", "HP2"), 64, bytes_a_cycle=1e6, frame_bytes=200)


def cnn() -> Graph:
    """Return a padded convolution, one on bits and a dense layer."""
    return random_cnn(((6, 3, 1, 1, 2), (8, 3, 1, 0, 0)), (8, 8, 3), (10,))


def folded() -> Design:
    """Return the network with a convolution and the dense layer streamed."""
    return fold(lower(cnn()), foldings=FOLDING)


@pytest.mark.parametrize("bytes_a_cycle", [1e6, 1.7])
def test_rtl_and_engine_and_integers_are_equal(bytes_a_cycle: float) -> None:
    memory = replace(MEMORY, bytes_a_cycle=bytes_a_cycle)
    free = adapt(folded())
    design = size_fifos(pace(free, memory))
    frames = pixels(cnn(), 6)
    found = compare(design, frames)
    assert found.equal and found.result.complete, found.differences[:3]
    np.testing.assert_array_equal(found.result.output, reference(cnn(), frames))
    words = sum(
        image.words_a_frame * image.container_bytes for image in weight_images(design).values()
    )
    speed = performance(design)
    assert speed.period == design.bound
    if bytes_a_cycle > 100:
        assert design.bound == free.bound and speed.bottleneck not in dict(weight_images(design))
    else:  # the memory is slower than any layer
        least = (words + 200) / bytes_a_cycle
        assert free.bound < least <= speed.period < 1.01 * least
        assert speed.bottleneck in weight_images(design)


def test_shallow_fifos_of_weights_slow_the_engine_as_they_slow_the_rtl() -> None:
    design = adapt(folded())
    frames = pixels(cnn(), 3)
    fifos = {edge.name: replace(edge.fifo, depth=1) for edge in design.edges}
    found = compare(design.with_fifos(fifos), frames)
    assert found.equal and found.result.complete, found.differences[:3]


def test_core_leaves_the_sources_out_and_has_their_ports() -> None:
    design = adapt(folded())
    files = emit_rtl(design, structure=Structure.BEHAVIOURAL, external_weights=True)
    top = files.text("cnn.sv")
    assert (
        "hwbnn_weight_source.sv" not in files.files and "fc0_weights_weights.hex" not in files.files
    )
    assert "input  logic [19:0] fc0_weights_data_i" in top
    verilator.lint(files, top="cnn")


def test_image_holds_every_word_little_endian() -> None:
    design = adapt(folded())
    image = weight_images(design)["conv1_weights"]
    unit = design["conv1"]
    assert isinstance(unit, Mvu)
    assert (image.word_bits, image.container_bytes) == (27, 4)
    assert image.words_a_frame == unit.vectors * image.words == unit.cycles
    for number, lanes in enumerate(unit.weight_words()):
        word = sum(int(code) << lane for lane, code in enumerate(lanes))
        assert int.from_bytes(image.data[4 * number : 4 * number + 4], "little") == word


def test_a_build_with_a_folding_file_that_streams(small_model: Path, tmp_path: Path) -> None:
    folding = tmp_path / "folding.toml"
    folding.write_text('[layers.Gemm_9]\npe = 4\nsimd = 2\nweights = "stream"\n')
    board = find_board("pynq-z2")
    config = BuildConfig(small_model, name="tiny", board=board, folding=folding)
    result = build(config)
    files, report = files_of(result), report_of(result)
    (layer,) = report["streamed_weights"]["layers"]
    assert (layer["layer"], layer["container_bytes"], layer["words"]) == ("Gemm_9", 1, 8)
    assert 'weights = "stream"' in files.text("folding.toml")
    assert "Gemm_9_weights: WeightSource" in files.text("design.txt")
    assert "stream" in files.text("report.html") and "hls/README.md" not in files.files
    assert "hwbnn_weight_source" not in files.text("rtl/xc7/tiny.sv")
    assert prove(result, Proof.COSIM, work=tmp_path).cosimulated is not None
    with pytest.raises(ConfigError, match="weights must lie in the chip for HLS"):
        build(replace(config, backends=(Backend.RTL, Backend.HLS)))
    with pytest.raises(ConfigError, match="must be at most 0 on ulx3s-85f"):
        build(replace(config, board=find_board("ulx3s-85f")))


# ---- who streams ---------------------------------------------------------------------------------


def mlp_fold(limit: Resources) -> Fold:
    def fold_to(design: Design, least: int) -> Searched:
        return fastest_folding(
            design, limit=limit, family=Family.XC7, port_bits=64, port_cycles=max(least, 1000)
        )

    return fold_to


def streamed_layers(design: Design) -> list[str]:
    return [i.name for i in design.instances if i.unit.weight_source() is not None]


def test_only_what_does_not_fit_streams() -> None:
    design = lower(binary_mlp((128, 64, 64, 10)))
    large = Resources(lut=2000, ff=8000, bram=2, dsp=10)
    roomy = fold_streaming(design, MEMORY, fold=mlp_fold(large))
    assert not streamed_layers(roomy.design)
    forced = fold_streaming(design, MEMORY, fold=mlp_fold(large), least=2)
    assert streamed_layers(forced.design) == ["fc0", "fc1"]
    small = Resources(lut=300, ff=8000, bram=0.5, dsp=10)
    one = fold_streaming(design, MEMORY, fold=mlp_fold(small))
    assert streamed_layers(one.design) == ["fc0"]
    assert one.design["fc0"].inputs[1].bits <= 64
    assert one.resources.within(small)
    tight = Resources(lut=250, ff=8000, bram=0, dsp=10)
    with pytest.raises(ConfigError, match=r"too many\).*with the weights of 2 layers \(fc0, fc1\)"):
        fold_streaming(design, MEMORY, fold=mlp_fold(tight))
    with pytest.raises(ConfigError, match="a board has no memory port for weights"):
        fold_streaming(design, replace(MEMORY, ports=()), fold=mlp_fold(tight))


def test_memory_that_is_too_slow_for_a_target_is_an_error() -> None:
    design, slow = folded(), replace(MEMORY, bytes_a_cycle=0.5)
    check_bandwidth(design, MEMORY, target=500)
    with pytest.raises(
        ConfigError, match=r"at most 0.5 bytes a cycle .* not .* at 500 cycles"
    ) as e:
        check_bandwidth(design, slow, target=500)
    least = int(str(e.value).split("target of ")[1].split()[0])
    check_bandwidth(design, slow, target=least)
    assert pace(adapt(design), slow).bound == least


def test_ports_are_counted_and_measured() -> None:
    check_streams(folded(), MEMORY)
    with pytest.raises(ConfigError, match="streamed weights must be at most 1 on a board"):
        check_streams(folded(), replace(MEMORY, ports=("HP1",)))
    with pytest.raises(ConfigError, match="conv1: pe \\* simd \\* weight bits must be at most 16"):
        check_streams(folded(), replace(MEMORY, bits=16))


def test_folding_file_says_stream() -> None:
    text = to_toml(folded())
    assert 'weights = "stream"' in text
    assert parse_toml(text, where="f").layers["conv1"].weight_style is STREAM


def test_report_names_layers_ports_and_rates() -> None:
    board, design = find_board("pynq-z2"), adapt(folded())
    found = streamed_weights(design, board, period=float(design.bound), clock_mhz=100.0)
    conv, dense = found["layers"]
    assert (conv["layer"], conv["port"]) == ("conv1", "S_AXI_HP1")
    assert (dense["layer"], dense["port"]) == ("fc0", "S_AXI_HP2")
    rate = Fraction(conv["bytes_a_frame"] * 100, design.bound)
    assert conv["mb_s"]["value"] == pytest.approx(float(rate), abs=1e-3)
    assert "conv1" in found["text"] and found["limit"] == 0.7


def test_what_cannot_stream_is_refused() -> None:
    design = adapt(folded())
    with pytest.raises(ConfigError, match="weights must lie in the chip for HLS"):
        emit_sources(design)
    with pytest.raises(HwbnnError, match="weights must lie in the chip for FINN"):
        emit_finn(design)
    with pytest.raises(ConfigError, match="weights must lie in the chip, for there is no memory"):
        emit_open_chip(design, find_board("ulx3s-85f"), clock_mhz=50.0)
