# SPDX-License-Identifier: Apache-2.0
"""Loading: what is not a sound ONNX file gets one clear message, and little memory."""

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwbnn.errors import HwbnnError, ModelError
from hwbnn.frontend import import_model, inspect_model, load_model
from tests import bad_models
from tests.models import mlp

SIZES = (16, 8, 8, 4)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(data: bytes) -> Path:
        path = tmp_path / "model.onnx"
        path.write_bytes(data)
        return path

    return write


def message(path: Path) -> str:
    with pytest.raises(ModelError) as error:
        load_model(path)
    return str(error.value).replace(str(path), "FILE").replace(str(path.parent), "DIR")


def test_reads_what_was_written(file: Callable[[bytes], Path]) -> None:
    model = mlp(SIZES)
    assert load_model(file(model.SerializeToString())) == model


def test_missing(tmp_path: Path) -> None:
    assert message(tmp_path / "no.onnx") == "FILE: model must exist; check the path"


def test_folder(tmp_path: Path) -> None:
    text = "FILE: model must be a file, not a folder; name the .onnx file in it"
    assert message(tmp_path) == text


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
def test_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    for path in (tmp_path / "pipe.onnx", Path("/dev/zero")):
        with pytest.raises(ModelError, match="model must be a file, not a pipe or device"):
            load_model(path)


def test_name_too_long(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="model must be readable, not «.*»; check its path"):
        load_model(tmp_path / ("x" * 5000))


def test_empty(file: Callable[[bytes], Path]) -> None:
    text = "FILE: model must be an ONNX file, not an empty one; export the model again"
    assert message(file(b"")) == text


@pytest.mark.parametrize("data", [b"not a model", b"\x89PNG\r\n\x1a\n" * 20, b"\x12\x00"])
def test_not_onnx(file: Callable[[bytes], Path], data: bytes) -> None:
    assert message(file(data)).startswith("FILE: model must be an ONNX file")


def test_truncated(file: Callable[[bytes], Path]) -> None:
    data = mlp(SIZES).SerializeToString()
    for length in (100, len(data) // 2, len(data) - 60):
        assert message(file(data[:length])) == (
            f"FILE: model must be a whole ONNX file, not one that breaks off after {length} bytes; "
            "copy it or export it again"
        )


def test_truncated_anywhere(file: Callable[[bytes], Path]) -> None:
    data = mlp((8, 4, 2)).SerializeToString()
    for length in range(0, len(data) - 1, 37):
        try:
            load_model(file(data[:length]))
        except ModelError:
            continue
        else:
            assert length > len(data) - 60  # only metadata is lost


def test_damaged_anywhere(file: Callable[[bytes], Path]) -> None:
    """No byte, however wrong, gives a traceback."""
    data = mlp((8, 4, 2), act_bits=2, style="new").SerializeToString()
    rng = np.random.default_rng(1)
    for _ in range(200):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), int(rng.integers(1, 4))):
            damaged[place] = rng.integers(0, 256)
        try:
            import_model(load_model(file(bytes(damaged))), name="damaged")
        except HwbnnError:
            continue


def test_huge_initializer(file: Callable[[bytes], Path]) -> None:
    text = (
        "features.1.weight: tensor must hold 1073741824 bytes, as its shape 16384 x 16384 says, "
        "not 64; export the model again"
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert message(file(bad_models.huge_initializer().SerializeToString())) == text
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


def test_huge_constant() -> None:
    """Constants that grow by broadcasting are stopped before they are made."""
    model = mlp(SIZES)
    wide = [np.zeros((1 << 15, 1), np.float32), np.zeros((1, 1 << 15), np.float32)]
    model.graph.initializer.extend(numpy_helper.from_array(x, f"w{i}") for i, x in enumerate(wide))
    model.graph.node.insert(0, helper.make_node("Add", ["w0", "w1"], ["wide"], name="bomb"))
    with pytest.raises(ModelError) as error:
        import_model(model, name="m")
    assert str(error.value) == (
        "bomb (Add): constants must have at most 67108864 elements, not 1073741824; "
        "export the model again"
    )


def external(location: str, **entries: str) -> onnx.ModelProto:
    model = mlp(SIZES)
    tensor = next(t for t in model.graph.initializer if t.name == "features.1.weight")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return model


@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "a/../../b"])
def test_external_data_outside(file: Callable[[bytes], Path], location: str) -> None:
    assert message(file(external(location).SerializeToString())) == (
        "features.1.weight: external data must lie in the model's own folder, not at "
        f"{location}; save the model in one file, or beside its data"
    )


