# SPDX-License-Identifier: Apache-2.0
"""What import refuses of convolutional networks, with the whole text."""

from collections.abc import Callable

import numpy as np
import pytest

from hwbnn.errors import ModelError
from hwbnn.frontend import import_model
from tests.frontend.net import Net

AGAIN = "export the model again"


def black(*shape: int) -> Net:
    return Net(*(shape or (2, 6, 6))).black()


def padded(*amounts: int, value: float = 0.0) -> Net:
    return black().add("Pad", np.array(amounts), value)


def signs(net: Net) -> Net:
    return net.conv(2, 2, 3, 3).sign()


AROUND = (0, 0, 1, 1, 0, 0, 1, 1)
REFUSED: dict[str, tuple[Callable[[], Net], str]] = {
    "3D": (
        lambda: black(2, 4, 4, 4).conv(2, 2, 3, 3, 3),
        "Conv_2 (Conv): weights must be a float32 kernel of one or two axes, not 2 x 2 x 3 x 3 x 3 "
        "float32; use a 1D or 2D layer",
    ),
    "3D pool": (
        lambda: black(2, 4, 4, 4).add("MaxPool", kernel_shape=[2, 2, 2]),
        "MaxPool_2 (MaxPool): input must be an image (channels, rows, columns) or a sequence "
        "(channels, steps), not 2 x 4 x 4 x 4; use a 2D or 1D layer",
    ),
    "axes": (
        lambda: black().add("MaxPool", kernel_shape=[2]),
        "MaxPool_2 (MaxPool): kernel must have as many axes as its input, 2, not 1; "
        + AGAIN,
    ),
    "stride": (
        lambda: black().conv(2, 2, 3, 3, strides=[0, 1]),
        "Conv_2 (Conv): kernel, strides and dilations must be positive and padding not negative; "
        + AGAIN,
    ),
    "large kernel": (
        lambda: black().conv(2, 2, 3, 3, dilations=[3, 1]),
        "Conv_2 (Conv): kernel must fit the padded image, not 7 x 3 in 6 x 6; choose a smaller "
        "kernel or a larger image",
    ),
    "padded twice": (
        lambda: padded(*AROUND, value=1.0).conv(2, 2, 3, 3, pads=[1, 1, 1, 1]),
        "Conv_3 (Conv): image must be padded once, not by a Pad with 1 and again; put all padding "
        "into one of the two",
    ),
    "average padded twice": (
        lambda: padded(*AROUND).add("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        "AveragePool_3 (AveragePool): image must be padded once, not by a Pad and again; put all "
        "padding into one of the two, or set count_include_pad",
    ),
    "two pads": (
        lambda: padded(*AROUND, value=1.0).add("Pad", np.array(AROUND), -1.0).conv(2, 2, 3, 3),
        "Pad_3 (Pad): image must be padded with one value, not 1 and -1; use one Pad",
    ),
    "same with dilation": (
        lambda: black().conv(2, 2, 3, 3, dilations=[2, 2], auto_pad="SAME_UPPER"),
        "Conv_2 (Conv): padding must be written out where auto_pad is SAME_UPPER and dilations are "
        "not 1; export the model with pads",
    ),
    "ceil": (
        lambda: black().add(
            "AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, count_include_pad=1
        ),
        "AveragePool_2 (AveragePool): count_include_pad must be 0 where ceil_mode leaves a window "
        "that is not full; set it to False",
    ),
    "order": (
        lambda: signs(black()).add("Transpose", perm=[0, 1, 3, 2]).conv(2, 2, 3, 3),
        "Conv_5 (Conv): input must be an image as the layer before it gives it, not one that is "
        "reshaped or transposed in between; take that out",
    ),
    "vector": (
        lambda: black().add("Flatten").add("MatMul", np.ones((72, 4))).sign()
        .add("Reshape", np.array([1, 1, 2, 2])).conv(2, 1, 2, 2),
        "Conv_6 (Conv): input must be an image as the layer before it gives it, not one that is "
        "reshaped or transposed in between; take that out",
    ),
    "groups": (
        lambda: black().conv(3, 1, 3, 3, group=2),
        "Conv_2 (Conv): group must divide 2 channels and 3 outputs, not 2; " + AGAIN,
    ),
    "channels": (
        lambda: black().conv(2, 3, 3, 3),
        "Conv_2 (Conv): weights must have 2 channels, not 3; " + AGAIN,
    ),
    "bias": (
        lambda: black().conv(2, 2, 3, 3, bias=[1.0, 2.0, 3.0]),
        "Conv_2 (Conv): bias must have 2 elements, not 3; " + AGAIN,
    ),
    "sums": (
        lambda: black().conv(2, 2, 3, 3).conv(2, 2, 3, 3),
        "Conv_3 (Conv): input must be quantized, not the sums of the layer before; put a "
        "QuantIdentity or QuantReLU between the layers",
    ),
    "float weights": (
        lambda: black().add("Conv", np.linspace(0, 1, 36).reshape(2, 2, 3, 3)),
        "Conv_2 (Conv): weights c2 must be quantized, not float32; train it with Brevitas "
        "(QuantLinear, QuantConv2d) and export it with brevitas.export.export_qonnx",
    ),
    "average of a curve": (
        lambda: black().conv(2, 2, 3, 3).add("Relu").add("GlobalAveragePool"),
        "GlobalAveragePool_4 (GlobalAveragePool): input must be integers times a scale plus an "
        "offset; put a quantizer before the pool",
    ),
    "average of other scales": (
        lambda: black().conv(2, 2, 3, 3).add("Mul", np.arange(1, 33).reshape(1, 2, 4, 4) * 1.0)
        .add("GlobalAveragePool"),
        "GlobalAveragePool_4 (GlobalAveragePool): input must have one scale at all positions of a "
        "channel; put a quantizer before the pool",
    ),
    "pool of other functions": (
        lambda: black().conv(2, 2, 3, 3).add("Mul", np.arange(1, 33).reshape(1, 2, 4, 4) * 1.0)
        .add("GlobalMaxPool"),
        "GlobalMaxPool_4 (GlobalMaxPool): what it pools must be one rising or falling function of "
        "the layer before it at all positions of a channel; put a quantizer before the pool",
    ),
    "signs by position": (
        lambda: black().conv(2, 2, 3, 3).add("Mul", np.resize([1.0, -2.0, 3.0], (1, 2, 4, 4)))
        .sign().conv(2, 2, 2, 2),
        "Conv_5 (Conv): input must rise, or fall, with the sums before it at all positions of a "
        "channel alike; take out the factor whose sign differs between positions",
    ),
    "signs by position in a pool": (
        lambda: black().conv(2, 2, 3, 3).add("Mul", np.resize([1.0, -2.0, 3.0], (1, 2, 4, 4)))
        .add("MaxPool", kernel_shape=[2, 2]).sign().add("Flatten").add("MatMul", np.ones((18, 2))),
        "MaxPool_4 (MaxPool): input must rise, or fall, with the sums before it at all positions "
        "of a channel alike; take out the factor whose sign differs between positions",
    ),
    "table by position": (
        lambda: black().conv(2, 2, 3, 3).add("Add", np.arange(32).reshape(1, 2, 4, 4) * 1.0)
        .add("Abs").add("Sub", 5.0).sign().conv(2, 2, 2, 2),
        "BipolarQuant_6 (BipolarQuant): what it quantizes must be one function of the sum at all "
        "positions of a channel, or rise or fall with it; take out Abs_4 (Abs)",
    ),
    "outside": (
        lambda: black().add("MaxPool", kernel_shape=[2, 2], dilations=[7, 7], pads=[1, 1, 1, 1]),
        "MaxPool_2 (MaxPool): every window must hold a part of the image; pad less",
    ),
    "pad before a flatten": (
        lambda: padded(*AROUND).add("Flatten"),
        "Flatten_3 (Flatten): must not follow a Pad; put the Pad straight before a convolution or "
        "a pool",
    ),
    "pad by reflection": (
        lambda: black().add("Pad", np.array(AROUND), mode="reflect").conv(2, 2, 3, 3),
        "Pad_2 (Pad): must put a constant around images, not reflect [0, 0, 1, 1, 0, 0, 1, 1]; use "
        "constant padding of rows and columns",
    ),
    "pad of channels": (
        lambda: padded(0, 1, 0, 0, 0, 1, 0, 0).conv(2, 4, 3, 3),
        "Pad_2 (Pad): must put a constant around images, not constant [0, 1, 0, 0, 0, 1, 0, 0]; "
        "use constant padding of rows and columns",
    ),
    "pad that wins": (
        lambda: padded(*AROUND, value=3.0).add("MaxPool", kernel_shape=[2, 2]),
        "MaxPool_3 (MaxPool): the Pad before it must put a quantizer's least value around the "
        "image, or less, not 3; use the pool's own padding",
    ),
    "pad by channel": (
        lambda: padded(*AROUND, value=1.0).norm([1, 2]).sign().conv(2, 2, 3, 3).norm([1, 1])
        .sign(),
        "BatchNormalization_3 (BatchNormalization): padded values must stay one value in all "
        "channels; put the Pad behind it",
    ),
    "reduced channels": (
        lambda: black().conv(2, 2, 3, 3).add("ReduceMean", axes=[1]),
        "ReduceMean_3 (ReduceMean): must reduce all positions of an image and nothing else, not "
        "axes [1]; reduce the rows and columns",
    ),
    "windows alone": (
        lambda: black().add("Transpose", perm=[0, 2, 3, 1]).custom(
            "Im2Col", stride=[1, 1], kernel_size=[3, 3], input_shape="(1,6,6,2)").sign(),
        "BipolarQuant_4 (BipolarQuant): must be a MatMul behind Im2Col; keep FINN's lowering as it "
        "is",
    ),
    "matrix of windows": (
        lambda: black().add("Transpose", perm=[0, 2, 3, 1]).custom(
            "Im2Col", stride=[1, 1], kernel_size=[3, 3], input_shape="(1,6,6,2)"
        ).add("MatMul", np.ones((17, 3))),
        "MatMul_4 (MatMul): weights must be a matrix of rows for 9 taps, not 17 x 3; " + AGAIN,
    ),
    "transposed convolution": (
        lambda: black().add("ConvTranspose", np.ones((2, 2, 3, 3))),
        "ConvTranspose_2 (ConvTranspose): operator must be a convolution, a dense layer, a pool, "
        "elementwise or a quantizer, not a transposed convolution; this is not in this version, "
        "build the network without it",
    ),
    "foreign": (
        lambda: black().add("InstanceNormalization", np.ones(2), np.ones(2)),
        "InstanceNormalization_2 (InstanceNormalization): operator must be a convolution, a dense "
        "layer, a pool, elementwise or a quantizer, not InstanceNormalization; replace it, or "
        "leave it to the host",
    ),
}  # fmt: skip


def message(net: Net) -> str:
    net.image = False
    with pytest.raises(ModelError) as error:
        import_model(net.model(), name="m")
    return str(error.value).split("\n")[0]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, text = REFUSED[name]
    assert message(make()) == text


def test_image_of_several_channels_at_the_end() -> None:
    assert message(signs(black())) == (
        "m: output must have the order of the last layer's outputs (of an image, channels last); "
        "take out the transpose at the end, or end with a pool of the whole image or a dense layer"
    )


def test_weights_that_are_the_image() -> None:
    net = black(2, 3, 3)
    net.x = net.build.node("Conv", net.constant(np.ones((1, 2, 5, 5))), net.x)
    assert message(net) == (
        "Conv_2 (Conv): weights must be constant and the second input, not computed; export the "
        "model again"
    )


def test_amounts_of_padding_that_are_not_there() -> None:
    net = black()
    net.x = net.build.node("Pad", net.x, "", net.constant(0.0))
    assert message(net.conv(2, 2, 3, 3)) == (
        "Pad_2 (Pad): amounts and value must be constants; export the model with fixed image sizes"
    )


def test_two_layouts_of_the_pixels() -> None:
    net = black()
    pixels = net.x
    net.conv(2, 2, 3, 3).sign()
    net.x = pixels
    net.add("Transpose", perm=[0, 1, 3, 2]).conv(2, 2, 3, 3)
    assert message(net) == (
        "Conv_5 (Conv): the model's input must be one image to all its layers, not several; use "
        "one layout"
    )
