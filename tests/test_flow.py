# SPDX-License-Identifier: Apache-2.0
"""The flow from Python: steps, figures, proofs."""

import hashlib
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import onnx
import pytest
from rich.console import Console

from hwbnn.board import find_board
from hwbnn.cli.tables import report_tables
from hwbnn.emit.report import Json, Synthesised
from hwbnn.emit.shell import core_cost, shell_cost
from hwbnn.errors import ConfigError, MismatchError
from hwbnn.flow import BuildConfig, BuildResult, build, frames_of
from hwbnn.ir.unit import Resources
from hwbnn.outcome import files_of, report_of
from hwbnn.passes.folding_file import to_toml
from hwbnn.proving import prove
from hwbnn.sim.interpret import Interpreter
from hwbnn.step import Goal, Proof, Step
from tests.dag_models import random_dag_model


@pytest.fixture
def config(small_model: Path) -> BuildConfig:
    return BuildConfig(small_model, name="tiny", board=find_board("pynq-z2"))


def test_steps_are_watched_in_order(config: BuildConfig):
    seen: list[Step] = []
    result = build(config, watch=seen.append)
    steps = [step for step in Step if Step.SIMULATE.reaches(step)]
    assert seen == steps
    assert [name for name, _ in result.seconds] == [step.value for step in steps]


def test_default_folding_is_as_fast_as_the_port(config: BuildConfig):
    result = build(config)
    assert result.performance is not None
    assert result.performance.period <= 2  # 16 bytes by 64 bits a cycle
    assert result.design is not None
    assert result.design.input.stream.bits <= config.board.data.bits


def test_default_folding_keeps_up_with_a_slow_line_and_no_more(config: BuildConfig):
    line = replace(config, board=find_board("ulx3s-85f"), until=Step.SIMULATE)
    slow, fast = build(line), build(replace(line, maximize=Goal.FPS))
    assert slow.performance is not None and fast.performance is not None
    assert slow.design is not None and fast.design is not None
    period = 16 * 261 / 255 * 10 * 50 / 3  # 16 bytes in packets, 10 bits each, 50 MHz to 3 MBaud
    assert 16 < slow.performance.period <= period
    assert fast.performance.period <= 16  # a byte a cycle
    assert fast.design.input.stream.bits == 8
    assert slow.searched is not None and slow.searched.certificate is not None
    assert slow.searched.certificate.reason == f"the port takes {int(period)} cycles a frame"
    family = line.board.cost_family
    assert slow.design.resources(family).lut < fast.design.resources(family).lut
    found = report_of(slow)
    assert found["roofline"]["limit"] == "link"
    assert found["roofline"]["link"]["value"] == pytest.approx(50e6 / period)
    assert found["roofline"]["port"]["value"] == pytest.approx(50e6 / 16)


def test_default_folding_is_slower_on_a_board_that_is_too_small(config: BuildConfig):
    board = config.board
    full, serial = build(config), build(replace(config, target_cycles=10**6))
    most, least = (core_cost(r.design, board).lut for r in (full, serial) if r.design)
    lut = int((0.9 * least + 0.1 * most + shell_cost(board).lut) / board.limits.lut) + 1
    counts = board.resources.model_copy(update={"lut": lut})
    small = build(replace(config, board=board.model_copy(update={"resources": counts})))
    assert small.performance is not None
    assert full.performance is not None
    assert small.performance.period > full.performance.period
    report = report_of(small)
    assert report["resources"]["fits"]


def test_board_that_is_far_too_small(config: BuildConfig):
    counts = config.board.resources.model_copy(update={"lut": 10})
    with pytest.raises(ConfigError, match="choose a larger board"):
        build(replace(config, board=config.board.model_copy(update={"resources": counts})))


def test_model_that_goes_away_after_import(config: BuildConfig, tmp_path: Path):
    model = tmp_path / "m.onnx"
    model.write_bytes(config.model.read_bytes())
    result = build(replace(config, model=model, until=Step.IMPORT))
    model.unlink()
    digest = hashlib.sha256(config.model.read_bytes()).hexdigest()
    assert report_of(result)["model"]["sha256"] == digest


def test_folding_file_by_its_ending(config: BuildConfig, tmp_path: Path):
    file = tmp_path / "folding.JSON"
    file.write_text('{"MVAU_hls_0": {"PE": 2, "SIMD": 4}}', encoding="utf-8-sig")
    result = build(replace(config, folding=file, until=Step.FOLD))
    assert result.design is not None
    assert result.design.instances[1].unit.folding.pe == 2


def test_target_cycles(config: BuildConfig):
    result = build(replace(config, target_cycles=16))
    assert result.performance is not None
    assert result.performance.period <= 16


def test_packed_input_sends_what_the_host_makes(config: BuildConfig):
    pixels = np.random.default_rng(3).integers(0, 256, (6, 16))
    plain = build(replace(config, pixels=pixels))
    packed = build(replace(config, pixels=pixels, packed_input=True))
    assert plain.graph is not None
    assert packed.graph is not None
    assert packed.design is not None
    assert packed.graph.host_part is not None
    sent = frames_of(packed)
    assert set(np.unique(sent)) <= {-1, 1}
    assert (packed.design.run(sent) == Interpreter(plain.graph).run(pixels)).all()
    assert report_of(packed)["input"]["packed"]


