# SPDX-License-Identifier: Apache-2.0
"""Every network trains on small images by any method, and refuses images that are too small."""

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from hwbnn.errors import ConfigError  # noqa: E402
from hwbnn.train.binary import Scale, SurrogateSign, binary_activation  # noqa: E402
from hwbnn.train.layers import Dense, Residual, Shift, activation, clip8, relu8  # noqa: E402
from hwbnn.train.methods import method  # noqa: E402
from hwbnn.train.networks import NETWORKS, Network  # noqa: E402
from hwbnn.train.networks.alexnet import BnnAlexNet, XnorAlexNet  # noqa: E402
from hwbnn.train.networks.densenet import (  # noqa: E402
    BINARY_DENSE_NETS,
    Transition,
    depth_for_width,
)
from hwbnn.train.networks.dorefa import DoReFa  # noqa: E402
from hwbnn.train.networks.resnet_e import RESNETES, Downsample  # noqa: E402
from hwbnn.train.networks.vgg_small import VggSmall  # noqa: E402

STE, FLOAT = method("ste"), method("float32")
CLASSES = 5
DENSE = {net.name: replace(net, growth=4, first=4, multiple=4) for net in BINARY_DENSE_NETS}
RESIDUAL = {net.name: replace(net, width=1 / 16) for net in RESNETES}
NARROW = {
    "vgg-small": VggSmall(width=1 / 16),
    "alexnet": XnorAlexNet(width=1 / 16),
    "alexnet-bnn": BnnAlexNet(width=1 / 16),
    "dorefa": DoReFa(width=1 / 8),
    **DENSE,
    **RESIDUAL,
}
# As above, with one or two layers in each block.
SHORT = {
    name: replace(net, blocks=(2, 1, 1, 1)) if name in DENSE | RESIDUAL else net
    for name, net in NARROW.items()
}
LEAST = {"vgg-small": 8, "alexnet": 15, "alexnet-bnn": 15, "dorefa": 24}
OPTIONS = {
    "binary transitions": replace(
        SHORT["binarydensenet28"], transition=Transition.BINARY, name="binary transitions"
    ),
    "binary downsampling": replace(
        SHORT["resnete18"], downsample=Downsample.BINARY, name="binary downsampling"
    ),
    "13x256": replace(depth_for_width(13), growth=4, first=4, multiple=4),
}


@pytest.fixture(autouse=True)
def _one_thread_and_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(5)


def trained(net: Network, x: torch.Tensor, steps: int = 1) -> float:
    """Take gradient steps; return the last loss."""
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    labels = torch.arange(len(x)) % CLASSES
    for _ in range(steps):
        optimizer.zero_grad()
        loss = functional.cross_entropy(net.train()(x) * net.logit_scale, labels)
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_all_that_are_promised() -> None:
    assert set(NARROW) <= set(NETWORKS)
    images = {NETWORKS[name].image for name in (*DENSE, *RESIDUAL, "alexnet", "alexnet-bnn")}
    assert images == {(3, 224, 224)}
    assert NETWORKS["vgg-small"].image == (3, 32, 32)
    assert NETWORKS["dorefa"].image == (3, 40, 40)


@pytest.mark.slow
@pytest.mark.parametrize("how", [STE, FLOAT], ids=str)
@pytest.mark.parametrize("name", NARROW | OPTIONS)
def test_forward_and_backward(name: str, how) -> None:
    net = (NARROW | OPTIONS)[name].build(how, (1, 28, 28), CLASSES)
    loss = trained(net, torch.rand(4, 1, 28, 28))
    assert math.isfinite(loss)
    for parameter, value in net.named_parameters():
        if value.requires_grad:
            assert value.grad is not None, parameter
            assert torch.isfinite(value.grad).all(), parameter
    first = next(iter(net.parameters()))
    assert float(first.grad.abs().max()) > 0
    x = torch.rand(3, 1, 28, 28)
    with torch.no_grad():
        once, again, alone = net.eval()(x), net(x), net(x[1:2])
    assert once.shape == (3, CLASSES)
    assert torch.equal(once, again)
    assert torch.allclose(once[1:2], alone, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "vgg-small",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("binarydensenet28", "resnete18")),
    ],
)
def test_learns_four_images(name: str) -> None:
    net = SHORT[name].build(STE, (1, 16, 16), CLASSES)
    x = torch.rand(4, 1, 16, 16)
    before = trained(net, x)
    assert trained(net, x, steps=40) < 0.6 * before


