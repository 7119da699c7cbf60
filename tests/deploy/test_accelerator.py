# SPDX-License-Identifier: Apache-2.0
"""Accelerator: the whole driver on a board in Python, and everything that it must refuse."""

import re
from dataclasses import replace

import numpy as np
import pytest

from hwbnn.deploy.runtime import (
    Accelerator,
    BoardFault,
    InputFault,
    MismatchFault,
    PackageFault,
    TimeoutFault,
    TransferFault,
    registers,
)
from hwbnn.deploy.runtime import accelerator as accelerator_module
from hwbnn.deploy.runtime.package import open_package
from hwbnn.ir.dtype import BIPOLAR, signed, unsigned
from hwbnn.ir.graph import Arithmetic, Graph, OutputSteps, OutputValues, Preprocess
from hwbnn.ir.ops import Dense, Input, Permute, Staircase
from hwbnn.sim.interpret import Interpreter
from tests.deploy.packages import Made, make, small
from tests.graphs import binary_mlp

IMAGES = np.random.default_rng(5).integers(0, 256, (40, 24)).astype(np.uint8)


@pytest.fixture(scope="module")
def zipped(tmp_path_factory):
    return small().zip(tmp_path_factory.mktemp("package"))


def load(path, board, **options) -> Accelerator:
    return Accelerator.load(path, board, **options)


def raw(made: Made, images: np.ndarray) -> np.ndarray:
    return Interpreter(made.contents.graph.on_pixels).run(images.reshape(len(images), -1))


def test_integers_and_labels_are_the_graphs(zipped):
    board = small().board()
    with load(zipped, board) as accelerator:
        wanted = raw(small(), IMAGES)
        np.testing.assert_array_equal(accelerator.raw(IMAGES), wanted)
        np.testing.assert_array_equal(accelerator.predict(IMAGES), wanted.argmax(axis=1))
        scores = accelerator.scores(IMAGES)
        assert scores.dtype == np.float32
        np.testing.assert_array_equal(scores, wanted)
        assert accelerator.shape == (24,) and accelerator.classes == ()
    assert board.closed and board.loads == 1
    assert board.bitstream == small().contents.bitstream
    assert board.batches == [3, 40, 40, 40], "golden frames, then images"


def test_a_folder_does_as_well(tmp_path):
    accelerator = load(small().folder(tmp_path), small().board())
    np.testing.assert_array_equal(accelerator.raw(IMAGES), raw(small(), IMAGES))


def test_chunks(zipped, monkeypatch):
    monkeypatch.setattr(accelerator_module, "CHUNK_BYTES", 24 * 16)
    board = small().board()
    accelerator = load(zipped, board, self_test=False)
    np.testing.assert_array_equal(accelerator.raw(IMAGES), raw(small(), IMAGES))
    assert board.batches == [16, 16, 8]


# ---- outputs and inputs of every kind ----------------------------------------------------------


def table(rows: int) -> OutputValues:
    low, high = binary_mlp((24, 16, 10)).range_of("fc1")
    rng = np.random.default_rng(rows)
    return OutputValues(rng.normal(size=(rows, high - low + 1)).astype(np.float32), low)


def steps() -> OutputSteps:
    rng = np.random.default_rng(3)
    operands = rng.normal(size=(4, 10)).astype(np.float32)
    return OutputSteps(
        rng.normal(size=10), rng.normal(size=10), tuple(zip(Arithmetic, operands, strict=True))
    )


@pytest.mark.parametrize("values", [table(1), table(10), steps()], ids=["row", "rows", "steps"])
def test_scores_are_the_models_bit_for_bit(values, tmp_path):
    graph = replace(binary_mlp((24, 16, 10)), output_values=values, classes=tuple("abcdefghij"))
    made = make(graph)
    accelerator = load(made.zip(tmp_path), made.board())
    wanted = values.apply(raw(made, IMAGES))
    found = accelerator.scores(IMAGES)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))
    np.testing.assert_array_equal(accelerator.predict(IMAGES), wanted.argmax(axis=1))
    assert accelerator.classes == tuple("abcdefghij")


def test_argmax_in_hardware(tmp_path):
    made = make(binary_mlp((24, 16, 10), argmax=True))
    accelerator = load(made.zip(tmp_path), made.board())
    np.testing.assert_array_equal(accelerator.predict(IMAGES), raw(made, IMAGES)[:, 0])
    with pytest.raises(
        InputFault, match="mlp: must give values to have scores, not the class index"
    ):
        accelerator.scores(IMAGES)


