# SPDX-License-Identifier: Apache-2.0
"""The FINN back end: every tensor of a graph is what the design says, or the node is refused."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hwbnn import flow, zoo
from hwbnn.board import find_board
from hwbnn.emit.finn import emit_finn, finn_files
from hwbnn.emit.finn_graph import FinnGraph
from hwbnn.errors import ConfigError, ModelError
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR, IntArray, signed, smallest, unsigned
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.unit import Unit
from hwbnn.ir.window import Border, Window
from hwbnn.passes import adapt
from hwbnn.passes.folding_file import parse_finn_json
from hwbnn.step import Backend, Step
from hwbnn.units import (
    DepthwiseMvu,
    Lookup,
    MaxPool,
    Mvu,
    Rescale,
    SlidingWindow,
    SumPool,
    Thresholds,
)
from tests import finn_nodes
from tests.dag_designs import dag, dense, frames, residual
from tests.quick import quick

BOARD = find_board("pynq-z2")


@cache
def built(model: Path, *, argmax: bool = False, folding: Path | None = None) -> flow.BuildResult:
    config = flow.BuildConfig(
        model=model,
        name="net",
        board=BOARD,
        until=Step.FIFO,
        argmax=argmax,
        folding=folding,
        backends=(Backend.FINN,),
    )
    return flow.build(config)


def values_by_edge(design: Design, x: IntArray) -> dict[str, IntArray]:
    """Return what is on each edge."""
    values = {design.input.name: x}
    for instance in design.instances:
        results = instance.unit.run(*(values[e.name] for e in design.into(instance.name)))
        for edge, result in zip(design.out_of(instance.name), results, strict=True):
            values[edge.name] = result
    return values


def differing(design: Design, x: IntArray) -> tuple[FinnGraph, list[str]]:
    """Return the graph of a design, and its tensors that are not what the design's edges say."""
    graph, values = emit_finn(design), values_by_edge(design, x)
    known = [tensor for tensor in graph.tensors if tensor.meaning.edge]
    assert {design.output.name} <= {tensor.meaning.edge for tensor in known}
    expected = {tensor.name: tensor.meaning.of(values[tensor.meaning.edge]) for tensor in known}
    entry = expected[graph.model.graph.input[0].name]
    wrong: set[str] = set()
    for index, frame in enumerate(entry):
        found = finn_nodes.run(graph.model, frame)
        for name, rows in expected.items():
            if (found[name].reshape(-1) != rows[index]).any():
                wrong.add(name)
    return graph, sorted(wrong)


@pytest.mark.parametrize("argmax", [False, True], ids=["values", "label"])
@pytest.mark.parametrize("name", quick(["tfc-w1a1", "tfc-w1a2", "cnn-w1a1", "cnv-w1a1"], first=1))
def test_shipped_models(name: str, argmax: bool) -> None:
    result = built(zoo.path(name), argmax=argmax)
    graph, wrong = differing(flow.design_of(result), flow.frames_of(result)[:2])
    assert wrong == []
    kinds = {node.kind for node in graph.nodes}
    assert ("LabelSelect_hls" in kinds) == argmax
    if name != "tfc-w1a2":  # whose products are sums, of numbers
        assert ("ElementwiseAdd_hls" in kinds) != argmax  # for a class the ones will do


@pytest.mark.parametrize("build", [residual, dense])
def test_branches(build) -> None:
    design = build(2, extent=5)
    graph, wrong = differing(design, frames(design, 3, 3))
    assert wrong == []
    kinds = {node.kind for node in graph.nodes}
    assert "DuplicateStreams_hls" in kinds
    joins = {residual: "ElementwiseAdd_hls", dense: "StreamingConcat_hls"}
    assert joins[build] in kinds


def test_random_branched_designs() -> None:
    done = refused = 0
    for seed in range(60):
        design = dag(seed)
        try:
            _, wrong = differing(design, frames(design, seed, 2))
        except ModelError as error:
            refused += all("for FINN" in problem for problem in error.problems)
            continue
        assert wrong == [], seed
        done += 1
    assert done > 10
    assert done + refused == 60


def test_zero_padding_of_bits_is_a_convolution_of_numbers() -> None:
    """The small CNN pads bits with 0, which FINN's own flow does not multiply as 0."""
    design = flow.design_of(built(zoo.path("cnn-w1a1")))
    mvu = design["conv1"]
    assert isinstance(mvu, Mvu) and mvu.border is not None and mvu.input_dtype == BIPOLAR
    graph = emit_finn(design)
    types = finn_nodes.types_of(graph.model)
    assert types["conv1_window_out_padded"] == "INT2"
    by_name = {node.name: node for node in graph.model.graph.node}
    (node,) = (by_name[n.name] for n in graph.nodes if n.instance == "conv1")
    attributes = {a.name: a for a in node.attribute}
    assert attributes["binaryXnorMode"].i == 0
    assert attributes["inputDataType"].s == b"INT2"
    assert attributes["weightDataType"].s == b"BIPOLAR"


