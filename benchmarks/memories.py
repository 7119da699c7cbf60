# SPDX-License-Identifier: Apache-2.0
"""Weight memories of hwbnn_rom: LUTs and block RAMs modelled, and counted by Yosys.

    python -m benchmarks memories

Random words on a grid of depths and widths, in LUTs and in block RAM, and the layers of CNV at the
folding of BNN-PYNQ and at one of about 12,000 cycles a frame, each in the style that AUTO chooses.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.record import record
from hwbnn.emit import words
from hwbnn.emit.file_set import FileSet
from hwbnn.ir.dtype import BIPOLAR
from hwbnn.ir.unit import Family, Style
from hwbnn.resources import Room, read_text
from hwbnn.tools.yosys import synthesise
from hwbnn.units import cost, weights

COMMAND = "python -m benchmarks memories"
NOTE = (
    "hwbnn_rom alone, synthesised by Yosys, not placed. bram: BRAM36 on xc7 (an 18 is a half), "
    "DP16KD on ECP5."
)
DISTRIBUTED = (
    (4, 64), (8, 128), (12, 256), (16, 96), (32, 65), (36, 64), (64, 64), (72, 48), (96, 32),
    (128, 32), (144, 32), (192, 16), (288, 16), (512, 16), (640, 8), (1152, 8), (2304, 4),
)  # fmt: skip
BLOCK = (
    (36, 1024), (144, 512), (512, 73), (520, 24), (576, 128), (1024, 37), (1152, 256), (1536, 4),
    (2304, 32), (2304, 128), (4608, 32), (5120, 1), (8192, 16), (9216, 64), (18432, 32), (32768, 8),
)  # fmt: skip
CNV = (
    (64, 27), (64, 576), (128, 576), (128, 1152), (256, 1152), (256, 2304), (512, 256), (512, 512),
    (10, 512),
)  # fmt: skip
CNV_FOLDINGS = {
    "cnv, 32,768 cycles": (
        (16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32), (1, 4), (1, 8), (4, 1),
    ),
    "cnv, 12,800 cycles": (
        (16, 9), (32, 72), (16, 64), (16, 72), (4, 64), (1, 64), (1, 16), (1, 32), (1, 1),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """A memory to make."""

    memory: str
    depth: int
    width: int
    style: Style
    family: Family


@dataclass(frozen=True)
class Row:
    """A memory as modelled, and as made."""

    memory: str
    family: str
    depth: int
    width: int
    style: str
    lut_modelled: float
    lut: float
    bram_modelled: float
    bram: float


def main() -> None:
    """Synthesise everything, two at a time, and record the table."""
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(measure, tasks()))
    record("memories", [asdict(row) for row in rows], command=COMMAND, note=NOTE)


def tasks() -> Iterator[Task]:
    """The grid on both families, then the layers of CNV on xc7."""
    for family in (Family.XC7, Family.ECP5):
        for style, shapes in ((Style.DISTRIBUTED, DISTRIBUTED), (Style.BLOCK, BLOCK)):
            for depth, width in shapes:
                yield Task("grid", depth, width, style, family)
    for name, foldings in CNV_FOLDINGS.items():
        for layer, ((neurons, synapses), (pe, simd)) in enumerate(zip(CNV, foldings, strict=True)):
            depth = -(-neurons // pe) * -(-synapses // simd)
            style = weights.shape(depth, pe * simd, 1, Style.AUTO).style
            yield Task(f"{name}, layer {layer}", depth, pe * simd, style, Family.XC7)


def measure(task: Task) -> Row:
    """Synthesise one memory of random words."""
    shape = weights.shape(task.depth, task.width, BIPOLAR.bits, task.style)
    random = np.random.default_rng([task.depth, task.width])
    contents = random.integers(0, 2, (task.depth, task.width))
    lines = words.hex_lines(weights.memory(contents, shape).words, lane_bits=1)
    files = FileSet.of(
        {
            "top.sv": top(task, rows=shape.depth),
            "hwbnn_rom.sv": read_text(Room.RTL, "hwbnn_rom.sv"),
            "words.hex": lines,
        }
    )
    with tempfile.TemporaryDirectory(prefix="hwbnn-") as scratch:
        found = synthesise(files, "top", task.family, work=Path(scratch)).instances["i_rom"]
    modelled = cost.rom(task.depth, task.width, task.style, task.family)
    return Row(
        task.memory,
        task.family.value,
        task.depth,
        task.width,
        task.style.value,
        round(modelled.lut),
        found.lut,
        modelled.bram,
        found.bram,
    )


def top(task: Task, *, rows: int) -> str:
    """A module around one memory."""
    address, word = (task.depth - 1).bit_length() - 1, task.width - 1
    return f"""\
module top (input logic clk_i, input logic [{address}:0] address_i, output logic [{word}:0] word_o);
  hwbnn_rom #(
      .Width({task.width}), .Depth({task.depth}), .Block({int(task.style is Style.BLOCK)}),
      .Rows({rows}), .WordsFile("words")
  ) i_rom (.clk_i, .address_i, .word_o);
endmodule
"""


if __name__ == "__main__":
    main()