def test_packed_pixels_in_another_order(tmp_path):
    rng = np.random.default_rng(2)
    order = np.arange(24).reshape(3, 8).T.reshape(-1)
    thresholds = np.sort(rng.integers(0, 256, (3, 3)), axis=1)
    host = (
        Input("x", 24, unsigned(8)),
        Permute("p", "x", order, unsigned(8), 8),
        Staircase("q", "p", 24, thresholds, np.array([False]), 0, unsigned(2), 8),
    )
    sent = Input("q", 24, unsigned(2), 8)
    dense = Dense("fc", "q", rng.choice([-1, 1], (5, 24)), BIPOLAR, signed(8))
    graph = Graph("packed", (sent, dense), "fc", (3, 2, 4), Preprocess(), host=host)
    made = make(graph)
    images = rng.integers(0, 256, (9, 3, 2, 4)).astype(np.uint8)
    accelerator = load(made.zip(tmp_path), made.board())
    np.testing.assert_array_equal(accelerator.raw(images), raw(made, images))
    np.testing.assert_array_equal(accelerator.raw(images.reshape(9, -1)), raw(made, images))


# ---- what must be refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("register", "value", "text"),
    [
        (registers.ID, 0, "register ID must be 0x4e4e4248, not 0x0"),
        (registers.VERSION, 2, "register VERSION must be 1, not 2"),
        (registers.BUILD_HASH + 8, 0x01020304, "register BUILD_HASH must be"),
        (registers.WORD_BYTES, 16, "register WORD_BYTES must be 8, not 16"),
        (registers.IN_BYTES, 32, "register IN_BYTES must be 24, not 32"),
        (registers.OUT_BYTES, 16, "register OUT_BYTES must be 8, not 16"),
        (registers.FIFOS, 9, "register FIFOS must be 4, not 9"),
        (registers.SCRATCH, 0, "register SCRATCH must be 0xa5c3f096, not 0x0"),
    ],
)
def test_another_board(zipped, register, value, text):
    board = small().board(dead={register: value})
    with pytest.raises(BoardFault) as caught:
        load(zipped, board)
    assert text in str(caught.value) and "load the bitstream of this package" in str(caught.value)
    assert board.closed and not board.batches


def test_a_board_that_computes_something_else(zipped):
    board = small().board(wrong=1)
    with pytest.raises(MismatchFault) as caught:
        load(zipped, board)
    assert "mlp: golden frame 0 must give [" in str(caught.value)
    assert "frames done 3" in caught.value.state
    assert board.closed
    assert load(zipped, small().board(wrong=1), self_test=False).name == "mlp"


def test_a_board_that_hangs(zipped):
    board = small().board()
    accelerator = load(zipped, board)
    board.waits = None
    with pytest.raises(TimeoutFault, match="high water: in 3, q_out 4, fc0_out 5, out 6"):
        accelerator.raw(IMAGES, timeout=0.01)
    board.waits = 1
    np.testing.assert_array_equal(accelerator.raw(IMAGES), raw(small(), IMAGES))


def test_a_memory_error(zipped):
    board = small().board()
    accelerator = load(zipped, board)
    board.error = registers.READ_ERROR
    with pytest.raises(TransferFault, match="not with: the memory refused a read"):
        accelerator.predict(IMAGES)


@pytest.mark.parametrize("images", [IMAGES[0], IMAGES[:, :23], IMAGES / 255, IMAGES[:0]])
def test_other_images(zipped, images):
    with pytest.raises(InputFault, match="images: must "):
        load(zipped, small().board()).predict(images)


def test_results_out_of_the_table(tmp_path):
    low, high = binary_mlp((24, 16, 10)).range_of("fc1")
    short = OutputValues(np.zeros((1, high - low + 1), np.float32), low)
    made = make(replace(binary_mlp((24, 16, 10)), output_values=short))
    board = made.board(wrong=0x1F)
    accelerator = load(made.zip(tmp_path), board, self_test=False)
    with pytest.raises(MismatchFault, match=f"results: must be {low} to {high}, not"):
        accelerator.scores(IMAGES)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("bitstream.bit", "bitstream.bit must have the SHA-256"),
        ("golden_out.npy", "golden_out.npy must have the SHA-256"),
        ("chip/chip.sv", "chip/chip.sv must have the SHA-256"),
    ],
)
def test_a_changed_file(tmp_path, path, text):
    folder = small().folder(tmp_path)
    data = bytearray((folder / path).read_bytes())
    data[-1] ^= 1
    (folder / path).write_bytes(data)
    board = small().board()
    with pytest.raises(PackageFault, match=text):
        load(folder, board)
    assert not board.loads, "checked before anything is loaded"