@pytest.mark.slow
@pytest.mark.parametrize("name", NARROW)
def test_images_that_are_too_small(name: str) -> None:
    least = LEAST.get(name, 8)
    for image in ((3, least - 1, 64), (3, 64, least - 1)):
        message = (
            f"^{name}: images must be at least {least}x{least}, not {image[1]}x{image[2]}; "
            "choose another data set with --data, or another network$"
        )
        with pytest.raises(ConfigError, match=message):
            SHORT[name].build(STE, image, CLASSES)
    net = SHORT[name].build(STE, (3, least, least), CLASSES).eval()
    with torch.no_grad():
        assert net(torch.rand(2, 3, least, least)).shape == (2, CLASSES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("image", [(1, 24, 33), (2, 63, 51), (3, 50, 62)])
def test_any_image_that_is_large_enough(name: str, image: tuple[int, int, int]) -> None:
    net = SHORT[name].build(STE, image, CLASSES).eval()
    with torch.no_grad():
        assert net(torch.rand(2, *image)).shape == (2, CLASSES)


def places(module: nn.Module) -> Iterator[nn.Module]:
    """The layers as a later pass walks them: into rows, sums and concatenations only."""
    match module:
        case nn.Sequential():
            for child in module:
                yield from places(child)
        case Residual():
            yield module
            yield from places(module.body)
            yield from places(module.shortcut)
        case Dense():
            yield module
            yield from places(module.body)
        case _:
            yield module


def layout(module: nn.Module) -> list[str]:
    return [type(place).__name__ for place in places(module)]


LEAVES = {
    "Centre", "QuantIdentity", "QuantReLU", "QuantConv2d", "QuantLinear", "BatchNorm2d",
    "BatchNorm1d", "MaxPool2d", "AvgPool2d", "Mean", "ConstantPad2d", "Flatten",
    "Dropout", "ReLU", "Residual", "Dense",
}  # fmt: skip


@pytest.mark.parametrize("name", SHORT | OPTIONS)
def test_a_pass_can_walk_it(name: str) -> None:
    net = (SHORT | OPTIONS)[name].build(STE, (3, 64, 64), CLASSES)
    assert set(layout(net.features)) <= LEAVES
    walked = {id(place) for place in places(net.features)}
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert layers and all(id(layer) in walked for layer in layers)


def test_layout_of_vgg_small() -> None:
    block = ["QuantConv2d", "BatchNorm2d", "QuantIdentity"]
    pooled = ["QuantConv2d", "MaxPool2d", "BatchNorm2d", "QuantIdentity"]
    net = NARROW["vgg-small"].build(STE, (3, 32, 32), CLASSES)
    assert layout(net.features) == [
        "Centre", "QuantIdentity", *(block + pooled) * 3, "Flatten", "QuantLinear",
    ]  # fmt: skip


def test_layout_of_alexnet() -> None:
    block = ["BatchNorm2d", "QuantIdentity", "QuantConv2d"]
    net = NARROW["alexnet"].build(STE, (3, 64, 64), CLASSES)
    assert layout(net.features) == [
        "Centre", "QuantIdentity", "QuantConv2d", "BatchNorm2d", "ReLU", "MaxPool2d",
        *block, "MaxPool2d", *block, *block, *block, "MaxPool2d",
        "BatchNorm2d", "QuantIdentity", "Flatten", "QuantLinear", "BatchNorm1d", "QuantIdentity",
        "QuantLinear", "BatchNorm1d", "QuantReLU", "QuantLinear",
    ]  # fmt: skip
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d)]
    assert all(not n.weight.requires_grad and (n.weight == 1).all() for n in norms)


def test_layout_of_a_dense_layer_and_of_a_transition() -> None:
    net = replace(DENSE["binarydensenet28"], blocks=(1, 1, 1, 1))
    dense = ["Dense", "BatchNorm2d", "ConstantPad2d", "QuantIdentity", "QuantConv2d"]
    sums = ["QuantConv2d", "QuantIdentity"]  # in fixed point
    transition = ["BatchNorm2d", "MaxPool2d", "QuantReLU", *sums]
    end = ["BatchNorm2d", "QuantReLU", "Mean", "Flatten", "QuantLinear"]
    start = ["Centre", "QuantIdentity", *sums]
    middle = [*dense, *(transition + dense) * 3, *end]
    assert layout(net.build(STE, (3, 49, 64), CLASSES).features) == [*start, *middle]
    large = ["BatchNorm2d", "QuantReLU", "MaxPool2d"]
    assert layout(net.build(STE, (3, 50, 64), CLASSES).features) == [*start, *large, *middle]


def test_only_blocks_that_are_not_dilated_are_pooled() -> None:
    net = replace(DENSE["binarydensenet37-dilated"], blocks=(1, 1, 1, 1))
    convs = [m for m in net.build(STE, (3, 32, 32), CLASSES).modules() if isinstance(m, nn.Conv2d)]
    dilations = [conv.dilation[0] for conv in convs if conv.kernel_size == (3, 3)]
    assert dilations == [1, 1, 1, 2, 4]
    walked = layout(net.build(STE, (3, 32, 32), CLASSES).features)
    assert walked.count("MaxPool2d") == 1


