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
    Border,
    Slot,
    emit_bench,
    emit_bench_memories,
    quiet_cycles,
    slots,
)
from hwbnn.emit.file_set import FileSet
from hwbnn.ir.design import Design, Edge, parts
from hwbnn.ir.dtype import IntArray
from hwbnn.sim.gate import ALWAYS, Gate
from hwbnn.tools import verilator
from hwbnn.tools.process import run

MANY_CYCLES = 1 << 40
_WORTH_OPTIMISING = 10_000  # cycles; below them, g++ -O2 takes longer than it saves
_PRIME = 0x100000001B3  # the harness's event hash: h = h * _PRIME + cycle, modulo 2**64


@dataclass(frozen=True, eq=False)
class Job:
    """A design, the frames (frames, elements) it gets, and the gates at its borders.

    Of several inputs or outputs, each has a gate of its own: `Gate.of` its number.
    """

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
class Taken:
    """What left through an output: lane codes (beats, lanes) in order, and the cycle of each."""

    codes: IntArray
    cycles: IntArray


@dataclass(frozen=True, eq=False)
class CosimResult:
    """What the RTL did. Events are those of cycles below `cycles`; cycle 0 is the first edge.

    given: by input, the cycle of each beat. taken: by output. reserves and pops are by edge;
    reserve_cycles and pop_cycles too, empty unless the run was traced.
    """

    given: tuple[IntArray, ...]
    taken: tuple[Taken, ...]
    output: IntArray  # (complete frames, elements)
    cycles: int
    reserves: Mapping[str, Events]
    pops: Mapping[str, Events]
    reserve_cycles: Mapping[str, IntArray]
    pop_cycles: Mapping[str, IntArray]
    complete: bool  # every output beat came: no deadlock, and enough cycles

    @property
    def codes(self) -> IntArray:
        """Lane codes (beats, lanes) of the first output."""
        return self.taken[0].codes

    @property
    def output_cycles(self) -> IntArray:
        """Cycles of the first output's beats."""
        return self.taken[0].cycles

    @property
    def input_cycles(self) -> IntArray:
        """Cycles of the first input's beats."""
        return self.given[0]


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
    """Return the harness's fields of a design and then of its borders, and the inputs' beats."""
    design, frames = job.design, len(job.frames)
    fields = [len(slot.ins), len(slot.outs), slot.event_word]
    fields += [len(slot.fifos), quiet_cycles(design), int(trace)]
    for borders, edges, gate in (
        (slot.ins, design.inputs, job.source),
        (slot.outs, design.outputs, job.sink),
    ):
        for index, (border, edge) in enumerate(zip(borders, edges, strict=True)):
            own = gate.of(index)
            fields += [border.index, border.word, border.words, frames * edge.stream.beats]
            fields += [own.seed, own.fine, own.coarse]
    cut = parts(job.frames, design.inputs)
    beats = [_beats(*each) for each in zip(cut, design.inputs, slot.ins, strict=True)]
    return np.array(fields, np.int64).tobytes(), b"".join(beats)


def _beats(values: IntArray, edge: Edge, border: Border) -> bytes:
    packed = words.pack(edge.stream.pack(values), lane_bits=edge.stream.dtype.bits)
    beats = np.zeros((len(packed), 4 * border.words), np.uint8)
    beats[:, : packed.shape[1]] = packed
    return beats.tobytes()


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
    (end,) = reader.integers(1).tolist()
    went = [reader.integers(int(reader.integers(1)[0])) for _ in (*slot.ins, *slot.outs)]
    given, left = went[: len(slot.ins)], went[len(slot.ins) :]
    table = reader.integers(4 * len(slot.fifos)).reshape(-1, 2, 2)  # (FIFO, reserve or pop, both)
    found = [[Events(int(n), int(h) % (1 << 64)) for n, h in fifo] for fifo in table]
    cycles = [[reader.integers(kind.count if trace else 0) for kind in fifo] for fifo in found]
    taken = tuple(
        Taken(_codes(reader, edge, border, len(when)), when)
        for edge, border, when in zip(job.design.outputs, slot.outs, left, strict=True)
    )
    streams = [edge.stream for edge in job.design.outputs]
    pairs = list(zip(taken, streams, strict=True))
    whole = min(len(one.codes) // stream.beats for one, stream in pairs)
    outputs = [stream.unpack(one.codes[: whole * stream.beats]) for one, stream in pairs]
    return CosimResult(
        given=tuple(given),
        taken=taken,
        output=np.concatenate(outputs, axis=1),
        cycles=end,
        reserves={name: fifo[0] for name, fifo in zip(slot.fifos, found, strict=True)},
        pops={name: fifo[1] for name, fifo in zip(slot.fifos, found, strict=True)},
        reserve_cycles={name: fifo[0] for name, fifo in zip(slot.fifos, cycles, strict=True)},
        pop_cycles={name: fifo[1] for name, fifo in zip(slot.fifos, cycles, strict=True)},
        complete=whole == len(job.frames),
    )


def _codes(reader: _Reader, edge: Edge, border: Border, beats: int) -> IntArray:
    data = reader.beats(beats, 4 * border.words)
    return words.unpack(data, lane_bits=edge.stream.dtype.bits, lanes=edge.stream.lanes)
