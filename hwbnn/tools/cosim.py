# SPDX-License-Identifier: Apache-2.0
"""Cosimulation: run designs' RTL in Verilator, and keep every beat and every FIFO's events."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwbnn.emit import words
from hwbnn.emit.bench import (
    Slot,
    emit_bench,
    emit_bench_memories,
    quiet_cycles,
    slots,
)
from hwbnn.emit.file_set import FileSet
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.sim.gate import ALWAYS, Gate
from hwbnn.tools import verilator
from hwbnn.tools.process import run

MANY_CYCLES = 1 << 40
_WORTH_OPTIMISING = 10_000  # cycles; below them, g++ -O2 takes longer than it saves
_PRIME = 0x100000001B3  # the harness's event hash: h = h * _PRIME + cycle, modulo 2**64


@dataclass(frozen=True, eq=False)
class Job:
    """A design, the frames (frames, elements) it gets, and the gates at its borders."""

    design: Design
    frames: IntArray
    source: Gate = ALWAYS
    sink: Gate = ALWAYS


@dataclass(frozen=True)
class Events:
    """How often something happened, and a hash over its cycles in order."""

    count: int
    hash: int

    @classmethod
    def of(cls, cycles: IntArray) -> "Events":
        """Events of cycles, in order."""
        powers = np.full(len(cycles), _PRIME, np.uint64)
        powers[:1] = 1
        powers = np.cumprod(powers)[::-1]  # modulo 2**64, as in the harness
        return cls(len(cycles), int((cycles.astype(np.uint64) * powers).sum(dtype=np.uint64)))


@dataclass(frozen=True, eq=False)
class CosimResult:
    """What the RTL did. Events are those of cycles below `cycles`; cycle 0 is the first edge.

    codes: lane codes (output beats, lanes) in order. reserves and pops are by edge;
    reserve_cycles and pop_cycles too, empty unless the run was traced.
    """

    codes: IntArray
    output: IntArray  # (complete frames, elements)
    output_cycles: IntArray
    input_cycles: IntArray
    cycles: int
    reserves: Mapping[str, Events]
    pops: Mapping[str, Events]
    reserve_cycles: Mapping[str, IntArray]
    pop_cycles: Mapping[str, IntArray]
    complete: bool  # every output beat came: no deadlock, and enough cycles


def cosim(
    design: Design,
    frames: IntArray,
    *,
    source: Gate = ALWAYS,
    sink: Gate = ALWAYS,
    cache: Path | None = None,
    max_cycles: int | None = None,
) -> CosimResult:
    """Run a design's RTL on frames until the last beat, a deadlock, or `max_cycles`."""
    (result,) = cosim_many([Job(design, frames, source, sink)], cache=cache, max_cycles=max_cycles)
    return result


def cosim_many(
    jobs: Sequence[Job],
    *,
    cache: Path | None = None,
    max_cycles: int | None = None,
    trace: bool = False,
) -> tuple[CosimResult, ...]:
    """Run many designs in one program; `trace` keeps the cycle of every FIFO event."""
    designs = [job.design for job in jobs]
    placed = slots(designs)
    cycles = max(len(job.frames) * job.design.bound for job in jobs)
    program = verilator.build(
        emit_bench(designs), cache=cache or cache_folder(), optimised=cycles > _WORTH_OPTIMISING
    )
    stimulus = [_stimulus(job, slot, trace) for job, slot in zip(jobs, placed, strict=True)]
    header = np.array([len(jobs), max_cycles or MANY_CYCLES], np.int64).tobytes()
    fields, beats = zip(*stimulus, strict=True)
    data = b"".join([header, *fields, *beats])
    files = emit_bench_memories(designs) | FileSet({"stimulus.bin": data})
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as scratch:
        folder = Path(scratch)
        for name, contents in files.files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(contents)
        run([program], cwd=folder)
        reader = _Reader((folder / "result.bin").read_bytes())
    return tuple(_result(reader, job, slot, trace) for job, slot in zip(jobs, placed, strict=True))


def cache_folder() -> Path:
    """Return the platform's folder for files that can be made again."""
    home = Path.home()
    if sys.platform == "win32":
        return home / "AppData" / "Local" / "hwbnn" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "hwbnn"
    return home / ".cache" / "hwbnn"


def _stimulus(job: Job, slot: Slot, trace: bool) -> tuple[bytes, bytes]:
    stream = job.design.input.stream
    packed = words.pack(stream.pack(job.frames), lane_bits=stream.dtype.bits)
    beats = np.zeros((len(packed), 4 * slot.in_words), np.uint8)
    beats[:, : packed.shape[1]] = packed
    fields = [slot.in_word, slot.in_words, slot.out_word, slot.out_words, slot.event_word]
    fields += [len(slot.fifos), len(beats), len(job.frames) * job.design.output.stream.beats]
    fields += [quiet_cycles(job.design), int(trace)]
    for gate in (job.source, job.sink):
        fields += [gate.seed, gate.fine, gate.coarse]
    return np.array(fields, np.int64).tobytes(), beats.tobytes()


class _Reader:
    """The harness's result file, read front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def integers(self, count: int) -> IntArray:
        found = np.frombuffer(self._data, np.int64, count, self._at)
        self._at += 8 * count
        return found

    def beats(self, count: int, width: int) -> words.ByteArray:
        found = np.frombuffer(self._data, np.uint8, count * width, self._at)
        self._at += count * width
        return found.reshape(count, width)


def _result(reader: _Reader, job: Job, slot: Slot, trace: bool) -> CosimResult:
    stream = job.design.output.stream
    end, inputs, outputs = (int(number) for number in reader.integers(3))
    input_cycles, output_cycles = reader.integers(inputs), reader.integers(outputs)
    table = reader.integers(4 * len(slot.fifos)).reshape(-1, 2, 2)  # (FIFO, reserve or pop, both)
    found = [[Events(int(n), int(h) % (1 << 64)) for n, h in fifo] for fifo in table]
    cycles = [[reader.integers(kind.count if trace else 0) for kind in fifo] for fifo in found]
    codes = words.unpack(
        reader.beats(outputs, 4 * slot.out_words), lane_bits=stream.dtype.bits, lanes=stream.lanes
    )
    whole = outputs // stream.beats * stream.beats
    return CosimResult(
        codes=codes,
        output=stream.unpack(codes[:whole]),
        output_cycles=output_cycles,
        input_cycles=input_cycles,
        cycles=end,
        reserves={name: fifo[0] for name, fifo in zip(slot.fifos, found, strict=True)},
        pops={name: fifo[1] for name, fifo in zip(slot.fifos, found, strict=True)},
        reserve_cycles={name: fifo[0] for name, fifo in zip(slot.fifos, cycles, strict=True)},
        pop_cycles={name: fifo[1] for name, fifo in zip(slot.fifos, cycles, strict=True)},
        complete=outputs == len(job.frames) * stream.beats,
    )
