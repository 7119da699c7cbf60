# SPDX-License-Identifier: Apache-2.0
"""The UART back end: right results over a line that loses, changes and invents bytes."""

import contextlib
import sys
import types

import numpy as np
import pytest

from hwbnn.deploy.runtime import Accelerator, dma, packets, registers, uart
from hwbnn.deploy.runtime.errors import (
    BoardFault,
    InputFault,
    MismatchFault,
    RuntimeFault,
    TimeoutFault,
    TransferFault,
)
from hwbnn.deploy.runtime.serial_port import SerialPort
from hwbnn.deploy.runtime.tally import Tally
from hwbnn.deploy.runtime.target import Target
from hwbnn.deploy.runtime.uart import UartBackEnd
from tests.deploy.packages import small_uart
from tests.deploy.uart_board import BAUD, Clock, Faults, Line, UartBoard
from tests.quick import quick

IN = 24
RATE = 1 / 1000  # of a fault, per byte


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(uart, "time", found)
    monkeypatch.setattr(dma, "time", found)
    return found


def frames(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, IN)).astype(np.uint8)


def wanted(sent: np.ndarray) -> np.ndarray:
    contents = small_uart().contents
    return contents.core.results.pack(contents.design.run(contents.core.frames.unpack(sent)))


def board(**behaviour) -> UartBoard:
    return UartBoard(small_uart().contents.design, small_uart().contents.core, **behaviour)


def back_end(line: Line, *, load: bool = True) -> UartBackEnd:
    core = small_uart().contents.core
    target = Target(
        "ulx3s-85f", "ecp5", core.build_hash.hex(), 50.0, 1, core.fifos, baud=BAUD, loader="ulx3s"
    )
    found = UartBackEnd(target, line)
    if load:
        found.load(None)
    return found


@pytest.mark.parametrize("count", [1, 2, 30, 700])
@pytest.mark.parametrize("pace", [1, 1000])
def test_results_are_the_designs(clock, count, pace):
    fpga = board(pace=pace)
    port = back_end(Line(fpga, clock))
    tally = Tally()
    np.testing.assert_array_equal(port.run(frames(count), 10.0, tally), wanted(frames(count)))
    assert fpga.total == count and port.restarts == 0, "each frame is sent once"
    assert tally.batches == [(count, 100 * count)]


@pytest.mark.parametrize("room", [24, 25, 47, 100, 255, 8192])
def test_never_more_bytes_than_there_is_room_for(clock, room):
    fpga = board(room=room, pace=1)
    port = back_end(Line(fpga, clock))
    np.testing.assert_array_equal(port.run(frames(60), 10.0), wanted(frames(60)))
    assert port.restarts == 0 and not fpga.status & registers.NO_ROOM
    assert min(room, 60 * IN) - IN < fpga.most_held <= room, "and the room is made use of"


FAULTS = {
    "flips": Faults(flip=RATE),
    "drops": Faults(drop=RATE),
    "garbage": Faults(garbage=RATE),
    "cuts": Faults(cut=0.1),
    "all": Faults(RATE / 2, RATE / 2, RATE / 2, 0.01),
}


@pytest.mark.parametrize("where", quick(["both", "down", "up"], first=1))
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_faults_cost_time_and_nothing_else(clock, faults, where):
    given = {"both": {"down": faults, "up": faults}}.get(where, {where: faults})
    mended = 0
    for seed in range(4):
        fpga = board(seed=seed, pace=20)
        line = Line(fpga, clock, seed=seed, **given)
        found = back_end(line).run(frames(200, seed), 60.0)
        np.testing.assert_array_equal(found, wanted(frames(200, seed)))
        assert fpga.most_held <= fpga.room
        mended += line.faults
    assert mended, "there was something to mend"


def test_a_lost_packet_of_frames_is_sent_again(clock):
    fpga = board()
    line = Line(fpga, clock)
    port = back_end(line)
    write, sent = line.write, []

    def lose_one(data: bytes) -> None:
        if data[1] == packets.FRAMES and not sent:
            sent.append(data)
            data = data[packets.MOST + packets.OVERHEAD :]  # without the first packet
        write(data)

    line.write = lose_one
    np.testing.assert_array_equal(port.run(frames(100), 10.0), wanted(frames(100)))
    assert port.restarts == 1 and sent


