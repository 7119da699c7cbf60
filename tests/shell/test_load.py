# SPDX-License-Identifier: Apache-2.0
"""The chain that loads the weights of a core, in cocotb; its parts without a warning."""

import json

import pytest

from hwbnn.emit.file_set import FileSet
from hwbnn.emit.rtl import Structure, emit_rtl
from hwbnn.emit.weight_images import load_image
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.stream import Stream
from tests.graphs import pixels
from tests.test_loaded_weights import cnn, made

FRAMES = 3


def beats(stream: Stream, values: IntArray) -> list[int]:
    """Frames as the core's beats."""
    bits = stream.dtype.bits
    return [
        sum(int(code) << bits * lane for lane, code in enumerate(codes))
        for codes in stream.pack(values)
    ]


@pytest.mark.slow
def test_core_with_loaded_weights(simulate) -> None:
    design, frames = made(), pixels(cnn(), FRAMES)
    image = load_image(design)
    assert image is not None
    told = {
        "frames": beats(design.input.stream, frames),
        "results": beats(design.output.stream, design.run(frames)),
    }
    core = emit_rtl(design, structure=Structure.BEHAVIOURAL, external_weights=True)
    given = FileSet.of({"expected.json": json.dumps(told)}) | FileSet({"image.bin": image.data})
    simulate(core | given, design.name, "tests.shell.load_cases")
