# SPDX-License-Identifier: Apache-2.0
"""Branches that meet: sums and concatenations give the model's outputs, or are refused in words."""

from collections.abc import Callable

import numpy as np
import pytest

from hwbnn.errors import ConfigError, ModelError
from hwbnn.frontend import import_model, inspect_model
from hwbnn.frontend.summary import summarise
from hwbnn.ir.dtype import BIPOLAR, signed
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Add, Concat, Conv, MaxPool, Permute, Staircase, SumPool
from hwbnn.ir.text import graph_text
from hwbnn.passes import lower
from hwbnn.units.add import Add as AddUnit
from tests.dag_battery import proved
from tests.dag_models import random_dag_model
from tests.frontend.net import Net, first, kinds, same
from tests.quick import quick

FIRST = 1000  # other seeds than those of whole batteries


@pytest.mark.parametrize("seed", quick(range(FIRST, FIRST + 12), first=4))
def test_random_networks(seed: int) -> None:
    print(f"seed {seed}")
    graph, made = proved(seed), random_dag_model(seed)
    joins = [op for op in graph.ops if isinstance(op, Add | Concat)]
    text = graph_text(graph)
    assert all(f"{op.name}: {op.dtype}[" in text for op in joins)
    found = inspect_model(made.model, name="net")
    assert found.problems == ()
    assert {op.name for op in joins} == {
        layer.name for layer in found.layers if layer.operator in ("Add", "Concat")
    }
    assert summarise(graph).binary_macs + summarise(graph).multi_bit_macs == (
        found.binary_macs + found.multi_bit_macs
    )


# ---- networks by hand ----------------------------------------------------------------------------


def branch(net: Net, start: str, make: Callable[[Net], object]) -> str:
    """Let a branch grow from a tensor; return its end."""
    net.x = start
    make(net)
    return net.x


def meet(net: Net, operator: str, *ends: str, **attributes: object) -> Net:
    net.x = net.build.node(operator, *ends, **attributes)
    return net


def block(a: Callable[[Net], object], b: Callable[[Net], object]) -> tuple[Net, str, str]:
    """Four channels of signs, and two branches from them."""
    net = Net(1, 6, 6).black().conv(4, 1, 3, 3).norm([1, -1, 2, -2], [0.1] * 4).sign()
    start = net.x
    return net, branch(net, start, a), branch(net, start, b)


def summed(a: Callable[[Net], object], b: Callable[[Net], object]) -> Net:
    net, *ends = block(a, b)
    return meet(net, "Add", *ends)


def ended(net: Net, channels: int) -> Graph:
    net.image = False
    net.quant(0.5, 4, signed=1).add("ReduceSum", np.array([2, 3]), keepdims=0)
    return same(net.add("MatMul", net.rng.choice([-1.0, 1.0], (channels, 3))).model())


def convolved(net: Net) -> Net:
    return net.conv(4, 4, 3, 3, pads=[1] * 4).norm([1, 2, -1, 1])


def test_a_sum_on_one_scale() -> None:
    graph = ended(summed(lambda n: convolved(n).quant(0.25, 4, signed=1), lambda n: n), 4)
    total = first(graph, Add)
    assert isinstance(total, Add)
    assert total.terms == ((total.sources[0], 1), (total.sources[1], 4))  # signs are 4 quarters
    assert (total.dtype, graph.range_of(total.name)) == (signed(5), (-12, 11))
    assert graph.readers(total.sources[1])[1:] == (total,)


def test_steps_of_different_size_take_a_factor() -> None:
    a, b = (lambda n, s=s: convolved(n).quant(s, 3, signed=1) for s in (2.0**-4, 2.0**-6))
    total = first(ended(summed(a, b), 4), Add)
    assert isinstance(total, Add) and total.factors == (4, 1)
    a = lambda n: convolved(n).quant(0.75, 3, signed=1)  # noqa: E731
    graph = ended(summed(a, lambda n: convolved(n).quant(0.5, 3)), 4)
    total = first(graph, Add)
    assert isinstance(total, Add) and total.factors == (3, 2)
    unit = lower(graph)[total.name]
    assert isinstance(unit, AddUnit) and unit.factors == (3, 2)


def test_offsets_and_scales_by_channel_stay_outside_of_the_integers() -> None:
    by_channel = np.array([0.5, 1, 2, 0.25]).reshape(1, 4, 1, 1)

    def scaled(net: Net) -> Net:
        return convolved(net).quant(0.5, 3, signed=1).add("Mul", by_channel).add("Add", by_channel)

    total = first(ended(summed(scaled, scaled), 4), Add)
    assert isinstance(total, Add) and total.factors == () and total.dtype == signed(4)


