# SPDX-License-Identifier: Apache-2.0
"""Convolutional networks: every spelling gives the model's outputs, in the fewest operators."""

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from hwbnn.errors import MismatchError
from hwbnn.frontend import Oracle, check, import_model, inspect_model, preprocess_of
from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.ops import ArgMax, Conv, Dense, Input, MaxPool, Permute, Staircase, SumPool
from tests.frontend.net import Net, first, kinds, same
from tests.models import pixels, random_cnn_model
from tests.quick import quick


@pytest.mark.parametrize("seed", quick(range(40), first=12))
def test_random_networks(seed: int) -> None:
    made = random_cnn_model(seed)
    try:
        same(made.model)
    except Exception as error:
        error.add_note(f"seed {seed}: {made.features}")
        raise


@pytest.mark.filterwarnings("ignore")
def test_oracle_equals_qonnx() -> None:
    """On models that need no annotated types, as qonnx demands them for Im2Col."""
    made = [random_cnn_model(seed).model for seed in range(20)]
    plain = [m for m in made if all(node.op_type != "Im2Col" for node in m.graph.node)]
    assert len(plain) > 10
    for model in plain:
        frames, preprocess = pixels(model, 2), preprocess_of(model)
        wrapper = ModelWrapper(model).transform(InferShapes())
        name = model.graph.output[0].name
        inputs = [preprocess.apply(frame[None]) for frame in frames]
        expected = [execute_onnx(wrapper, {"input": x})[name].reshape(-1) for x in inputs]
        assert np.array_equal(Oracle(model).run(frames, preprocess), np.stack(expected))


def test_wrong_graph_is_caught() -> None:
    net = Net(2, 5, 5).black().conv(4, 2, 3, 3, pads=[1, 1, 1, 1]).norm([1, -1, 2, 1]).sign()
    graph = same(net.model())
    wrong = [replace(op, fill=1) if isinstance(op, Conv) else op for op in graph.ops]
    with pytest.raises(MismatchError, match="BipolarQuant_4 .* is the first layer that differs"):
        check(replace(graph, ops=tuple(wrong)), net.model())


# ---- padding -------------------------------------------------------------------------------------


def test_zero_padding_of_signs_adds_nothing() -> None:
    net = Net(1, 5, 5).black().conv(4, 1, 3, 3, pads=[1, 1, 1, 1]).sign()
    graph = same(net.model())
    conv, stairs = first(graph, Conv), graph.ops[-1]
    assert isinstance(conv, Conv) and isinstance(stairs, Staircase)
    assert conv.fill == 0 and conv.window.padding == (1, 1, 1, 1)
    assert stairs.border is None


@pytest.mark.parametrize(("value", "fill"), [(-1.0, -1), (1.0, 1), (0.0, 0)])
def test_padding_of_signs_with_a_sign(value: float, fill: int) -> None:
    net = Net(2, 5, 5).black().add("Pad", np.array([0, 0, 1, 0, 0, 0, 2, 1]), value)
    graph = same(net.conv(4, 2, 3, 3).sign().model())
    conv = first(graph, Conv)
    assert isinstance(conv, Conv)
    assert conv.fill == fill and conv.window.padding == (1, 0, 2, 1)


def test_padding_goes_through_a_quantizer() -> None:
    """Pad, then quantize: the padded float is quantized too."""
    net = Net(1, 5, 5).add("Pad", np.array([0, 0, 1, 1, 0, 0, 1, 1]), 0.7).quant(0.25, 2)
    conv = first(same(net.conv(4, 1, 3, 3).sign().model()), Conv)
    assert isinstance(conv, Conv) and conv.fill == 3


@pytest.mark.parametrize(
    ("zero", "fill", "differ"),
    [(128.0, 128, False), (-30.0, -30, False), (0.5, 0, True), (2000.0, 0, True)],
)
def test_zero_padding_of_normalised_pixels(zero: float, fill: int, differ: bool) -> None:
    """0.0 is the integer at which the pixels cross it; if there is none near, classes differ."""
    net = Net(2, 6, 6).conv(4, 2, 3, 3, pads=[1, 1, 1, 1]).norm([1, -1, 1, 1], [0, 9, 5, 0])
    graph = same(net.sign().model(divisor=256, mean=zero / 256, std=0.5))
    conv, stairs = first(graph, Conv), graph.ops[-1]
    assert isinstance(conv, Conv) and isinstance(stairs, Staircase)
    assert (conv.fill, stairs.classes > 1) == (fill, differ)


def test_padding_with_a_value_that_is_no_level() -> None:
    net = Net(1, 6, 6).black().add("Pad", np.array([0, 0, 1, 1, 0, 0, 0, 0]), 0.375)
    graph = same(net.conv(4, 1, 3, 3).norm([1, -1, 0.5, 2], [3, -0.2, 0.3, 9]).sign().model())
    stairs = graph.ops[-1]
    assert isinstance(stairs, Staircase) and stairs.classes == 4


