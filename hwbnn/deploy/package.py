# SPDX-License-Identifier: Apache-2.0
"""Package: all that a board needs as files: manifest, bitstream, golden frames, driver, sources."""

import hashlib
import importlib.metadata
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from hwbnn.board import AxiLink, Board, Device, UartLink
from hwbnn.deploy.host_part import HostPart, host_part
from hwbnn.deploy.runtime.package import MANIFEST, SCHEMA, SCHEMA_LOADED, SCHEMA_WEIGHTS
from hwbnn.deploy.wheel import wheel, wheel_name, zipped
from hwbnn.emit.chip import Core
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.transfer import Transfer
from hwbnn.emit.weight_ports import weight_ports
from hwbnn.errors import ConfigError, MismatchError, OutputError
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import Graph, OutputSteps, OutputValues
from hwbnn.ir.ops import ArgMax
from hwbnn.sim.engine import Performance
from hwbnn.sim.interpret import Interpreter

BUFFER_SHARE = 4  # of the contiguous memory: others on the board want some, too
MEGABYTE = 1 << 20
BITSTREAMS = {Device.ICE40: "bitstream.bin"}  # of the others: bitstream.bit

Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Contents:
    """What a package is made of.

    chip: all sources of the chip, core and shell included. bitstream None: the vendor's tool has
    not run. images: (n, pixels) as users give them, for the golden frames.
    """

    graph: Graph
    design: Design
    board: Board
    clock_mhz: float
    core: Core
    chip: FileSet
    performance: Performance
    images: IntArray
    bitstream: bytes | None = None


def package(contents: Contents) -> FileSet:
    """Return the files of a package, `manifest.json` with their hashes among them."""
    version = importlib.metadata.version("hwbnn")
    host = host_part(contents.graph)
    inputs, input_files = _input(contents, host)
    outputs, output_files = _output(contents)
    weights, weight_files = _weights(contents)
    files = input_files | output_files | _golden(contents, host) | contents.chip.under("chip")
    files |= weight_files
    files |= FileSet({f"runtime/{wheel_name(version)}": wheel(version)})
    name = None
    if contents.bitstream is not None:
        name = BITSTREAMS.get(contents.board.family, "bitstream.bit")
        files |= FileSet({name: contents.bitstream})
    board, preprocess = contents.board, contents.graph.preprocess
    manifest = {
        "schema": _schema(contents.core),
        "name": contents.graph.name,
        "hwbnn": version,
        "board": {
            "id": board.id,
            "name": board.name,
            "family": board.family.value,
            "part": board.part,
        },
        "build_hash": contents.core.build_hash.hex(),
        "clock": _clock(board, contents.clock_mhz),
        "link": _link(contents),
        "host": None if board.host is None else board.host.model_dump(),
        "input": inputs,
        "output": outputs,
        "classes": list(contents.graph.classes),
        "preprocess": {
            "divisor": preprocess.divisor,
            "mean": preprocess.mean,
            "std": preprocess.std,
            "meaning": str(preprocess),
        },
        "cycles": _cycles(contents.performance),
        "fifos": list(contents.core.fifos),
        **({"weights": weights} if weights else {}),
        "golden": {"in": "golden_in.npy", "out": "golden_out.npy", "provenance": "Design.run"},
        "runtime": f"runtime/{wheel_name(version)}",
        "bitstream": name,
        "files": {path: _sha256(files.files[path]) for path in sorted(files.files)},
    }
    return files | FileSet.of({MANIFEST: json.dumps(manifest, indent=2) + "\n"})