def test_sums_of_a_layer_as_they_are() -> None:
    graph = ended(summed(lambda n: n.conv(4, 4, 1, 1), lambda n: n.conv(4, 4, 1, 1)), 4)
    assert [type(graph[name]) for name in first(graph, Add).sources] == [Conv, Conv]


def test_a_value_added_to_itself() -> None:
    graph = ended(summed(lambda n: n, lambda n: n), 4)
    total = first(graph, Add)
    assert len(set(total.sources)) == 1 and graph.range_of(total.name) == (-2, 2)


def test_sums_of_images_with_channels_last() -> None:
    net, *ends = block(lambda n: convolved(n).quant(0.25, 4, signed=1), lambda n: n)
    ends = [net.build.node("Transpose", end, perm=[0, 2, 3, 1]) for end in ends]
    meet(net, "Add", *ends).add("Transpose", perm=[0, 3, 1, 2])
    assert first(ended(net, 4), Add).vectors == 16


def test_pixels_added_to_a_layer() -> None:
    net = Net(3, 6, 6)
    ends = [branch(net, "input", lambda n: n.quant(1 / 32, 4).conv(3, 3, 1, 1)), "input"]
    net.x = meet(net, "Add", *ends).x
    model = net.quant(0.5, 4, signed=1).conv(2, 3, 6, 6).add("Flatten").model(divisor=256.0)
    total = first(same(model), Add)
    assert total.sources[1] == "input_image" and total.factors == (8, 1)


def test_a_concatenation_of_one() -> None:
    net, end, _ = block(lambda n: n, lambda n: n)
    assert Concat not in kinds(ended(meet(net, "Concat", end, axis=1), 4))


def test_average_pools_as_shortcuts() -> None:
    def body(net: Net) -> Net:
        net.conv(4, 4, 3, 3, pads=[1] * 4, strides=[2, 2])
        return net.norm([1, 1, 2, -1]).quant(0.25, 4, signed=1)

    def shortcut(net: Net) -> Net:
        return net.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)

    total = first(ended(summed(body, shortcut), 4), Add)
    assert isinstance(total, Add) and total.factors == () and total.vectors == 4