def test_only_frames_without_a_result_are_sent_again(clock):
    fpga = board(pace=1)
    line = Line(fpga, clock)
    port = back_end(line)
    read, write, seen, sent = line.read, line.write, [], []

    def damage_one(timeout: float) -> bytes:
        data = read(timeout)
        seen.append(fpga.done)
        if fpga.done > 40 and len([n for n in seen if n > 40]) == 1:
            return data + b"\xc5\x83\x00\x01"
        return data

    def count(data: bytes) -> None:
        sent.extend(
            packet for packet in packets.Decoder().feed(data) if packet.kind == packets.FRAMES
        )
        write(data)

    line.read, line.write = damage_one, count
    np.testing.assert_array_equal(port.run(frames(100), 10.0), wanted(frames(100)))
    assert port.restarts == 1
    assert 100 * IN < sum(len(packet.payload) for packet in sent) <= 175 * IN


def test_a_damaged_packet_is_not_waited_for(clock):
    fpga = board(pace=1000)
    line = Line(fpga, clock)
    port = back_end(line)
    send, damaged = fpga.send, []

    def damage_last() -> bytes:
        data = send()
        if len(data) > 200 and not damaged:  # all results
            damaged.append(data)
            data = data[:-1] + bytes((data[-1] ^ 1,))
        return data

    fpga.send = damage_last
    started = clock.now
    np.testing.assert_array_equal(port.run(frames(60), 10.0), wanted(frames(60)))
    assert damaged and port.restarts == 1
    assert clock.now - started < uart.SILENCE_SECONDS


def test_an_answer_that_comes_twice_answers_once(clock):
    line = Line(board(), clock)
    port = back_end(line)
    answer = bytearray()
    send = line.board.send

    def repeat() -> bytes:
        data = send()
        old = bytes(answer)
        answer[:] = data
        return old + data

    line.board.send = repeat
    assert port.read(registers.ID) == registers.ID_VALUE
    assert port.read(registers.VERSION) == registers.VERSION_VALUE


@pytest.mark.parametrize("faults", [Faults(flip=0.2), Faults(drop=0.3), Faults(cut=1.0)])
def test_a_hopeless_line_is_told(clock, faults):
    line = Line(board(), clock)
    port = back_end(line)
    line.up = faults
    with pytest.raises((TransferFault, BoardFault, TimeoutFault)) as caught:
        port.run(frames(100), 5.0)
    assert isinstance(caught.value, RuntimeFault) and "uart: " in str(caught.value)


@pytest.mark.parametrize("seed", range(6))
def test_right_or_a_clear_fault(clock, seed):
    faults = Faults(0.002, 0.002, 0.002, 0.05)
    line = Line(board(seed=seed), clock, down=faults, up=faults, seed=seed)
    with contextlib.suppress(RuntimeFault):
        found = back_end(line).run(frames(40), 2.0)
        np.testing.assert_array_equal(found, wanted(frames(40)))


def test_a_board_that_stops_in_the_middle(clock):
    fpga = board()
    port = back_end(Line(fpga, clock))
    port.run(frames(5), 10.0)
    fpga.pace = None
    with pytest.raises(TransferFault) as caught:
        port.run(frames(5), 1000.0)
    assert (
        "a frame must come through in 10 tries, not fail each time (the last: the board fell"
        in (str(caught.value))
    )
    assert "frames done 0" in caught.value.state
    with pytest.raises(TimeoutFault, match="all results must come within 0.5 s, not be late"):
        port.run(frames(5), 0.5)
    fpga.pace = 3
    np.testing.assert_array_equal(port.run(frames(5), 10.0), wanted(frames(5)))


def test_nobody_answers(clock):
    started = clock.now
    with pytest.raises(BoardFault) as caught:
        back_end(Line(board(asleep=True), clock))
    text = str(caught.value)
    assert "the board must answer within 0.1 s, not be silent 10 times; check that this is" in text
    assert "at 3000000 baud" in text and "openFPGALoader -b ulx3s with the" in text
    assert clock.now - started < 5, "and says so soon"