def test_external_data_behind_a_link(file: Callable[[bytes], Path], tmp_path: Path) -> None:
    (tmp_path / "weights.bin").symlink_to("/etc/passwd")
    text = message(file(external("weights.bin").SerializeToString()))
    assert "external data must lie in the model's own folder" in text


def test_external_data_missing(file: Callable[[bytes], Path]) -> None:
    assert message(file(external("weights.bin").SerializeToString())) == (
        "features.1.weight: external data must exist, but weights.bin does not; "
        "copy it beside the model"
    )


def test_external_data_short(file: Callable[[bytes], Path], tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(100))
    assert message(file(external("weights.bin").SerializeToString())) == (
        "features.1.weight: external data must lie within weights.bin of 100 bytes, not at "
        "0 to 256; copy the file again"
    )
    assert message(file(external("weights.bin", length="7").SerializeToString())) == (
        "features.1.weight: external data must have 256 bytes, as its shape says, not 7; "
        "export the model again"
    )
    assert "a path, an offset and a length" in message(
        file(external("weights.bin", offset="x").SerializeToString())
    )


def test_external_data_is_read(file: Callable[[bytes], Path], tmp_path: Path) -> None:
    whole = mlp(SIZES)
    tensor = next(t for t in whole.graph.initializer if t.name == "features.1.weight")
    (tmp_path / "weights.bin").write_bytes(bytes(8) + tensor.raw_data)
    model = load_model(file(external("weights.bin", offset="8").SerializeToString()))
    assert model == whole


def test_external_data_unread() -> None:
    with pytest.raises(ModelError, match="read the model with load_model"):
        import_model(bad_models.external_data_outside(), name="m")


def test_nan() -> None:
    for function in (import_model, inspect_model):
        with pytest.raises(ModelError) as error:
            function(bad_models.nan_weights(), name="m")
        assert str(error.value) == (
            "features.1.weight[2, 3]: weights must be finite, not nan; "
            "train the model again and look at the loss"
        )


def test_zero_size() -> None:
    with pytest.raises(ModelError) as error:
        import_model(bad_models.zero_size(), name="m")
    assert error.value.problems == (
        "features.0.weight: tensor must have elements, not the shape 8 x 0; export the model again",
        "input: input must have elements, not the shape 1 x 0; export the model again",
    )


def test_dynamic_shapes() -> None:
    import_model(bad_models.dynamic_shape(0), name="m")
    with pytest.raises(ModelError) as error:
        import_model(bad_models.dynamic_shape(3), name="m")
    assert str(error.value) == (
        "input: input must have a fixed shape behind the batch, not 1 x 1 x 28 x batch; "
        "export it with fixed image sizes"
    )


def input_info(kind: int, shape: list[int]) -> onnx.ModelProto:
    model = mlp(SIZES)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("input", kind, shape))
    return model


def test_inputs() -> None:
    cases = {
        "input: input must be FLOAT, not UINT8; export the model again": input_info(
            TensorProto.UINT8, [1, 16]
        ),
        "input: input must have a batch and features, not shape 16; export the model again": (
            input_info(TensorProto.FLOAT, [16])
        ),
        "input: input must have at most 1048576 elements, not 2147483648; "
        "export it with a batch of 1": input_info(TensorProto.FLOAT, [1 << 27, 16]),
    }
    two = mlp(SIZES)
    two.graph.input.add().CopyFrom(helper.make_tensor_value_info("b", TensorProto.FLOAT, [1, 2]))
    two.graph.output.add().CopyFrom(helper.make_tensor_value_info("c", TensorProto.FLOAT, [1]))
    cases["model must have one input, not input, b; export it with one input"] = two
    cases["model must have one output, not MatMul_20_out, c; export it with one output"] = two
    for text, model in cases.items():
        with pytest.raises(ModelError) as error:
            import_model(model, name="m")
        assert text in str(error.value)


def test_order() -> None:
    model = mlp(SIZES)
    first = model.graph.node[0]
    del model.graph.node[0]
    model.graph.node.append(first)
    with pytest.raises(ModelError) as error:
        import_model(model, name="m")
    assert str(error.value) == (
        "Gather_1 (Gather): input Shape_0_out must be made by a node before it; "
        "export the model again"
    )