def test_argmax(config: BuildConfig):
    pixels = np.random.default_rng(4).integers(0, 256, (9, 16))
    scores = build(replace(config, pixels=pixels))
    label = build(replace(config, pixels=pixels, argmax=True))
    assert scores.design is not None
    assert label.design is not None
    values = scores.design.run(pixels)
    assert scores.graph is not None
    floats = (
        values if scores.graph.output_values is None else (scores.graph.output_values.apply(values))
    )
    assert (label.design.run(pixels)[:, 0] == floats.argmax(axis=1)).all()


def test_images_of_another_size(config: BuildConfig):
    with pytest.raises((ConfigError, Exception), match="16 pixels, not"):
        build(replace(config, pixels=np.zeros((2, 15), np.int64)))


def test_golden_vectors_are_those_of_the_design(config: BuildConfig):
    result = build(config)
    assert result.design is not None
    files = files_of(result)
    stream = result.design.output.stream
    lines = files.text("golden/golden_out.hex").splitlines()
    codes = stream.pack(result.design.run(frames_of(result)))
    assert len(lines) == len(codes)
    assert int(lines[0], 16) == sum(
        int(code) << (lane * stream.dtype.bits) for lane, code in enumerate(codes[0])
    )


def test_report_of_a_bottleneck_that_can_be_relieved(config: BuildConfig):
    report = report_of(build(replace(config, target_cycles=64)))
    bottleneck = report["bottleneck"]
    relief = bottleneck["relief"]
    assert relief["cycles"] < bottleneck["cycles"]
    assert f"PE {relief['pe']}, SIMD {relief['simd']} instead of" in bottleneck["text"]
    assert (
        relief["frames_per_second"]["value"]
        >= (report["performance"]["frames_per_second"]["value"])
    )


def test_synthesised_figures_stand_beside_modelled_ones(config: BuildConfig):
    result = build(config)
    assert result.design is not None
    layers = {instance.name: Resources(lut=7) for instance in result.design.instances}
    result = replace(result, synthesised=Synthesised(Resources(lut=1e9), layers))
    resources = report_of(result)["resources"]
    assert resources["modelled"]["lut"] < 1e6
    assert resources["synthesised"]["lut"] == 1e9
    assert not resources["fits"]


def test_ultra_ram_stands_in_the_report_where_the_board_has_any(
    config: BuildConfig, tmp_path: Path
) -> None:
    file = tmp_path / "deep.toml"
    for board, storage, blocks in (("kv260", "ultra", 2), ("pynq-z2", "block", 0)):
        folded = build(replace(config, board=find_board(board), until=Step.FOLD))
        assert folded.design is not None
        file.write_text(f"{to_toml(folded.design)}\n[fifos]\nin = 4000\n")
        result = build(replace(folded.config, folding=file, until=Step.FIFO))
        report, page = report_of(result), files_of(result).text("report.html")
        entry = next(fifo for fifo in report["fifos"] if fifo["name"] == "in")
        assert (entry["storage"], entry["resources"]["uram"]) == (storage, blocks)
        assert report["resources"]["modelled"]["uram"] == blocks
        assert ("uram" in report["resources"]["board"]) == (blocks > 0)
        assert ("<th>URAM</th>" in page) == (blocks > 0)
        assert any("URAM" in line for line in shown(report)) == (blocks > 0)


def test_a_narrow_terminal_cuts_no_name_and_no_share(config: BuildConfig) -> None:
    report = report_of(build(replace(config, until=Step.FOLD)))
    report["layers"][0]["name"] = "a_name_that_is_longer_than_others"
    text = "\n".join(shown(report, width=64))
    assert "…" not in text
    assert text.count("%") >= len(report["layers"])


def shown(report: Json, *, width: int = 120) -> list[str]:
    console = Console(width=width, record=True, file=StringIO())
    console.print(report_tables(report))
    return console.export_text().splitlines()


def test_finn_reports(config: BuildConfig):
    import json

    result = build(config)
    files = files_of(result)
    network = json.loads(files.text("report/estimate_network_performance.json"))
    assert set(network) == {
        "critical_path_cycles", "max_cycles", "max_cycles_node_name",
        "estimated_throughput_fps", "estimated_latency_ns",
    }  # fmt: skip
    resources = json.loads(files.text("report/estimate_layer_resources.json"))
    assert set(resources["total"]) == {"BRAM_18K", "LUT", "FF", "URAM", "DSP"}
    total = sum(entry["LUT"] for name, entry in resources.items() if name != "total")
    assert total == pytest.approx(resources["total"]["LUT"], abs=1)