def test_somebody_else_answers(clock):
    class Modem:
        def receive(self, data, now):
            self.data = data

        def send(self):
            return b"AT\r\nERROR\r\n"

    with pytest.raises(BoardFault, match="the board must answer"):
        back_end(Line(Modem(), clock))
    with pytest.raises(BoardFault, match="register ID must be 0x4e4e4248, not 0x1"):
        back_end(Line(board(dead={registers.ID: 1}), clock))


def test_a_frame_that_does_not_fit(clock):
    port = back_end(Line(board(room=23), clock))
    with pytest.raises(BoardFault, match="must have room for a whole frame, 24 bytes, not 23"):
        port.run(frames(1), 1.0)


@pytest.mark.parametrize("given", [np.zeros((0, IN), np.uint8), np.zeros((2, IN))])
def test_other_frames_are_refused(clock, given):
    with pytest.raises(InputFault, match="frames: must be uint8"):
        back_end(Line(board(), clock)).run(given, 1.0)


def test_another_designs_frames(clock):
    with pytest.raises(BoardFault, match="IN_BYTES must be 25, not 24"):
        back_end(Line(board(), clock)).run(np.zeros((1, 25), np.uint8), 1.0)


def test_the_whole_driver(clock, tmp_path):
    images = frames(20)
    line = Line(board(), clock, down=Faults(flip=RATE), up=Faults(drop=RATE))
    port = back_end(line, load=False)
    with Accelerator.load(small_uart().zip(tmp_path), port) as accelerator:
        contents = small_uart().contents
        np.testing.assert_array_equal(accelerator.raw(images), contents.design.run(images))
        assert accelerator.throughput(10).cycles == 1000
    assert line.closed
    with pytest.raises(MismatchFault):
        Accelerator.load(small_uart().zip(tmp_path), back_end(Line(board(wrong=1), clock)))


# ---- pyserial ----------------------------------------------------------------------------------


class FakeSerial:
    """pyserial's Serial, as far as it is used."""

    def __init__(self, port, baudrate, timeout=None, write_timeout=None):
        if port == "/dev/none":
            raise OSError(2, "could not open port /dev/none")
        self.timeout, self.written, self.coming, self.broken = timeout, b"", b"hello", False
        self.opened = (port, baudrate)

    def reset_input_buffer(self):
        self.coming = b""

    @property
    def in_waiting(self):
        return len(self.coming)

    def read(self, size):
        if self.broken:
            raise OSError("device disconnected")
        given, self.coming = self.coming[:size], self.coming[size:]
        return given

    def write(self, data):
        if self.broken:
            raise OSError("device disconnected")
        self.written += data

    def close(self):
        self.opened = None


@pytest.fixture
def serial(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", types.SimpleNamespace(Serial=FakeSerial))


def test_serial_port(serial):
    port = SerialPort("/dev/ttyUSB0", 3_000_000)
    line = port._line
    assert line.opened == ("/dev/ttyUSB0", 3_000_000)
    assert port.read(0.25) == b"" and line.timeout == 0.25, "old bytes are forgotten"
    line.coming = b"abc"
    assert port.read(0.5) == b"abc"
    port.write(b"xyz")
    assert line.written == b"xyz"
    line.broken = True
    for call in (lambda: port.read(0.1), lambda: port.write(b"")):
        with pytest.raises(BoardFault, match="/dev/ttyUSB0: the port must stay open, not fail"):
            call()
    port.close()
    assert line.opened is None


def test_a_port_that_is_not_there(serial):
    with pytest.raises(BoardFault, match="/dev/none: the port must open at 9600 baud, not fail"):
        SerialPort("/dev/none", 9600)


def test_pyserial_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(BoardFault, match="pyserial must be installed, not missing"):
        SerialPort("/dev/ttyUSB0", 9600)


def test_named_on_the_command_line(serial, tmp_path):
    package = small_uart().zip(tmp_path)
    with pytest.raises(BoardFault, match="the board must answer within 0.1 s"):
        Accelerator.load(package, "uart:/dev/ttyUSB0")
    for name in (None, "uart"):
        with pytest.raises(InputFault, match="must name the port of ulx3s-85f, not only uart"):
            Accelerator.load(package, name)
    with pytest.raises(InputFault, match="must be uart:PORT for ulx3s-85f, not pynq"):
        Accelerator.load(package, "pynq")
