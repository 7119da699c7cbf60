# SPDX-License-Identifier: Apache-2.0
"""Inspect: layers with their figures, totals, problems, and plain values for JSON."""

import json
from dataclasses import asdict

import pytest

from hwbnn.frontend import Layer, inspect_model, load_model
from tests.frontend.trained import shared
from tests.models import mlp


def test_layers() -> None:
    found = inspect_model(mlp((784, 64, 10), act_bits=2, style="new"), name="net")
    assert found.problems == ()
    assert (found.name, found.input_shape, found.preprocess) == ("net", (1, 28, 28), "x = p / 255")
    assert [(layer.operator, layer.output_type) for layer in found.layers] == [
        ("Staircase", "BIPOLAR"), ("Dense", "INT11"), ("Staircase", "INT2"), ("Dense", "INT8"),
    ]  # fmt: skip
    dense = found.layers[1]
    assert dense == Layer(
        operator="Dense",
        name=dense.name,
        node=f"{dense.name} (Gemm)",
        inputs=784,
        outputs=64,
        input_type="BIPOLAR",
        weight_type="BIPOLAR",
        output_type="INT11",
        low=-784,
        high=784,
        binary_macs=784 * 64,
        multi_bit_macs=0,
        weight_bits=784 * 64,
        thresholds=0,
        descending=0,
        constant=0,
    )
    assert (found.layers[2].low, found.layers[2].high, found.layers[2].thresholds) == (-1, 1, 128)
    assert found.layers[2].constant >= 2 and found.layers[2].descending > 0  # dead neurons
    assert (found.layers[3].binary_macs, found.layers[3].multi_bit_macs) == (0, 640)
    assert (found.binary_macs, found.multi_bit_macs, found.weight_bits) == (50176, 640, 50816)


def test_json() -> None:
    found = inspect_model(mlp((16, 8, 4), weight_bits=3, input_bits=8), name="net")
    text = json.loads(json.dumps(found.to_json()))
    assert text["layers"] == [asdict(layer) for layer in found.layers]
    assert text["input_shape"] == [16] and text["problems"] == [] and text["classes"] == []
    assert text["total"] == {
        "binary_macs": 0, "multi_bit_macs": 160, "weight_bits": 480, "thresholds": 8,
    }  # fmt: skip


@pytest.mark.parametrize("style", ["old", "script", "new", "finn"])
def test_styles(style: str) -> None:
    found = inspect_model(mlp((16, 8, 4), style=style, final="argmax"), name="net")
    assert found.problems == ()
    assert [layer.operator for layer in found.layers] == [
        "Staircase", "Dense", "Staircase", "Dense", "ArgMax",
    ]  # fmt: skip


def test_trained_convolutional_network() -> None:
    found = inspect_model(shared("cnv-w1a1.onnx"), name="cnv")
    assert found.problems == ()
    kinds = [layer.operator for layer in found.layers]
    assert kinds.count("Conv") == 6 and kinds.count("Dense") == 3 and kinds.count("MaxPool") == 2
    # 30 x 30 x 64 x 27 products of 8-bit pixels; the other layers' as published for CNV
    assert found.multi_bit_macs == 900 * 64 * 27
    assert found.binary_macs == 57_906_176
    assert found.weight_bits == 1_542_848


def test_names_come_from_the_model() -> None:
    model = mlp((16, 8, 4), style="script")
    names = ("/net/0/Flatten", "", "module", "a.b", "a_b", "a b")
    for node, name in zip(model.graph.node, names, strict=False):
        node.name = name
    found = inspect_model(model, name="m")
    assert found.problems == ()
    names = [layer.name for layer in found.layers]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "a").isalnum() for name in names)


def test_shipped_models() -> None:
    from hwbnn import zoo

    for name in zoo.names():
        assert inspect_model(load_model(zoo.path(name)), name=name).problems == ()
