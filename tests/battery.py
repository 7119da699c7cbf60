# SPDX-License-Identifier: Apache-2.0
"""Battery: random small networks down the whole line, each layer of it against an independent one.

`python -m tests.battery --networks 200`: model = interpreter = RTL, engine = RTL cycle by cycle,
for every network; HLS C++ = model for some. A seed makes a network, its folding, FIFOs and stalls.
`--branches`: networks with residual and dense connections instead of chains, every second one with
a dense block; what dense connections carry is drawn too. FIFOs are sized: a word less in any one of
them is slower, or stops, in the engine; in the RTL, too, for some.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import record
from hwbnn.errors import ConfigError
from hwbnn.frontend import Oracle, import_model
from hwbnn.ir.design import Design
from hwbnn.ir.fifo import Fifo, Storage
from hwbnn.ir.graph import Graph
from hwbnn.ir.unit import Folding, Unit
from hwbnn.passes import adapt, lower, size_fifos
from hwbnn.passes.fold import with_units
from hwbnn.sim.gate import Gate
from hwbnn.sim.interpret import Interpreter
from hwbnn.tools.cosim import Job
from hwbnn.tools.csim import csim
from hwbnn.tools.proof import Comparison, compare_many
from tests.cnn_models import random_cnn_model
from tests.dag_designs import a_word_less, full_speed
from tests.dag_models import random_dag_model
from tests.dense_graphs import in_some_form

IMAGES = 16  # through model and interpreter
FRAMES = 3  # through the RTL
STALLS = ((256, 256), (256, 256), (128, 256), (230, 200), (40, 256), (256, 128))
MORE = 20  # times as many frames, until a word less shows
LEAST = (
    " FIFOs a word less: so many, each alone, make the design slower or stop, by the engine; in "
    f"RTL: one of them, as cycles more for {MORE * FRAMES} frames, or -1 where it stops."
)
BATCH = 8  # designs in one Verilator program
EVERY = 5  # of how many networks one is compiled as HLS C++


@dataclass(frozen=True, eq=False)
class Network:
    """A random model, imported and checked, as a random design.

    carried: what the dense blocks of the design hold, where not integers.
    """

    seed: int
    features: str
    graph: Graph
    job: Job
    carried: tuple[str, ...] = ()


def network(seed: int, *, branches: bool = False) -> Network:
    """Make a network; its integers are the model's own on random images, or this raises."""
    rng = np.random.default_rng([seed, 77])
    dense = seed % 2 == 1
    made = random_dag_model(seed, block=dense) if branches else random_cnn_model(seed)
    graph = import_model(made.model, name=f"net{seed}")
    images = rng.integers(0, 256, (IMAGES, int(np.prod(graph.input_shape))))
    host = graph.host_part
    frames = images if host is None else Interpreter(host).run(images)
    integers = Interpreter(graph).run(frames)
    floats = integers if graph.output_values is None else graph.output_values.apply(integers)
    expected = Oracle(made.model).run(images, graph.preprocess)
    np.testing.assert_array_equal(floats, expected, err_msg=f"seed {seed}: {made.features}")
    source, sink = (Gate(seed + side, *STALLS[rng.integers(len(STALLS))]) for side in (0, 999))
    lowered, carried = in_some_form(graph, rng) if rng.random() < 0.75 else (graph, [])
    job = Job(random_design(lowered, rng, sized=branches), frames[:FRAMES], source, sink)
    return Network(seed, made.features, graph, job, tuple(carried))


def random_design(graph: Graph, rng: np.random.Generator, *, sized: bool = False) -> Design:
    """Lower at random foldings; with sized FIFOs, or with FIFOs and buffers of any depth.

    sized: always, as branches that meet wait for each other for ever in FIFOs of any depth.
    """
    design = lower(graph)
    folded = [replace(i, unit=_folded(i.unit, rng)) for i in design.instances]
    design = adapt(with_units(design, tuple(folded)))
    if sized or rng.random() < 0.5:
        return size_fifos(design)
    buffered = [replace(i, unit=_buffered(i.unit, rng)) for i in design.instances]
    design = with_units(design, tuple(buffered))
    fifos = {
        e.name: Fifo(e.stream, int(rng.integers(1, 17)), Storage(int(rng.integers(3))))
        for e in design.edges
    }
    return design.with_fifos(fifos)


def _folded(unit: Unit, rng: np.random.Generator) -> Unit:
    choices = list(unit.foldings())
    chosen = choices[int(rng.integers(len(choices)))]
    most = Folding(max(f.pe for f in choices), max(f.simd for f in choices))
    if rng.random() < 0.4:  # lanes that divide nothing, where they are legal
        any_ = Folding(int(rng.integers(most.pe)) + 1, int(rng.integers(most.simd)) + 1)
        try:
            return unit.fold(any_)
        except ConfigError:
            return unit.fold(chosen)
    return unit.fold(chosen)


