# SPDX-License-Identifier: Apache-2.0
"""Pools before, between and behind norms and quantizers give the model's outputs."""

import numpy as np
import pytest

from hwbnn.frontend import Output, import_model
from hwbnn.ir.dtype import BIPOLAR
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Conv, Dense, MaxPool, Staircase, SumPool
from hwbnn.passes import lower
from hwbnn.sim.interpret import Interpreter
from hwbnn.units import Rescale, Thresholds
from hwbnn.units.sum_pool import SumPool as SumPoolUnit
from tests.frontend.net import Net, first, kinds, same


def test_pool_behind_the_norm_stands_behind_the_staircase() -> None:
    net = Net(1, 6, 6).black().conv(4, 1, 3, 3).norm([1, -1, 2, -2], [0.1] * 4)
    graph = same(net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2]).sign().model())
    assert kinds(graph) == [Staircase, Conv, Staircase, MaxPool]
    stairs, pool = graph.ops[-2:]
    assert isinstance(stairs, Staircase) and isinstance(pool, MaxPool)
    assert stairs.descending.tolist() == [False, True, False, True]
    assert pool.minimum.tolist() == [False]


def test_pool_before_the_norm_is_a_minimum_where_the_norm_falls() -> None:
    net = Net(1, 6, 6).black().conv(4, 1, 3, 3).add("MaxPool", kernel_shape=[2, 2])
    graph = same(net.norm([1, -1, 0, -2], [0.1] * 4).sign().model())
    assert kinds(graph) == [Staircase, Conv, Staircase, MaxPool]
    pool = graph.ops[-1]
    assert isinstance(pool, MaxPool) and pool.minimum.tolist() == [False, True, False, True]
    assert pool.dtype == BIPOLAR


def test_two_pools_in_one_chain() -> None:
    net = Net(1, 8, 8).black().conv(3, 1, 2, 2).add("MaxPool", kernel_shape=[2, 2])
    net.norm([1, -1, -1], [0.2] * 3).add("MaxPool", kernel_shape=[3, 1], pads=[1, 0, 1, 0])
    graph = same(net.norm([-1, -1, 1], [0.2] * 3).quant(0.5, 2, signed=1).model())
    assert kinds(graph) == [Staircase, Conv, Staircase, MaxPool, MaxPool]
    assert [op.minimum.tolist() for op in graph.ops if isinstance(op, MaxPool)] == [
        [True, False, True],
        [True, True, False],
    ]


def test_pool_of_levels() -> None:
    net = Net(1, 6, 6).black().conv(4, 1, 3, 3).quant(1.0, 2).add("Neg")
    graph = same(net.add("MaxPool", kernel_shape=[2, 2]).norm([1, 1, 1, 1]).sign().model())
    assert kinds(graph) == [Staircase, Conv, Staircase, MaxPool]  # one staircase for both
    net = Net(1, 6, 6).black().conv(4, 1, 3, 3).quant(1.0, 2).add("Neg")
    graph = same(net.add("MaxPool", kernel_shape=[2, 2]).conv(3, 4, 1, 1).model())
    pool = first(graph, MaxPool)
    assert isinstance(pool, MaxPool) and pool.minimum.tolist() == [True]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_pool_of_sums_at_the_end(sign: float) -> None:
    net = Net(2, 6, 6).black().conv(4, 2, 3, 3).add("Mul", sign).add("GlobalMaxPool")
    graph = same(net.add("Flatten").model())
    pool = graph.ops[-1]
    assert isinstance(pool, MaxPool) and pool.minimum.tolist() == [sign < 0]
    labels = import_model(net.model(), name="m", output=Output.LABEL)
    assert labels.output == "label"


def test_pool_before_a_norm_of_every_element() -> None:
    """What follows differs by position, so the pool stays on the sums."""
    net = Net(1, 6, 6).black().conv(2, 1, 3, 3).add("MaxPool", kernel_shape=[2, 2]).add("Flatten")
    gamma = np.where(np.arange(18) % 3, 1, -1)
    graph = same(
        net.norm(gamma, np.linspace(-1, 1, 18)).sign().add("MatMul", np.ones((18, 2))).model()
    )
    assert kinds(graph) == [Staircase, Conv, MaxPool, Staircase, Dense]
    stairs = graph.ops[-2]
    assert isinstance(stairs, Staircase) and stairs.vectors == 1  # a channel rises and falls
    assert stairs.descending.sum() == 6


def test_norm_of_every_element_that_rises_keeps_the_image() -> None:
    net = (
        Net(1, 5, 5)
        .black()
        .conv(2, 1, 3, 3)
        .add("Flatten")
        .norm(np.ones(18), np.linspace(-1, 1, 18))
    )
    stairs = same(net.sign().add("MatMul", np.ones((18, 2))).model()).ops[-2]
    assert isinstance(stairs, Staircase) and stairs.vectors == 9 and stairs.classes > 1


@pytest.mark.parametrize("included", [0, 1])
@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 0, 2, 1]])
def test_average_of_levels(included: int, pads: list[int]) -> None:
    """The sum of exact floats is exact, and the division is onnxruntime's own."""
    net = (
        Net(1, 7, 7)
        .quant(0.125, 3)
        .add(
            "AveragePool",
            kernel_shape=[3, 3],
            strides=[2, 1],
            pads=pads,
            count_include_pad=included,
        )
    )
    graph = same(net.add("Mul", 3.0).quant(0.25, 4).model())
    assert kinds(graph) == [Staircase, SumPool, Staircase]
    _, pool, stairs = graph.ops[1:]
    assert isinstance(pool, SumPool) and isinstance(stairs, Staircase)
    assert (pool.factors is not None) == (any(pads) and not included)
    assert len(stairs.thresholds) == 1, "of fewer taps at the border, too"


