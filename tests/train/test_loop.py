# SPDX-License-Identifier: Apache-2.0
"""The loop: what an epoch tells, stages and teachers, and what stops a training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch (extra train) is not installed")
pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")

from torch.nn import functional  # noqa: E402

from hwbnn.errors import ConfigError  # noqa: E402
from hwbnn.train import data, metrics  # noqa: E402
from hwbnn.train.arrays import source_of  # noqa: E402
from hwbnn.train.dataset import Dataset  # noqa: E402
from hwbnn.train.distill import Distillation, soft_loss, teacher_of  # noqa: E402
from hwbnn.train.feed import as_floats, as_input, feed_of, some_of  # noqa: E402
from hwbnn.train.loop import Epoch, Moment, Place, Recipe, train  # noqa: E402
from hwbnn.train.methods import method  # noqa: E402
from hwbnn.train.networks import Network, network  # noqa: E402

TINY = data.load("tiny")
RECIPE = Recipe(epochs=2, batch=32, seed=3)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def epochs_of(recipe: Recipe, name: str = "tfc-w1a1") -> tuple[Network, list[Epoch]]:
    found: list[Epoch] = []
    return train(name, TINY, recipe, report=found.append), found


def test_bytes_become_the_oracles_floats() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    oracle = every.astype(np.float32) / np.float32(255.0)
    assert np.array_equal(as_input(every)[0].numpy(), oracle)
    assert as_floats(torch.from_numpy(every)[None]).is_contiguous(memory_format=torch.channels_last)


def test_steps_are_told() -> None:
    seen: list[Moment] = []
    train("tfc-w1a1", TINY, replace(RECIPE, batch=200), progress=seen.append)
    assert [(m.epoch, m.step, m.steps) for m in seen] == [
        (1, 1, 2),
        (1, 2, 2),
        (2, 1, 2),
        (2, 2, 2),
    ]
    assert {(m.stage, m.epochs) for m in seen} == {("network", 2)}


def test_an_epoch_tells_loss_accuracies_and_flips() -> None:
    _, (first, second) = epochs_of(RECIPE)
    assert first.loss > second.loss
    assert 0.5 < first.training < second.training <= 1
    assert first.flip_rate > second.flip_rate > 0
    assert first.images_per_second > 0
    assert list(first.row())[:3] == ["stage", "epoch", "loss"]


def test_flips_count_the_signs_that_changed() -> None:
    model = network("tfc-w1a1")
    before = metrics.signs(model)
    layers = model.binary_layers()
    count = sum(layer.weight.numel() for layer in layers)
    with torch.no_grad():
        layers[1].weight[:3] *= -1
        layers[2].weight[:, 0] *= 0.5
    changed = 3 * layers[1].weight.shape[1]
    assert metrics.flips(before, metrics.signs(model)) == changed / count
    assert metrics.flips([], []) is None


def test_flips_are_of_the_deployed_weights() -> None:
    model = network("tfc-w1a1", how=method("self-binarizing"))
    model.train()
    latent = model.binary_layers()[0].weight
    assert torch.equal(metrics.signs(model)[0], latent >= 0)


@pytest.mark.parametrize("name", ["tfc-w1a1", "cnn-w1a1"])
def test_saturation_and_dead_channels(name: str) -> None:
    model = network(name).eval()
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        norms[0].bias[:] = 100.0  # always +1, and outside the surrogate's support
        norms[1].bias[:5] = -1e6
        norms[1].bias[5:] = 0.0
        norms[1].weight[5:] = 1e-9  # inside
        norms[2].weight[:] = 1e-9
        norms[2].bias[:] = 0.0
    widths = [len(norm.bias) for norm in norms]
    pixels = torch.from_numpy(TINY.test_images[:, None])
    labels = torch.from_numpy(TINY.test_labels.astype(int))
    batches = [(pixels[:64], labels[:64]), (pixels[64:], labels[64:])]
    sizes = _sizes(model, pixels[:64])
    judged = metrics.judge(model, batches)
    assert judged.channels == sum(widths)
    assert judged.images == 128
    # Behind a layer of which all is dead, all is constant but what padding differs in.
    assert judged.dead >= widths[0] + 5
    outside = sizes[0] + 5 * sizes[1] // widths[1]
    assert judged.saturation == outside / sum(sizes)
    assert not any(m._forward_hooks for m in model.modules())


def _sizes(model: Network, pixels: torch.Tensor) -> list[int]:
    sizes: list[int] = []
    quantizers = metrics.sign_quantizers(model)
    hooks = [
        q.register_forward_hook(lambda _m, _i, out: sizes.append(out.numel())) for q in quantizers
    ]
    model(as_floats(pixels))
    for hook in hooks:
        hook.remove()
    return sizes


def test_a_float_network_has_no_binary_metrics() -> None:
    _, (epoch,) = epochs_of(Recipe(epochs=1, batch=32, method=method("float32")))
    assert (epoch.flip_rate, epoch.saturation, epoch.dead_channels, epoch.channels) == (
        None,
        None,
        0,
        0,
    )


def test_the_learning_rate_is_the_methods() -> None:
    assert Recipe(epochs=1).rate == method("ste").learning_rate
    assert Recipe(epochs=1, method=method("self-binarizing")).rate == 5e-3
    assert Recipe(epochs=1, learning_rate=0.5).rate == 0.5


def test_two_stages_begin_with_the_latent_weights() -> None:
    recipe = Recipe(epochs=1, batch=32, stages=2, method=method("trained-binarization"))
    model, epochs = epochs_of(recipe)
    assert [epoch.stage for epoch in epochs] == ["activations", "network"]
    assert epochs[0].flip_rate is None
    assert epochs[0].channels == epochs[1].channels == 192
    assert epochs[1].flip_rate is not None
    assert epochs[1].loss < epochs[0].loss
    assert len(model.binary_layers()) == 4


def test_a_second_stages_scales_are_of_its_first_weights() -> None:
    from hwbnn.train.loop import _take_over

    torch.manual_seed(0)
    how = method("bnn+", regularizer="R2")
    trained = network("tfc-w1a1", how=replace(how, weight=None, penalty=None))
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.mul_(3.0)
    model = network("tfc-w1a1", how=how)
    _take_over(model, trained.state_dict())
    for layer in model.binary_layers():
        scale = layer.quant_weight().scale.flatten()
        assert torch.allclose(scale, layer.weight.abs().mean(1))
    first = next(m for m in trained.features if hasattr(m, "weight_quant"))
    assert torch.equal(model.binary_layers()[0].weight, first.weight)


def test_soft_loss_is_that_of_hinton() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, taught = torch.randn((2, 4, 3), generator=generator)
    labels = torch.tensor([0, 1, 2, 0])
    how = Distillation(temperature=2.0, share=0.25)
    targets = torch.softmax(taught / 2, 1)
    soft = -(targets * torch.log_softmax(logits / 2, 1)).sum(1).mean()
    entropy = -(targets * targets.log()).sum(1).mean()
    expected = 0.75 * functional.cross_entropy(logits, labels) + 0.25 * 4 * (soft - entropy)
    assert torch.allclose(soft_loss(logits, labels, taught, how), expected)
    only = Distillation(temperature=2.0, share=1.0)
    assert float(soft_loss(taught, labels, taught, only)) == pytest.approx(0, abs=1e-6)


def test_a_teacher_trained_before(tmp_path: Path) -> None:
    file = tmp_path / "teacher.pt"
    made = Recipe(epochs=2, batch=32, method=method("float32"))
    teacher = train("sfc-w1a1", TINY, made, checkpoint=file)
    again = teacher_of(file, image=(1, 28, 28), classes=10)
    x = as_input(TINY.test_images)
    assert torch.equal(again(x), teacher(x))
    taught, (epoch,) = epochs_of(Recipe(epochs=1, batch=32, distillation=Distillation(file)))
    alone, (other,) = epochs_of(Recipe(epochs=1, batch=32))
    assert epoch.loss != other.loss
    assert not torch.equal(taught(x), alone(x))
    with pytest.raises(ConfigError) as error:
        teacher_of(file, image=(3, 32, 32), classes=100)
    assert str(error.value) == (
        f"{file}: the teacher must take images 3x32x32 and give 100 classes, not 1x28x28 and 10; "
        "train one on the same data"
    )


def test_a_teacher_of_the_same_run() -> None:
    recipe = Recipe(epochs=2, batch=32, distillation=Distillation())
    _, epochs = epochs_of(recipe)
    assert [(e.stage, e.number) for e in epochs] == [
        ("teacher", 1), ("teacher", 2), ("network", 1), ("network", 2),
    ]  # fmt: skip
    assert epochs[-1].validation > 0.9


def test_an_unfinished_teacher(tmp_path: Path) -> None:
    file = tmp_path / "teacher.pt"

    def stop(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("tfc-w1a1", TINY, RECIPE, checkpoint=file, report=stop)
    with pytest.raises(ConfigError, match="training must be finished, not at epoch 1; go on with"):
        epochs_of(replace(RECIPE, distillation=Distillation(file)))
    with pytest.raises(ConfigError, match="the teacher must be a readable checkpoint"):
        epochs_of(replace(RECIPE, distillation=Distillation(tmp_path / "none.pt")))


def test_a_loss_that_is_not_finite(tmp_path: Path) -> None:
    file = tmp_path / "run.pt"
    broken = replace(method("ste"), penalty=_late_nan())
    recipe = Recipe(epochs=3, batch=32, method=broken)
    with pytest.raises(ConfigError) as error:
        train("tfc-w1a1", TINY, recipe, checkpoint=file)
    assert str(error.value) == (
        "epoch 2, step 4: loss must be finite, not nan; choose a --learning-rate below 0.01; "
        f"{file} still holds the last good epoch"
    )
    resumed: list[Epoch] = []
    sound = replace(broken, penalty=None)
    train("tfc-w1a1", TINY, replace(recipe, method=sound), checkpoint=file, report=resumed.append)
    assert [epoch.number for epoch in resumed] == [2, 3]


def _late_nan():
    calls = iter(range(1000))
    return lambda model: torch.tensor(float("nan") if next(calls) >= 14 + 3 else 0.0)


def test_a_weight_that_is_not_finite(tmp_path: Path) -> None:
    def spoil(model: Network, share: float) -> None:
        with torch.no_grad():
            model.binary_layers()[0].weight[0, 0] = torch.nan

    recipe = Recipe(epochs=1, batch=32, method=replace(method("ste"), advance=spoil))
    with pytest.raises(ConfigError, match=r"^epoch 1: features.3.weight must be finite, not nan"):
        train("tfc-w1a1", TINY, recipe, checkpoint=tmp_path / "run.pt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"epochs": 0}, "epochs: must be 1 or more, not 0; name more epochs"),
        (
            {"batch": 1},
            "batch: must be 2 or more images, for batch norm, not 1; choose a larger batch",
        ),
        (
            {"validation": 1.5},
            "validation: must be a share above 0 and below 1, not 1.5; it chooses the epoch: "
            "hold out 0.1 or so",
        ),
        (
            {"learning_rate": 0.0},
            "learning rate: must be a finite number above 0, not 0.0; the method's is 0.01",
        ),
        ({"seed": -1}, "seed: must be 0 or more, not -1; choose another"),
        ({"stages": 3}, "stages: must be 1 or 2, not 3; choose one of them"),
        (
            {"stages": 2, "method": method("float32")},
            "stages: must be 1 with float32, which has no binary weights and activations, not 2; "
            "leave out --stages, or take another method",
        ),
    ],
)
def test_wrong_recipes(change: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError) as error:
        replace(RECIPE, **change)
    assert str(error.value) == text


def test_wrong_shares_of_the_data() -> None:
    with pytest.raises(ConfigError) as error:
        epochs_of(replace(RECIPE, validation=1e-4))
    assert str(error.value) == (
        "validation: must hold out 1 or more of the 512 training images, not 0.0001 of them; "
        "choose a larger share"
    )
    with pytest.raises(ConfigError, match=r"^batch: must be at most the 51 training images, not 6"):
        epochs_of(replace(RECIPE, validation=0.9, batch=64))
    zeros = np.zeros(512, np.uint8)
    one = replace(TINY, train_labels=zeros, test_labels=zeros[:128], classes=("thing",))
    with pytest.raises(ConfigError, match=r"^tiny: must have 2 or more classes, not 1; take anoth"):
        train("tfc-w1a1", one, RECIPE)


def test_a_source_is_trained_on(tmp_path: Path) -> None:
    found: list[Epoch] = []
    recipe = replace(RECIPE, shift=1, flip=True)
    train("tfc-w1a1", source_of(TINY), recipe, report=found.append)
    assert found[-1].validation > 0.9
    some = some_of(source_of(TINY), 20)
    assert isinstance(some, Dataset)
    assert some.test_images.shape == (20, 28, 28)
    taken = {image.tobytes() for image in some.test_images}
    assert len(taken) == 20
    assert taken < {image.tobytes() for image in TINY.test_images}


@pytest.mark.parametrize("streamed", [False, True])
def test_processes_share_a_batch(streamed: bool) -> None:
    images = source_of(TINY) if streamed else TINY
    shares = []
    for rank in range(2):
        generator = torch.Generator().manual_seed(3)
        feed = feed_of(images, RECIPE, Place(rank=rank, ranks=2), generator)
        shares.append([y for _, y in feed.train(generator, 0)])
    generator = torch.Generator().manual_seed(3)
    whole = feed_of(images, RECIPE, Place(), generator)
    for left, right, (_, y) in zip(*shares, whole.train(generator, 0), strict=True):
        assert torch.equal(torch.stack([left, right], 1).flatten(), y)
