# SPDX-License-Identifier: Apache-2.0
"""What import refuses, with the whole text: node, what must be, what is, and the mend."""

import re

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hwbnn.errors import ConfigError, MismatchError, ModelError
from hwbnn.frontend import Output, check, import_model, inspect_model
from hwbnn.frontend.oracle import Oracle
from hwbnn.ir.graph import OutputSteps
from hwbnn.ir.ops import Add
from tests import bad_models
from tests.frontend.net import Net
from tests.models import mlp

SIZES = (16, 8, 8, 4)


def refusal(model: onnx.ModelProto, **options: object) -> str:
    """The message, which inspect must give too, and all at once."""
    with pytest.raises(ModelError) as error:
        import_model(model, name="m", **options)
    assert "\n".join(inspect_model(model, name="m").problems) == str(error.value)
    return str(error.value)


def tensor(model: onnx.ModelProto, name: str, value: object) -> None:
    """Replace an initializer."""
    old = next(t for t in model.graph.initializer if t.name == name)
    old.CopyFrom(numpy_helper.from_array(np.asarray(value, np.float32), name))


def node(model: onnx.ModelProto, operator: str, index: int = 0) -> onnx.NodeProto:
    return [n for n in model.graph.node if n.op_type == operator][index]


def test_float() -> None:
    assert refusal(bad_models.float_mlp()) == (
        "m: model must be quantized, not float32 (it has no Quant, BipolarQuant or MultiThreshold "
        "node); train it with Brevitas (QuantLinear, QuantIdentity) and export it with "
        "brevitas.export.export_qonnx"
    )


def test_qcdq() -> None:
    assert refusal(bad_models.qcdq_mlp()) == (
        "m: model must be QONNX, not QCDQ (quant0 (QuantizeLinear) and 5 more); export it with "
        "brevitas.export.export_qonnx in place of export_onnx_qcdq"
    )


def test_all_unsupported_at_once() -> None:
    assert refusal(bad_models.unsupported_mlp()).split("\n") == [
        "foreign_1 (Sigmoid): activation must be ReLU, HardTanh, Clip or a quantizer, not Sigmoid; "
        "replace it, for instance by QuantReLU or QuantHardTanh, and train again",
        "foreign_2 (Softmax): must stand at the very end, before an ArgMax, not between layers; "
        "take it out",
    ]


def test_inspect_describes_the_rest() -> None:
    found = inspect_model(bad_models.unsupported_mlp(), name="m")
    assert [layer.operator for layer in found.layers].count("Dense") == 3
    assert found.binary_macs == 16 * 8 + 8 * 8 + 8 * 4


def test_off_grid() -> None:
    assert refusal(bad_models.off_grid_weights()) == (
        "MatMul_4 (MatMul): weights weights_1 must be BIPOLAR times their scale, not 0.5 "
        "(output 3, input 2); export the quantized model again"
    )


def test_float_weights_in_a_quantized_model() -> None:
    model = mlp(SIZES)
    transpose = node(model, "Transpose", 1)
    transpose.input[0] = "features.1.weight"
    assert refusal(model) == (
        f"{node(model, 'MatMul', 1).name} (MatMul): weights {transpose.output[0]} must be "
        "quantized, not float32; train it with Brevitas (QuantLinear, QuantConv2d) and export it "
        "with brevitas.export.export_qonnx"
    )


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("features.1.scale", [0.0], "{}: scale must be positive, not 0; train with a positive "
         "scale (zero means a dead layer)"),
        ("features.1.scale", [-1.0], "{}: scale must be positive, not -1; train with a positive "
         "scale (zero means a dead layer)"),
        ("zero_point", 1.0, "{}: zero point must be 0, not 1; use a symmetric quantizer of "
         "Brevitas"),
        ("weight_bits", 2.5, "{}: bit width must be one integer of 1 to 16, not 2.5; choose "
         "another bit_width"),
        ("features.1.scale", np.linspace(1, 2, 8), "{}: scale of its weights must be one, or one "
         "an output, not one an input; choose scaling_per_output CHANNEL or TENSOR"),
    ],
)  # fmt: skip
def test_weight_quantizers(name: str, value: object, text: str) -> None:
    model = mlp(SIZES, weight_bits=3)
    tensor(model, name, value)
    lines = refusal(model).split("\n")
    where = "MatMul" if "scale of its" in text else "Quant"
    names = [n.name for n in model.graph.node if n.op_type == where]
    assert any(text.format(f"{found} ({where})") in lines for found in names)