def test_channel_that_is_constant_at_the_border_alone() -> None:
    """A class of constants is written in the direction of its falling channel."""
    net = Net(1, 5, 5).black()
    net.add("Pad", np.array([0, 0, 1, 1, 0, 0, 1, 1]), 40.5).add("Conv", np.ones((2, 1, 3, 3)))
    graph = same(net.norm([-1, 1], [3, -3]).sign().model())
    stairs = graph.ops[-1]
    assert isinstance(stairs, Staircase)
    assert stairs.descending.tolist() == [True, False]
    rows = stairs.thresholds.reshape(stairs.classes, 2)
    conv = first(graph, Conv)
    assert isinstance(conv, Conv)
    assert set(rows[:, 0].tolist()) >= {-9} and set(rows[:, 1].tolist()) >= {-9}
    assert any(-9 < row < 10 for row in rows[:, 0])


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_auto_pad(mode: str, stride: int) -> None:
    net = Net(1, 6, 7).black().conv(3, 1, 3, 4, auto_pad=mode, strides=[stride, stride])
    graph = same(net.sign().add("MaxPool", kernel_shape=[2, 2], auto_pad=mode).model())
    assert kinds(graph) == [Staircase, Conv, Staircase, MaxPool]


# ---- orders of elements --------------------------------------------------------------------------


def test_host_brings_the_channels_together() -> None:
    net = Net(3, 4, 5).black().conv(2, 3, 3, 3).sign()
    graph = same(net.model())
    assert [type(op) for op in graph.host] == [Input, Permute]
    assert graph.input == Input("input_image", 60, unsigned(8), 20)
    assert graph.host[0] == Input("input_", 60, unsigned(8))
    order = np.arange(60).reshape(3, 20).T.reshape(-1)
    assert isinstance(graph.host[1], Permute) and np.array_equal(graph.host[1].order, order)
    assert graph.input_shape == (3, 4, 5)
    check(graph, net.model())


def test_host_quantizes_too() -> None:
    net = Net(3, 4, 5).black().conv(2, 3, 3, 3).sign()
    graph = same(net.model(), packed_input=True)
    assert [type(op) for op in graph.host] == [Input, Permute, Staircase]
    assert graph.input == Input("BipolarQuant_1", 60, BIPOLAR, 20)
    assert kinds(graph) == [Conv, Staircase]
    check(graph, net.model())


def test_one_channel_and_channels_last_need_no_permutation() -> None:
    graph = same(Net(1, 5, 5).black().conv(2, 1, 3, 3).sign().model())
    assert not graph.host and graph.input.vectors == 25
    net = Net(5, 5, 2).add("Transpose", perm=[0, 3, 1, 2]).black().conv(2, 2, 3, 3).sign()
    graph = same(net.model())
    assert not graph.host and graph.input == Input("input_", 50, unsigned(8), 25)


def test_any_order_of_the_pixels() -> None:
    """Rows and columns swapped, before and behind the quantizer."""
    net = (
        Net(2, 4, 5).add("Transpose", perm=[0, 1, 3, 2]).black().add("Transpose", perm=[0, 1, 3, 2])
    )
    net.add("Transpose", perm=[0, 1, 3, 2]).conv(2, 2, 3, 3).sign()
    graph = same(net.model())
    assert isinstance(graph.host[1], Permute)


@pytest.mark.parametrize("perm", [None, [0, 2, 3, 1], [0, 3, 1, 2]])
def test_flatten_in_any_order(perm: list[int] | None) -> None:
    net = Net(1, 5, 6).black().conv(3, 1, 2, 2).sign()
    if perm is not None:
        net.add("Transpose", perm=perm)
    graph = same(net.add("Flatten").add("MatMul", net.rng.choice([-1.0, 1.0], (60, 4))).model())
    assert kinds(graph) == [Staircase, Conv, Staircase, Dense]


def test_per_channel_normalisation() -> None:
    net = Net(3, 5, 5).add("Sub", np.reshape([0.4, 0.5, 0.6], (1, 3, 1, 1)))
    net.add("Div", np.reshape([0.2, 0.3, 0.25], (3, 1, 1))).quant(0.25, 3, signed=1)
    graph = same(net.conv(2, 3, 3, 3).sign().model(divisor=255))
    stairs = graph.ops[1]
    assert isinstance(stairs, Staircase)
    assert stairs.thresholds.shape == (3, 7) and stairs.vectors == 25


