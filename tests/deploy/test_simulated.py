# SPDX-License-Identifier: Apache-2.0
"""Simulated boards: the shipped driver on the real shells, with stalls, refusals and a bad line."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hwbnn import zoo
from hwbnn.deploy.runtime import Accelerator, packets, registers
from hwbnn.deploy.runtime.errors import BoardFault, TransferFault
from hwbnn.deploy.runtime.program import Program
from hwbnn.deploy.runtime.simulated import MEMORY_BASE
from hwbnn.deploy.runtime.state import read_state
from hwbnn.deploy.runtime.tally import Tally
from hwbnn.emit.file_set import FileSet
from hwbnn.ir.dtype import IntArray
from hwbnn.sim import engine
from hwbnn.sim.interpret import Interpreter
from hwbnn.tools.cosim import cache_folder
from hwbnn.tools.simulated_board import build_simulated_board
from hwbnn.train.data import DEBIAN_FASHION_MNIST, fashion_mnist
from tests.deploy.simulations import Simulation, shipped, simulate, small
from tests.graphs import binary_mlp, finished

HIGH_BASE = 0x8_0000_0000  # of ZynqMP's second memory: more than 32 bits


def frames_of(simulation: Simulation, count: int, *, seed: int = 5) -> IntArray:
    dtype = simulation.design.input.stream.dtype
    shape = (
        count,
        simulation.design.input.stream.elements * simulation.design.input.stream.vectors,
    )
    return dtype.decode(np.random.default_rng(seed).integers(0, 1 << dtype.bits, shape))


def check(simulation: Simulation, back_end, count: int, *, seed: int = 5) -> Tally:
    """Run frames and compare their results with the design's."""
    core, frames, tally = (
        simulation.made.contents.core,
        frames_of(simulation, count, seed=seed),
        Tally(),
    )
    results = back_end.run(core.frames.pack(frames), 120.0, tally)
    assert (core.results.unpack(results) == simulation.design.run(frames)).all()
    return tally


@pytest.mark.slow
@pytest.mark.parametrize("board", ["pynq-z2", "zcu104"])
def test_cycles_and_high_water_are_what_the_engine_predicts(board: str) -> None:
    simulation = small(board)
    predicted = engine.simulate(simulation.design, frames=40)
    back_end = simulation.axi()
    try:
        assert back_end.read(registers.ID) == registers.ID_VALUE
        tally = check(simulation, back_end, 40)
        assert tally.batches == [(40, int(predicted.frame_ends[-1]) + 1)]
        state = read_state(back_end, simulation.target.fifos)
        assert dict(state.high_water) == predicted.high_water
        assert (state.in_stall, state.out_stall, state.frames_done) == (0, 0, 40)
        # again: a batch on a core that is not fresh from its reset
        assert check(simulation, back_end, 40, seed=6).batches == tally.batches
    finally:
        back_end.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "options"),
    [
        ("pynq-z2", {"latency": 50, "seed": 2}),
        ("pynq-z2", {"stall": 40, "seed": 3}),
        ("pynq-z2", {"stall": 90, "latency": 20, "seed": 4}),
        ("zcu104", {"stall": 60, "latency": 7, "base": HIGH_BASE, "seed": 5}),
    ],
)
def test_stalls_change_no_result(board: str, options: dict[str, int]) -> None:
    simulation = small(board)
    back_end = simulation.axi(**options)
    try:
        for count in (1, 2, 17, 700):  # the last goes over pages of 4 KB
            check(simulation, back_end, count, seed=count)
    finally:
        back_end.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("register", "error"),
    [
        (registers.IN_ADDRESS, registers.READ_ERROR),
        (registers.OUT_ADDRESS, registers.WRITE_ERROR),
    ],
)
@pytest.mark.parametrize("stall", [0, 50])
def test_errors_of_the_memory_are_reported_and_forgotten(
    register: int, error: int, stall: int
) -> None:
    simulation = small("pynq-z2")
    back_end = simulation.axi(stall=stall, latency=9)
    write = back_end.write

    def elsewhere(offset: int, value: int) -> None:
        write(offset, 0x70000000 if offset == register else value)

    try:
        back_end.write = elsewhere
        with pytest.raises(TransferFault, match=registers.ERRORS[error]):
            check(simulation, back_end, 5)
        back_end.write = write
        check(simulation, back_end, 5)
    finally:
        back_end.close()


