# SPDX-License-Identifier: Apache-2.0
"""A hardened network is the trained one: the same function, of signs and norms alone."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

import brevitas.nn as qnn  # noqa: E402
from torch import nn  # noqa: E402

from hwbnn.errors import ModelError  # noqa: E402
from hwbnn.train.binary import Scale, SurrogateSign, binary_activation, binary_weight  # noqa: E402
from hwbnn.train.harden import UnitStep, harden  # noqa: E402
from hwbnn.train.layers import Dense, Multiply, Residual, Shift  # noqa: E402
from hwbnn.train.method import binary_layers  # noqa: E402
from hwbnn.train.methods import METHODS, method  # noqa: E402
from hwbnn.train.quantizers import BinaryActivation, BinaryWeight, EightBitWeight  # noqa: E402
from tests.train.nets import CHAINS, GRAPHS, made, pixels, trained_looking  # noqa: E402

BINARY = sorted(METHODS.keys() - {"float32"})


def sign() -> nn.Module:
    return SurrogateSign(lambda x: (x.abs() <= 1).float())


def scaled_conv(fan_in: int, fan_out: int, scale: Scale, **options: object) -> nn.Module:
    layer = qnn.QuantConv2d(
        fan_in, fan_out, 3, bias=False, weight_quant=binary_weight(sign, scale=scale), **options
    )
    return trained_looking(layer)


def scaled_sign(alpha: float, *, unit_step: bool = False) -> nn.Module:
    quantizer = binary_activation(sign, scale=Scale.LAYER, unit_step=unit_step)
    layer = qnn.QuantIdentity(act_quant=quantizer).eval()
    (value,) = layer.parameters()
    value.data.fill_(alpha)
    return layer


def scales(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, Multiply)]


@torch.no_grad()
def check(model: nn.Module, x: torch.Tensor, *, close: float = 1e-5) -> nn.Module:
    model.eval()
    hard = harden(model)
    expected, found = model(x), hard(x)
    assert float((found - expected).abs().max() / expected.abs().max()) < close
    return hard


def pairs() -> list[object]:
    every = [(how, name) for how in BINARY for name in sorted(CHAINS | GRAPHS)]
    return [
        pytest.param(how, name, marks=[] if name == "mlp" else pytest.mark.slow)
        for how, name in every
    ]


@pytest.mark.parametrize(("how", "name"), pairs())
def test_every_method_in_every_network(how: str, name: str) -> None:
    model = made(name, method(how))
    x = torch.from_numpy(pixels(model.image).astype(np.float32) / np.float32(255.0))
    hard = check(model, x, close=2e-5)
    assert len(hard.binary_layers()) == len(model.binary_layers()) > 0
    for layer in binary_layers(hard):
        assert bool((layer.weight.abs() == 1).all())
        assert torch.equal(layer.weight, layer.quant_weight().value)


def test_the_model_itself_stays() -> None:
    model = made("cnn", method("trained-binarization")).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    harden(model)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("scale", [Scale.LAYER, Scale.FILTER])
def test_a_norm_takes_up_the_scales(scale: Scale) -> None:
    model = nn.Sequential(
        scaled_sign(0.37),
        scaled_conv(3, 4, scale),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.BatchNorm2d(4),
        scaled_sign(1.7),
        nn.AvgPool2d(2),
    )
    hard = check(trained_looking(model), torch.randn(5, 3, 10, 10))
    assert len(scales(hard)) == 1 and isinstance(hard[-1], Multiply)  # of the last sign


def test_a_scale_without_a_norm_becomes_a_factor() -> None:
    model = nn.Sequential(scaled_sign(0.5), scaled_conv(3, 4, Scale.FILTER), nn.Flatten())
    hard = check(model, torch.randn(5, 3, 6, 6))
    assert [type(layer) for layer in hard][2:] == [Multiply, nn.Flatten]


def test_residual_and_dense_bodies_end_with_their_scale() -> None:
    body = nn.Sequential(scaled_sign(0.6), scaled_conv(4, 4, Scale.FILTER, padding=1))
    for block in (Residual(body, nn.Sequential()), Dense(body)):
        hard = check(nn.Sequential(block), torch.randn(5, 4, 6, 6))
        assert isinstance(hard.body[-1], Multiply)
        assert hard.body[-1].factor.shape == (4,)


def test_equal_scales_go_on_behind_a_residual() -> None:
    body, shortcut = (nn.Sequential(scaled_sign(0.6)) for _ in range(2))
    model = nn.Sequential(Residual(body, shortcut), nn.BatchNorm2d(3))
    hard = check(trained_looking(model), torch.randn(5, 3, 4, 4), close=1e-6)
    assert all(isinstance(m.body, nn.Sequential) for m in hard.modules() if isinstance(m, Residual))


def test_zeros_and_ones_are_a_sign_and_half() -> None:
    model = nn.Sequential(
        scaled_sign(0.8, unit_step=True), scaled_conv(3, 4, Scale.LAYER, padding=1)
    )
    hard = check(model, torch.randn(5, 3, 6, 6))
    assert [type(layer) for layer in hard][1:] == [UnitStep, qnn.QuantConv2d, Multiply]
    assert bool((hard[0](torch.tensor([-1.0, 0.0])) == torch.tensor([-1.0, 1.0])).all())


def test_thresholds_go_into_the_norm_or_stay() -> None:
    first, second = Shift(3), Shift(4)
    first.shift.data.normal_()
    second.shift.data.normal_()
    conv = scaled_conv(3, 4, Scale.LAYER)
    model = nn.Sequential(nn.BatchNorm2d(3), first, scaled_sign(1.3), conv, second)
    hard = check(trained_looking(model), torch.randn(5, 3, 6, 6))
    kinds = [type(layer) for layer in hard]
    assert kinds == [nn.BatchNorm2d, qnn.QuantIdentity, qnn.QuantConv2d, Shift, Multiply]


def test_a_bias_stands_behind_exact_sums() -> None:
    dense = qnn.QuantLinear(6, 4, bias=True, weight_quant=EightBitWeight)
    hard = check(nn.Sequential(scaled_sign(0.3), dense), torch.randn(5, 6))
    assert [type(layer) for layer in hard][1:] == [qnn.QuantLinear, Shift, Multiply]
    assert hard[1].bias is None


def test_constant_padding_is_scaled_back() -> None:
    model = nn.Sequential(
        scaled_sign(0.25), nn.ConstantPad2d(1, -1.0), scaled_conv(2, 3, Scale.FILTER)
    )
    hard = check(model, torch.randn(4, 2, 5, 5))
    assert hard[1].value == -4.0


def test_a_negative_trained_scale_flips_nothing() -> None:
    # Brevitas takes |alpha| of a trained parameter; so must what is exported.
    conv = scaled_conv(3, 4, Scale.FILTER)
    for parameter in conv.weight_quant.parameters():
        parameter.data[::2] *= -1
    model = nn.Sequential(scaled_sign(-0.7), conv, nn.BatchNorm2d(4))
    hard = check(trained_looking(model), torch.randn(5, 3, 6, 6))
    assert bool((hard[1].weight == torch.where(conv.weight >= 0, 1.0, -1.0)).all())


def test_modules_with_a_forward_of_their_own() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sign = scaled_sign(0.9)
            self.conv = scaled_conv(3, 3, Scale.FILTER, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(self.sign(x)) + x

    check(Own(), torch.randn(4, 3, 5, 5))


def refusal(model: nn.Module) -> tuple[str, ...]:
    with pytest.raises(ModelError) as caught:
        harden(model)
    return caught.value.problems


def test_float_networks_are_refused() -> None:
    problems = refusal(made("mlp", method("float32")))
    assert len(problems) == 3
    assert problems[0] == (
        "features.3: weights must be binary or of 8 bits, not float32; train the network with a "
        "method that quantizes: float32 is there to measure by, and cannot be exported"
    )


def test_unknown_layers_are_named_by_their_path() -> None:
    inner = nn.Sequential(nn.Softplus(), Residual(nn.Sequential(nn.GELU()), nn.Sequential()))
    first, second = refusal(nn.Sequential(nn.Flatten(), inner))
    assert first.startswith(
        "1.0: layer must be one that can be exported, not Softplus; build it of hwbnn.train.layers"
    )
    assert second.startswith("1.1.body.0: layer must be one that can be exported, not GELU; ")
    (plain,) = refusal(nn.Sequential(nn.Conv2d(1, 1, 3)))
    assert plain.startswith("0: layer must be one that can be exported, not Conv2d; ")


def test_other_refusals() -> None:
    norm = nn.BatchNorm1d(3, track_running_stats=False)
    assert refusal(nn.Sequential(norm))[0].startswith("0: norm must have running statistics, ")
    conv = scaled_conv(3, 4, Scale.FILTER)
    next(conv.weight_quant.parameters()).data[2] = 0.0
    assert refusal(nn.Sequential(conv))[0].startswith(
        "0: weights of output 2 must be minus and plus one scale above 0, not of magnitudes 0 to 0;"
    )
    soft = qnn.QuantIdentity(act_quant=binary_activation(nn.Tanh))
    assert refusal(nn.Sequential(soft))[0].startswith(
        "0: 1-bit activations must be a sign times one scale above 0, or {0, 1} times it, with the "
        "step at 0, not -0.999329, -0.761594, "
    )
    quantized = qnn.QuantLinear(
        3, 2, bias=False, weight_quant=BinaryWeight, input_quant=BinaryActivation
    )
    assert refusal(nn.Sequential(quantized))[0].startswith("0: input_quant must be None, not ")
