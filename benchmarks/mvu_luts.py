# SPDX-License-Identifier: Apache-2.0
"""LUTs of a whole binary Mvu per synapse per cycle, from Yosys: every structure, both families.

    python -m benchmarks mvu_luts

A 256 x 256 layer (weights in block RAM, one threshold an output) at four foldings, and a 64 x 64
layer fully unrolled (constant weights). A LUT6_2 and a LUT of any size are one site, a RAM32M four;
two small LUTs are never paired. A carry cell of ECP5 is two LUT4s.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.record import record
from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.ir.design import Design, Edge, End, Instance
from hwbnn.ir.dtype import BIPOLAR
from hwbnn.ir.fifo import Fifo
from hwbnn.ir.unit import Family, Style
from hwbnn.tools.yosys import Counts, synthesise
from hwbnn.units import Mvu

COMMAND = "python -m benchmarks mvu_luts"
FOLDINGS = ((256, 16, 32), (256, 16, 64), (256, 32, 64), (256, 8, 128), (64, 64, 64))
STRUCTURES = {
    Family.XC7: (Structure.XC7, Structure.BEHAVIOURAL),
    Family.ECP5: (Structure.ECP5, Structure.BEHAVIOURAL),
}
NOTE = (
    "Synthesised by Yosys, not placed: LUT sites (LUT4s on ECP5, a carry cell is two) of the Mvu, "
    "with replay buffer, thresholds and control, without its FIFOs, per synapse per cycle."
)


@dataclass(frozen=True)
class Row:
    """One synthesis."""

    family: str
    neurons: int
    pe: int
    simd: int
    structure: str
    lut: float
    lut_per_synapse: float
    ff: int
    carry: int
    bram: float
    seconds: float


def main() -> None:
    """Synthesise everything, two at a time, and record the table."""
    jobs = [
        (family, structure, *shape)
        for shape in FOLDINGS
        for family, structures in STRUCTURES.items()
        for structure in structures
    ]
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda job: measure(*job), jobs))
    record("mvu_luts", [asdict(row) for row in rows], command=COMMAND, note=NOTE)


def measure(family: Family, structure: Structure, neurons: int, pe: int, simd: int) -> Row:
    """Synthesise one Mvu between two FIFOs; count the Mvu alone."""
    unit = layer(neurons, pe, simd)
    stream_in, stream_out = unit.inputs[0], unit.outputs[0]
    edges = (
        Edge("before", Fifo(stream_in), None, End("dut")),
        Edge("after", Fifo(stream_out), End("dut"), None),
    )
    design = Design("single", (Instance("dut", unit),), edges)
    files = emit_rtl(design, structure=structure)
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as scratch:
        report = synthesise(files, "single", family, work=Path(scratch))
    counts: Counts = report.instances["unit_dut"]
    return Row(
        family.value,
        neurons,
        pe,
        simd,
        structure.name.lower(),
        counts.lut,
        round(counts.lut / (pe * simd), 3),
        counts.ff,
        counts.carry,
        counts.bram,
        round(report.seconds, 1),
    )


def layer(neurons: int, pe: int, simd: int) -> Mvu:
    """A square binary layer with random weights; in block RAM unless fully unrolled."""
    rng = np.random.default_rng(0)
    weights = rng.choice([-1, 1], (neurons, neurons))
    thresholds = rng.integers(-20, 20, (neurons, 1))
    style = Style.DISTRIBUTED if pe == neurons else Style.BLOCK
    return Mvu(weights, BIPOLAR, BIPOLAR, BIPOLAR, thresholds, pe=pe, simd=simd, weight_style=style)


if __name__ == "__main__":
    main()