def test_a_missing_file(tmp_path):
    folder = small().folder(tmp_path)
    (folder / "golden_in.npy").unlink()
    with pytest.raises(PackageFault, match="must hold golden_in.npy, not be without"):
        open_package(folder)


def test_a_damaged_zip(zipped, tmp_path):
    data = bytearray(zipped.read_bytes())
    for name, start, end in (("cut", 0, len(data) // 2), ("empty", 0, 0)):
        (tmp_path / name).write_bytes(data[start:end])
        with pytest.raises(PackageFault, match="must be a readable folder or ZIP"):
            open_package(tmp_path / name)


def test_a_changed_zip_is_refused_or_harmless(zipped, tmp_path):
    data, whole = zipped.read_bytes(), open_package(zipped)
    refused = 0
    for at in [*range(0, len(data) - 1000, 997), *range(len(data) - 1000, len(data), 7)]:
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        (tmp_path / "changed.zip").write_bytes(changed)
        try:
            found = open_package(tmp_path / "changed.zip")
        except PackageFault:
            refused += 1
        else:
            assert (found.manifest, found.files) == (whole.manifest, whole.files), at
    assert refused > 100


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (
            {"schema": "hwbnn/package@4"},
            "schema must be hwbnn/package@1, @2 or @3, not hwbnn/package@4",
        ),
        ({"schema": "hwbnn/package@2"}, "manifest.json must have weights"),
        ({"schema": "hwbnn/package@3"}, "manifest.json must have weights"),
        ({"files": {"../secret": "0"}}, "files must lie inside the package, not at ../secret"),
        ({"files": {"/etc/passwd": "0"}}, "files must lie inside the package, not at /etc/passwd"),
        ({"bitstream": "other.bit"}, "must hold other.bit, as its manifest says"),
    ],
)
def test_a_manifest_that_cannot_be(tmp_path, keys, text):
    with pytest.raises(PackageFault, match=re.escape(text)):
        _ = open_package(small().changed(tmp_path, **keys)).bitstream


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff", b'{"schema": "hwbnn/package@1"}'])
def test_no_manifest(tmp_path, text):
    folder = small().folder(tmp_path)
    (folder / "manifest.json").write_bytes(text)
    with pytest.raises(PackageFault, match="manifest.json must"):
        open_package(folder)


def test_no_bitstream_to_load(tmp_path):
    made = make(binary_mlp((24, 16, 10)), bitstream=None)
    package = made.zip(tmp_path)
    with pytest.raises(
        PackageFault, match="must have a bitstream to be loaded, not only its sources"
    ):
        Accelerator.load(package)
    board = made.board()
    load(package, board)
    assert board.bitstream is None, "a back end of one's own has it already"


@pytest.mark.parametrize("name", ["uart:/dev/ttyUSB0", "fpga", "uart"])
def test_a_back_end_that_does_not_fit(zipped, name):
    with pytest.raises(InputFault, match=f"must be pynq or linux for pynq-z2, not {name}"):
        Accelerator.load(zipped, name)


# ---- figures -----------------------------------------------------------------------------------


def test_throughput_says_where_the_time_went(zipped):
    accelerator = load(zipped, small().board(cycles=lambda n: 500 * n))
    found = accelerator.throughput(200)
    assert (found.frames, found.batches, found.cycles) == (200, 1, 100_000)
    assert found.predicted_cycles == 538 + 199 * 384
    assert set(found.seconds) == {"pack", "copy", "execute", "unpack"}
    assert 0 < sum(found.seconds.values()) <= found.total
    assert found.frames_per_second == 200 / found.total
    assert found.core_frames_per_second == pytest.approx(100e6 / 500)
    assert (found.in_stall, found.out_stall) == (7, 1)
    assert found.as_dict()["frames_per_second"] == found.frames_per_second
    assert accelerator.throughput(IMAGES).frames == len(IMAGES)
    with pytest.raises(InputFault, match="frames must be at least 1, not 0"):
        accelerator.throughput(0)


def test_counters_by_name_and_reset(zipped):
    board = small().board()
    accelerator = load(zipped, board)
    state = accelerator.counters()
    assert dict(state.high_water) == {"in": 3, "q_out": 4, "fc0_out": 5, "out": 6}
    assert (state.frames_done, state.cycles, state.in_stall, state.out_stall) == (3, 30, 7, 1)
    before = board.resets
    accelerator.reset()
    assert board.resets == before + 1