@pytest.mark.slow
@pytest.mark.parametrize("proof", list(Proof))
def test_proofs(config: BuildConfig, tmp_path: Path, proof: Proof):
    result = prove(build(replace(config, until=Step.FIFO)), proof, work=tmp_path)
    if proof is Proof.SYNTH:
        assert result.synthesised is not None
        assert result.synthesised.total.lut > 0
    else:
        assert len(result.checks) == 2


def test_wrong_hls_is_a_mismatch(
    config: BuildConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    result: BuildResult = build(replace(config, until=Step.FIFO))

    def wrong(design, frames, *, work):
        return design.run(frames) + np.eye(len(frames), 4, -2, dtype=np.int64)

    monkeypatch.setattr("hwbnn.proving.csim", wrong)
    with pytest.raises(MismatchError, match="HLS output of frame 2 must be"):
        prove(result, Proof.CSIM, work=tmp_path)


def test_target_frames_a_second_is_met_by_the_fewest_cycles_needed(config: BuildConfig):
    result = build(replace(config, target_fps=3e6))
    assert result.performance is not None
    assert result.performance.period <= result.clock_mhz * 1e6 / 3e6
    proof = report_of(result)["folding"]
    assert proof["target"] == int(result.clock_mhz / 3)
    assert "none of at most 33 cycles a frame takes less of the board" in proof["text"]


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), 2e8])
def test_target_that_no_clock_reaches(config: BuildConfig, fps: float):
    with pytest.raises(ConfigError, match="target must be above 0 and at most 100000000 frames/s"):
        build(replace(config, target_fps=fps))


def test_target_that_no_folding_reaches(config: BuildConfig):
    graph = build(replace(config, until=Step.LOWER)).design
    assert graph is not None
    board = config.board
    shell = shell_cost(board).lut + 15 * len(graph.edges)  # with the monitors
    counts = board.resources.model_copy(update={"lut": int(600 + shell / board.limits.lut)})
    small = replace(config, board=board.model_copy(update={"resources": counts}))
    best = build(small).design
    assert best is not None
    with pytest.raises(ConfigError) as error:
        build(replace(small, target_fps=1e8))
    assert f"at most {1e8 / best.bound:.12g} frames/s ({best.bound} cycles" in str(error.value)


def test_one_choice_of_folding(config: BuildConfig):
    with pytest.raises(ConfigError, match="not target cycles and what to maximize; leave one out"):
        build(replace(config, target_cycles=9, maximize=Goal.FPS))


def test_proof_of_the_fifos(config: BuildConfig):
    result = build(config)
    assert result.sizing is not None
    found = report_of(result)["fifo_sizing"]
    assert found["bits"] == result.sizing.bits >= found["bound"] > 0
    assert found["given"] == ()


def test_fifo_depths_of_a_user(config: BuildConfig, tmp_path: Path):
    design = build(replace(config, until=Step.LOWER)).design
    assert design is not None
    name = design.instances[-1].name
    file = tmp_path / "folding.toml"
    file.write_text(f"[layers.{name}]\npe = 4\nsimd = 2\n\n[fifos]\nout = 7\n")
    result = build(replace(config, folding=file))
    assert result.design is not None
    assert result.design.output.fifo.depth == 7
    assert "Given by the user, and not counted: out" in report_of(result)["fifo_sizing"]["text"]
    file.write_text(f"[layers.{name}]\npe = 4\nsimd = 2\n\n[fifos]\nnone = 7\n")
    with pytest.raises(ConfigError, match="FIFO must be one of in, .*, not none"):
        build(replace(config, folding=file))


def test_fifos_that_slow_a_design_are_named(config: BuildConfig, tmp_path: Path):
    design = build(replace(config, target_cycles=8, until=Step.FIFO)).design
    assert design is not None
    names = [edge.name for edge in design.edges]
    folding = to_toml(design) + "\n[fifos]\n" + "".join(f"{n} = 1\n" for n in names)
    file = tmp_path / "folding.toml"
    file.write_text(folding)
    result = build(replace(config, folding=file))
    assert result.performance is not None
    assert result.design is not None
    assert result.performance.period > result.design.bound
    text = report_of(result)["bottleneck"]["text"]
    assert text.startswith("FIFOs keep the design below its folding's speed: a frame every")
    assert "; deepen " in text


def test_what_dense_connections_carry_is_reported_and_compared(
    config: BuildConfig, tmp_path: Path
) -> None:
    model = tmp_path / "dense.onnx"
    onnx.save(random_dag_model(3, block=True).model, model)
    lowered = build(replace(config, model=model, until=Step.LOWER))
    ranks, integers = report_of(lowered)["connections"]
    assert ranks["carried"].startswith("ranks") and 0 < ranks["chosen"] < ranks["integers"]
    assert (integers["carried"], integers["integers"]) == ("integers", 0)
    assert [check.name for check in lowered.checks] == ["integers", "dense connections"]
    imported = build(replace(config, model=model, until=Step.IMPORT))
    before, after = (files_of(result).files["graph.txt"] for result in (imported, lowered))
    assert b"_rank: UINT" in after and b"_rank: " not in before
