# SPDX-License-Identifier: Apache-2.0
"""Every method: its options, one step on real networks, hard values in eval mode, its state."""

import copy
import io

import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

import brevitas.nn as qnn  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from hwbnn.errors import ConfigError  # noqa: E402
from hwbnn.train import data, layers  # noqa: E402
from hwbnn.train.loop import as_input  # noqa: E402
from hwbnn.train.method import binary_layers  # noqa: E402
from hwbnn.train.methods import METHODS, method  # noqa: E402
from hwbnn.train.networks import network  # noqa: E402
from tests.quick import quick  # noqa: E402

BINARY = [name for name in METHODS if name != "float32"]
VARIANTS = [
    *((name, {}) for name in METHODS),
    ("bnn+", {"regularizer": "R1", "beta": 10.0}),
    ("bnn+", {"regularizer": "none", "backward": "htanh"}),
    ("bnn+", {"trained_scales": False, "strength": 1e-3}),
    ("self-binarizing", {"nu_max": 30}),
    ("back-to-simplicity", {"masked_weights": True, "clip": 1.0}),
    ("back-to-simplicity", {"scaled": True}),
    ("back-to-simplicity", {"approx_sign": True}),
    ("trained-binarization", {"activations": "sign", "estimator": "ste"}),
    ("trained-binarization", {"trained_scales": False}),
    ("ir-net", {"scaled": True}),
    ("bop", {"adaptivity": 1e-3, "threshold": 1e-7}),
]
IDS = [str(method(name, **options)) for name, options in VARIANTS]
TINY = data.load("tiny")
IMAGES = as_input(TINY.train_images)
LABELS = torch.from_numpy(TINY.train_labels.astype(int))


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def mlp(how, *, width=32, seed=0):
    """784 inputs, two hidden layers."""
    torch.manual_seed(seed)
    body = [nn.Flatten(), layers.Centre()]
    fan_in = 784
    for _ in range(2):
        body += [layers.linear(how, fan_in, width), nn.BatchNorm1d(width)]
        body.append(layers.activation(how, width))
        fan_in = width
    return nn.Sequential(*body, layers.linear(how, width, 10), nn.BatchNorm1d(10))


def step(model, how, optimizer, x, y):
    loss = functional.cross_entropy(model(x), y)
    total = loss if how.penalty is None else loss + how.penalty(model)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    if how.clip is not None:
        with torch.no_grad():
            for layer in binary_layers(model):
                layer.weight.clamp_(-how.clip, how.clip)
    return float(loss.detach())


def fit(how, *, epochs=6, rate=5e-3, batch=64, observe=None):
    """Train the small network; return it and the losses of all steps."""
    model = mlp(how)
    optimizer = how.optimizer(model, rate)
    losses = []
    for epoch in range(epochs):
        model.train()
        if how.advance is not None:
            how.advance(model, epoch / (epochs - 1))
        for part in range(0, len(IMAGES), batch):
            x, y = IMAGES[part : part + batch], LABELS[part : part + batch]
            losses.append(step(model, how, optimizer, x, y))
        if observe is not None:
            observe(model)
    return model, losses


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=IDS)
@pytest.mark.parametrize("architecture", ["tfc-w1a1", "cnn-w1a1"])
def test_one_step_gives_finite_gradients(architecture, name, options):
    how = method(name, **options)
    torch.manual_seed(1)
    model = network(architecture, how=how).train()
    optimizer = how.optimizer(model, how.learning_rate)
    if how.advance is not None:
        how.advance(model, 0.5)
    x, y = IMAGES[:16], LABELS[:16]
    loss = functional.cross_entropy(model(x) * model.logit_scale, y)
    (loss if how.penalty is None else loss + how.penalty(model)).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert bool(parameter.grad.isfinite().all()), key
        if key.endswith("weight") and parameter.ndim > 1:
            assert float(parameter.grad.abs().sum()) > 0.0, key
    optimizer.step()
    assert all(bool(one.isfinite().all()) for one in model.parameters())


@pytest.mark.parametrize("name", quick(METHODS, first=2))
def test_loss_falls(name):
    options = {"adaptivity": 0.01} if name == "bop" else {}  # so few steps need a short memory
    _, losses = fit(method(name, **options))
    first, last = sum(losses[:8]) / 8, sum(losses[-8:]) / 8
    assert last < 0.6 * first


@pytest.mark.parametrize(("name", "options"), VARIANTS[1:], ids=IDS[1:])
def test_eval_is_hard(name, options):
    how = method(name, **options)
    model = mlp(how)
    with torch.no_grad():
        model.train()(IMAGES[:64])
    model.eval()
    for layer in binary_layers(model):
        weight = layer.quant_weight().value.detach()
        scale = layer.weight_quant.scale().detach().expand_as(weight)
        assert bool((scale > 0).all())
        assert torch.equal(weight.abs(), scale)
    seen = []
    for module in model.modules():
        if isinstance(module, qnn.QuantIdentity):
            module.register_forward_hook(lambda _, __, values: seen.append(values))
    model(IMAGES[:32])
    values = {0.0, 1.0} if name == "trained-binarization" else {-1.0, 1.0}
    if options.get("activations") == "sign":
        values = {-1.0, 1.0}
    assert len(seen) == 2
    for activations in seen:
        assert set(activations.unique().tolist()) == values


