# SPDX-License-Identifier: Apache-2.0
"""Package: what its manifest says is true of the files, the board and the design."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from hwbnn.board import AxiLink, find_board
from hwbnn.deploy.package import package, write_package
from hwbnn.deploy.runtime.target import Target
from hwbnn.errors import ConfigError, MismatchError, OutputError
from hwbnn.ir.graph import Graph, OutputSteps, Preprocess
from tests.deploy.packages import make, small, small_uart
from tests.graphs import binary_mlp, finished


def manifest(made):
    return json.loads(made.files.text("manifest.json"))


def test_same_bytes_each_time(tmp_path):
    first, second = small().zip(tmp_path / "a"), small().zip(tmp_path / "b")
    again = package(small().contents)
    write_package(again, tmp_path / "c" / "mlp.zip")
    assert first.read_bytes() == second.read_bytes() == (tmp_path / "c/mlp.zip").read_bytes()


def test_every_file_has_its_hash():
    made = small()
    hashes = manifest(made)["files"]
    assert set(hashes) == set(made.files.files) - {"manifest.json"}
    for path, sha256 in hashes.items():
        assert hashlib.sha256(made.files.files[path]).hexdigest() == sha256


def test_says_what_the_board_is():
    made, board = small(), find_board("pynq-z2")
    found = manifest(made)
    assert found["schema"] == "hwbnn/package@1"
    assert found["build_hash"] == made.contents.core.build_hash.hex()
    assert found["clock"] == {
        "mhz": 100.0, "generator": "zynq-fclk", "source_mhz": 1000.0, "ps_clk_mhz": 50.0,
    }  # fmt: skip
    target = Target.of(found)
    assert isinstance(board.link, AxiLink)
    assert target.control_base == board.link.control_base
    assert (target.data_port, target.word_bytes) == (board.data.port, board.word_bytes)
    assert target.fifos == tuple(edge.name for edge in made.contents.design.edges)
    assert target.buffer_bytes == 128 * 2**20 // 4
    assert target.address_bits == 32 and target.uio == "fabric" and target.baud == 0


def test_says_what_a_serial_board_is():
    found = manifest(small_uart())
    target = Target.of(found)
    assert found["link"]["kind"] == "uart" and found["link"]["load"] == "ulx3s"
    assert (target.baud, target.word_bytes, target.buffer_bytes) == (3_000_000, 1, 0)
    assert found["host"] is None


def test_classes_and_preprocessing():
    graph = replace(
        binary_mlp((24, 16, 10)), classes=("zero", "one"), preprocess=Preprocess(255, 0.5, 0.25)
    )
    found = manifest(make(graph))
    assert found["classes"] == ["zero", "one"]
    assert found["preprocess"] == {
        "divisor": 255, "mean": 0.5, "std": 0.25, "meaning": "x = (p / 255 - 0.5) / 0.25",
    }  # fmt: skip


def test_a_formula_without_steps():
    formula = OutputSteps(np.ones(10), np.full(10, 0.5), ())
    made = make(replace(binary_mlp((24, 16, 10)), output_values=formula))
    assert manifest(made)["output"]["values"] == {
        "scale": "scale.npy", "offset": "offset.npy", "steps": [],
    }  # fmt: skip


def test_bitstreams_have_their_boards_name():
    assert manifest(small())["bitstream"] == "bitstream.bit"
    graph = binary_mlp((24, 8, 4))
    assert manifest(make(graph, board="icebreaker"))["bitstream"] == "bitstream.bin"
    assert manifest(make(graph, bitstream=None))["bitstream"] is None


def test_a_frame_that_does_not_fit_the_uart():
    with pytest.raises(ConfigError, match="a frame must fit link.room_bytes, 8192, not have 9000"):
        make(binary_mlp((9000, 4, 2)), board="ulx3s-85f")


def test_a_design_of_another_graph():
    contents = replace(small().contents, design=finished(binary_mlp((24, 16, 10), seed=1)))
    with pytest.raises(MismatchError, match="design and graph must agree on the golden images"):
        package(contents)


def test_a_place_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="the package must be writable, not fail"):
        write_package(small().files, tmp_path / "file" / "package.zip")


def test_the_graph_needs_no_classes():
    graph: Graph = small().contents.graph
    assert manifest(small())["classes"] == list(graph.classes) == []