def test_wide_activation() -> None:
    model = mlp(SIZES, act_bits=2)
    tensor(model, "bits", 9)
    names = [n.name for n in model.graph.node if n.op_type == "Quant"]
    assert refusal(model).split("\n") == [
        f"{name} (Quant): activation must have at most 256 levels (8 bits), not 511; "
        "choose bit_width 8 or less"
        for name in names
    ]


def test_channel_scale_of_an_activation() -> None:
    model = mlp(SIZES, act_bits=2, style="new")
    quantizers = [n for n in model.graph.node if n.op_type == "Quant"]
    scale = numpy_helper.from_array(np.linspace(1, 2, 8, dtype=np.float32), "uneven")
    model.graph.initializer.append(scale)
    quantizers[0].input[1] = "uneven"
    assert refusal(model) == (
        f"{node(model, 'Gemm', 1).name} (Gemm): input must have one scale, not one for each "
        "channel; choose scaling_per_output_channel False for the activation"
    )


def test_no_quantizer_between_layers() -> None:
    model = mlp(SIZES)
    quantizer = node(model, "BipolarQuant", 2)
    reader = next(n for n in model.graph.node if quantizer.output[0] in n.input)
    reader.input[0] = quantizer.input[0]
    assert (
        f"{reader.name} (MatMul): input must be quantized, not the sums of the layer before; put "
        "a QuantIdentity or QuantReLU between the layers"
    ) in refusal(model)


@pytest.mark.parametrize("operator", ["Mul", "Add"])
def test_residual(operator: str) -> None:
    model = mlp(SIZES, bn=False)
    quantizer = node(model, "BipolarQuant", 4)
    early = node(model, "BipolarQuant", 2).output[0]
    position = list(model.graph.node).index(quantizer)
    skip = helper.make_node(operator, [quantizer.input[0], early], ["sum"], name="skip")
    quantizer.input[0] = "sum"
    model.graph.node.insert(position, skip)
    if operator == "Add":
        assert any(isinstance(op, Add) for op in import_model(model, name="m").ops)
        return
    assert refusal(model) == (
        "skip (Mul): must have one input that is not constant, not 2; branches may meet in an Add "
        "or in a Concat"
    )


def test_softmax_at_the_end() -> None:
    model = mlp(SIZES)
    last = model.graph.output[0].name
    model.graph.node.append(helper.make_node("Softmax", [last], ["p"], name="soft", axis=1))
    model.graph.output[0].name = "p"
    assert refusal(model) == (
        "soft (Softmax): output must be the class when the network ends with it, not its values; "
        "choose the label as output or take it out"
    )
    graph = import_model(model, name="m", output=Output.LABEL)
    assert graph.ops[-1].name == "label"


def test_packed_raw_pixels() -> None:
    with pytest.raises(ConfigError) as error:
        import_model(mlp(SIZES, input_bits=8), name="m", packed_input=True)
    assert str(error.value) == (
        "m: packed input must be quantized by the model, not raw pixels; put a QuantIdentity on "
        "the input or send pixels"
    )


def non_monotone(inputs: int, **options: object) -> onnx.ModelProto:
    model = mlp((inputs, 8, 4), style="new", bn=False, **options)
    quantizers = [n for n in model.graph.node if n.op_type in ("BipolarQuant", "Quant")]
    gemm = node(model, "Gemm")
    quantizer = next(n for n in quantizers if gemm.output[0] in n.input)
    position = list(model.graph.node).index(quantizer)
    offset = numpy_helper.from_array(np.float32(5), "offset")
    model.graph.initializer.append(offset)
    nodes = [
        helper.make_node("Abs", [quantizer.input[0]], ["size"], name="fold_over"),
        helper.make_node("Sub", ["size", "offset"], ["moved"], name="move"),
    ]
    quantizer.input[0] = "moved"
    for made in reversed(nodes):
        model.graph.node.insert(position, made)
    return model


@pytest.mark.slow
def test_non_monotone_is_a_table_or_refused() -> None:
    graph = import_model(non_monotone(16), name="m")
    assert "Table" in [type(op).__name__ for op in graph.ops]
    model = non_monotone(784, input_bits=8)
    quantizer = next(n for n in model.graph.node if "moved" in n.input)
    assert re.fullmatch(
        rf"{quantizer.name} \(BipolarQuant\): what it quantizes must rise or fall with the sum "
        r"over its \d{6} values, or the sum must have at most 16384; take out fold_over \(Abs\) or "
        "make the layer before it smaller",
        refusal(model),
    )