def chained(*units: Unit) -> Design:
    """Put units one behind another, with width converters."""
    instances = tuple(Instance(f"u{index}", unit) for index, unit in enumerate(units))
    edges = [Edge("in", Fifo(units[0].inputs[0]), None, End("u0"))]
    for index, unit in enumerate(units):
        last = index == len(units) - 1
        reader = None if last else End(f"u{index + 1}")
        edges.append(Edge(f"u{index}_out", Fifo(unit.outputs[0]), End(f"u{index}"), reader))
    return adapt(Design("chain", instances, tuple(edges)))


def test_padding_with_minus_one_stays_bits() -> None:
    window = Window(4, 5, (3, 3), padding=(1, 1, 1, 1))
    rng = np.random.default_rng(4)
    weights = BIPOLAR.decode(rng.integers(0, 2, (4, 18)))
    slide = SlidingWindow(BIPOLAR, 2, window, np.array([-1]))
    thresholds = rng.integers(-6, 6, (4, 1))
    mvu = Mvu(weights, BIPOLAR, BIPOLAR, BIPOLAR, thresholds, vectors=20, pe=2, simd=6)
    design = chained(slide, mvu)
    x = BIPOLAR.decode(rng.integers(0, 2, (3, 40)))
    graph, wrong = differing(design, x)
    assert wrong == []
    assert finn_nodes.types_of(graph.model)["u0_out_padded"] == "BINARY"


def test_least_of_some_channels() -> None:
    """The least of a channel is minus the greatest of its negative."""
    least = np.array([True, False, True])
    window = Window(4, 4, (2, 2), stride=(2, 2))
    for dtype in (BIPOLAR, signed(3)):
        slide = SlidingWindow(dtype, 3, window, np.array([dtype.min]))
        pool = MaxPool(dtype, 3, 4, least, vectors=4)
        rng = np.random.default_rng(2)
        x = dtype.decode(rng.integers(0, 1 << dtype.bits, (4, 48)))
        _, wrong = differing(chained(slide, pool), x)
        assert wrong == []


@pytest.mark.parametrize("dtype", [BIPOLAR, unsigned(1), unsigned(3), signed(4)], ids=str)
def test_sums_of_a_whole_image(dtype) -> None:
    wide = smallest(6 * dtype.min, 6 * dtype.max)
    design = chained(SumPool(dtype, wide, 4, 6))
    x = dtype.decode(np.random.default_rng(2).integers(0, 1 << dtype.bits, (4, 24)))
    assert differing(design, x)[1] == []


PLAIN = [unit for unit in Thresholds.examples() if unit.parameters()["Classes"] == 1]


@pytest.mark.parametrize("unit", PLAIN)
def test_thresholds_of_every_kind(unit: Unit) -> None:
    stream = unit.inputs[0]
    count = stream.elements * stream.vectors
    codes = np.random.default_rng(2).integers(0, 1 << stream.dtype.bits, (5, count))
    assert differing(chained(unit), stream.dtype.decode(codes))[1] == []


@pytest.mark.parametrize("index", range(len(Rescale.examples())))
def test_rescaling_is_thresholds(index: int) -> None:
    unit = Rescale.examples()[index]
    stream = unit.inputs[0]
    count = stream.elements * stream.vectors
    least, most = stream.dtype.min, stream.dtype.max
    x = np.linspace(least, most, 40).astype(np.int64)[:, None].repeat(count, axis=1)
    assert differing(chained(unit), x)[1] == []


@pytest.mark.parametrize("fall", [False, True])
def test_tables_that_rise_or_fall(fall: bool) -> None:
    values = np.array([[-3, -3, -1, 0, 0, 4, 4, 5], [0, 0, 0, 0, 0, 0, 1, 1]])
    unit = Lookup(-values if fall else values, signed(3), signed(4), 2)
    order = np.argsort(signed(3).decode(np.arange(8)))
    by_code = np.empty_like(unit.values)
    by_code[:, order] = unit.values
    x = np.arange(-4, 4)[:, None].repeat(2, axis=1)
    assert differing(chained(replace(unit, values=by_code)), x)[1] == []


def grouped() -> Unit:
    return Mvu(np.ones((4, 2), np.int64), BIPOLAR, BIPOLAR, signed(3), groups=2)


def wide() -> Unit:
    ones = np.ones((64, 128), np.int64)
    return Mvu(ones, BIPOLAR, BIPOLAR, signed(9), pe=64, simd=128)


def by_position() -> Unit:
    border = Border(np.array([0]), np.array([0, 1]))
    rows = np.array([[0], [1]])
    return Mvu(np.ones((1, 2), np.int64), BIPOLAR, BIPOLAR, BIPOLAR, rows, vectors=2, border=border)


def by_class() -> Unit:
    return Thresholds.examples()[3]


def depthwise() -> Unit:
    return DepthwiseMvu.examples()[0].named("dw")