def _buffered(unit: Unit, rng: np.random.Generator) -> Unit:
    return unit.with_buffers(
        tuple(b.least + int(rng.integers(0, 1 + b.least)) for b in unit.buffers())
    )


def prove(networks: list[Network]) -> list[Comparison]:
    """Run the designs in one Verilator program; any bit or cycle of error raises."""
    found = list(compare_many([n.job for n in networks]))
    for made, comparison in zip(networks, found, strict=True):
        label = f"seed {made.seed} ({made.features})"
        assert comparison.equal, f"{label}: {comparison.differences[0]}"
        assert comparison.result.complete, f"{label}: did not end"
        expected = Interpreter(made.graph).run(made.job.frames)
        np.testing.assert_array_equal(comparison.result.output, expected, err_msg=label)
    return found


def prove_hls(made: Network) -> None:
    """Compile the network's HLS project and compare it with the interpreter."""
    with tempfile.TemporaryDirectory() as work:
        output = csim(made.job.design, made.job.frames, work=Path(work))
    expected = Interpreter(made.graph).run(made.job.frames)
    np.testing.assert_array_equal(output, expected, err_msg=f"seed {made.seed}: HLS")


def prove_least(made: Network) -> int:
    """Take a word from each sized FIFO in turn: all are slower; return how many there are."""
    less = a_word_less(made.job.design)
    fast = sum(map(full_speed, less))
    assert full_speed(made.job.design), f"seed {made.seed}: not at full speed"
    assert not fast, f"seed {made.seed}: {fast} FIFOs have a word too many"
    return len(less)


def prove_slower(made: Network) -> int:
    """Take a word from one FIFO: the RTL, too, needs more cycles for some frames, or stops.

    Return how many, -1 if it stops; 0: no FIFO has a word to give.
    """
    less, frames = a_word_less(made.job.design), np.tile(made.job.frames, (MORE, 1))
    if not less:
        return 0
    both = (made.job.design, less[made.seed // EVERY % len(less)])
    sized, slower = compare_many([Job(design, frames) for design in both])
    label = f"seed {made.seed}, a word less"
    assert sized.equal and slower.equal, f"{label}: {(*sized.differences, *slower.differences)[0]}"
    assert sized.result.complete, f"{label}: the sized design did not end"
    if slower.deadlock:
        return -1
    assert slower.cycles > sized.cycles, f"{label}: as fast"
    return slower.cycles - sized.cycles


def battery(seeds: range, *, branches: bool) -> Iterator[dict[str, Any]]:
    """Prove the networks of some seeds; a row for each."""
    for first in range(0, len(seeds), BATCH):
        networks = [network(seed, branches=branches) for seed in seeds[first : first + BATCH]]
        for made, comparison in zip(networks, prove(networks), strict=True):
            hls = made.seed % EVERY == 0
            if hls:
                prove_hls(made)
            least: dict[str, Any] = {}
            if branches:
                slower = prove_slower(made) if hls else ""
                least = {"FIFOs a word less": prove_least(made), "in RTL": slower}
            design, free = made.job.design, made.job.source.always and made.job.sink.always
            yield {
                "seed": made.seed,
                "features": made.features,
                "carried": "; ".join(made.carried),
                "units": len(design.instances),
                "cycles": comparison.cycles,
                "output beats": comparison.beats,
                "FIFO events": comparison.events,
                "stalls": "" if free else "yes",
                "HLS": "yes" if hls else "",
                **least,
            }


def main() -> None:
    """Run the whole battery and keep its rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--branches", action="store_true", help="that meet again")
    options = parser.parse_args()
    rows = []
    seeds = range(options.first, options.first + options.networks)
    for row in battery(seeds, branches=options.branches):
        rows.append(row)
        print(f"seed {row['seed']}: {row['FIFO events']:,} events equal ({row['features']})")
    events, beats = (sum(row[key] for row in rows) for key in ("FIFO events", "output beats"))
    chosen = " --branches" if options.branches else ""
    ranks = sum(bool(row["carried"]) for row in rows)
    record(
        "battery_branches" if options.branches else "battery",
        rows,
        command=f"python -m tests.battery --networks {options.networks} --first {options.first}"
        + chosen,
        note=f"{len(rows)} random networks: model = interpreter on {IMAGES} images each, "
        f"interpreter = RTL on {FRAMES} frames ({beats:,} output beats), engine = RTL on every "
        f"one of {events:,} FIFO events by its cycle: 0 differences. HLS: C simulation = "
        f"interpreter, too. Dense connections of {ranks} carry ranks, the interpreter integers."
        + (LEAST if options.branches else ""),
    )


if __name__ == "__main__":
    main()
