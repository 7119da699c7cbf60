# SPDX-License-Identifier: Apache-2.0
"""The methods' derivatives equal their papers' equations; binary batch norm is BN + sign."""

import math
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

import brevitas.nn as qnn  # noqa: E402
from torch import nn  # noqa: E402

from hwbnn.errors import ModelError  # noqa: E402
from hwbnn.train.binary import binary_activation, hard_sign, within  # noqa: E402
from hwbnn.train.methods import method  # noqa: E402
from hwbnn.train.methods.approx_sign import triangle  # noqa: E402
from hwbnn.train.methods.binary_batch_norm import binary_batch_norm  # noqa: E402
from hwbnn.train.methods.bnn_plus import Regularizer, distance, swish_sign  # noqa: E402
from hwbnn.train.methods.ir_net import PowerOfTwo, ede, standardized  # noqa: E402
from hwbnn.train.methods.self_binarizing import TanhSign  # noqa: E402
from hwbnn.train.methods.trained_binarization import long_tailed  # noqa: E402
from hwbnn.train.quantizers import BinaryActivation, BinaryWeight  # noqa: E402

LINE = torch.linspace(-8.0, 8.0, 160_001, dtype=torch.float64)
STEP = 16.0 / 160_000


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def activation_gradient(how, x, *, upstream=1.0):
    """What a gradient `upstream` behind the method's activation becomes at x."""
    quantizer = qnn.QuantIdentity(act_quant=how.activation).train()
    x = x.clone().requires_grad_()
    (quantizer(x) * upstream).sum().backward()
    return x.grad, quantizer


def weight_gradient(how, upstream, *, seed=0):
    torch.manual_seed(seed)
    filters, fan_in = upstream.shape
    layer = qnn.QuantLinear(fan_in, filters, bias=False, weight_quant=how.weight).train()
    with torch.no_grad():
        layer.weight.mul_(1.5 * fan_in**0.5)  # some beyond 1
    (layer.quant_weight().value * upstream).sum().backward()
    return layer


def scale_of(quantizer):
    return quantizer.act_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value


@pytest.mark.parametrize("beta", [1.0, 5.0, 10.0])
def test_swish_sign_is_the_derivative_of_its_formula(beta):
    x = LINE.clone().requires_grad_()
    s = torch.sigmoid(beta * x)
    (2 * s * (1 + beta * x * (1 - s)) - 1).sum().backward()
    found = swish_sign(LINE, beta=beta)
    assert torch.allclose(found, x.grad, atol=1e-10)
    y = beta * LINE
    direct = beta * (2 - y * torch.tanh(y / 2)) / (1 + torch.cosh(y))
    assert torch.allclose(found, direct, atol=1e-10)