REFUSED = {
    "groups must be 1 for FINN, whose MVAU reads all channels, not 2": grouped,
    "at most 8191 for FINN's HLS, not 8192": wide,
    "thresholds must be the same at every position": by_position,
    "thresholds must be those of 6 channels for FINN, not 12 rows": lambda: Thresholds.examples()[
        3
    ],
    "average must divide by one number at all positions for FINN": lambda: SumPool.examples()[6],
    "convolution must not be depthwise": depthwise,
    "lanes must divide 3 elements for FINN, not be 2": lambda: Thresholds(
        np.zeros((1, 1), np.int64), np.array([False]), signed(3), BIPOLAR, 3, pe=2
    ),
    "table must rise or fall all along for FINN": lambda: Lookup(
        np.array([[0, 1, 0, 1]]), unsigned(2), unsigned(1), 2
    ),
    "padding must be 0 for FINN .or -1 on a stream of bits., not 3 on INT4": lambda: SlidingWindow(
        signed(4), 2, Window(3, 3, (3, 3), padding=(1, 1, 1, 1)), np.array([3])
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_with_the_reason(message: str) -> None:
    with pytest.raises(ModelError, match=message):
        emit_finn(chained(REFUSED[message]()))


def test_all_refusals_at_once() -> None:
    design = chained(grouped().named("a"), replace(by_position(), input_dtype=signed(3)).named("b"))
    with pytest.raises(ModelError) as caught:
        emit_finn(design)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["a", "b"]


def test_folding_types_and_depths_are_set() -> None:
    design = flow.design_of(built(zoo.path("tfc-w1a1")))
    graph = emit_finn(design)
    nodes = {node.name: node for node in graph.model.graph.node}
    assert all(node.domain.startswith("finn.custom_op.fpgadataflow.") for node in nodes.values())
    for found in graph.nodes:
        attributes = {a.name: a for a in nodes[found.name].attribute}
        if found.kind == "MVAU_hls":
            unit = design[found.instance]
            assert (attributes["PE"].i, attributes["SIMD"].i) == (unit.pe, unit.simd)
            assert attributes["inputDataType"].s == b"BINARY"
            assert all(depth >= 2 for depth in attributes["inFIFODepths"].ints)
    fifos = [node for node in nodes.values() if node.op_type == "StreamingFIFO_rtl"]
    depths = sorted(a.i for node in fifos for a in node.attribute if a.name == "depth")
    assert depths == sorted(max(2, edge.fifo.depth) for edge in design.edges)


@pytest.mark.parametrize(
    "name", ["tfc-w1a1", "cnn-w1a1", pytest.param("cnv-w1a1", marks=pytest.mark.slow)]
)
def test_folding_configuration_is_read_back(name: str) -> None:
    """hwbnn reads the configuration that it writes for FINN: each layer has its folding again."""
    design = flow.design_of(built(zoo.path(name)))
    text = finn_files(emit_finn(design)).text("folding_config.json")
    assert "Defaults" in json.loads(text)
    found = parse_finn_json(text, where="f.json", design=design).layers
    assert set(found) == {i.name for i in design.instances if i.unit.finn_nodes}
    for layer, knobs in found.items():
        now, unit = design[layer].folding, design[layer]
        wide_window = isinstance(unit, SlidingWindow) and unit.wide
        assert knobs.pe in (None, now.pe)
        assert knobs.simd in (None, unit.channels if wide_window else now.simd), layer


def test_a_folding_that_finn_cannot_have(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text("[layers.quant0]\npe = 11\n")
    with pytest.raises(ConfigError, match=r"quant0: pe and simd must divide .* choose 14 and 1"):
        built(zoo.path("tfc-w1a1"), folding=file)


def test_graphs_are_the_same_every_time() -> None:
    design = flow.design_of(built(zoo.path("tfc-w1a1")))
    assert finn_files(emit_finn(design)).files == finn_files(emit_finn(design)).files


@pytest.mark.slow
@pytest.mark.parametrize("pools", [False, True])
def test_windows_are_numbered_as_finn_does(pools: bool) -> None:
    """FINN's pools had windows of their own; since finn-plus 1.6 they read numbered ones."""
    design = flow.design_of(built(zoo.path("cnv-w1a1")))
    nodes: dict[str, dict[str, int]] = {
        f"ConvolutionInputGenerator_rtl_{index}": {"SIMD": 1} for index in range(6)
    }
    nodes["FMPadding_rtl_0"] = {"SIMD": 3}  # has the lanes of its window here
    nodes["ConvolutionInputGenerator_rtl_1"] = {"SIMD": 64, "parallel_window": 1}
    nodes["Pool_hls_0" if pools else "StreamingMaxPool_hls_0"] = {"PE": 2}
    found = parse_finn_json(json.dumps(nodes), where="f.json", design=design).layers
    windows = [i.name for i in design.instances if isinstance(i.unit, SlidingWindow)]
    of_convolutions = [name for name in windows if name.startswith("conv")]
    assert len(windows) == 7
    assert len(of_convolutions) == 5
    expected = windows[:6] if pools else of_convolutions
    assert found["conv1_window"].simd == 192  # a column of three taps
    assert found["pool0"].pe == 2
    assert set(found) == {*expected, "pool0"}
