# SPDX-License-Identifier: Apache-2.0
"""Every unit at several foldings: HLS C simulation = run, one program for all of a class."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.emit.golden import emit_golden
from hwbnn.emit.hls import emit_program
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.stream import Stream
from hwbnn.ir.unit import Folding, Unit
from hwbnn.tools.csim import headers_folder
from hwbnn.tools.output import write
from hwbnn.tools.process import run
from hwbnn.tools.verilator import find_compiler
from hwbnn.units import UNITS, SlidingWindow

FRAMES = 24
BATCH = 128  # designs in one program


def every(unit: Unit) -> list[Folding]:
    """All divisors, and lanes that need padding."""
    legal = list(unit.foldings())
    if isinstance(unit, SlidingWindow):
        return legal  # a window's lanes divide the channels
    pe, simd = (max(getattr(f, knob) for f in legal) for knob in ("pe", "simd"))
    ragged = [Folding(max(1, pe - 1), simd // 2 + 1), Folding(pe // 2 + 1, max(1, simd - 1))]
    return list(dict.fromkeys([*legal, *ragged]))


def single(name: str, unit: Unit) -> Design:
    """A design of one unit."""
    instance = Instance(f"{name}_unit", unit)
    return Design(
        name,
        (instance,),
        (
            Edge(f"{name}_in", Fifo(unit.inputs[0]), None, End(instance.name)),
            Edge(f"{name}_out", Fifo(unit.outputs[0]), End(instance.name), None),
        ),
    )


def designs(kind: type[Unit]) -> Iterator[Design]:
    """Yield the examples of a class at every folding."""
    for number, example in enumerate(kind.examples()):
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

int main() {{
  int status = 0;
{checks}
  return status;
}}
"""
# The headers take their own branch before the macro is there, and ours the one that Vitis sees.
SYNTHESIS_BRANCH = "#define __SYNTHESIS__"


def program(many: list[Design], *, branch: str) -> FileSet:
    """One program that checks many designs, each against the golden vectors in its folder."""
    includes = "\n".join(f'#include "top_{d.name}.cpp"' for d in many)
    checks = "\n".join(
        f'  status |= bench::check("{d.name}", {d.name}, "{d.name}/golden_in.hex", '
        f'{d.input.stream.beats}, "{d.name}/golden_out.hex", {d.output.stream.beats});'
        for d in many
    )
    emitted = FileSet.union(sources(emit_program(d)) for d in many)
    golden = (emit_golden(d, values(d.input.stream, 3)).under(d.name) for d in many)
    main = MAIN.format(branch=branch, includes=includes, checks=checks)
    return emitted | FileSet.union(golden) | FileSet.of({"main.cpp": main})


def prove(many: list[Design], folder: Path, *, branch: str = "") -> None:
    write(program(many, branch=branch), folder)
    flags = ["-std=c++14", "-O0", "-I.", "-isystem", headers_folder(None)]
    run([*find_compiler(), *flags, "-o", "main", "main.cpp"], cwd=folder)
    output = run([folder / "main"], cwd=folder).output
    assert output.count("frames agree") == len(many), output


@pytest.mark.slow
@pytest.mark.parametrize("branch", ["", SYNTHESIS_BRANCH], ids=["simulation", "synthesis"])
@pytest.mark.parametrize("kind", UNITS, ids=lambda kind: kind.__name__)
def test_every_folding_is_run(kind: type[Unit], branch: str, tmp_path: Path) -> None:
    many = list(designs(kind))
    for at in range(0, len(many), BATCH):
        prove(many[at : at + BATCH], tmp_path / str(at), branch=branch)
