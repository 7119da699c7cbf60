# SPDX-License-Identifier: Apache-2.0
"""Parameters and multiply-accumulates of the networks equal the published ones."""

import copy
from dataclasses import dataclass, replace

import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

from torch import nn  # noqa: E402

from hwbnn.train.methods import method  # noqa: E402
from hwbnn.train.networks import network  # noqa: E402
from hwbnn.train.networks.counts import (  # noqa: E402
    Kind,
    LayerCount,
    count_parameters,
    macs,
)
from hwbnn.train.networks.densenet import depth_for_width  # noqa: E402
from hwbnn.train.networks.resnet_e import RESNETES, Downsample  # noqa: E402
from tests.quick import quick  # noqa: E402

IMAGENET, THUMBNAIL = (3, 224, 224), (3, 32, 32)

# Trainable parameters; with running statistics as the tables of larq_zoo print them.
PARAMETERS = {
    "binarydensenet28": (5_131_496, 5_150_504),
    "binarydensenet37": (8_702_248, 8_734_120),
    "binarydensenet37-dilated": (8_702_248, 8_734_120),
    "binarydensenet45": (13_889_512, 13_939_240),
    "resnete18": (11_689_640, 11_699_368),
    "alexnet": (62_377_440, 62_396_768),
    "alexnet-bnn": (61_838_248, 61_859_192),
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", quick(PARAMETERS, first=1))
def test_parameters_are_the_published_ones(name: str) -> None:
    with torch.device("meta"):
        net = network(name, image=IMAGENET, classes=1000)
    assert (count_parameters(net), count_parameters(net, statistics=True)) == PARAMETERS[name]


@pytest.mark.slow
def test_parameters_of_resnete34() -> None:
    with torch.device("meta"):
        net = network("resnete34", image=IMAGENET, classes=1000)
    assert f"{count_parameters(net) / 1e6:.2f}" == "21.80"


@dataclass(frozen=True)
class Row:
    """One of the table: MACs and weights as printed, in millions."""

    name: str
    image: tuple[int, int, int]
    binary: str
    others: str
    binary_weights: str


TABLE = (
    Row("binarydensenet28", IMAGENET, "3587", "202.5", "4.20"),
    Row("binarydensenet37", IMAGENET, "4507", "199.7", "7.59"),
    Row("binarydensenet45", IMAGENET, "6431", "244.1", "12.35"),
    Row("resnete18", IMAGENET, "1676", "137.8", "10.99"),
    Row("resnete34", IMAGENET, "3526", "137.8", "21.09"),
    Row("binarydensenet28", THUMBNAIL, "1171", "29.2", "4.20"),
    Row("binarydensenet37", THUMBNAIL, "1472", "28", "7.59"),
    Row("binarydensenet45", THUMBNAIL, "2100", "43", "12.35"),
    Row("resnete18", THUMBNAIL, "547", "8.1", "10.99"),
    Row("vgg-small", THUMBNAIL, "604", "3.6", "4.57"),
)


def printed(count: int, like: str) -> str:
    """The millions, with as many digits as the published number has."""
    return f"{count / 1e6:.{len(like.partition('.')[2])}f}"


def rows() -> list:
    """All of the table; the deep networks take a second or two."""
    deep = ("binarydensenet37", "binarydensenet45", "resnete34")
    return [
        pytest.param(
            row,
            id=f"{row.name}-{row.image[1]}",
            marks=[pytest.mark.slow] if row.name in deep else [],
        )
        for row in TABLE
    ]


@pytest.mark.slow
@pytest.mark.parametrize("row", rows())
def test_macs_are_the_published_ones(row: Row) -> None:
    classes = 1000 if row.image == IMAGENET else 10
    layers = macs(network(row.name, image=row.image, classes=classes), row.image)
    binary = sum(layer.macs for layer in layers if layer.binary)
    others = [layer for layer in layers if not layer.binary]
    weights = sum(layer.weights for layer in layers if layer.weight_bits == 1)
    assert printed(binary, row.binary) == row.binary
    assert printed(sum(layer.macs for layer in others), row.others) == row.others
    assert printed(weights, row.binary_weights) == row.binary_weights
    assert {(layer.input_bits, layer.weight_bits) for layer in others} == {(8, 8)}


def test_small_networks_of_one_layer_each() -> None:
    layers = macs(network("cnn-w1a1"), (1, 28, 28))
    assert layers[0] == LayerCount(
        "features.2", Kind.CONV, 8, 1, (32, 28, 28), 9 * 32, 0, 9 * 32 * 28 * 28
    )
    assert not layers[0].binary and layers[1].binary
    last = layers[-1]
    assert (last.kind, last.output_shape, last.macs) == (Kind.LINEAR, (10,), last.weights)


def test_weights_of_all_layers_are_counted() -> None:
    net = network("vgg-small", how=method("ste"), image=(1, 28, 28))
    layers = macs(net, (1, 28, 28))
    norms = sum(
        p.numel() for m in net.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()
    )
    assert sum(layer.weights + layer.biases for layer in layers) + norms == count_parameters(net)
    assert [layer.biases for layer in layers] == [0] * 6 + [10]


def test_float_networks_have_32_bits() -> None:
    layers = macs(network("vgg-small", how=method("float32"), image=(1, 16, 16)), (1, 16, 16))
    assert {layer.weight_bits for layer in layers} == {32}
    assert [layer.input_bits for layer in layers] == [8] + [32] * (len(layers) - 1)


@pytest.mark.slow
def test_counting_leaves_the_model_as_it_was() -> None:
    net = network("vgg-small", image=(1, 16, 16)).train()
    before = copy.deepcopy(net.state_dict())
    first, again = macs(net, (1, 16, 16)), macs(net, (1, 16, 16))
    assert first == again
    assert net.training
    assert all(not module._forward_hooks for module in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert {value.device.type for value in net.parameters()} == {"cpu"}


@pytest.mark.slow
def test_depth_for_width_keeps_the_weights() -> None:
    counts = []
    for layers in (13, 21, 37):
        with torch.device("meta"):
            net = depth_for_width(layers).build(method("ste"), IMAGENET, 1000)
        assert len([m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]) == layers
        counts.append(count_parameters(net))
    assert max(counts) < 1.12 * min(counts)


@pytest.mark.slow
def test_binary_downsampling_leaves_two_multi_bit_layers() -> None:
    net = replace(RESNETES[0], downsample=Downsample.BINARY, width=1 / 8)
    layers = macs(net.build(method("ste"), (3, 32, 32), 10), (3, 32, 32))
    assert [layer.binary for layer in layers] == [False] + [True] * (16 + 3) + [False]


def test_trained_thresholds_are_not_the_networks_parameters() -> None:
    plain = network("vgg-small", how=method("ste"))
    shifted = network("vgg-small", how=replace(method("ste"), learnt_threshold=True))
    assert sum(p.numel() for p in shifted.parameters()) > sum(p.numel() for p in plain.parameters())
    assert count_parameters(shifted) == count_parameters(plain)


@pytest.mark.slow
def test_a_mean_of_bits_is_no_bit() -> None:
    how = method("ste")
    quantizer = network("cnn-w1a1", how=how).features[5]
    conv = nn.Conv2d(4, 2, 1)
    assert macs(nn.Sequential(quantizer, nn.AvgPool2d(2), conv), (4, 4, 4))[0].input_bits == 32
    assert macs(nn.Sequential(quantizer, nn.MaxPool2d(2), conv), (4, 4, 4))[0].input_bits == 1