@pytest.mark.slow
def test_wide_output() -> None:
    # The values follow by a formula; only the hardware cannot choose the greatest.
    model = mlp((784, 64, 10), input_bits=8, weight_bits=8, act_bits=8, relu=True)
    assert isinstance(import_model(model, name="m").output_values, OutputSteps)
    text = (
        r"^m: output must have at most 4194304 values in all, not 10 x \d{7}, for the hardware to "
        "choose the class, or for a formula that is no product or sum; let the host choose, or "
        "put a quantizer before the output$"
    )
    with pytest.raises(ModelError, match=text):
        import_model(model, name="m", output=Output.LABEL)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("hwbnn.input", "{", 'like {"divisor": 255.0, "mean": 0.0, "std": 1.0}, not {; mend'),
        ("hwbnn.input", '{"divisor": 0}', 'not {"divisor": 0}; mend or remove it'),
        ("hwbnn.input", '{"scale": 1}', 'not {"scale": 1}; mend or remove it'),
        ("hwbnn.classes", "[1]", "metadata hwbnn.classes: must be a JSON list of names, not [1]"),
    ],
)  # fmt: skip
def test_metadata(key: str, value: str, text: str) -> None:
    model = mlp(SIZES)
    del model.metadata_props[:]
    model.metadata_props.add(key=key, value=value)
    assert text in refusal(model)


def test_training_mode() -> None:
    model = mlp(SIZES, style="new")
    norm = node(model, "BatchNormalization")
    norm.attribute.append(helper.make_attribute("training_mode", 1))
    assert refusal(model) == (
        f"{norm.name} (BatchNormalization): must be in inference mode, not training; "
        "call model.eval() before the export"
    )


def test_negative_variance() -> None:
    model = mlp(SIZES, style="new")
    tensor(model, "features.0.running_var", -np.ones(8))
    norm = node(model, "BatchNormalization")
    assert (
        f"{norm.name} (BatchNormalization): result must be a number, not nan; look for a negative "
        "variance or a division by zero"
    ) in refusal(model)


def test_mismatch_names_the_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong graph is caught, and the first wrong layer named."""
    model = mlp(SIZES)
    graph = import_model(model, name="m")
    whole = Oracle.tensors

    def disturbed(self: Oracle, *arguments: object) -> dict[str, np.ndarray]:
        tensors = whole(self, *arguments)
        tensors[node(model, "BipolarQuant", 2).output[0]][3, 2] *= -1
        tensors[model.graph.output[0].name][3, 1] += 1
        return tensors

    monkeypatch.setattr(Oracle, "tensors", disturbed)
    with pytest.raises(MismatchError) as error:
        check(graph, model)
    assert str(error.value).startswith("m: output 1 of image 3 must be the model's ")
    assert f"{node(model, 'BipolarQuant', 2).name} (BipolarQuant) is the first layer that " in str(
        error.value
    )
    assert "element 2 of image 3 is" in str(error.value)


def tied() -> onnx.ModelProto:
    """Sums of 0 before a sign, in float32 sums of 0.1 that are not 0."""
    return mlp((16, 8, 8, 4), bn=False, weight_scale=0.1, act_scale=0.3, style="new")


def test_ties_of_the_models_own_arithmetic() -> None:
    samples = np.random.default_rng(0).integers(0, 256, (500, 16))
    with pytest.raises(MismatchError) as error:
        import_model(tied(), name="m", samples=samples)
    assert (
        "its scales make the model's own float32 sums inexact; train with power-of-two scales "
        "(restrict_scaling_type POWER_OF_TWO) or with scale 1 before a batch norm"
    ) in str(error.value)


def test_sums_beyond_float32() -> None:
    """What the model itself gives depends on the order in which it adds."""
    weights = np.random.default_rng(0).integers(0, 128, (4096, 4)).astype(np.float32)
    model = Net(1, 64, 64).quant(1.0, 8).add("Flatten").add("MatMul", weights).model(divisor=1.0)
    with pytest.raises(MismatchError) as error:
        import_model(model, name="m")
    assert (
        "its float32 sums reach integers beyond 16777216, which float32 rounds, each order of "
        "adding otherwise; put fewer bits or a quantizer before that layer"
    ) in str(error.value)


def test_samples_of_another_shape() -> None:
    for shape in ((3, 5), (2, 8), (2, 32), (0, 16)):  # some hold as many pixels in all
        with pytest.raises(ConfigError) as error:
            import_model(mlp(SIZES), name="m", samples=np.zeros(shape, np.int64))
        size = " x ".join(map(str, shape))
        assert str(error.value) == (f"images: must be frames of 16 pixels, not {size}; resize them")


def test_malformed_node() -> None:
    model = mlp(SIZES, style="new")
    del node(model, "BatchNormalization").input[2:]
    assert "must" in refusal(model)
