# SPDX-License-Identifier: Apache-2.0
"""Random small designs whose streams part and meet: residual and dense connections, nested.

`python -m tests.dag_designs --designs 40`: engine = RTL cycle by cycle and integers = RTL, with
random FIFOs and stalls and with sized FIFOs; which are proved to be the least, a step less is slow.
"""

import argparse
from dataclasses import dataclass, replace

import numpy as np

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR, DType, IntArray, Kind, smallest, unsigned
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.unit import Family, Folding, Unit
from hwbnn.ir.window import Window
from hwbnn.passes import adapt
from hwbnn.passes.fifos.size_fifos import size
from hwbnn.passes.fifos.steps import fifo_steps
from hwbnn.sim.engine import performance
from hwbnn.sim.gate import Gate
from hwbnn.tools.cosim import Job
from hwbnn.tools.proof import Comparison, compare_many
from hwbnn.units import (
    Add,
    Concat,
    Fork,
    MaxPool,
    Mvu,
    SlidingWindow,
    SumPool,
    Thresholds,
)
from hwbnn.units.add import sum_dtype
from hwbnn.units.concat import common_dtype

STALLS = ((256, 256), (128, 256), (230, 200), (60, 256), (256, 128))
FRAMES = 3
BATCH = 20  # designs in one program
SOME = Folding(4, 16)


@dataclass(frozen=True)
class Value:
    """A stream under construction: its producer (None: the input) and what it carries."""

    end: End | None
    dtype: DType
    channels: int
    height: int
    width: int

    @property
    def positions(self) -> int:
        """Vectors a frame."""
        return self.height * self.width


