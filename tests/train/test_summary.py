# SPDX-License-Identifier: Apache-2.0
"""The summary counts what a network holds: the same from torch and from the exported file."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from hwbnn import zoo
from hwbnn.cli import summary as command
from hwbnn.errors import ConfigError, ToolError
from hwbnn.frontend import import_model, load_model
from hwbnn.frontend.summary import Row, Summary, summarise

app = typer.Typer()
app.command()(command.summary)
# A callback keeps Typer from making the one command the whole program.
app.callback()(lambda: None)


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["summary", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def data(*arguments: str) -> dict:
    found = json.loads(shown(*arguments, "--json"))
    assert found.pop("schema") == "hwbnn/summary@1"
    return found


def test_totals() -> None:
    rows = (
        Row("first", "conv", 8, (4, 2, 2), weights=100, weight_bits=8, biases=4, macs=400),
        Row("second", "conv", 1, (4, 2, 2), weights=800, weight_bits=1, macs=3600, thresholds=4),
        Row("pool", "pool", 1, (4, 1, 1)),
    )
    found = Summary("m", rows)
    assert found.weights == {1: 800, 8: 100, 32: 4}
    assert found.memory_bits == 800 + 800 + 128
    assert (found.binary_macs, found.multi_bit_macs, found.binary_share) == (3600, 400, 0.9)
    assert found.compression == 904 * 32 / 1728


def test_of_a_shipped_model() -> None:
    found = data("zoo:cnn-w1a1")
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["conv1"] == {
        "name": "conv1", "kind": "Conv", "input_bits": 1, "output_shape": [64, 14, 14],
        "weights": 64 * 32 * 9, "weight_bits": 1, "biases": 0, "memory_bytes": 64 * 32 * 9 / 8,
        "binary_macs": 64 * 32 * 9 * 14 * 14, "multi_bit_macs": 0, "thresholds": 64,
    }  # fmt: skip
    assert layers["conv0"]["binary_macs"] == 0
    assert layers["conv0"]["multi_bit_macs"] == 32 * 9 * 28 * 28
    assert layers["pool0"]["output_shape"] == [32, 14, 14]
    assert found["total"]["compression"] == 32.0


def test_table_is_readable_at_100_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.screen, "PIPE_WIDTH", 100)
    lines = shown("zoo:cnv-w1a1").splitlines()
    assert lines[0] == "cnv-w1a1"
    assert lines[1].split() == ["input", "1-bit", "memory", "binary", "other"]
    assert lines[2].split() == ["layer", "bits", "output", "weights", "kB", "MACs", "MACs"]
    row = next(line for line in lines if line.startswith("conv1"))
    assert row.split() == ["conv1", "1", "64x28x28", "36,864", "4.50", "28.90", "M"]
    total = next(line for line in lines if line.startswith("all"))
    assert total.split() == ["all", "1,542,848", "188.34", "57.91", "M", "1.56", "M"]
    assert "97.4% of the MACs are binary; weights take 188.34 kB, 32.0 times" in "\n".join(lines)


@pytest.mark.slow
def test_costs_on_a_board(monkeypatch: pytest.MonkeyPatch) -> None:
    found = data("zoo:tfc-w1a1", "--board", "pynq-z2")
    dense = [layer for layer in found["layers"] if layer["kind"] == "Dense"]
    assert all(layer["cycles"] >= 1 and layer["lut"] > 0 for layer in dense)
    monkeypatch.setattr(command.screen, "PIPE_WIDTH", 100)
    lines = shown("zoo:tfc-w1a1", "--board", "pynq-z2").splitlines()
    assert lines[2].split()[-3:] == ["cycles", "LUT", "BRAM"]
    assert max(map(len, lines)) <= 100
    lines = shown("zoo:tfc-w1a1", "--board", "kv260").splitlines()
    assert lines[2].split()[-4:] == ["cycles", "LUT", "BRAM", "URAM"]


def test_of_a_network_by_name() -> None:
    pytest.importorskip("torch", reason="torch (extra train) is not installed")
    pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")
    found = data("vgg-small", "--image", "1x28x28")
    assert [layer["name"] for layer in found["layers"]] == [*(f"conv{n}" for n in range(6)), "fc0"]
    assert found["total"]["weights"] == {"1": 4571136, "8": 128 * 9 + 46080, "32": 10}
    from hwbnn.train.summary import network_summary

    torch_rows = network_summary("cnn-w1a1").rows
    model = import_model(load_model(zoo.path("cnn-w1a1")), name="m", check=False)
    file_rows = [row for row in summarise(model).rows if row.weights]
    for ours, theirs in zip(file_rows, torch_rows, strict=True):
        assert (ours.name, ours.weights, ours.macs) == (theirs.name, theirs.weights, theirs.macs)
        assert (ours.input_bits, ours.weight_bits) == (theirs.input_bits, theirs.weight_bits)


def refusal(error: type[Exception], *arguments: str) -> str:
    with pytest.raises(error) as caught:
        CliRunner().invoke(app, ["summary", *arguments], catch_exceptions=False)
    return str(caught.value)


def test_wrong_choices() -> None:
    assert refusal(ConfigError, "zoo:tfc-w1a1", "--method", "ste") == (
        "zoo:tfc-w1a1: --method and --image must go with a network's name, not with a model file; "
        "leave them out"
    )
    pytest.importorskip("torch", reason="torch (extra train) is not installed")
    pytest.importorskip("brevitas", reason="brevitas (extra train) is not installed")
    assert refusal(ConfigError, "tfc-w1a1", "--image", "28") == (
        "--image: must be channels x rows x columns, such as 3x32x32, not 28; mend it"
    )
    assert refusal(ConfigError, "no-such").startswith("network: must be a known network, not no-s")
    assert refusal(ConfigError, "tfc-w1a1", "--board", "pynq-z2").startswith(
        "tfc-w1a1: --board must go with an exported model, not with an untrained network; train it"
    )


def test_a_file_needs_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['brevitas'] = None; import typer;"
        "from hwbnn.cli.summary import summary; app = typer.Typer(); app.command()(summary);"
        "app(['zoo:tfc-w1a1'])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0 and "fc0" in done.stdout, done.stderr
    for name in [name for name in sys.modules if name.startswith("hwbnn.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert refusal(ToolError, "tfc-w1a1").startswith(
        "tfc-w1a1: the package torch must be installed to make a network, not missing; run pip "
    )
