# SPDX-License-Identifier: Apache-2.0
"""Packaging: a finished build as a package for its board, and the place of that in a result."""

import hashlib
import json
from pathlib import Path

from hwbnn.board import Device
from hwbnn.deploy.faults import faults_as_errors
from hwbnn.deploy.package import BITSTREAMS, Contents, package
from hwbnn.deploy.runtime.bit_file import parse_bit
from hwbnn.deploy.runtime.package import MANIFEST, open_package
from hwbnn.emit.chip_open import emit_open_chip, is_open
from hwbnn.emit.chip_zynq import emit_zynq_chip, is_zynq
from hwbnn.emit.file_set import FileSet
from hwbnn.errors import ConfigError
from hwbnn.flow import GOLDEN_FRAMES, BuildResult, design_of, graph_of, pixels_of
from hwbnn.tools.output import MARK
from hwbnn.tools.simulated_board import behavioural

FOLDER = "package"  # of a result
CHIP = "chip"  # of a result: where the vendor's tool leaves a bitstream


def package_name(result: BuildResult) -> str:
    """Return the path of the package in the result folder."""
    return f"{FOLDER}/{result.config.name}-{result.config.board.id}.zip"


def package_of(result: BuildResult) -> FileSet:
    """Return the files of a package of a build that has simulated; its bitstream if there is one.

    ConfigError: the board, or how it takes frames, allows no package.
    """
    design, board = design_of(result), result.config.board
    if not (is_zynq(board) or is_open(board)):
        raise ConfigError(
            f"{board.id}: a package must be for a board with a chip of ours, not "
            f"{board.family.value}; see `hwbnn boards`"
        )
    emit = emit_zynq_chip if is_zynq(board) else emit_open_chip
    chip = emit(design, board, clock_mhz=result.clock_mhz)
    assert result.performance is not None, "the line simulates before"
    return package(
        Contents(
            graph=graph_of(result),
            design=design,
            board=board,
            clock_mhz=result.clock_mhz,
            core=chip.core,
            chip=behavioural(chip.files, design, board),
            performance=result.performance,
            images=pixels_of(result)[:GOLDEN_FRAMES],
            bitstream=None if result.bitstream is None else result.bitstream.data,
        )
    )


def find_package(path: Path) -> Path:
    """Return a package: the path itself, or the one in a result folder."""
    if not (path / MARK).is_file():
        return path
    found = sorted((path / FOLDER).glob("*.zip"))
    if len(found) != 1:
        raise ConfigError(
            f"{path / FOLDER}: must hold one package, not {len(found)}; build again, or name the "
            "ZIP itself"
        )
    return found[0]


def find_bitstream(result: Path) -> Path | None:
    """Return the bitstream that a vendor's tool has left in a result folder, if it has."""
    found = sorted((result / CHIP).glob("*.bit"))
    return found[0] if len(found) == 1 else None


def with_bitstream(path: Path, bitstream: Path) -> FileSet:
    """Return the files of a package with another bitstream, which must be for its part."""
    with faults_as_errors():
        old = open_package(path)
    try:
        data = bitstream.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"{bitstream}: bitstream must be readable, not fail: {reason}; give the file that the "
            "vendor's tool wrote"
        ) from error
    board = old.manifest["board"]
    family = Device(board["family"])
    if family in (Device.ZYNQ7000, Device.ZYNQMP):
        _check_part(bitstream, data, board["part"])
    name = BITSTREAMS.get(family, "bitstream.bit")
    files = {**old.files, name: data}
    hashes = {path: hashlib.sha256(contents).hexdigest() for path, contents in files.items()}
    manifest = old.manifest | {"bitstream": name, "files": dict(sorted(hashes.items()))}
    text = json.dumps(manifest, indent=2) + "\n"
    return FileSet({**files, MANIFEST: text.encode()})


def files_of(path: Path) -> FileSet:
    """Return the files of a package, verified."""
    with faults_as_errors():
        old = open_package(path)
    return FileSet({**old.files, MANIFEST: (json.dumps(old.manifest, indent=2) + "\n").encode()})


def _check_part(bitstream: Path, data: bytes, part: str) -> None:
    """A .bit file says 7z020clg400; the part has a speed grade, and may have xc in front."""
    with faults_as_errors():
        found = parse_bit(data, where=str(bitstream)).part
    if not part.removeprefix("xc").startswith(found.removeprefix("xc")):
        raise ConfigError(
            f"{bitstream}: bitstream must be for {part}, not {found}; give the one of this build"
        )