@pytest.mark.slow
def test_batches_that_memory_cannot_hold_at_once() -> None:
    simulation = small("pynq-z2")
    back_end = simulation.axi()
    try:
        buffers = [back_end.allocate(1 << 20) for _ in range(4)]
        assert [b.address - MEMORY_BASE for b in buffers] == [i << 20 for i in range(4)]
        with pytest.raises(BoardFault, match="must have a gap of 4096"):
            back_end.allocate(1)
        buffers[2].free()
        again = back_end.allocate(5000)
        assert again.address == MEMORY_BASE + (2 << 20) and len(again.array) == 8192
        with pytest.raises(BoardFault, match="2 bytes at 0xfffffff must lie in 0x10000000 to"):
            back_end.read_memory(MEMORY_BASE - 1, 2)
    finally:
        back_end.close()


@pytest.mark.slow
def test_package_alone_is_enough_to_simulate_its_board() -> None:
    simulation = small("pynq-z2")
    packed = simulation.made.files.files
    chip = {name[5:]: data for name, data in packed.items() if name.startswith("chip/")}
    link = simulation.made.contents.board.link
    program = build_simulated_board(FileSet(chip), link=link, cache=cache_folder())
    assert program == simulation.program


@pytest.mark.slow
def test_interrupt_ends_a_wait() -> None:
    simulation = small("pynq-z2")
    back_end = simulation.axi()
    try:
        check(simulation, back_end, 3)  # leaves DONE and IRQ_ENABLE
        assert back_end.advance(1000) == 0
        back_end.write(registers.STATUS, registers.DONE)
        assert back_end.advance(1000) == 1000
    finally:
        back_end.close()


@pytest.mark.slow
def test_uart_without_faults_runs_at_the_predicted_speed_of_the_core() -> None:
    simulation = small("ulx3s-85f")
    back_end = simulation.uart()
    try:
        back_end.load(None)
        check(simulation, back_end, 100)
        assert back_end.restarts == 0
        state = read_state(back_end, simulation.target.fifos)
        assert state.frames_done == 100
        assert state.in_room == 8192
    finally:
        back_end.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "faults", [{"drop_rate": 0.001}, {"flip_rate": 0.001}, {"drop_rate": 5e-4, "flip_rate": 5e-4}]
)
def test_bad_line_costs_time_and_no_result(faults: dict[str, float]) -> None:
    simulation = small("ulx3s-85f")
    back_end = simulation.uart(**faults, seed=11)
    try:
        back_end.load(None)
        check(simulation, back_end, 100)
        assert back_end.restarts > 0
    finally:
        back_end.close()


@pytest.mark.slow
def test_ice40_board() -> None:
    simulation = small("icebreaker")
    back_end = simulation.uart()
    try:
        back_end.load(None)
        check(simulation, back_end, 20)
    finally:
        back_end.close()


@pytest.mark.slow
@pytest.mark.parametrize("board", ["pynq-z2", "ulx3s-85f"])
def test_thousand_images_through_the_driver(board: str, tmp_path, record_property) -> None:
    """Label for label what the integers say, on the package that a user would load."""
    model = "tfc-w1a1"
    if DEBIAN_FASHION_MNIST.is_dir():
        images = fashion_mnist().test_images[:1000]
    else:
        images = np.resize(zoo.golden(model).images, (1000, 28, 28))
    uart = board == "ulx3s-85f"
    simulation = shipped(model, board, packed_input=uart)  # else it is 131 million cycles
    graph = simulation.made.contents.graph
    wanted = Interpreter(graph.on_pixels).run(images.reshape(len(images), -1).astype(np.int64))
    back_end = simulation.uart() if uart else simulation.axi(size=1 << 24)
    with Accelerator.load(simulation.made.zip(tmp_path), back_end) as accelerator:
        images = images.reshape(-1, *accelerator.shape)
        started = time.perf_counter()
        found = accelerator.raw(images, timeout=300)
        seconds = time.perf_counter() - started
        assert (found == wanted).all()
        assert (accelerator.predict(images[:100]) == wanted[:100].argmax(axis=1)).all()
        record_property("images_per_second", len(images) / seconds)


