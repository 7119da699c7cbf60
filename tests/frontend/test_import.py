# SPDX-License-Identifier: Apache-2.0
"""Imported graphs give the model's outputs: both Brevitas styles, FINN's dialect, all options."""

import itertools
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from hwbnn import zoo
from hwbnn.frontend import Oracle, Output, check, import_model, load_model, preprocess_of
from hwbnn.ir.dtype import BIPOLAR, IntArray, unsigned
from hwbnn.ir.graph import Graph, OutputSteps, Preprocess
from hwbnn.ir.ops import ArgMax, Dense, Input, Staircase, Table
from hwbnn.ir.text import graph_text
from hwbnn.ir.verify import verify_graph
from hwbnn.sim.reference import evaluate
from tests.frontend.trained import digits, shared
from tests.models import lfc, mlp, pixels
from tests.quick import quick

pytestmark = pytest.mark.filterwarnings("ignore:Output shapes disagree", "ignore:.*no longer valid")
SIZES = (49, 20, 12, 10)
STYLES = ("new", "finn", "old", "script")
OPTIONS: list[dict[str, object]] = [
    {},
    {"act_bits": 2},
    {"act_bits": 4, "relu": True, "weight_bits": 2, "input_bits": 8},
    {"bn": False, "bias": True, "weight_scale": 0.37},
    {"bias": True, "channel_scale": True, "act_scale": 0.37, "input_bits": 8},
    {"act_bits": 3, "input_bits": 8, "weight_bits": 4, "act_scale": 0.3},
    {"act_bits": 8, "relu": True, "weight_bits": 8},
    {"final": "scalar"},
    {"final": "batchnorm", "act_bits": 2},
]


def run(graph: Graph, frames: IntArray) -> np.ndarray:
    """What a user gets of pixels."""
    graph = graph.on_pixels
    output = evaluate(graph, frames.reshape(len(frames), -1).astype(np.int64))[graph.output]
    return output if graph.output_values is None else graph.output_values.apply(output)


def qonnx(model: onnx.ModelProto, frames: IntArray, preprocess: Preprocess) -> np.ndarray:
    """The outputs of qonnx itself, an image at a time."""
    wrapper = ModelWrapper(model).transform(InferShapes())
    source, result = wrapper.graph.input[0].name, wrapper.graph.output[0].name
    images = preprocess.apply(frames)[:, None]
    return np.stack([execute_onnx(wrapper, {source: x})[result].reshape(-1) for x in images])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("style", quick(STYLES, first=2))
def test_equals_the_model(style: str, options: dict[str, object]) -> None:
    """Import compares all outputs, bit for bit where the model's own sums are exact."""
    model = mlp(SIZES, style=style, **options)
    frames = pixels(model, 60)
    graph = import_model(model, name="m", samples=frames)
    expected = Oracle(model).run(frames, graph.preprocess)
    exact = "weight_scale" not in options and "channel_scale" not in options
    exact &= not (options.get("input_bits") == 8 and style != "finn")
    exact &= "act_scale" not in options and options.get("act_bits") != 8
    if exact:
        assert np.array_equal(run(graph, frames), expected)
    assert np.allclose(run(graph, frames), expected, rtol=1e-4, atol=1e-4)
    labels = import_model(model, name="m", samples=frames, output=Output.LABEL)
    assert isinstance(labels.ops[-1], ArgMax) and labels.output_values is None
    if exact:
        assert np.array_equal(run(labels, frames)[:, 0], expected.argmax(1))
    assert (run(labels, frames)[:, 0] == expected.argmax(1)).mean() > 0.9


@pytest.mark.parametrize("style", quick(STYLES, first=2))
@pytest.mark.parametrize(
    "options", [{}, {"act_bits": 3}, {"final": "batchnorm"}, {"final": "argmax"}], ids=str
)
def test_oracle_equals_qonnx(style: str, options: dict[str, object]) -> None:
    model = mlp((16, 12, 8, 5), style=style, **options)
    frames, preprocess = pixels(model, 12), preprocess_of(model)
    assert np.array_equal(
        Oracle(model).run(frames, preprocess), qonnx(model, frames, preprocess).astype(np.float32)
    )


def test_final_argmax_in_every_style() -> None:
    for style, act_bits in itertools.product(STYLES, (1, 2)):
        model = mlp(SIZES, style=style, act_bits=act_bits, final="argmax")
        frames = pixels(model, 100)
        graph = import_model(model, name="m", samples=frames)
        assert isinstance(graph.ops[-1], ArgMax)
        assert np.array_equal(run(graph, frames), Oracle(model).run(frames, graph.preprocess))