def test_swish_sign_has_the_known_numbers():
    values = swish_sign(LINE, beta=5.0)
    assert float(swish_sign(torch.zeros(1), beta=5.0)) == 5.0
    assert float(values.sum()) * STEP == pytest.approx(2.0, abs=1e-6)  # as the jump of a sign
    crossing = float(LINE[(LINE > 0) & (values < 0)][0])
    assert crossing == pytest.approx(2.3994 / 5.0, abs=2 * STEP)
    assert float(values.min()) == pytest.approx(-0.0738 * 5.0, abs=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_swish_sign_does_not_overflow(dtype):
    x = torch.tensor([200.0, -200.0, 3e4, -3e4], dtype=dtype)  # |beta x| from 1000
    assert swish_sign(x, beta=5.0).abs().max() == 0.0
    single = torch.tensor([1e38, -1e38, torch.inf])
    assert swish_sign(single, beta=5.0).tolist() == [0.0] * 3


def test_swish_sign_in_float32_is_near_the_formula():
    single = swish_sign(LINE.float(), beta=5.0)
    assert float((single.double() - swish_sign(LINE, beta=5.0)).abs().max()) < 1e-5


def test_bnn_plus_activations_and_weights_have_swish_sign():
    how = method("bnn+", trained_scales=False)
    x = torch.linspace(-2, 2, 401)
    assert torch.equal(activation_gradient(how, x)[0], swish_sign(x, beta=5.0))
    upstream = torch.randn(4, 30)
    layer = weight_gradient(how, upstream)
    assert torch.allclose(layer.weight.grad, upstream * swish_sign(layer.weight.detach(), beta=5.0))


def test_alpha_of_bnn_plus_has_the_gradient_of_the_loss():
    how = method("bnn+", regularizer="R1")
    upstream = torch.randn(6, 31)
    layer = weight_gradient(how, upstream)
    alpha = layer.weight_quant.tensor_quant.scaling_impl.value
    assert alpha.shape == (6, 1)
    assert torch.allclose(alpha.grad, (upstream * hard_sign(layer.weight)).sum(1, keepdim=True))
    expected = alpha.detach() * upstream * swish_sign(layer.weight.detach(), beta=5.0)
    assert torch.allclose(layer.weight.grad, expected)


@pytest.mark.parametrize(("regularizer", "of"), [("R1", torch.median), ("R2", torch.mean)])
def test_alpha_starts_at_the_optimum_of_its_regularizer(regularizer, of):
    torch.manual_seed(0)
    how = method("bnn+", regularizer=regularizer)
    layer = qnn.QuantConv2d(3, 5, 3, bias=False, weight_quant=how.weight)
    alpha = layer.weight_quant.tensor_quant.scaling_impl.value.detach()
    assert alpha.shape == (5, 1, 1, 1)
    for found, weights in zip(alpha.flatten(), layer.weight.detach(), strict=True):
        assert float(found) == pytest.approx(float(of(weights.abs())))


@pytest.mark.parametrize("shape", [(7, 20), (5, 3, 3, 3)])
@pytest.mark.parametrize("regularizer", [Regularizer.R1, Regularizer.R2])
def test_regularizer_equals_its_formula_with_both_gradients(regularizer, shape):
    torch.manual_seed(2)
    weight = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    size = (shape[0], *(1,) * (len(shape) - 1))
    alpha = torch.rand(size, dtype=torch.float64).add(0.2).requires_grad_()
    error = alpha - weight.abs()
    plain = error.abs().sum() if regularizer is Regularizer.R1 else error.square().sum()
    expected = torch.autograd.grad(3.0 * plain, [weight, alpha])
    total = distance(weight, alpha, regularizer=regularizer)
    assert torch.allclose(total, plain)
    for found, wanted in zip(
        torch.autograd.grad(3.0 * total, [weight, alpha]), expected, strict=True
    ):
        assert found.shape == wanted.shape
        assert torch.allclose(found, wanted)


def test_long_tailed_is_h():
    x = torch.tensor([0.0, 0.1, -0.3, 0.4, 0.41, -0.7, 1.0, 1.0001, -3.0], dtype=torch.float64)
    wanted = [2.0, 1.6, 0.8, 0.4, 0.4, 0.4, 0.4, 0.0, 0.0]
    assert long_tailed(x).tolist() == pytest.approx(wanted)
    assert float(long_tailed(LINE).sum()) * STEP == pytest.approx(1.44, abs=1e-3)  # its area


@pytest.mark.parametrize("estimator", ["h", "ste"])
def test_trained_activations_have_the_papers_gradients(estimator):
    """dL/dA = alpha_a g H(A), dL/dalpha_a = sum g step(A), not halved by (sign + 1) / 2."""
    how = method("trained-binarization", estimator=estimator)
    derivative = long_tailed if estimator == "h" else lambda x: within(x, limit=1.0)
    torch.manual_seed(0)
    x, g = torch.randn(500), torch.randn(500)
    quantizer = qnn.QuantIdentity(act_quant=how.activation).train()
    alpha = scale_of(quantizer)
    with torch.no_grad():
        alpha.fill_(0.37)
    values = x.clone().requires_grad_()
    out = quantizer(values)
    out.backward(g)
    assert torch.equal(out.detach(), torch.where(x >= 0, 0.37, 0.0))
    assert torch.allclose(values.grad, 0.37 * g * derivative(x), rtol=1e-6, atol=0)
    assert float(alpha.grad) == pytest.approx(float(g[x >= 0].sum()), rel=1e-4)


def test_trained_activations_of_signs():
    how = method("trained-binarization", activations="sign")
    torch.manual_seed(0)
    x = torch.randn(200)
    gradient, quantizer = activation_gradient(how, x, upstream=2.0)
    assert torch.equal(gradient, 2.0 * long_tailed(x))
    assert float(scale_of(quantizer).grad) == pytest.approx(2.0 * float(hard_sign(x).sum()))


def test_trained_weights_have_the_papers_gradients():
    upstream = torch.randn(4, 30)
    layer = weight_gradient(method("trained-binarization"), upstream)
    alpha = layer.weight_quant.tensor_quant.scaling_impl.value
    assert alpha.numel() == 1
    weight = layer.weight.detach()
    assert torch.allclose(layer.weight.grad, alpha.detach() * upstream * long_tailed(weight))
    assert float(alpha.grad) == pytest.approx(float((upstream * hard_sign(weight)).sum()), rel=1e-4)


def test_penalty_of_the_scales_is_l2():
    how = method("trained-binarization", strength=0.5)
    model = nn.Sequential(
        *(qnn.QuantLinear(9, 9, bias=False, weight_quant=how.weight) for _ in range(3))
    )
    scales = [layer.weight_quant.tensor_quant.scaling_impl.value for layer in model]
    found = how.penalty(model)
    assert float(found.detach()) == pytest.approx(
        0.25 * sum(float(s.detach()) ** 2 for s in scales)
    )
    found.backward()
    for scale in scales:
        assert float(scale.grad) == pytest.approx(0.5 * float(scale.detach()))
    assert all(layer.weight.grad is None for layer in model)  # not on the latent weights


def test_back_to_simplicity_clips_activations_and_not_weights():
    how = method("back-to-simplicity")
    x = torch.tensor([-1.31, -1.3, -1.0, 0.0, 1.29, 1.3, 1.31])
    assert activation_gradient(how, x)[0].tolist() == [0, 1, 1, 1, 1, 1, 0]
    upstream = torch.randn(3, 40)
    layer = weight_gradient(how, upstream)
    assert float(layer.weight.detach().abs().max()) > 1.3
    assert torch.equal(layer.weight.grad, upstream)
    assert how.clip is None


def test_back_to_simplicity_as_in_larq_masks_and_clamps_weights():
    how = method("back-to-simplicity", masked_weights=True)
    upstream = torch.randn(3, 40)
    layer = weight_gradient(how, upstream)
    inside = layer.weight.detach().abs() <= 1.3
    assert 0 < int(inside.sum()) < inside.numel()
    assert torch.equal(layer.weight.grad, upstream * inside)
    assert how.clip == 1.3


def test_back_to_simplicity_scaled_has_the_mean_of_each_filter():
    layer = weight_gradient(method("back-to-simplicity", scaled=True), torch.randn(3, 40))
    weight = layer.weight.detach()
    expected = weight.abs().mean(1, keepdim=True) * hard_sign(weight)
    assert torch.allclose(layer.quant_weight().value.detach(), expected)


def test_approx_sign_is_a_triangle():
    how = method("approx-sign")
    x = torch.tensor([-2.0, -1.0, -0.75, -0.0, 0.25, 0.5, 1.0, 1.5])
    wanted = [0.0, 0.0, 0.5, 2.0, 1.5, 1.0, 0.0, 0.0]
    assert activation_gradient(how, x)[0].tolist() == wanted
    assert float(triangle(LINE).sum()) * STEP == pytest.approx(2.0, abs=1e-6)
    upstream = torch.randn(3, 40)
    assert torch.equal(weight_gradient(how, upstream).weight.grad, upstream)


def test_tanh_has_its_exact_gradient():
    sign = TanhSign().double().train()
    sign.nu.fill_(7.0)
    x = torch.linspace(-1, 1, 21, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(sign, x)
    (gradient,) = torch.autograd.grad(sign(x).sum(), x)
    assert torch.allclose(gradient, 7.0 * (1.0 - torch.tanh(7.0 * x) ** 2))
    assert torch.equal(sign(x).sign(), hard_sign(x) * (x != 0))


@pytest.mark.parametrize("t", [0.1, 1.0, 10.0])
def test_ede_is_the_derivative_of_its_formula(t):
    k = max(1.0 / t, 1.0)
    x = LINE.clone().requires_grad_()
    (k * torch.tanh(t * x)).sum().backward()
    assert torch.allclose(ede(LINE, t=torch.tensor(t, dtype=torch.float64)), x.grad)


def test_ir_net_weights_are_balanced_and_standardized():
    torch.manual_seed(0)
    weight = torch.rand(5, 4, 3, 3) + 0.5  # all above 0: plain signs would be all +1
    made = standardized(weight)
    assert made.flatten(1).mean(1).abs().max() < 1e-6
    assert torch.allclose(made.flatten(1).std(1, correction=0), torch.ones(5))
    layer = qnn.QuantConv2d(4, 5, 3, bias=False, weight_quant=method("ir-net").weight)
    with torch.no_grad():
        layer.weight.copy_(weight)
    signs = layer.quant_weight().value.detach()
    assert torch.equal(signs, hard_sign(weight - weight.mean((1, 2, 3), keepdim=True)))
    assert bool((signs.flatten(1).mean(1).abs() < 0.4).all())


def test_ir_net_gradient_goes_through_the_standardization():
    torch.manual_seed(0)
    upstream = torch.randn(3, 40)
    layer = weight_gradient(method("ir-net"), upstream)
    weight = layer.weight.detach().clone().requires_grad_()
    made = standardized(weight)
    (made * (upstream * ede(made.detach(), t=torch.tensor(0.1)))).sum().backward()
    assert torch.allclose(layer.weight.grad, weight.grad, atol=1e-6)
    # So no step can move a filter's mean, or scale it.
    assert float(layer.weight.grad.sum(1).abs().max()) < 1e-5


def test_ir_net_scale_is_a_power_of_two():
    torch.manual_seed(0)
    flat = torch.randn(4, 500)
    peaked = torch.zeros(1, 500)
    peaked[0, 0] = 1.0  # mean |w^| is 0.09
    scales = PowerOfTwo()(torch.cat([flat, peaked]))
    assert scales.flatten().tolist() == [1.0] * 4 + [2.0 ** round(math.log2(2 * 499**0.5 / 500))]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_unit_step_is_exactly_zero_and_one(dtype):
    from hwbnn.train.binary import SurrogateSign

    quantizer = qnn.QuantIdentity(act_quant=binary_activation(SurrogateSign, unit_step=True))
    x = torch.randn(50, dtype=dtype)
    assert torch.equal(quantizer(x).to(dtype), (x >= 0).to(dtype))


def norm_of(gamma, *, seed=0):
    """A batch norm with random statistics and the given gammas."""
    torch.manual_seed(seed)
    norm = nn.BatchNorm1d(len(gamma)).eval()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor(gamma))
        norm.bias.copy_(torch.randn(len(gamma)))
        norm.running_mean.copy_(20 * torch.randn(len(gamma)))
        norm.running_var.copy_(50 * torch.rand(len(gamma)) + 0.1)
    return norm


GAMMAS = [1.0, -1.0, 0.3, -2.5, 0.0, -0.0, 1e-3, -1e-3, 1e-12, -1e-12, 1e-38, -1e-38, 1e-45, 40.0]


@pytest.mark.parametrize("seed", range(4))
def test_binary_batch_norm_is_bn_and_sign_bit_for_bit(seed):
    norm = norm_of(GAMMAS, seed=seed)
    compare = binary_batch_norm(norm)
    torch.manual_seed(seed)
    near = compare.threshold.clamp(-3e38, 3e38)
    beside = torch.stack([near, *(near.nextafter(near.new_tensor(end)) for end in (-3e38, 3e38))])
    integers = torch.arange(-3000, 3001).float()[:, None].expand(-1, len(GAMMAS))
    powers = (2.0 ** torch.arange(-140.0, 127.0))[:, None].expand(-1, len(GAMMAS))
    z = torch.cat([beside, integers, 1e3 * torch.randn(2000, len(GAMMAS)), powers, -powers])
    assert torch.equal(compare(z), hard_sign(norm(z)))
    assert compare.flip.tolist() == [gamma < 0 for gamma in GAMMAS]


def test_binary_batch_norm_of_ties():
    """beta = 0: what the mean normalizes to, 0 or a rounding's rest, is for float32 to say."""
    norm = norm_of([2.0, -2.0])
    with torch.no_grad():
        norm.bias.zero_()
        norm.running_mean.fill_(3.0)
    z = torch.tensor([[2.0, 2.0], [3.0, 3.0], [4.0, 4.0]])
    assert binary_batch_norm(norm)(z).tolist() == hard_sign(norm(z)).tolist()
    assert binary_batch_norm(norm)(z)[::2].tolist() == [[-1.0, 1.0], [1.0, -1.0]]


def test_binary_batch_norm_near_the_closed_form():
    norm = norm_of([1.0, -0.5])
    compare = binary_batch_norm(norm)
    deviation = (norm.running_var + norm.eps).sqrt()
    closed = norm.running_mean - norm.bias * deviation / norm.weight
    assert torch.allclose(compare.threshold, closed.detach(), rtol=1e-5)


def test_binary_batch_norm_of_images_and_without_gamma():
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(5, affine=False).train()
    z = torch.randint(-50, 50, (8, 5, 6, 6)).float()
    norm(z)
    norm.eval()
    assert torch.equal(binary_batch_norm(norm)(z), hard_sign(norm(z)))


def test_binary_batch_norm_needs_statistics():
    with pytest.raises(ModelError) as caught:
        binary_batch_norm(nn.BatchNorm1d(4, track_running_stats=False))
    assert str(caught.value) == (
        "batch norm: must keep running statistics, not those of a batch; "
        "make it with track_running_stats"
    )


def test_ste_is_brevitas_binary_quantizers():
    """Their values and gradients, at a fraction of their time."""
    stock = replace(method("ste"), weight=BinaryWeight, activation=BinaryActivation)
    x = torch.cat([torch.randn(300), torch.tensor([-1.0, 1.0, 0.0, -0.0])])
    upstream = torch.randn(3, 40)
    ours, theirs = (weight_gradient(how, upstream) for how in (method("ste"), stock))
    assert torch.equal(ours.quant_weight().value, theirs.quant_weight().value)
    assert torch.equal(ours.weight.grad, theirs.weight.grad)
    (found, one), (wanted, other) = (activation_gradient(how, x) for how in (method("ste"), stock))
    assert torch.equal(one(x), other(x))
    assert torch.equal(found, wanted)