@pytest.mark.slow
def test_interrupted_caller_leaves_no_answer_behind(monkeypatch) -> None:
    back_end = small("pynq-z2").axi()
    receive = Program.receive

    def interrupted(self: Program, count: int) -> bytes:
        if count == 8:
            monkeypatch.undo()
            raise KeyboardInterrupt
        return receive(self, count)

    monkeypatch.setattr(Program, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        back_end.advance(5000)
    assert back_end.read(registers.ID) == registers.ID_VALUE
    back_end.close()


# ---- the program of a serial line, without the driver --------------------------------------------


def line(simulation: Simulation, *, off: float = 1.0) -> Program:
    """Start it; off: the host's bit time as a share of the board's."""
    target = simulation.target
    return Program(simulation.program, {"bit-cycles": off * target.clock_mhz * 1e6 / target.baud})


def packets_of(program: Program, count: int) -> list[packets.Packet]:
    decoder, found, deadline = packets.Decoder(), [], time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        found += decoder.feed(program.receive_some(1.0))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("off", [0.97, 1.0, 1.03])
def test_baud_rate_need_not_be_exact(off: float) -> None:
    program = line(small("ulx3s-85f"), off=off)
    program.send(packets.encode(packets.READ, 7, bytes((registers.ID // 4,))))
    assert packets_of(program, 1) == [packets.Packet(packets.VALUE, 7, b"HBNN")]
    program.close()


@pytest.mark.slow
def test_half_a_packet_is_dropped_when_the_host_pauses() -> None:
    program = line(small("ulx3s-85f"))
    request = packets.encode(packets.READ, 7, bytes((registers.ID // 4,)))
    program.send(request)
    assert packets_of(program, 1)  # it is there
    program.send(request[:4])
    time.sleep(0.1)  # the simulation need not have come so far
    program.send(request)
    kinds = [packet.kind for packet in packets_of(program, 2)]
    assert kinds == [packets.REFUSED, packets.VALUE]
    program.close()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_idle_board_takes_no_processor_time() -> None:
    program = line(small("ulx3s-85f"))
    program.send(packets.encode(packets.READ, 7, b"\0"))
    assert packets_of(program, 1)

    def ticks() -> tuple[str, ...]:
        stat = Path(f"/proc/{program.process.pid}/stat").read_text()
        return tuple(stat.rpartition(")")[2].split()[11:13])

    deadline, before = time.monotonic() + 20, ticks()
    while time.monotonic() < deadline:
        time.sleep(0.3)
        if (now := ticks()) == before:
            break
        before = now
    assert now == before
    program.send(packets.encode(packets.READ, 8, b"\0"))  # and it wakes up again
    assert packets_of(program, 1)
    program.close()


@pytest.mark.slow
def test_at_the_end_of_stdin_slow_work_is_finished() -> None:
    """A core that works longer than the line has to be silent for the program to sleep."""
    graph = binary_mlp((64, 300, 300, 10), seed=3)
    simulation = simulate(graph, finished(graph), "ulx3s-85f", images=np.zeros((1, 64), np.int64))
    assert engine.simulate(simulation.design, frames=1).frame_ends[0] > 3 * 2048 * 17
    frames, core = frames_of(simulation, 1), simulation.made.contents.core
    target = simulation.target
    sent = packets.encode(packets.FRAMES, 0, core.frames.pack(frames).tobytes())
    done = subprocess.run(
        [simulation.program, "--bit-cycles", f"{target.clock_mhz * 1e6 / target.baud}"],
        cwd=simulation.program.parent, input=sent, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    (results,) = packets.Decoder().feed(done.stdout)
    found = core.results.unpack(np.frombuffer(results.payload, np.uint8).reshape(1, -1))
    assert (found == simulation.design.run(frames)).all()


@pytest.mark.slow
def test_bit_time_must_be_given() -> None:
    program = Program(small("ulx3s-85f").program, {})
    with pytest.raises(BoardFault, match="--bit-cycles must be given, and at least 2"):
        program.receive(1)
    program.close()


# ---- programs that fail ------------------------------------------------------------------------


def test_program_that_dies_gives_its_last_words(tmp_path) -> None:
    script = tmp_path / "board"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nsys.stdin.buffer.read(3)\n"
        "sys.stdout.buffer.write(b'ab')\nsys.stderr.write('error: AXI: nonsense')\nsys.exit(2)\n"
    )
    script.chmod(0o755)
    program = Program(script, {"latency": 3})
    program.send(b"abc")
    assert program.receive(1) == b"a"
    with pytest.raises(BoardFault, match="not end with status 2: error: AXI: nonsense"):
        program.receive(2)
    program.close()
    with pytest.raises(BoardFault, match="must be open, not closed"):
        program.send(b"x")


def test_program_that_says_nothing_is_waited_for(tmp_path, monkeypatch) -> None:
    script = tmp_path / "board"
    script.write_text(f"#!{sys.executable}\nimport sys\nsys.stdin.buffer.read()\n")
    script.chmod(0o755)
    monkeypatch.setattr("hwbnn.deploy.runtime.program.ANSWER_SECONDS", 0.2)
    program = Program(script, {})
    assert program.receive_some(0.05) == b""
    with pytest.raises(BoardFault, match="must answer within 0.2 s, not hang"):
        program.receive(1)
    monkeypatch.undo()
    program.close()


def test_no_program(tmp_path) -> None:
    with pytest.raises(BoardFault, match="must be a program that can run"):
        Program(tmp_path / "nothing", {})