class Dag:
    """Collects units at random foldings; a value is read once.

    most: no random ones, but the most lanes that divide, up to these.
    """

    def __init__(self, seed: int, *, most: Folding | None = None) -> None:
        self.rng, self.most = np.random.default_rng([seed, 5]), most
        self.instances: list[Instance] = []
        self.edges: list[Edge] = []

    def pick(self, low: int, high: int) -> int:
        """A number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        """True in that share of the cases."""
        return bool(self.rng.random() < share)

    def join(self, unit: Unit, *sources: Value) -> str:
        """Add a unit behind its sources; return its name."""
        unit = self._folded(unit)
        name = f"u{len(self.instances)}_{unit.module.removeprefix('hwbnn_')}"
        self.instances.append(Instance(name, unit))
        streams = {i.name: i.unit.outputs for i in self.instances}
        for port, source in enumerate(sources):
            end = source.end
            stream = unit.inputs[port] if end is None else streams[end.instance][end.port]
            self.edges.append(Edge(f"e{len(self.edges)}", Fifo(stream), end, End(name, port)))
        return name

    def _folded(self, unit: Unit) -> Unit:
        choices = list(unit.foldings())
        if self.most is not None:
            pe, simd = self.most.pe, self.most.simd
            within = (f for f in choices if f.pe <= pe and f.simd <= simd)
            return unit.fold(max(within, key=lambda f: (f.pe, f.simd)))
        folding = choices[self.rng.integers(len(choices))]
        if not isinstance(unit, SlidingWindow | Concat) and self.chance(0.4):
            most = (max(getattr(f, knob) for f in choices) for knob in ("pe", "simd"))
            folding = Folding(*(self.pick(1, limit) for limit in most))  # lanes with padding
        return unit.fold(folding)

    # ---- layers --------------------------------------------------------------------------------

    def fork(self, value: Value, ways: int) -> list[Value]:
        """Return copies of a value."""
        name = self.join(Fork(value.dtype, value.channels, ways, value.positions), value)
        return [replace(value, end=End(name, port)) for port in range(ways)]

    def add(self, *values: Value) -> Value:
        """Return the sum of values of one shape, some of them shifted."""
        dtypes = tuple(value.dtype for value in values)
        factors = tuple(self.pick(1, 6) if self.chance(0.3) else 1 for _ in values)
        dtype, first = sum_dtype(dtypes, factors), values[0]
        unit = Add(dtypes, dtype, first.channels, first.positions, factors)
        return replace(first, end=End(self.join(unit, *values)), dtype=dtype)

    def concat(self, *values: Value) -> Value:
        """Return the channels of values of one extent."""
        dtypes = tuple(value.dtype for value in values)
        counts = tuple(value.channels for value in values)
        dtype, first = common_dtype(dtypes), values[0]
        unit = Concat(dtypes, dtype, counts, first.positions)
        name = self.join(unit, *values)
        return replace(first, end=End(name), dtype=dtype, channels=sum(counts))

    def thresholds(self, value: Value) -> Value:
        """Return one bit, or two, an element."""
        if value.dtype.kind is Kind.BIPOLAR:
            return value
        steps = 3 if self.chance(0.3) else 1
        dtype = BIPOLAR if steps == 1 else unsigned(2)
        low, high = max(value.dtype.min, -20), min(value.dtype.max, 20)
        rows = np.sort(self.rng.integers(low, high + 1, (value.channels, steps)), axis=1)
        down = self.rng.random(value.channels) < 0.3
        unit = Thresholds(rows, down, value.dtype, dtype, value.channels, vectors=value.positions)
        return replace(value, end=End(self.join(unit, value)), dtype=dtype)

    def conv(self, value: Value, outputs: int, window: Window, *, integers: bool) -> Value:
        """Return a convolution's sums, or one bit of each."""
        dtype = value.dtype
        if not window.pointwise:
            fill = np.array([dtype.min])
            value = replace(
                value,
                end=End(self.join(SlidingWindow(dtype, value.channels, window, fill), value)),
            )
        inputs = value.channels * window.taps
        weights = self.rng.choice([-1, 1], (outputs, inputs))
        most = inputs * max(-dtype.min, dtype.max)
        to = smallest(-most, most) if integers else BIPOLAR
        rows = None if integers else self.rng.integers(-3, 4, (outputs, 1))
        unit = Mvu(
            weights, BIPOLAR, dtype, to, rows, vectors=window.positions, stages=self.pick(0, 2)
        )
        name = self.join(unit, value)
        return Value(End(name), to, outputs, window.out_height, window.out_width)

    def pool(self, value: Value) -> Value:
        """Return a pool of 2 x 2, the greatest or the sum."""
        window = Window(value.height, value.width, (2, 2), (2, 2))
        least = np.array([value.dtype.min])
        slid = self.join(SlidingWindow(value.dtype, value.channels, window, least), value)
        to, unit = value.dtype, Unit
        if self.chance(0.5):
            unit = MaxPool(to, value.channels, 4, np.zeros(1, np.bool_), window.positions)
        else:
            to = smallest(4 * value.dtype.min, 4 * value.dtype.max)
            unit = SumPool(value.dtype, to, value.channels, 4, window.positions)
        name = self.join(unit, replace(value, end=End(slid)))
        return Value(End(name), to, value.channels, window.out_height, window.out_width)

    def design(self, name: str, output: Value) -> Design:
        """Return the design, with width converters, whose output is a value."""
        last = next(i.unit for i in self.instances if output.end and i.name == output.end.instance)
        self.edges.append(Edge("out", Fifo(last.outputs[0]), output.end, None))
        return adapt(Design(name, tuple(self.instances), tuple(self.edges)))

    # ---- connections ---------------------------------------------------------------------------

    def layer(self, value: Value, outputs: int, *, stride: int = 1) -> Value:
        """Return bits and a convolution of them, of the same extent or half of it."""
        value = self.thresholds(value)
        window = Window(value.height, value.width, (1, 1))
        if stride == 2:
            window = Window(value.height, value.width, (2, 2), (2, 2))
        elif min(value.height, value.width) > 1 and self.chance(0.7):
            window = Window(value.height, value.width, (3, 3), padding=(1, 1, 1, 1))
        return self.conv(value, outputs, window, integers=self.chance(0.7))

    def block(self, value: Value, depth: int) -> Value:
        """Return a value of the same extent behind a connection; depth: of those inside it."""
        kind = self.pick(0, 3)
        if kind == 0:
            return self.layer(value, self.pick(1, 3) * 2)
        ways = self.fork(value, self.pick(2, 3))
        bypass, branches = ways[0], [self._branch(way, depth) for way in ways[1:]]
        if self.chance(0.3):
            bypass = self.thresholds(bypass)
        if kind == 1:
            order = [bypass, *branches]
            self.rng.shuffle(order)  # type: ignore[arg-type]
            return self.concat(*order)
        return self.add(bypass, *(self._like(branch, bypass) for branch in branches))

    def _branch(self, value: Value, depth: int) -> Value:
        for _ in range(self.pick(1, 2)):
            nested = depth > 0 and self.chance(0.5)
            value = self.block(value, depth - 1) if nested else self.layer(value, value.channels)
            if value.channels > 12:
                value = self.layer(value, 4)
        return value

    def _like(self, value: Value, wanted: Value) -> Value:
        return value if value.channels == wanted.channels else self.layer(value, wanted.channels)

    def halved(self, value: Value) -> Value:
        """Return a connection of a pool and a convolution with a stride."""
        one, two = self.fork(value, 2)
        pooled = self.pool(one)
        other = self.layer(two, value.channels, stride=2)
        return self.add(pooled, other) if self.chance(0.5) else self.concat(other, pooled)