def rescaled(gain: float, offset: list[float] | float) -> onnx.ModelProto:
    """A network whose outputs are gain * integer + offset."""
    model = mlp((16, 8, 4), style="new")
    last = model.graph.output[0].name
    for name, value in (("gain", gain), ("offset", offset)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    model.graph.node.extend(
        [
            helper.make_node("Mul", [last, "gain"], ["scaled"], name="times"),
            helper.make_node("Add", ["scaled", "offset"], ["end"], name="plus"),
        ]
    )
    model.graph.output[0].name = "end"
    return model


def test_label_by_integers_negation_or_rank() -> None:
    kinds = {
        "integers": rescaled(0.3, 7.0),
        "negation": rescaled(-0.3, 7.0),
        "rank": rescaled(1.0, [2.0, 0.0, -1.0, 0.5]),
        "constant": rescaled(0.0, 7.0),
    }
    for kind, model in kinds.items():
        frames = pixels(model, 200)
        graph = import_model(model, name="m", samples=frames, output=Output.LABEL)
        expected = Oracle(model).run(frames, graph.preprocess).argmax(1)
        assert np.array_equal(run(graph, frames)[:, 0], expected), kind
        table = isinstance(graph.ops[-2], Table)
        assert table == (kind in ("rank", "constant"))
        check(graph, model, samples=frames)
    assert "MatMul" not in graph_text(graph)


def test_names_and_shape() -> None:
    graph = import_model(mlp((784, 8, 4), style="old"), name="net")
    names = [op.name for op in graph.ops]
    assert names == [
        "input_", "BipolarQuant_7", "MatMul_10", "BipolarQuant_12", "MatMul_15",
    ]  # fmt: skip
    assert graph.input_shape == (1, 28, 28)
    assert graph.preprocess == Preprocess(255.0)
    assert graph.output == "MatMul_15" and graph.output_values is None


def test_shared_input_staircase() -> None:
    graph = import_model(mlp((784, 8, 4)), name="m")
    quantizer = graph.ops[1]
    assert isinstance(quantizer, Staircase)
    assert quantizer.thresholds.tolist() == [[128]] and quantizer.dtype == BIPOLAR


@pytest.mark.parametrize("style", STYLES)
def test_pixels_need_no_quantizer(style: str) -> None:
    """An 8-bit quantizer that gives the pixels back is no operator."""
    graph = import_model(mlp(SIZES, style=style, input_bits=8), name="m")
    assert isinstance(graph.ops[1], Dense) and graph.ops[1].source == graph.input.name


def test_float_pixels() -> None:
    """Without a quantizer the pixels enter the product: their scale and offset move on."""
    for name, value in (("two", 2.0), ("one", 1.0)):
        model = mlp((16, 8, 4), style="new")
        quantizer = next(n for n in model.graph.node if n.op_type == "BipolarQuant")
        gemm = next(n for n in model.graph.node if n.op_type == "Gemm")
        assert quantizer.output[0] == gemm.input[0]
        gemm.input[0] = quantizer.input[0]
        assert name in [t.name for t in model.graph.initializer] and value
        frames = pixels(model, 300)
        graph = import_model(model, name="m", samples=frames, preprocess=Preprocess(255, 0.3, 0.7))
        assert graph.ops[1].name == gemm.name


def test_packed_input() -> None:
    for options in ({}, {"act_bits": 2}):
        model = mlp(SIZES, **options)
        frames = pixels(model, 50)
        whole = import_model(model, name="m")
        graph = import_model(model, name="m", packed_input=True, samples=frames)
        assert graph.input == Input("BipolarQuant_7", 49, BIPOLAR)
        assert [type(op) for op in graph.host] == [Input, Staircase]
        assert graph.host[0].dtype == unsigned(8)
        assert np.array_equal(run(graph, frames), run(whole, frames))
        check(graph, model)


def test_packed_input_is_as_narrow_as_its_levels() -> None:
    """Levels -1, 0 and 1 of two bits: the sums behind them never see -2."""
    graph = import_model(load_model(zoo.path("tfc-w1a2")), name="m", packed_input=True)
    low, high = graph.input.dtype.min, graph.input.dtype.max
    assert graph.range_of(graph.input.name) == (low + 1, high)
    verify_graph(graph)


def test_zero_one_activations_stay_binary() -> None:
    """H(x) written as BipolarQuant, Mul and Add: XNOR hardware, the offset moves on."""
    model = mlp((16, 8, 8, 4), style="new")
    half = numpy_helper.from_array(np.float32(0.5), "half")
    model.graph.initializer.append(half)
    quantizers = [n for n in model.graph.node if n.op_type == "BipolarQuant"]
    gemms = [n for n in model.graph.node if n.op_type == "Gemm"]
    live = next(n for n in quantizers if n.output[0] == gemms[1].input[0])
    position = list(model.graph.node).index(gemms[1])
    gemms[1].input[0] = "zero_one"
    for made in (
        helper.make_node("Add", ["halved", "half"], ["zero_one"], name="plus"),
        helper.make_node("Mul", [live.output[0], "half"], ["halved"], name="times"),
    ):
        model.graph.node.insert(position, made)
    frames = pixels(model, 200)
    graph = import_model(model, name="m", samples=frames)
    assert graph[live.name].dtype == BIPOLAR
    assert np.array_equal(run(graph, frames), Oracle(model).run(frames, graph.preprocess))


@pytest.mark.slow
def test_elements_keep_their_places() -> None:
    """A transpose between the image and the first layer moves the columns of its weights."""
    model = mlp((784, 8, 4), style="new")
    del model.graph.node[0]
    shape = numpy_helper.from_array(np.array([1, 4, 14, 14]), "split")
    flat = numpy_helper.from_array(np.array([1, 784]), "flat")
    model.graph.initializer.extend([shape, flat])
    first = next(n for n in model.graph.node if "Reshape_0_out" in n.input)
    first.input[list(first.input).index("Reshape_0_out")] = "moved"
    for index, made in enumerate(
        [
            helper.make_node("Reshape", ["input", "split"], ["a"], name="split"),
            helper.make_node("Transpose", ["a"], ["b"], name="turn", perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", ["b", "flat"], ["moved"], name="flat"),
        ]
    ):
        model.graph.node.insert(index, made)
    frames = pixels(model, 100)
    graph = import_model(model, name="m", samples=frames)
    assert np.array_equal(run(graph, frames), qonnx(model, frames[:], graph.preprocess))


def test_batches() -> None:
    """A model of any batch, fixed or not, is the same graph."""
    one = import_model(mlp(SIZES, style="script"), name="m")
    for batch in ("batch", 5):
        model = mlp(SIZES, style="script")
        extent = model.graph.input[0].type.tensor_type.shape.dim[0]
        extent.Clear()
        if isinstance(batch, int):
            extent.dim_value = batch
        else:
            extent.dim_param = batch
        assert graph_text(import_model(model, name="m")) == graph_text(one)


def test_negated_weights_of_a_two_bit_layer() -> None:
    model = rescaled(-1.0, 0.0)
    graph = import_model(model, name="m", output=Output.LABEL)
    values = import_model(model, name="m")
    last, plain = graph.ops[-2], values.ops[-1]
    assert isinstance(last, Dense) and isinstance(plain, Dense)
    assert np.array_equal(last.weights, -plain.weights)


@pytest.mark.slow
def test_lfc() -> None:
    model = lfc()
    graph = import_model(model, name="lfc")
    frames = pixels(model, 20)
    assert np.array_equal(run(graph, frames), Oracle(model).run(frames, graph.preprocess))


@pytest.mark.parametrize("name", quick(sorted(zoo.names(), reverse=True), first=4))
def test_zoo(name: str) -> None:
    graph = import_model(load_model(zoo.path(name)), name="m")
    golden = zoo.golden(name)
    assert np.array_equal(run(graph, golden.images), golden.logits)
    assert len(graph.classes) == 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tfc-w1a1.onnx", "tfc-w1a2.onnx"])
@pytest.mark.parametrize("count", [200, pytest.param(5000, marks=pytest.mark.slow)])
def test_trained_models_on_digits(name: str, count: int) -> None:
    model, frames = shared(name), digits(count)
    graph = import_model(model, name="tfc", samples=frames)
    expected = Oracle(model).run(frames, graph.preprocess)
    assert np.array_equal(run(graph, frames), expected)
    labels = import_model(model, name="tfc", samples=frames, output=Output.LABEL)
    assert np.array_equal(run(labels, frames)[:, 0], expected.argmax(1))
    assert np.array_equal(
        qonnx(model, frames[:3].reshape(-1, 1, 28, 28), graph.preprocess), expected[:3]
    )


@pytest.mark.slow
def test_trained_convolutional_network() -> None:
    """CNV takes pixels as they are: 0 to 255."""
    model = shared("cnv-w1a1.onnx")
    frames = np.random.default_rng(0).integers(0, 256, (100, 3 * 32 * 32))
    graph = import_model(model, name="cnv", preprocess=Preprocess(1), samples=frames)
    expected = Oracle(model).run(frames, graph.preprocess)
    assert np.array_equal(run(graph, frames), expected)
    assert len(np.unique(expected)) > 100  # not the same answer to all


def test_needs_no_torch() -> None:
    code = (
        "import sys, hwbnn.frontend as f; from hwbnn import zoo;"
        "f.import_model(f.load_model(zoo.path('tfc-w1a1')), name='m');"
        "sys.exit(bool({'torch', 'brevitas', 'numba'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("final", ["none", "scalar"])
@pytest.mark.parametrize("bias", [False, True])
def test_a_wide_output_follows_by_a_formula(bias: bool, final: str) -> None:
    # 8-bit weights behind 8-bit activations: a table of every sum's floats would be too long.
    bits = {"input_bits": 8, "weight_bits": 8, "act_bits": 8, "act_scale": 0.25}
    model = mlp((16, 80, 10), relu=True, bias=bias, final=final, weight_scale=0.5, **bits)
    graph = import_model(model, name="m")
    assert isinstance(graph.output_values, OutputSteps)
    frames = np.random.default_rng(1).integers(0, 256, (24, 16))
    expected = Oracle(model).run(frames, graph.preprocess)
    np.testing.assert_array_equal(run(graph, frames), expected)