def test_windows_that_are_not_full() -> None:
    for operator in ("AveragePool", "MaxPool"):
        net = Net(2, 7, 5).quant(1 / 256, 8)
        net.add(operator, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
        graph = ended(net.quant(1 / 64, 4), 2)
        pool = first(graph, SumPool if operator == "AveragePool" else MaxPool)
        assert (pool.window.out_height, pool.window.out_width) == (4, 3)
    # No window begins in the padding behind the image.
    net = Net(2, 5, 5).quant(1 / 256, 8)
    net.add("MaxPool", kernel_shape=[1, 1], strides=[3, 3], pads=[0] * 4, ceil_mode=1)
    assert first(ended(net, 2), MaxPool).vectors == 4


def test_any_scales_side_by_side() -> None:
    net, *ends = block(lambda n: n.conv(3, 4, 1, 1).add("Mul", 0.3), lambda n: n.norm([1, 2, 3, 4]))
    meet(net, "Concat", *ends, axis=1).norm(np.linspace(-1, 1.5, 7), [0.05] * 7)
    graph = ended(net.sign().conv(3, 7, 1, 1), 3)
    joined = first(graph, Concat)
    assert isinstance(joined, Concat) and joined.channels == (3, 4) and joined.dtype == signed(4)
    (stairs,) = graph.readers(joined.name)
    assert isinstance(stairs, Staircase) and stairs.thresholds.shape == (7, 1)


@pytest.mark.parametrize("axis", [1, -3, 3, -1])
def test_channels_first_or_last(axis: int) -> None:
    net, *ends = block(lambda n: n.conv(3, 4, 1, 1), lambda n: n)
    if axis in (3, -1):
        ends = [net.build.node("Transpose", end, perm=[0, 2, 3, 1]) for end in ends]
    meet(net, "Concat", *ends, axis=axis)
    if axis in (3, -1):
        net.add("Transpose", perm=[0, 3, 1, 2])
    assert kinds(ended(net, 7)).count(Concat) == 1


def test_bits_of_one_scale_enter_a_binary_layer() -> None:
    net, *ends = block(lambda n: convolved(n).sign(), lambda n: n)
    graph = ended(meet(net, "Concat", *ends, axis=1).conv(5, 8, 3, 3), 5)
    joined = first(graph, Concat)
    assert joined.dtype == BIPOLAR
    assert isinstance(graph.readers(joined.name)[0], Conv)


def test_integers_of_one_scale_enter_a_layer() -> None:
    a, b = (lambda n, k=k: convolved(n).quant(0.25, k, signed=1) for k in (2, 4))
    for operator, inputs in (("Add", 4), ("Concat", 8)):
        net, *ends = block(a, b)
        attributes = {"axis": 1} if operator == "Concat" else {}
        graph = ended(meet(net, operator, *ends, **attributes).conv(5, inputs, 3, 3), 5)
        kind = Add if operator == "Add" else Concat
        assert isinstance(graph.readers(first(graph, kind).name)[0], Conv)


def test_vectors_side_by_side() -> None:
    net, *ends = block(lambda n: n.add("Flatten"), lambda n: n.conv(2, 4, 1, 1).add("Flatten"))
    meet(net, "Concat", *ends, axis=1).quant(0.5, 3, signed=1)
    graph = same(net.add("MatMul", net.rng.choice([-1.0, 1.0], (96, 3))).model())
    assert first(graph, Concat).channels == (4, 2)


def test_one_pool_with_two_readers_stands_behind_each_quantizer() -> None:
    net = Net(1, 8, 8).black().conv(4, 1, 3, 3).add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    start, gains = net.x, ([1, -1, 2, 1], [-1, 1, 1, 3])
    ends = [branch(net, start, lambda n, g=g: n.norm(g).quant(0.5, 3, signed=1)) for g in gains]
    graph = ended(meet(net, "Concat", *ends, start, axis=1), 12)
    pools = [op for op in graph.ops if isinstance(op, MaxPool)]
    assert len({pool.name for pool in pools}) == len(pools) == 3
    assert len({pool.source for pool in pools}) == 3


def test_pixels_side_by_side_with_a_layer() -> None:
    net = Net(3, 6, 6)
    start = net.x
    ends = [branch(net, start, lambda n: n.quant(1 / 32, 4).conv(2, 3, 1, 1)), start]
    meet(net, "Concat", *ends, axis=1)
    graph = ended(net, 5)
    assert isinstance(graph.host[1], Permute)


def test_pixels_that_are_quantized_twice() -> None:
    net = Net(3, 6, 6)
    a, b = (
        branch(net, "input", lambda n, s=s: n.quant(s, 3).conv(2, 3, 1, 1)) for s in (0.125, 0.25)
    )
    meet(net, "Add", a, b)
    net.x = meet(net, "Concat", branch(net, "input", lambda n: n.black()), a, axis=1).x
    graph = ended(net, 5)
    with pytest.raises(ConfigError) as error:
        import_model(net.model(), name="m", packed_input=True)
    assert "packed input must be quantized once, not by " in str(error.value)
    assert len(graph.readers(graph.input.name)) == 2


def test_a_channel_that_is_always_at_the_top_level() -> None:
    """Its staircase must not count beyond the quantizer's levels (battery, seed 352)."""
    net = Net(1, 4, 4).black().conv(2, 1, 1, 1)
    thresholds = {"out_dtype": "UINT2", "out_scale": 1.0, "data_layout": "NCHW"}
    net.custom("MultiThreshold", np.array([[-9.0, -8.0]] * 2), **thresholds)
    graph = ended(net.conv(2, 2, 3, 3, pads=[1] * 4), 2)
    stairs = [op for op in graph.ops if isinstance(op, Staircase)]
    assert graph.range_of(stairs[1].name) == (1, 2)


# ---- what is refused -----------------------------------------------------------------------------


def refusal(net: Net) -> str:
    model = net.model()
    with pytest.raises(ModelError) as error:
        import_model(model, name="m")
    assert str(error.value) in inspect_model(model, name="m").problems
    return str(error.value)


MEND = (
    "quantize both branches with one shared power-of-two scale (one QuantIdentity for both, or "
    "Brevitas' QuantEltwiseAdd)"
)


def test_floats_cannot_be_added() -> None:
    assert refusal(summed(convolved, lambda n: n)) == (
        "Add_7 (Add): what it adds (BatchNormalization_6 (BatchNormalization) and BipolarQuant_4 "
        "(BipolarQuant)) must be integers times one exact scale, not the floats of "
        f"BatchNormalization_6 (BatchNormalization); {MEND}"
    )


def test_scales_that_round_cannot_be_added() -> None:
    third = lambda n: convolved(n).quant(0.3, 4, signed=1)  # noqa: E731
    assert refusal(summed(third, lambda n: n)) == (
        "Add_8 (Add): the sum of Quant_7 (Quant) and BipolarQuant_4 (BipolarQuant) must be exact "
        "in float32, but its steps (0.3, 1) have no common power of two within 24 bits; " + MEND
    )


def test_scales_of_different_ratios_cannot_be_added() -> None:
    by_channel = np.array([0.5, 1, 2, 4]).reshape(1, 4, 1, 1)
    a = lambda n: convolved(n).quant(0.5, 3, signed=1).add("Mul", by_channel)  # noqa: E731
    assert refusal(summed(a, lambda n: convolved(n).quant(0.5, 3))) == (
        "Add_12 (Add): scales of Mul_8 (Mul) and Quant_11 (Quant) must have one ratio in all "
        "channels, not 0.5, 1, 2, ...; " + MEND
    )


@pytest.mark.parametrize("operator", ["Add", "Concat"])
def test_only_what_is_not_supported_is_named(operator: str) -> None:
    net, *ends = block(lambda n: n.add("Sigmoid"), lambda n: n)
    attributes = {"axis": 1} if operator == "Concat" else {}
    meet(net, operator, *ends, **attributes).conv(3, 8 if attributes else 4, 3, 3).sign()
    problems = inspect_model(net.model(), name="m").problems
    assert len(problems) == 1 and problems[0].startswith("Sigmoid_5 (Sigmoid): activation must be")


def test_shapes_must_be_one() -> None:
    pooled = lambda n: n.add("GlobalMaxPool")  # noqa: E731
    assert refusal(summed(pooled, lambda n: n)) == (
        "Add_6 (Add): inputs must have one shape, not 4 x 1 x 1 (GlobalMaxPool_5 (GlobalMaxPool)) "
        "and 4 x 4 x 4 (BipolarQuant_4 (BipolarQuant)); make them equal"
    )


def test_layouts_must_be_one() -> None:
    net, *ends = block(lambda n: n.add("Flatten"), lambda n: n)
    ends[1] = net.build.node("Transpose", ends[1], perm=[0, 2, 3, 1])
    ends[1] = net.build.node("Flatten", ends[1])
    assert refusal(meet(net, "Add", *ends)) == (
        "Add_8 (Add): inputs must have one layout, not one of BipolarQuant_4 (BipolarQuant) and "
        "BipolarQuant_4 (BipolarQuant) transposed or reshaped; do that behind the sum"
    )


def test_only_channels_are_joined() -> None:
    net, *ends = block(lambda n: n, lambda n: convolved(n).sign())
    assert refusal(meet(net, "Concat", *ends, axis=2)) == (
        "Concat_8 (Concat): must join the channels of images of one size (axis 1, or the last if "
        "channels are), not axis 2 of BipolarQuant_4 (BipolarQuant) and BipolarQuant_7 "
        "(BipolarQuant); concatenate channels"
    )


def test_images_must_have_one_size() -> None:
    net, *ends = block(lambda n: n, lambda n: n.conv(4, 4, 3, 3))
    assert refusal(meet(net, "Concat", *ends, axis=1)) == (
        "Concat_6 (Concat): inputs must be alike but for their channels, not 4 x 4 x 4 and "
        "4 x 2 x 2 along axis 1; make them equal, and keep the batch in front"
    )


def test_constants_are_not_joined() -> None:
    net, end, _ = block(lambda n: n, lambda n: n)
    zeros = net.constant(np.zeros((1, 2, 4, 4)))
    assert refusal(meet(net, "Concat", end, zeros, axis=1)) == (
        "Concat_5 (Concat): inputs must all come from the image, not from constants; join computed "
        "values only"
    )


def test_branches_meet_in_nothing_else() -> None:
    net, *ends = block(lambda n: n, lambda n: n)
    assert refusal(meet(net, "Mul", *ends)) == (
        "Mul_5 (Mul): must have one input that is not constant, not 2; branches may meet in an Add "
        "or in a Concat"
    )


def test_pixels_are_an_image_everywhere() -> None:
    net = Net(2, 4, 4)
    ends = [
        branch(net, "input", lambda n: n.quant(0.1, 2).conv(2, 2, 4, 4).add("Flatten")),
        branch(net, "input", lambda n: n.add("Flatten").quant(0.2, 3)),
    ]
    meet(net, "Concat", ends[0], net.build.node("MatMul", ends[1], net.constant(np.ones((32, 2)))),
         axis=1)  # fmt: skip
    assert refusal(net) == (
        "m: pixels must be read as an image everywhere, not also as one flat vector; branch behind "
        "the first layer"
    )