def dag(seed: int) -> Design:
    """Return a design with width converters, its FIFOs of two words."""
    build = Dag(seed)
    dtype = unsigned(3) if build.chance(0.7) else BIPOLAR
    value = Value(None, dtype, build.pick(1, 3) * 2, build.pick(2, 5), build.pick(2, 8))
    parted = False
    if min(value.height, value.width) >= 4 and build.chance(0.4):
        value = build.halved(value)
    while not parted or (len(build.instances) < 10 and build.chance(0.6)):
        value = build.block(value, build.pick(0, 2))
        parted = any(isinstance(instance.unit, Fork) for instance in build.instances)
    return build.design(f"dag{seed}", value)


def residual(blocks: int, *, extent: int) -> Design:
    """Return blocks of Bi-Real: bits and a convolution beside a connection, 16 channels."""
    build = Dag(0, most=SOME)
    window = Window(extent, extent, (3, 3), padding=(1, 1, 1, 1))
    value = Value(None, unsigned(3), 16, extent, extent)
    for _ in range(blocks):
        way, bypass = build.fork(value, 2)
        value = build.add(bypass, build.conv(build.thresholds(way), 16, window, integers=True))
    return build.design(f"residual{blocks}", value)


def dense(blocks: int, *, extent: int) -> Design:
    """Return blocks that add 8 channels each to those before them: bits, and a convolution."""
    build = Dag(0, most=SOME)
    window = Window(extent, extent, (3, 3), padding=(1, 1, 1, 1))
    value = Value(None, unsigned(3), 16, extent, extent)
    for _ in range(blocks):
        way, bypass = build.fork(value, 2)
        value = build.concat(bypass, build.conv(build.thresholds(way), 8, window, integers=True))
    return build.design(f"dense{blocks}", value)


# ---- jobs ----------------------------------------------------------------------------------------


def frames(design: Design, seed: int, count: int = FRAMES) -> IntArray:
    """Random frames of a design's input."""
    stream = design.input.stream
    shape = (count, stream.elements * stream.vectors)
    codes = np.random.default_rng(seed).integers(0, 1 << stream.dtype.bits, shape)
    return stream.dtype.decode(codes)