SUMS = np.random.default_rng(6).integers(0, 176, (9, 2 * 36))  # of 25 taps up to 7


def hardware_is_the_graph(graph: Graph) -> None:
    frames = np.random.default_rng(6).integers(0, 256, (9, int(np.prod(graph.input_shape))))
    host = frames if graph.host_part is None else Interpreter(graph.host_part).run(frames)
    np.testing.assert_array_equal(lower(graph).run(host), Interpreter(graph).run(host))


def test_mean_of_an_odd_image_is_one_line() -> None:
    """The last row and column divide by 2, the corner by 1: no thresholds of their own."""
    net = Net(64, 7, 7).quant(1.0, 8)
    net.add(
        "AveragePool",
        kernel_shape=[2, 2],
        strides=[2, 2],
        pads=[0, 0, 1, 1],
        count_include_pad=0,
    )
    graph = same(net.quant(1.0, 8).conv(2, 64, 1, 1).model(divisor=1.0))
    pool = first(graph, SumPool)
    assert isinstance(pool, SumPool) and pool.factors is not None
    assert pool.factors.reshape(4, 4).tolist() == [[1, 1, 1, 2]] * 3 + [[2, 2, 2, 4]]
    units = {type(i.unit): i.unit for i in lower(graph).instances}
    assert Thresholds not in units and units[Rescale].elements == 64
    assert units[SumPoolUnit].memory_shapes()[0].depth == 4
    hardware_is_the_graph(graph)


def test_long_factors_stay_thresholds_by_class() -> None:
    net = Net(2, 6, 6).quant(0.125, 3)
    net.add("AveragePool", kernel_shape=[5, 5], pads=[2] * 4, count_include_pad=0)
    graph = same(net.quant(0.125, 3).conv(1, 2, 1, 1).model())
    assert isinstance(pool := first(graph, SumPool), SumPool) and pool.factors is None
    stairs = graph.ops[-2]
    assert isinstance(stairs, Staircase) and stairs.classes == 6  # 9, 12, 15, 16, 20 or 25 taps
    unit = next(i.unit for i in lower(graph).instances if i.name == stairs.name)
    assert isinstance(unit, Thresholds) and (unit.classes, unit.elements) == (6, 2)
    np.testing.assert_array_equal(unit.by_element.run(SUMS)[0], unit.run(SUMS)[0])
    hardware_is_the_graph(graph)


def test_average_of_signs_and_sums() -> None:
    net = Net(2, 6, 6).black().conv(4, 2, 3, 3, bias=[0.5, -1, 3, 0.25])
    graph = same(net.add("AveragePool", kernel_shape=[3, 3]).norm([1, -1, 2, 1]).sign().model())
    assert kinds(graph) == [Staircase, Conv, SumPool, Staircase]
    net = Net(1, 6, 6).black().add("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 0, 0])
    assert kinds(same(net.sign().model())) == [Staircase, SumPool, Staircase]


def test_average_of_padded_offsets() -> None:
    """Floats of pixels with an offset, of which a padded tap has none."""
    net = Net(1, 6, 6).add("AveragePool", kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)
    graph = same(net.quant(0.125, 3, signed=1).model(mean=0.75))
    stairs = graph.ops[-1]
    assert isinstance(stairs, Staircase) and stairs.classes == 3  # 4, 6 or 9 taps


@pytest.mark.parametrize("value", [0.0, 0.375])
def test_average_counts_an_explicit_pad(value: float) -> None:
    net = Net(1, 6, 6).quant(0.125, 3).add("Pad", np.array([0, 0, 1, 1, 0, 0, 1, 0]), value)
    net.add("AveragePool", kernel_shape=[3, 3], strides=[2, 2]).quant(0.125, 3)
    assert kinds(same(net.model())) == [Staircase, SumPool, Staircase]


def test_average_of_a_norm_is_nearest() -> None:
    """Rounded floats before an average: the integer sum says the same to float32's precision."""
    net = Net(2, 6, 6).black().conv(3, 2, 3, 3).norm([0.3, -1.7, 0.9], [0.1, 0.2, 0.3])
    graph = import_model(net.add("GlobalAveragePool").add("Flatten").model(), name="m")
    assert kinds(graph) == [Staircase, Conv, SumPool]


@pytest.mark.parametrize("operator", ["ReduceMean", "ReduceMax", "ReduceSum"])
@pytest.mark.parametrize("last", [False, True])
def test_reduction_of_an_image(operator: str, last: bool) -> None:
    net = Net(2, 5, 5, style="new").black().conv(3, 2, 3, 3)
    if last:
        net.add("Transpose", perm=[0, 2, 3, 1])
    net.add(operator, np.array([1, 2] if last else [2, -1]), keepdims=0)
    assert kinds(same(net.model()))[-1] == (MaxPool if operator == "ReduceMax" else SumPool)


def test_pool_of_a_padded_image() -> None:
    """0 around what ReLU gives is never greater than what is there."""
    net = Net(1, 5, 5).black().conv(2, 1, 3, 3).quant(1.0, 2)
    net.add("Pad", np.array([0, 0, 1, 1, 0, 0, 0, 0]), 0.0).add("MaxPool", kernel_shape=[2, 2])
    pool = same(net.model()).ops[-1]
    assert isinstance(pool, MaxPool) and pool.window.padding == (1, 1, 0, 0)
