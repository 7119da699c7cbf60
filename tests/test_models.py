# SPDX-License-Identifier: Apache-2.0
"""The generated models execute in qonnx and are what they say."""

import numpy as np
import onnx
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from tests import bad_models
from tests.models import divisor, lfc, mlp, pixels
from tests.quick import quick

pytestmark = pytest.mark.filterwarnings("ignore:Output shapes disagree", "ignore:.*no longer valid")
STYLES = ("old", "script", "new", "finn")


def run(model: onnx.ModelProto, count: int = 3) -> np.ndarray:
    wrapper = ModelWrapper(model).transform(InferShapes())
    name = model.graph.output[0].name
    images = pixels(model, count).astype(np.float32) / np.float32(divisor(model))
    return np.stack([execute_onnx(wrapper, {"input": x[None]})[name] for x in images])


@pytest.mark.parametrize("style", quick(STYLES, first=1))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"act_bits": 2},
        {"act_bits": 4, "relu": True, "weight_bits": 2, "input_bits": 8},
        {"bn": False, "bias": True, "weight_scale": 0.37},
        {"bias": True, "channel_scale": True, "act_scale": 0.37, "input_bits": 8},
        {"final": "scalar"},
        {"final": "batchnorm"},
        {"final": "argmax"},
    ],
    ids=str,
)
def test_executes(style: str, options: dict[str, object]) -> None:
    out = run(mlp((16, 12, 8, 5), style=style, **options))
    assert np.isfinite(out).all()


@pytest.mark.slow
@pytest.mark.parametrize("act_bits", [1, 2, 4])
@pytest.mark.parametrize("weight_bits", [1, 3])
@pytest.mark.parametrize("input_bits", [1, 8])
def test_styles_agree(act_bits: int, weight_bits: int, input_bits: int) -> None:
    results = [
        run(
            mlp(
                (49, 20, 12, 10), style=style, act_bits=act_bits, weight_bits=weight_bits,
                input_bits=input_bits, final="argmax",
            ),
            count=8,
        ).reshape(8)
        for style in STYLES
    ]  # fmt: skip
    for other in results[1:]:
        assert np.array_equal(results[0], other)


def test_activations_are_balanced() -> None:
    out = run(mlp((784, 64, 64, 64, 10)), count=8)
    assert out.std(0).min() > 0
    assert len(np.unique(out)) > 8


def test_images_have_their_shape() -> None:
    assert pixels(mlp((784, 8, 4)), 2).shape == (2, 1, 28, 28)
    assert pixels(mlp((12, 8, 4)), 2).shape == (2, 12)


@pytest.mark.slow
def test_lfc_executes() -> None:
    model = lfc()
    assert run(model, count=1).shape == (1, 1, 10)
    assert model.SerializeToString() == lfc().SerializeToString()


@pytest.mark.parametrize("name", ["float_mlp", "qcdq_mlp", "unsupported_mlp"])
def test_bad_models_that_execute(name: str) -> None:
    model = getattr(bad_models, name)()
    x = np.random.default_rng(0).random((1, 16), np.float32)
    out = execute_onnx(ModelWrapper(model).transform(InferShapes()), {"input": x})
    assert np.isfinite(out[model.graph.output[0].name]).all()


def test_bad_models_are_bad() -> None:
    weights = {t.name: t for t in bad_models.huge_initializer().graph.initializer}
    assert np.prod(weights["features.1.weight"].dims) * 4 == 1 << 30
    assert len(bad_models.huge_initializer().SerializeToString()) < 10_000
    off_grid = {t.name: t for t in bad_models.off_grid_weights().graph.initializer}
    assert 0.5 in onnx.numpy_helper.to_array(off_grid["weights_1"])
    outside = {t.name: t for t in bad_models.external_data_outside().graph.initializer}
    assert outside["features.1.weight"].external_data[0].value == "../../etc/passwd"
    for axis in (0, 3):
        assert (
            bad_models.dynamic_shape(axis).graph.input[0].type.tensor_type.shape.dim[axis].dim_param
        )
    nan = {
        t.name: onnx.numpy_helper.to_array(t) for t in bad_models.nan_weights().graph.initializer
    }
    assert np.isnan(nan["features.1.weight"]).sum() == 1
    bad_models.zero_size().SerializeToString()
