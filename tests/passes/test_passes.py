# SPDX-License-Identifier: Apache-2.0
"""The passes keep the meaning of the graph, and refuse what cannot be."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import BIPOLAR, DType, signed, unsigned
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Table
from hwbnn.ir.text import design_text, graph_text
from hwbnn.ir.unit import Knobs, Style
from hwbnn.passes import fold, lower
from hwbnn.passes.folding_file import parse_finn_json, parse_toml, to_toml
from hwbnn.sim.engine import performance
from hwbnn.sim.reference import reference
from hwbnn.units.lookup import Lookup
from hwbnn.units.mode import Mode
from hwbnn.units.mvu import Mvu
from hwbnn.units.thresholds import Thresholds
from tests.graphs import (
    TFC_64_CYCLES,
    TFC_UNROLLED,
    binary_mlp,
    finished,
    integer_mlp,
    pixels,
)

TYPES = [BIPOLAR, unsigned(1), unsigned(2), unsigned(8), signed(3), signed(4)]


@pytest.mark.parametrize("foldings", [{}, TFC_64_CYCLES, TFC_UNROLLED, {"fc0": Knobs(9, 50)}])
def test_design_means_what_the_graph_means(foldings: dict[str, Knobs]) -> None:
    graph = binary_mlp(argmax=True)
    frames = pixels(graph, 20)
    np.testing.assert_array_equal(finished(graph, foldings).run(frames), reference(graph, frames))


@pytest.mark.parametrize("data", TYPES, ids=str)
@pytest.mark.parametrize("weight", [BIPOLAR, signed(2), signed(4)], ids=str)
@pytest.mark.parametrize(
    "out", [BIPOLAR, unsigned(1), unsigned(2), signed(3), unsigned(8)], ids=str
)
def test_every_arithmetic_means_the_same(data: DType, weight: DType, out: DType) -> None:
    graph = integer_mlp(data, weight, out)
    frames = pixels(graph, 30)
    design = finished(graph, {"fc0": Knobs(5, 3), "fc1": Knobs(2, 4)})
    np.testing.assert_array_equal(design.run(frames), reference(graph, frames))


def test_one_bit_inputs_use_the_popcount() -> None:
    modes = {
        str(data): {name: unit.mode for name, unit in _mvus(integer_mlp(data, BIPOLAR, BIPOLAR))}
        for data in (BIPOLAR, unsigned(1), unsigned(2))
    }
    assert modes["BIPOLAR"]["fc0"] is Mode.XNOR
    assert modes["UINT1"]["fc0"] is Mode.XNOR
    assert modes["UINT2"]["fc0"] is Mode.ADD


def _mvus(graph: Graph) -> list[tuple[str, Mvu]]:
    design = lower(graph)
    return [(i.name, i.unit) for i in design.instances if isinstance(i.unit, Mvu)]


def test_shared_staircase_becomes_a_table_when_it_has_many_steps() -> None:
    assert isinstance(lower(binary_mlp())["q"], Thresholds)
    assert isinstance(lower(integer_mlp(unsigned(8), BIPOLAR, BIPOLAR))["q"], Lookup)


def test_printed_graph_and_design() -> None:
    graph = binary_mlp((8, 4, 2))
    assert graph_text(graph) == (
        "graph mlp: pixels 8, x = p / 255\n"
        "  x: UINT8[8] = input\n"
        "  q: BIPOLAR[8] = staircase(x) 1 steps x 1 rows\n"
        "  fc0: INT5[4] = dense(q) weights BIPOLAR 4 x 8\n"
        "  a0: BIPOLAR[4] = staircase(fc0) 1 steps x 4 rows, 3 descending\n"
        "  fc1: INT4[2] = dense(a0) weights BIPOLAR 2 x 4\n"
        "  output fc1\n"
    )
    text = design_text(finished(graph, {"fc0": Knobs(2, 4), "q": Knobs(8)}))
    assert "fc0_width: WidthConverter(pe 4, simd 8), 2 cycles" in text
    assert "q_out: q -> fc0_width: BIPOLAR x8, 1 beats" in text


def test_impossible_foldings_are_all_named() -> None:
    foldings = {"fc0": Knobs(0, 8), "fc1": Knobs(1, 65), "conv": Knobs(1)}
    with pytest.raises(ConfigError) as error:
        fold(lower(binary_mlp()), foldings=foldings)
    assert error.value.problems[0].startswith("folding: layer must be one of q, fc0, fc1")
    assert "fc0: pe must be 1 to 64 (outputs), not 0; choose 1, 2, 4, 8" in error.value.problems[1]
    assert "fc1: simd must be 1 to 64 (inputs), not 65" in error.value.problems[2]
    with pytest.raises(ConfigError, match="fc0: stages must be 0 to 16, not 17; leave it out"):
        fold(lower(binary_mlp()), foldings={"fc0": Knobs(1, 1, 17)})


def test_folding_file_round_trip() -> None:
    design = fold(lower(binary_mlp(argmax=True)), foldings=TFC_64_CYCLES)
    again = fold(
        lower(binary_mlp(argmax=True)), foldings=parse_toml(to_toml(design), where="f").layers
    )
    assert design_text(again) == design_text(design)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[layers.fc0]\npee = 2", "f.toml: key must be one of pe, simd, stages, weights, multi"),
        ("[layer.fc0]\npe = 2", "f.toml: key must be one of layers, fifos, not layer"),
        ("[layers.fc0]\npe = 'x'", "f.toml: layers.fc0.pe must be a whole number, not 'x'"),
        (
            "[layers.fc0]\nweights = 'uram'",
            "must be one of auto, distributed, block, ultra, stream, not uram",
        ),
        (
            "[layers.fc0]\nmultipliers = 'x'",
            "multipliers must be one of lut, dsp, not x",
        ),
        ("[layers", "f.toml: folding file must be TOML"),
        ("layers = 3", "f.toml: layers must be a table, not 3"),
        ("[layers]\nfc0 = 3", "f.toml: layers.fc0 must be a table, not 3"),
        ("", "f.toml: layers must be given; add it"),
        ("a = " + "[" * 5000, "f.toml: folding file must be TOML"),
        ("[layers.fc0]\npe = " + "9" * 5000, "f.toml: folding file must be TOML"),
    ],
)
def test_bad_folding_files(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        parse_toml(text, where="f.toml")


def test_finn_folding_configuration() -> None:
    text = """{"Defaults": {}, "Thresholding_rtl_0": {"PE": 49, "ram_style": "distributed"},
      "MVAU_hls_0": {"PE": 16, "SIMD": 49, "ram_style": "block", "mem_mode": "internal_decoupled"},
      "MatrixVectorActivation_1": {"PE": 8, "SIMD": 8}, "StreamingFIFO_rtl_0": {"depth": 32},
      "LabelSelect_hls_0": {"PE": 1}}"""
    graph = binary_mlp(argmax=True)
    foldings = parse_finn_json(text, where="f.json", design=lower(graph)).layers
    assert foldings["fc0"] == Knobs(16, 49, None, Style.BLOCK)
    assert foldings["fc1"] == Knobs(8, 8)
    assert foldings["q"].pe == 49
    assert finished(graph, foldings)["label"].folding.pe == 1
    with pytest.raises(ConfigError, match="MVAU_hls_9 must name one of 4 layers of its kind"):
        parse_finn_json('{"MVAU_hls_9": {"PE": 1}}', where="f.json", design=lower(graph))
    with pytest.raises(ConfigError, match="f.json: folding file must be JSON"):
        parse_finn_json("{", where="f.json", design=lower(graph))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "f.json: folding file must be an object by node name, not list"),
        ("[" * 100_000, "f.json: folding file must be JSON"),
        ('{"MVAU_hls_0": {"PE": ' + "9" * 5000 + "}}", "f.json: folding file must be JSON"),
        ('{"MVAU_hls_0": 3}', "f.json: MVAU_hls_0 must be an object of attributes, not 3"),
        ('{"MVAU_hls_0": {"PE": "x"}}', "f.json: MVAU_hls_0.PE must be a whole number, not 'x'"),
        ('{"MVAU_hls_0": {"PE": 2.0}}', "MVAU_hls_0.PE must be a whole number, not 2.0"),
        ('{"MVAU_hls_0": {"PE": true}}', "MVAU_hls_0.PE must be a whole number, not True"),
        ('{"MVAU_hls_0": {"SIMD": [1]}}', "MVAU_hls_0.SIMD must be a whole number, not [1]"),
        ('{"MVAU_hls_0": {"ram_style": [3]}}', "ram_style must be one of auto, block, ultra"),
        ('{"MVAU_hls_0": {"ram_style": "x"}}', "ram_style must be one of auto, block, ultra"),
        ('{"MVAU_hls_0": {"resType": 1}}', "resType must be one of auto, lut, dsp, not 1"),
        ('{"MVAU_hls_0": {"pe": 2}}', "f.json: MVAU_hls_0: key must be PE or SIMD, not pe"),
        ('{"MVAU_hls_0": {}, "MVAU_rtl_0": {}}', "named once, not by MVAU_hls_0 and MVAU_rtl_0"),
        ('{"MVAU_hls_\u0663": {"PE": 2}}', "f.json: folding file must name a layer"),
        ('{"MVAU_' + "9" * 5000 + '": {}}', "f.json: folding file must name a layer"),
        ('{"layers": {"fc0": {"pe": 2}}}', "f.json: folding file must name a layer, such as"),
    ],
)
def test_bad_finn_folding_configurations(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_finn_json(text, where="f.json", design=lower(binary_mlp()))
    assert message in str(error.value)


def test_all_problems_of_a_finn_configuration_at_once() -> None:
    text = '{"MVAU_hls_0": 3, "MVAU_hls_9": {}, "MVAU_hls_1": {"PE": "x", "SIMD": 2.5}}'
    with pytest.raises(ConfigError) as error:
        parse_finn_json(text, where="f.json", design=lower(binary_mlp()))
    assert len(error.value.problems) == 4


def test_fifos_never_slow_a_design_down() -> None:
    """In steady state every random design reaches the bound of its folding."""
    rng = np.random.default_rng(5)
    for seed in range(60):
        sizes = tuple(int(size) for size in rng.integers(2, 130, rng.integers(3, 7)))
        graph = binary_mlp(sizes, seed=seed, argmax=bool(seed % 2))
        foldings = {"q": Knobs(int(rng.integers(1, sizes[0] + 1)))}
        for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
            pe, simd = rng.integers(1, outputs + 1), rng.integers(1, inputs + 1)
            foldings[f"fc{layer}"] = Knobs(int(pe), int(simd), int(rng.integers(0, 3)))
        design = finished(graph, foldings)
        assert performance(design, frames=300).period == design.bound, foldings


def test_accumulators_hold_the_exact_range_and_no_more() -> None:
    graph = integer_mlp(signed(2), BIPOLAR, BIPOLAR)
    narrow = replace_table(graph, np.array([[-1, 0, 1, 1] * 64]))
    assert dict(_mvus(graph))["fc0"].accumulator == signed(7)  # 20 inputs of -2 to 1
    assert dict(_mvus(narrow))["fc0"].accumulator == signed(6)  # of -1 to 1
    frames = pixels(narrow, 30)
    np.testing.assert_array_equal(finished(narrow).run(frames), reference(narrow, frames))


def replace_table(graph: Graph, values: np.ndarray) -> Graph:
    ops = tuple(replace(op, values=values) if isinstance(op, Table) else op for op in graph.ops)
    return replace(graph, ops=ops)
