# SPDX-License-Identifier: Apache-2.0
"""Golden vectors: frames and the outputs they must give, beat by beat, for the test benches."""

import json

import numpy as np

from hwbnn.emit import words
from hwbnn.emit.file_set import FileSet
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.stream import Stream

_NIBBLES = np.zeros(128, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def emit_golden(design: Design, inputs: IntArray, outputs: IntArray) -> FileSet:
    """`golden_in.hex`, `golden_out.hex` and their shape in `golden.json`.

    One beat a line, most significant digit first: the format of `$readmemh`. Inputs and outputs are
    frames (frames, elements); the outputs are what `design.run` makes of the inputs.
    """
    streams = {"in": design.input.stream, "out": design.output.stream}
    shape = {
        "design": design.name,
        "frames": len(inputs),
        **{side: _shape(stream) for side, stream in streams.items()},
    }
    return FileSet.of(
        {
            "golden_in.hex": beat_lines(streams["in"], inputs),
            "golden_out.hex": beat_lines(streams["out"], outputs),
            "golden.json": json.dumps(shape, indent=2) + "\n",
        }
    )


def beat_lines(stream: Stream, values: IntArray) -> str:
    """Values (frames, vectors * elements) as lines of beats."""
    return words.hex_lines(stream.pack(values), lane_bits=stream.dtype.bits)


def read_beats(stream: Stream, text: str) -> IntArray:
    """Return the values (frames, vectors * elements) of lines of beats."""
    digits = -(-stream.bits // 4)
    characters = np.frombuffer(text.encode(), np.uint8).reshape(-1, digits + 1)[:, :-1]
    nibbles = _NIBBLES[characters[:, ::-1]]  # least significant first
    nibbles = np.pad(nibbles, ((0, 0), (0, digits % 2)))
    data = (nibbles[:, ::2] | nibbles[:, 1::2] << 4).astype(np.uint8)
    return stream.unpack(words.unpack(data, lane_bits=stream.dtype.bits, lanes=stream.lanes))


def _shape(stream: Stream) -> dict[str, int | str]:
    return {
        "type": str(stream.dtype),
        "lanes": stream.lanes,
        "elements": stream.elements,
        "vectors": stream.vectors,
        "beat_bits": stream.bits,
        "beats": stream.beats,
    }
