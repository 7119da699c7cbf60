# SPDX-License-Identifier: Apache-2.0
"""Every unit at several foldings: HLS C simulation = run, one program for all of a class."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.emit.golden import beat_lines
from hwbnn.emit.hls import emit_headers, emit_sources
from hwbnn.ir.design import Design, Edge, End, Instance, parts
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Folding, Unit
from hwbnn.tools.csim import headers_folder
from hwbnn.tools.output import write
from hwbnn.tools.process import run
from hwbnn.tools.verilator import find_compiler
from hwbnn.units import UNITS, Concat, SlidingWindow, WeightSource

FRAMES = 24
KINDS = tuple(kind for kind in UNITS if kind is not WeightSource)
BATCH = 128  # designs in one program
SOME = 8  # a design in so many, of each class


def every(unit: Unit) -> list[Folding]:
    """All divisors, and lanes that need padding."""
    legal = list(unit.foldings())
    if isinstance(unit, SlidingWindow | Concat):
        return legal  # their lanes divide the channels
    pe, simd = (max(getattr(f, knob) for f in legal) for knob in ("pe", "simd"))
    ragged = [Folding(max(1, pe - 1), simd // 2 + 1), Folding(pe // 2 + 1, max(1, simd - 1))]
    return list(dict.fromkeys([*legal, *ragged]))


def single(name: str, unit: Unit) -> Design:
    """A design of one unit."""
    instance = Instance(f"{name}_unit", unit)
    edges = [
        *(
            Edge(f"{name}_in{i}", Fifo(s), None, End(instance.name, i))
            for i, s in enumerate(unit.inputs)
        ),
        *(
            Edge(f"{name}_out{i}", Fifo(s), End(instance.name, i), None)
            for i, s in enumerate(unit.outputs)
        ),
    ]
    return Design(name, (instance,), tuple(edges))


def designs(kind: type[Unit]) -> Iterator[Design]:
    """Yield the examples of a class at every folding."""
    for number, example in enumerate(kind.examples()):
        if example.weight_source() is not None or example.loaded_memory is not None:
            continue  # HLS has no streamed weights, and does not load any
        for fold, folding in enumerate(every(example)):
            unit = example.fold(folding).named(f'node "{number}"\\')
            yield single(f"{kind.module}_{number}_{fold}", unit)


def values(stream: Stream, seed: int) -> IntArray:
    """Random values over the whole range, the extremes among them."""
    rng = np.random.default_rng(seed)
    shape = (FRAMES, stream.vectors * stream.elements)
    codes = rng.integers(0, 1 << stream.dtype.bits, shape)
    result = stream.dtype.decode(codes)
    result[0], result[1] = stream.dtype.min, stream.dtype.max
    return result


def sources(files: FileSet) -> FileSet:
    """The headers and sources of a project without its own test bench, in one folder."""
    kept = {path: data for path, data in files.files.items() if path.endswith((".hpp", ".h"))}
    tops = {path: data for path, data in files.files.items() if path.startswith("src/")}
    return FileSet({path.rpartition("/")[2]: data for path, data in {**kept, **tops}.items()})


MAIN = """\
// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>
#include <cstdint>
{branch}
{includes}
#include "bench.hpp"

{around}

int main() {{
  int status = 0;
{checks}
  return status;
}}
"""
# The headers take their own branch before the macro is there, and ours the one that Vitis sees.
SYNTHESIS_BRANCH = "#define __SYNTHESIS__"


def bits(edges: tuple[Edge, ...]) -> int:
    """Bits of the widest beat of some borders."""
    return max(edge.stream.bits for edge in edges)


def beats(edges: tuple[Edge, ...]) -> int:
    """Beats a frame of all of some borders."""
    return sum(edge.stream.beats for edge in edges)


def golden(design: Design, frames: list[IntArray]) -> FileSet:
    """The beats of every input, or output, one border after another in each frame."""
    inputs = np.concatenate(frames, axis=1)
    texts = {}
    for side, edges, data in (
        ("in", design.inputs, inputs),
        ("out", design.outputs, design.run(inputs)),
    ):
        digits = -(-bits(edges) // 4)
        lines = [
            np.array(beat_lines(edge.stream, part).split()).reshape(FRAMES, -1)
            for edge, part in zip(edges, parts(data, edges), strict=True)
        ]
        texts[f"golden_{side}.hex"] = "".join(
            f"{line:0>{digits}}\n" for line in np.concatenate(lines, axis=1).ravel()
        )
    return FileSet.of(texts)


def one_by_one(design: Design) -> str:
    """A function of one stream each way around the top function: see `golden`."""
    ports = {f"in{i}": e.stream for i, e in enumerate(design.inputs)}
    ports |= {f"out{i}": e.stream for i, e in enumerate(design.outputs)}
    body = [f"  hls::stream<ap_uint<{stream.bits}> > {port};" for port, stream in ports.items()]
    calls = f"  {design.name}({', '.join(ports)});"
    copies = {
        port: f"  for (int i = 0; i < {stream.beats}; ++i) "
        + (f"{port}.write(in.read());" if port.startswith("in") else f"out.write({port}.read());")
        for port, stream in ports.items()
    }
    first = [line for port, line in copies.items() if port.startswith("in")]
    last = [line for port, line in copies.items() if port.startswith("out")]
    given, taken = (f"hls::stream<ap_uint<{bits(e)}> >" for e in (design.inputs, design.outputs))
    head = f"static void around_{design.name}({given}& in, {taken}& out) {{"
    return "\n".join([head, *body, *first, calls, *last, "}"])


def program(many: list[Design], *, branch: str) -> FileSet:
    """One program that checks many designs, each against the golden vectors in its folder."""
    includes = "\n".join(f'#include "top_{d.name}.cpp"' for d in many)
    checks = "\n".join(
        f'  status |= bench::check("{d.name}", around_{d.name}, "{d.name}/golden_in.hex", '
        f'{beats(d.inputs)}, "{d.name}/golden_out.hex", {beats(d.outputs)});'
        for d in many
    )
    emitted = FileSet.union(sources(emit_sources(d) | emit_headers()) for d in many)
    data = (
        golden(d, [values(e.stream, 3 + i) for i, e in enumerate(d.inputs)]).under(d.name)
        for d in many
    )
    around = "\n".join(map(one_by_one, many))
    main = MAIN.format(branch=branch, includes=includes, around=around, checks=checks)
    return emitted | FileSet.union(data) | FileSet.of({"main.cpp": main})


def prove(many: list[Design], folder: Path, *, branch: str = "") -> None:
    write(program(many, branch=branch), folder)
    flags = ["-std=c++14", "-O0", "-I.", "-isystem", headers_folder(None)]
    run([*find_compiler(), *flags, "-o", "main", "main.cpp"], cwd=folder)
    output = run([folder / "main"], cwd=folder).output
    assert output.count("frames agree") == len(many), output


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_folding_is_run(kind: type[Unit], tmp_path: Path) -> None:
    many = list(designs(kind))
    for at in range(0, len(many), BATCH):
        prove(many[at : at + BATCH], tmp_path / str(at))


@pytest.mark.slow
def test_the_branch_of_the_synthesis(tmp_path: Path) -> None:
    """It stands in hwbnn.hpp alone, and in no unit: some foldings of each will do."""
    some = [design for kind in KINDS for design in list(designs(kind))[::SOME]]
    prove(some, tmp_path, branch=SYNTHESIS_BRANCH)