def test_layout_of_a_residual_layer() -> None:
    net = replace(RESIDUAL["resnete18"], blocks=(1, 1, 1, 1))
    walked = layout(net.build(STE, (3, 32, 32), CLASSES).features)
    term = ["BatchNorm2d", "QuantIdentity"]
    plain = ["Residual", "ConstantPad2d", "QuantIdentity", "QuantConv2d", *term]
    sums = ["QuantConv2d", "QuantIdentity"]  # in fixed point
    shortcut = ["AvgPool2d", "QuantIdentity", *sums, *term]
    assert walked == [
        "Centre", "QuantIdentity", *sums, *term, *plain * 2,
        *(plain + shortcut + plain) * 3,
        "QuantReLU", "Mean", "Flatten", "QuantLinear",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", NARROW)
def test_every_layer_takes_integers(name: str) -> None:
    """Inputs and weights of each layer are whole numbers of a step that is a power of two."""
    net = SHORT[name].build(STE, (3, 64, 64), CLASSES)
    trained(net, torch.rand(4, 3, 64, 64))
    seen: list[bool] = []

    def whole(layer, args, _) -> None:
        # The mean in front of a dense layer is over 4 positions, or 64 of the dilated network.
        scale = 64 if isinstance(layer, nn.Linear) else 1
        steps = args[0] * 128 * scale
        weights = layer.quant_weight().value
        _, exponent = torch.frexp(weights.abs().max())
        levels = weights * 2.0 ** (7 - exponent)
        assert steps.abs().max() <= 128 * scale * 8
        assert levels.abs().max() <= 128
        seen.append(torch.equal(steps, steps.round()) and torch.equal(levels, levels.round()))

    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers:
        layer.register_forward_hook(whole)
    with torch.no_grad():
        net.eval()(torch.rand(2, 3, 64, 64))
    assert seen == [True] * len(layers)


def border(values: torch.Tensor) -> torch.Tensor:
    return torch.cat([values[..., 0, :], values[..., -1, :], values[..., 0], values[..., -1]], -1)


def test_padding_is_the_smaller_value() -> None:
    x = torch.rand(2, 3, 4, 4) + 0.5
    assert (border(activation(STE, 3, padding=1)(x)) == -1).all()
    assert (border(activation(FLOAT, 3, padding=1)(x)) == 0).all()
    shifted = activation(replace(STE, learnt_threshold=True), 3, padding=2)
    assert [type(layer) for layer in shifted][:2] == [Shift, nn.ConstantPad2d]
    nn.init.constant_(shifted[0].shift, 9.0)
    values = shifted(x)
    assert values.shape == (2, 3, 8, 8)
    assert (border(values) == -1).all() and (values[..., 2:-2, 2:-2] == 1).all()


@pytest.mark.parametrize(("unit_step", "low"), [(True, 0.0), (False, -1.0)])
def test_padding_follows_scale_and_unit_step(unit_step: bool, low: float) -> None:
    quantizer = binary_activation(
        lambda: SurrogateSign(torch.ones_like), scale=Scale.LAYER, unit_step=unit_step
    )
    made = activation(replace(STE, activation=quantizer), 3, padding=1)
    scale = made[1].act_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value
    nn.init.constant_(scale, 0.25)
    values = made(torch.rand(2, 3, 4, 4))
    assert set(values.unique().tolist()) == {0.25 * low, 0.25}
    assert (border(values) == 0.25 * low).all()


def test_steps_of_multi_bit_activations() -> None:
    x = torch.linspace(-20, 20, 40001)
    assert (relu8(STE)(x).unique() * 64).tolist() == list(range(256))
    assert (relu8(STE, top=8.0)(x).unique() * 32).tolist() == list(range(256))
    assert (clip8(STE)(x).unique() * 128).tolist() == list(range(-128, 128))
    assert (clip8(STE, top=8.0)(x).unique() * 16).tolist() == list(range(-128, 128))
    assert torch.equal(relu8(FLOAT)(x), functional.relu(x))
    assert torch.equal(clip8(FLOAT, top=8.0)(x), x.clamp(-8, 8))


def test_depth_for_width_has_three_networks() -> None:
    message = "^depth_for_width: layers must be 13, 21 or 37, not 28; choose one of them$"
    with pytest.raises(ConfigError, match=message):
        depth_for_width(28)
    assert depth_for_width(13).blocks == (2, 2, 2, 2)
    assert depth_for_width(37).name == "binarydensenet37x64"
