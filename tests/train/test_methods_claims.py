# SPDX-License-Identifier: Apache-2.0
"""What each paper claims of its parts, on a small network and the tiny set; and Bop's rule."""

import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

from torch import nn  # noqa: E402

from hwbnn.train.methods import method  # noqa: E402
from hwbnn.train.methods.bnn_plus import share_near_alpha  # noqa: E402
from hwbnn.train.methods.bop import Bop  # noqa: E402
from hwbnn.train.methods.ir_net import EdeSign  # noqa: E402
from hwbnn.train.methods.self_binarizing import TanhSign, saturation, soft  # noqa: E402
from tests.train.test_methods import IMAGES, LABELS, fit, mlp, step  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.mark.slow
def test_regularizers_pull_weights_to_alpha():
    share = {
        regularizer: share_near_alpha(
            fit(method("bnn+", regularizer=regularizer, strength=strength))[0]
        )
        for regularizer, strength in (("none", 0.0), ("R1", 1e-3), ("R2", 3e-2))
    }
    assert share["R1"] > 3.0 * share["none"]
    assert share["R2"] > 3.0 * share["none"]


@pytest.mark.slow
def test_regularizer_of_fixed_scales_pulls_weights_to_one():
    shares = [
        share_near_alpha(
            fit(method("bnn+", regularizer=pull, strength=1e-1, trained_scales=False), epochs=8,
                rate=2e-2)[0]
        )
        for pull in ("none", "R2")
    ]  # fmt: skip
    assert shares[1] > 2.0 * shares[0]


@pytest.mark.slow
def test_swish_sign_learns_at_least_as_htanh():
    swish, htanh = (
        fit(method("bnn+", backward=backward))[1][-8:] for backward in ("swish", "htanh")
    )
    assert sum(swish) < 1.5 * sum(htanh)


def test_nu_reaches_nu_max_and_the_gap_falls():
    how = method("self-binarizing", nu_max=100.0)
    steepness, unsaturated, gaps = [], [], []

    @torch.no_grad()
    def observe(model):
        steepness.extend({float(m.nu) for m in model.modules() if isinstance(m, TanhSign)})
        unsaturated.append(saturation(model))
        hard = model.eval()(IMAGES)
        with soft(model):
            gaps.append(float((model(IMAGES) - hard).abs().mean()))
        assert torch.equal(model(IMAGES), hard)  # hard again

    fit(how, epochs=5, observe=observe)
    assert steepness == pytest.approx([100.0 ** (e / 4) for e in range(5)])
    assert unsaturated == sorted(unsaturated, reverse=True)
    assert unsaturated[-1] < 0.05
    assert gaps[-1] < 0.5 * gaps[0]


def test_gap_of_one_network_falls_with_nu():
    model = mlp(method("self-binarizing"))
    with torch.no_grad():
        model.train()(IMAGES)
        hard = model.eval()(IMAGES)
        gaps = []
        for nu in (1.0, 10.0, 100.0, 1e4, 1e8):
            for sign in (m for m in model.modules() if isinstance(m, TanhSign)):
                sign.nu.fill_(nu)
            with soft(model):
                gaps.append(float((model(IMAGES) - hard).abs().mean()))
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-3


def test_trained_scales_move():
    """Behind batch norm a scale of weights has next to no gradient of the loss; the L2 acts."""
    how = method("trained-binarization", strength=1e-2)
    model, before = mlp(how), mlp(how)
    optimizer = how.optimizer(model, 1e-2)
    for _ in range(5):
        step(model.train(), how, optimizer, IMAGES[:64], LABELS[:64])
    scales = {k: v for k, v in model.named_parameters() if "scaling_impl" in k}
    assert len(scales) == 5  # three layers, two activations
    begun = dict(before.named_parameters())
    for key, scale in scales.items():
        assert scale.grad is not None
        assert float(scale.grad.abs()) > 0.0
        assert float(scale.detach()) != float(begun[key].detach())
    fixed = mlp(method("trained-binarization", trained_scales=False))
    assert not any("scaling_impl" in key for key, _ in fixed.named_parameters())


def test_weight_scale_without_batch_norm_is_the_losss():
    how = method("trained-binarization", strength=0.0)
    layer = mlp(how)[2]
    layer(IMAGES[:32].flatten(1)).square().sum().backward()
    assert float(layer.weight_quant.tensor_quant.scaling_impl.value.grad.abs()) > 1.0


def test_ede_goes_from_a_tenth_to_ten():
    how = method("ir-net")
    seen = []
    fit(how, epochs=3, observe=lambda model: seen.extend(
        {float(m.t) for m in model.modules() if isinstance(m, EdeSign)}
    ))  # fmt: skip
    assert seen == pytest.approx([0.1, 1.0, 10.0])


def test_bop_flips_where_the_average_insists():
    weight = nn.Parameter(torch.tensor([1.0, 1.0, -1.0, -1.0, 1.0]))
    gradients = torch.tensor([2.0, -2.0, 2.0, -2.0, 0.5])
    optimizer = Bop([], [weight], learning_rate=1e-2, adaptivity=0.1, threshold=0.1)
    weight.grad = gradients.clone()
    optimizer.step()  # averages 0.2, -0.2, 0.2, -0.2, 0.05
    assert weight.tolist() == [-1.0, 1.0, -1.0, 1.0, 1.0]
    weight.grad = gradients.clone()
    optimizer.step()  # 0.095 in the last: not yet; the flipped ones stay
    assert weight.tolist() == [-1.0, 1.0, -1.0, 1.0, 1.0]
    weight.grad = gradients.clone()
    optimizer.step()  # 0.1355
    assert weight.tolist() == [-1.0, 1.0, -1.0, 1.0, -1.0]


def test_bops_weights_are_binary_at_all_times():
    def observe(model):
        for layer in (model[2], model[5], model[8]):
            assert set(layer.weight.unique().tolist()) == {-1.0, 1.0}

    first = mlp(method("bop"))
    observe(first)
    model, _ = fit(method("bop", adaptivity=1e-2), epochs=2, observe=observe)
    assert not torch.equal(model[2].weight, first[2].weight)


def test_bops_other_parameters_are_adams():
    how = method("bop", threshold=1e9)  # nothing flips
    model, twin = mlp(how), mlp(how)
    ours = how.optimizer(model, 1e-2)
    binary = {id(twin[n].weight) for n in (2, 5, 8)}
    adam = torch.optim.Adam([one for one in twin.parameters() if id(one) not in binary], lr=1e-2)
    for _ in range(4):
        step(model.train(), how, ours, IMAGES[:64], LABELS[:64])
        step(twin.train(), how, adam, IMAGES[:64], LABELS[:64])
    for found, wanted in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(found, wanted, atol=1e-7)


def test_bop_follows_a_schedule():
    weight, other = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))
    optimizer = Bop([other], [weight], learning_rate=0.1, adaptivity=0.5, threshold=10.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2)
    for _ in range(2):
        weight.grad, other.grad = torch.ones(1), torch.ones(1)
        optimizer.step()
        schedule.step()
    # The second average is made with half of the adaptivity: 0.5 + 0.25 * (1 - 0.5).
    assert float(optimizer.state[weight]["average"]) == pytest.approx(0.625)
    assert float(other.detach()) == pytest.approx(-0.15, abs=1e-5)
