# SPDX-License-Identifier: Apache-2.0
"""Place: where a package runs: a simulated board, this machine, or a board behind ssh."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np
from pydantic import ValidationError

from hwbnn.board import AxiLink, UartLink
from hwbnn.deploy.faults import faults_as_errors
from hwbnn.deploy.remote import Archive, Json, Remote, Say, run_driver
from hwbnn.deploy.runtime import Accelerator
from hwbnn.deploy.runtime.back_end import BackEnd
from hwbnn.deploy.runtime.package import Package
from hwbnn.deploy.runtime.simulated import SimulatedAxi, simulated_uart
from hwbnn.deploy.runtime.target import Target
from hwbnn.emit.file_set import FileSet
from hwbnn.errors import ConfigError
from hwbnn.ir.dtype import IntArray
from hwbnn.tools.cosim import cache_folder
from hwbnn.tools.simulated_board import build_simulated_board

PATIENCE = 1000.0  # a simulation may be so much slower than its board
SOURCES = "chip/"  # in a package
WALL_CLOCK = ("seconds", "total", "frames_per_second")
SIMULATED_FRAMES = 64
BOARD_FRAMES = 1000


@dataclass(frozen=True)
class Simulation:
    """The chip's sources in the package, compiled by Verilator."""


@dataclass(frozen=True)
class Here:
    """This machine is the board, or a serial line leads to it; back_end None: the usual one."""

    back_end: str | None = None


@dataclass(frozen=True)
class There:
    """A board behind ssh."""

    remote: Remote
    back_end: str | None = None


Place: TypeAlias = Simulation | Here | There


def is_port(text: str) -> bool:
    """Return whether a text names a serial port."""
    return text.startswith("/dev/") or re.fullmatch(r"(?i)com\d+", text) is not None


def classify(archive: Archive, place: Place, pixels: IntArray, *, say: Say) -> list[int]:
    """Return the class of each image (n, pixels), as the driver says."""
    shape = tuple(archive.package.manifest["input"]["shape"])
    if pixels.shape[1] != np.prod(shape):
        raise ConfigError(
            f"images: must have {int(np.prod(shape))} pixels, {' x '.join(map(str, shape))}, not "
            f"{pixels.shape[1]}; resize them"
        )
    match place:
        case There():
            say(f"run on {place.remote.login.host}")
            lines = run_driver(
                archive, place.remote, "run", _options(place.back_end), images=pixels
            )
            return [int(line["label"]) for line in lines if "label" in line]
        case Simulation() | Here():
            with _loaded(archive.package, place, say=say) as accelerator:
                say("run")
                labels = accelerator.predict(pixels.astype(np.uint8))
            return [int(label) for label in labels]
        case _:
            assert_never(place)


def bench(archive: Archive, place: Place, frames: int | None, *, say: Say) -> Json:
    """Return what the driver measures: `latency` of one frame, the rest of all of them."""
    match place:
        case There():
            say(f"run on {place.remote.login.host}")
            options = [*_options(place.back_end), "--frames", str(frames or BOARD_FRAMES)]
            return run_driver(archive, place.remote, "bench", options)[-1]
        case Simulation() | Here():
            simulated = isinstance(place, Simulation)
            count = frames or (SIMULATED_FRAMES if simulated else BOARD_FRAMES)
            with _loaded(archive.package, place, say=say) as accelerator:
                say(f"run {count} frames")
                found = accelerator.throughput(count).as_dict()
                latency = accelerator.latency(1 if simulated else None).as_dict()
            if simulated:
                found, latency = _without_wall_clock(found), _without_wall_clock(latency)
            provenance = "cosimulated" if simulated else "measured on board"
            return {
                "schema": "hwbnn/bench@1",
                "provenance": provenance,
                **found,
                "latency": latency,
            }
        case _:
            assert_never(place)


def _without_wall_clock(found: Json) -> Json:
    """Leave out how fast the simulator is."""
    return {key: value for key, value in found.items() if key not in WALL_CLOCK}


def _options(back_end: str | None) -> Sequence[str]:
    return () if back_end is None else ("--back-end", back_end)


@contextmanager
def _loaded(package: Package, place: Simulation | Here, *, say: Say) -> Iterator[Accelerator]:
    """Load and check a package; the driver's faults are errors."""
    simulated = isinstance(place, Simulation)
    back_end = _simulated(package, say=say) if isinstance(place, Simulation) else place.back_end
    say("load the package")
    with (
        faults_as_errors(),
        Accelerator.load(
            package.where, back_end, patience=PATIENCE if simulated else 1.0
        ) as accelerator,
    ):
        yield accelerator


def _simulated(package: Package, *, say: Say) -> BackEnd:
    """Return the simulated board of a package's own sources."""
    sources = {
        name.removeprefix(SOURCES): data
        for name, data in package.files.items()
        if name.startswith(SOURCES)
    }
    target, link = Target.of(package.manifest), _link(package)
    say("build the simulated board with Verilator, once for a chip")
    program = build_simulated_board(FileSet(sources), link=link, cache=cache_folder())
    with faults_as_errors():
        if isinstance(link, AxiLink):
            return SimulatedAxi(target, program)
        return simulated_uart(target, program)


def _link(package: Package) -> AxiLink | UartLink:
    entry = package.manifest["link"]
    link = AxiLink if entry["kind"] == "axi" else UartLink
    try:
        return link.model_validate(
            {key: value for key, value in entry.items() if key in link.model_fields}
        )
    except ValidationError as error:
        raise ConfigError(
            f"{package.where}: link must be one of this version, not {entry}; make the package "
            "again"
        ) from error