@pytest.mark.parametrize("name", BINARY)
def test_zero_and_minus_zero_are_plus_one(name):
    how = method(name)
    quantizer = qnn.QuantIdentity(act_quant=how.activation).eval()
    assert quantizer(torch.tensor([0.0, -0.0, 1e-30])).tolist() == [1.0] * 3
    assert quantizer(torch.tensor([-1e-30, -5.0])).max() <= 0.0


@pytest.mark.parametrize("name", METHODS)
def test_state_and_copy_are_the_network(name):
    how = method(name)
    model = mlp(how)
    optimizer = how.optimizer(model, 1e-2)
    if how.advance is not None:
        how.advance(model, 0.7)
    for _ in range(3):
        step(model.train(), how, optimizer, IMAGES[:32], LABELS[:32])
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)

    other = mlp(how, seed=5)
    other_optimizer = how.optimizer(other, 1e-2)  # made before the state is there
    other.load_state_dict(state["model"])
    other_optimizer.load_state_dict(state["optimizer"])
    twin = copy.deepcopy(model)
    hard, soft = model.eval()(IMAGES[:64]), model.train()(IMAGES[:64])
    for again in (other, twin):
        assert torch.equal(again.eval()(IMAGES[:64]), hard)
        assert torch.equal(again.train()(IMAGES[:64]), soft)
    for _ in range(3):
        step(model.train(), how, optimizer, IMAGES[32:64], LABELS[32:64])
        step(other.train(), how, other_optimizer, IMAGES[32:64], LABELS[32:64])
    for key, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key
    changed = any(
        not torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True)
    )
    assert changed  # the copy is its own


@pytest.mark.parametrize("name", ["bnn+", "trained-binarization"])
def test_loading_a_state_keeps_the_parameters(name):
    model = mlp(method(name))
    before = [id(parameter) for parameter in model.parameters()]
    model.eval().load_state_dict(mlp(method(name), seed=3).state_dict())
    assert [id(parameter) for parameter in model.parameters()] == before
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("bnn+", {"regularizer": "R3"},
         "method bnn+: regularizer must be a known one, not R3; choose none, R1, R2"),
        ("bnn+", {"beta": 0},
         "method bnn+: beta must be a number, above 0, not 0; the usual one is 5"),
        ("bnn+", {"strength": -1.0},
         "method bnn+: strength must be a number, 0 or more, not -1.0; the usual one is 1e-05"),
        ("bnn+", {"trained_scales": "yes"},
         "method bnn+: trained_scales must be a truth value, not yes; choose True, False"),
        ("bnn+", {"backward": "ste"},
         "method bnn+: backward must be a known one, not ste; choose swish, htanh"),
        ("self-binarizing", {"nu_max": 1},
         "method self-binarizing: nu_max must be a number, above 1, not 1; the usual one is 100"),
        ("self-binarizing", {"nu_max": float("nan")},
         "method self-binarizing: nu_max must be a number, above 1, not nan; the usual one is 100"),
        ("back-to-simplicity", {"clip": True},
         "method back-to-simplicity: clip must be a number, above 0, not True; "
         "the usual one is 1.3"),
        ("trained-binarization", {"estimator": "H"},
         "method trained-binarization: estimator must be a known one, not H; choose h, ste"),
        ("trained-binarization", {"activations": "relu"},
         "method trained-binarization: activations must be a known one, not relu; "
         "choose step, sign"),
        ("ir-net", {"scaled": 1},
         "method ir-net: scaled must be a truth value, not 1; choose True, False"),
        ("bop", {"adaptivity": "1"},
         "method bop: adaptivity must be a number, above 0, not 1; the usual one is 0.0001"),
        ("rsign", {"beta": 1},
         "method rsign: must know the option, not beta; leave it out: it has none"),
    ],
)  # fmt: skip
def test_bad_options_are_errors(name, options, text):
    with pytest.raises(ConfigError) as caught:
        method(name, **options)
    assert str(caught.value) == text


def test_unknown_method_names_the_known():
    with pytest.raises(ConfigError, match="choose float32, ste, bnn\\+, self-binarizing"):
        method("adabin")


def test_method_keeps_its_name_and_options():
    assert all(method(name).name == name for name in METHODS)
    assert str(method("bnn+", beta=2.0, regularizer="R1")) == "bnn+ beta=2.0 regularizer=R1"


def test_rsign_has_a_shift_before_each_sign():
    model = mlp(method("rsign"))
    assert sum(isinstance(module, layers.Shift) for module in model.modules()) == 2