def write_package(files: FileSet, target: Path) -> None:
    """Write a package as a ZIP, the same bytes each time; OutputError: it cannot be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(zipped(files.files))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(
            f"{target}: the package must be writable, not fail: {reason}; choose another place"
        ) from error


def _clock(board: Board, mhz: float) -> Json:
    """The fabric's clock. A Zynq's is made by the driver, from the PLL that it finds."""
    found: Json = {
        "mhz": mhz,
        "generator": board.clocks.generator.value,
        "source_mhz": board.clocks.source_mhz,
    }
    if board.host is not None:
        found["ps_clk_mhz"] = board.host.ps_clk_mhz
    return found


def _link(contents: Contents) -> Json:
    board, link = contents.board, contents.board.link
    match link:
        case AxiLink():
            assert board.host is not None, "the board file's check"
            return {
                **link.model_dump(),
                "data_port": board.data.port,
                "buffer_bytes": board.host.cma_mb * MEGABYTE // BUFFER_SHARE,
            }
        case UartLink():
            frame = contents.core.frames.frame_bytes
            if frame > link.room_bytes:
                raise ConfigError(
                    f"{board.id}: a frame must fit link.room_bytes, {link.room_bytes}, not have "
                    f"{frame} bytes; build with --packed-input, or for a board with more room"
                )
            return {**link.model_dump(), "load": board.toolchains.get("openfpgaloader")}
        case _:
            assert_never(link)


def _input(contents: Contents, host: HostPart) -> tuple[Json, FileSet]:
    entry = {
        "shape": list(contents.graph.input_shape),
        **_stream(contents.core.frames),
        "word_bytes": contents.core.frames.word_bytes,
        "order": None if host.order is None else "order.npy",
        "table": None if host.table is None else "table.npy",
    }
    files = FileSet({})
    if host.order is not None:
        files |= _array("order.npy", host.order.astype(np.uint32))
    if host.table is not None:
        files |= _array("table.npy", host.table)
    return entry, files


def _output(contents: Contents) -> tuple[Json, FileSet]:
    graph = contents.graph
    values, files = _values(graph.output_values)
    argmax = isinstance(graph[graph.output], ArgMax)
    return {**_stream(contents.core.results), "values": values, "argmax": argmax}, files


def _weights(contents: Contents) -> tuple[list[Json], FileSet]:
    """What must lie in memory, in the order of the weight readers; images are one pass each.

    Of the last reader, if it is a loader, what is loaded once.
    """
    entries: list[Json] = []
    files: dict[str, bytes] = {}
    for port in weight_ports(contents.core, contents.board):
        image, path = port.image, f"weights/{port.name}.bin"
        files[path] = image.data
        entries.append(
            {
                "name": port.name,
                "port": port.port,
                "file": path,
                "bytes": len(image.data),
                "word_bits": image.word_bits,
                "container_bytes": image.container_bytes,
                **({"loaded": True} if port.loads else {"words_a_frame": image.words_a_frame}),
            }
        )
    return entries, FileSet(files)


def _schema(core: Core) -> str:
    """The oldest that says it all."""
    if core.loaded:
        return SCHEMA_LOADED
    return SCHEMA_WEIGHTS if core.weights else SCHEMA


def _values(values: OutputValues | OutputSteps | None) -> tuple[Json | None, FileSet]:
    match values:
        case None:
            return None, FileSet({})
        case OutputValues():
            files = _array("values.npy", values.values)
            return {"table": "values.npy", "low": values.low}, files
        case OutputSteps():
            steps = [
                [arithmetic.value, f"step_{index}.npy"]
                for index, (arithmetic, _) in enumerate(values.steps)
            ]
            arrays: dict[str, npt.NDArray[Any]] = {
                "scale.npy": values.scale,
                "offset.npy": values.offset,
            }
            arrays |= {f"step_{i}.npy": operand for i, (_, operand) in enumerate(values.steps)}
            files = FileSet.union(_array(name, array) for name, array in arrays.items())
            return {"scale": "scale.npy", "offset": "offset.npy", "steps": steps}, files
        case _:
            assert_never(values)


def _stream(transfer: Transfer) -> Json:
    stream = transfer.stream
    return {
        "dtype": str(stream.dtype),
        "lanes": stream.lanes,
        "elements": stream.elements,
        "vectors": stream.vectors,
        "frame_bytes": transfer.frame_bytes,
    }


def _golden(contents: Contents, host: HostPart) -> FileSet:
    """Images and what the design gives for them, which must be what the graph gives."""
    graph, images = contents.graph, contents.images
    wanted = Interpreter(graph.on_pixels).run(images)
    sent = graph.input.dtype.decode(host.codes(images))
    if (contents.design.run(sent) != wanted).any():
        raise MismatchError(
            f"{graph.name}: design and graph must agree on the golden images, not differ; this is "
            "a fault of hwbnn: report it"
        )
    shape = (len(images), *graph.input_shape)
    return _array("golden_in.npy", images.astype(np.uint8).reshape(shape)) | _array(
        "golden_out.npy", wanted
    )


def _cycles(performance: Performance) -> Json:
    """Return CYCLES for any number of frames: the engine's first write is in cycle 0."""
    count = performance.simulated_frames
    settled = performance.transient < count
    repeat = count - 1 - performance.transient if settled else 1
    ends = performance.frame_ends[:count] + 1
    return {
        "provenance": "modelled",
        "ends": ends.tolist(),
        "repeat": repeat,
        "span": round(performance.period * repeat),
        "period": [performance.period.numerator, performance.period.denominator],
        "exact": settled,
    }


def _array(name: str, array: npt.NDArray[Any]) -> FileSet:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
    return FileSet({name: buffer.getvalue()})


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