def with_random_fifos(design: Design, seed: int) -> Design:
    """Return the design with FIFOs of any storage; a third of them may deadlock it."""
    rng = np.random.default_rng([seed, 6])
    deepest = int(rng.choice([4, 40, 300]))
    return design.with_fifos(
        {
            edge.name: Fifo(
                edge.stream, int(rng.integers(1, deepest + 1)), list(Storage)[rng.integers(3)]
            )
            for edge in design.edges
        }
    )


def job(design: Design, seed: int) -> Job:
    """Return random frames and stalls for a design."""
    rng = np.random.default_rng([seed, 7])
    stalls = (STALLS[rng.integers(len(STALLS))] for _ in range(2))
    gates = [Gate(int(rng.integers(1 << 31)), *stall) for stall in stalls]
    return Job(design, frames(design, seed), *gates)


def a_word_less(design: Design) -> list[Design]:
    """Return the design with a word less in one FIFO, for each."""
    shorter = [
        (edge.name, replace(edge.fifo, depth=edge.fifo.depth - 1))
        for edge in design.edges
        if edge.fifo.depth > 1
    ]
    return [design.with_fifos({name: fifo}) for name, fifo in shorter]


def a_step_less(design: Design, family: Family) -> list[Design]:
    """Return the design with one FIFO in the next smaller memory, for each that has one."""
    shorter = []
    for edge in design.edges:
        steps = fifo_steps(edge.stream, family, enough=edge.fifo.depth)
        shorter += [(edge.name, Fifo(edge.stream, s.depth, s.storage)) for s in steps[-2:-1]]
    return [design.with_fifos({name: fifo}) for name, fifo in shorter]


def full_speed(design: Design) -> bool:
    """The steady period is the folding's; not so if it stops."""
    try:
        return performance(design, frames=200).period == design.bound
    except ConfigError:  # a deadlock
        return False


def main() -> None:
    """Prove designs of many seeds; end with status 1 at a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--designs", type=int, default=40)
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.designs)
    wrong, totals = (
        [],
        {"beats": 0, "events": 0, "deadlocks": 0, "optimal": 0, "words": 0, "steps": 0},
    )
    for at in range(0, len(seeds), BATCH):
        designs = {seed: dag(seed) for seed in seeds[at : at + BATCH]}
        family = list(Family)[at // BATCH % 2]
        sizings = {seed: size(design, family=family) for seed, design in designs.items()}
        jobs = [job(with_random_fifos(design, seed), seed) for seed, design in designs.items()]
        jobs += [job(sizing.design, seed) for seed, sizing in sizings.items()]
        for one, found in zip(jobs, compare_many(jobs), strict=True):
            totals["beats"] += found.beats
            totals["events"] += found.events
            totals["deadlocks"] += found.deadlock
            wrong += _wrong(one, found, sized=one.design in [s.design for s in sizings.values()])
        for seed, sizing in sizings.items():
            totals["optimal"] += sizing.optimal
            less = {"words": a_word_less(sizing.design)}
            if sizing.optimal:
                less["steps"] = a_step_less(sizing.design, family)
            if not full_speed(sizing.design):
                wrong.append(f"dag{seed}: not at full speed")
            for what, shorter in less.items():
                totals[what] += len(shorter)
                fast = sum(map(full_speed, shorter))
                wrong += [f"dag{seed}: {fast} FIFOs have {what} too many"] if fast else []
    print(f"{len(seeds)} designs twice, seeds {seeds[0]} to {seeds[-1]}: {totals}")
    print("\n".join(wrong) or "no difference; every word and every step less is slower")
    if wrong:
        raise SystemExit(1)


def _wrong(one: Job, found: Comparison, *, sized: bool) -> list[str]:
    name = one.design.name + (" sized" if sized else "")
    if not found.equal:
        return [f"{name}: {found.differences[0]}"]
    if found.result.complete or (found.deadlock and not sized):
        return []
    return [f"{name}: it does not end"]


if __name__ == "__main__":
    main()