# ---- layers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups(groups: int) -> None:
    net = Net(4, 5, 5).black().conv(8, 4 // groups, 3, 3, group=groups).norm(np.ones(8)).sign()
    conv = first(same(net.model()), Conv)
    assert isinstance(conv, Conv) and (conv.groups, conv.channels) == (groups, 4)


def test_sequence() -> None:
    net = Net(3, 12).black().conv(4, 3, 3, strides=[2], dilations=[2], pads=[2, 1])
    net.norm([1, -1, 1, 1]).add("MaxPool", kernel_shape=[2]).sign().add("GlobalAveragePool")
    graph = same(net.model())
    conv = first(graph, Conv)
    assert isinstance(conv, Conv)
    assert (conv.window.height, conv.window.width, conv.window.kernel) == (1, 12, (1, 3))
    assert conv.window.padding == (0, 2, 0, 1) and conv.window.dilation == (1, 2)


def test_kernel_as_large_as_the_image() -> None:
    net = Net(2, 4, 4).black().conv(5, 2, 4, 4, bias=np.arange(5) / 3).add("Flatten")
    graph = same(net.norm([1, 2, 3, -1, -2], [0.1] * 5).model())
    assert kinds(graph) == [Staircase, Conv] and graph.output_values is not None


def test_scale_per_channel_of_weights() -> None:
    net = Net(2, 4, 4).black()
    scale = net.constant(np.reshape([0.25, 2.0, 1.0], (3, 1, 1, 1)))
    latent = net.constant(net.rng.normal(size=(3, 2, 2, 2)))
    weights = net.build.quantizer("BipolarQuant", latent, scale)
    net.x = net.build.node("Conv", net.x, weights)
    conv = first(same(net.norm([1, 1, 1], [0.3] * 3).sign().model()), Conv)
    assert isinstance(conv, Conv) and conv.weight_dtype == BIPOLAR


@pytest.mark.parametrize("depthwise", [0, 1])
def test_lowered_convolution_of_finn(depthwise: int) -> None:
    net = Net(4, 6, 6).quant(0.25, 2).add("Transpose", perm=[0, 2, 3, 1])
    net.custom(
        "Im2Col", stride=[2, 1], kernel_size=[3, 2], pad_amount=[1, 0, 0, 1], dilations=[1, 2],
        input_shape="(1,6,6,4)", depthwise=depthwise,
    )  # fmt: skip
    kernel = net.rng.integers(-3, 4, (4, 3, 2, 4)).astype(float)
    if depthwise:
        kernel *= np.eye(4)[:, None, None]
    net.add("MatMul", kernel.reshape(4, -1).T)
    net.custom(
        "MultiThreshold", np.sort(net.rng.normal(0, 3, (4, 3)), axis=1), out_dtype="UINT2",
        data_layout="NHWC",
    )  # fmt: skip
    net.custom("MaxPoolNHWC", kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 0, 0])
    net.add("MatMul", net.rng.choice([-1.0, 1.0], (4, 5)))
    graph = same(net.model())
    assert kinds(graph) == [Staircase, Conv, Staircase, MaxPool, Conv]
    conv, point = (op for op in graph.ops if isinstance(op, Conv))
    assert conv.groups == (4 if depthwise else 1) and conv.window.padding == (1, 0, 0, 1)
    assert point.window.pointwise and conv.weight_dtype == signed(3)


def test_class_of_an_image_of_one_position() -> None:
    net = Net(2, 5, 5).black().conv(4, 2, 3, 3).add("GlobalAveragePool").add("ArgMax", axis=1)
    net.image = False
    graph = same(net.model())
    assert kinds(graph) == [Staircase, Conv, SumPool, ArgMax]


def test_staircases_of_many_steps_and_classes_take_little_time() -> None:
    """A function is evaluated once, however many elements have it."""
    net = Net(3, 32, 32).conv(64, 3, 3, 3, pads=[1, 1, 1, 1]).norm(np.ones(64)).quant(0.125, 8)
    start = perf_counter()
    graph = import_model(net.model(mean=0.501), name="m", check=False)
    assert perf_counter() - start < 20  # 1 s on a free core; by elements it would be minutes
    stairs = graph.ops[-1]
    assert isinstance(stairs, Staircase) and stairs.thresholds.shape == (9 * 64, stairs.steps)


def test_inspect_counts_products_at_every_position() -> None:
    net = (
        Net(4, 6, 6)
        .black()
        .conv(8, 2, 3, 3, group=2)
        .sign()
        .add("AveragePool", kernel_shape=[2, 2])
    )
    found = inspect_model(net.model(), name="m")
    assert [layer.operator for layer in found.layers] == [
        "Staircase",
        "Conv",
        "Staircase",
        "SumPool",
    ]
    conv, pool = found.layers[1], found.layers[3]
    assert (conv.inputs, conv.outputs, conv.node) == (144, 128, "Conv_2 (Conv)")
    assert (found.binary_macs, found.multi_bit_macs) == (16 * 8 * 9 * 2, 0)
    assert (conv.weight_bits, conv.low, conv.high) == (144, -18, 18)
    assert (pool.low, pool.high, pool.inputs, pool.outputs) == (-4, 4, 128, 72)


def test_inspect_describes_what_follows_an_unknown_image() -> None:
    net = Net(2, 6, 6).black().add("Sigmoid").sign().conv(4, 2, 3, 3).sign()
    net.add("MaxPool", kernel_shape=[2, 2]).conv(2, 4, 2, 2)
    found = inspect_model(net.model(), name="m")
    assert len(found.problems) == 1 and "Sigmoid" in found.problems[0]
    assert [layer.operator for layer in found.layers].count("Conv") == 2
