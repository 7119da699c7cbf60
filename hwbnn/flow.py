# SPDX-License-Identifier: Apache-2.0
"""Flow: the straight line from a model to a design, and to its bitstream (DESIGN 2)."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from hwbnn.bitstream import Made, Say, check, clock_choices, make_bitstream
from hwbnn.board import Board
from hwbnn.emit import chip_open
from hwbnn.emit.bench import emit_testbench
from hwbnn.emit.chip_zynq import CHIP, emit_zynq_chip, is_zynq
from hwbnn.emit.file_set import FileSet
from hwbnn.emit.finn import emit_finn, finn_files
from hwbnn.emit.golden import emit_golden
from hwbnn.emit.hls import emit_hls
from hwbnn.emit.report import Check, Cosimulated, Synthesised
from hwbnn.emit.rtl import Structure, emit_rtl, emit_top
from hwbnn.emit.shell import room
from hwbnn.errors import ConfigError
from hwbnn.fitting import fitted, on_board, sized
from hwbnn.frontend import Output, import_model, load_model
from hwbnn.ir.design import Design
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import Graph, Preprocess
from hwbnn.ir.unit import Family
from hwbnn.passes import carry, cheapest_folding, fastest_folding, fold, lower
from hwbnn.passes.carry import Carried, check_equal
from hwbnn.passes.fifos.size_fifos import Sizing, with_depths
from hwbnn.passes.folding_file import FoldingFile, parse_finn_json, parse_toml
from hwbnn.passes.search.fit import MisfitError, Searched, UnreachableTargetError
from hwbnn.passes.stream_weights import (
    WeightMemory,
    check_bandwidth,
    check_streams,
    fold_streaming,
    frame_bytes,
    streamed,
)
from hwbnn.passes.whole_folds import check_whole, whole_folds
from hwbnn.schema import read_file
from hwbnn.sim.engine import Performance, Trace, performance, simulate
from hwbnn.sim.interpret import Interpreter
from hwbnn.sim.slowdown import Slowdown, slowdown
from hwbnn.step import Backend, Goal, Step

STRUCTURES = {
    Family.XC7: Structure.XC7,
    Family.ECP5: Structure.ECP5,
    Family.ICE40: Structure.BEHAVIOURAL,
}
TRACED_FRAMES = 16  # for high water and stalls
RANDOM_FRAMES = 16
GOLDEN_FRAMES = 16
CHECKED_FRAMES = 32  # at import, against the oracle


@dataclass(frozen=True, eq=False)
class BuildConfig:
    """What to build.

    At most one of folding (a file), target_cycles, target_fps and maximize says how it is folded;
    without any it is the fastest that fits, but no faster than the board's port brings frames.
    backends: none means RTL, and HLS if a bitstream can hold all weights.
    preprocess None: as the model's metadata says. pixels: images (frames, elements) for golden
    vectors and proofs; None: random ones.
    """

    model: Path
    name: str
    board: Board
    clock_mhz: float | None = None
    folding: Path | None = None
    target_cycles: int | None = None
    target_fps: float | None = None
    maximize: Goal | None = None
    preprocess: Preprocess | None = None
    argmax: bool = False
    packed_input: bool = False
    pixels: IntArray | None = None
    labels: IntArray | None = None
    until: Step | None = None
    backends: tuple[Backend, ...] = ()

    @property
    def last(self) -> Step:
        """The last step: `until`, or a bitstream where open tools make one."""
        if self.until is not None:
            return self.until
        return Step.BITSTREAM if chip_open.is_open(self.board) else Step.SIMULATE


@dataclass(frozen=True, eq=False)
class BuildResult:
    """What a build has found so far; None: not reached."""

    config: BuildConfig
    clock_mhz: float
    model_sha256: str = ""
    graph: Graph | None = None  # once lowered, with what dense connections carry
    carried: tuple[Carried, ...] = ()
    design: Design | None = None
    searched: Searched | None = None
    fifos: Mapping[str, int] = field(default_factory=dict)  # depths that the user gave
    sizing: Sizing | None = None
    files: FileSet | None = None
    performance: Performance | None = None
    trace: Trace | None = None
    slowdown: Slowdown | None = None
    cosimulated: Cosimulated | None = None
    synthesised: Synthesised | None = None
    bitstream: Made | None = None
    checks: tuple[Check, ...] = ()
    seconds: tuple[tuple[str, float], ...] = ()


Call = Callable[[BuildResult], BuildResult]
Watch = Callable[[Step], None]


def build(
    config: BuildConfig, *, watch: Watch = lambda _: None, say: Say = lambda _: None
) -> BuildResult:
    """Take a model down the line, until the step that the configuration names.

    watch: told each step that begins; say: what a long one is at.
    """
    result = BuildResult(config, config.board.clock(config.clock_mhz))
    if config.last is Step.BITSTREAM:
        check(config.board, clock_mhz=result.clock_mhz)
    last: tuple[Step, Call] = (Step.BITSTREAM, partial(_bitstream, say=say))
    for step, function in (*LINE, last):
        if not config.last.reaches(step):
            break
        watch(step)
        started = time.perf_counter()
        result = timed(function(result), step.value, started)
    return result


def _import(result: BuildResult) -> BuildResult:
    config = result.config
    graph = import_model(
        load_model(config.model),
        name=config.name,
        preprocess=config.preprocess,
        samples=None if config.pixels is None else config.pixels[:CHECKED_FRAMES],
        output=Output.LABEL if config.argmax else Output.VALUES,
        packed_input=config.packed_input,
    )
    checked = Check("integers", "the model itself", "equal the model's own outputs on samples")
    sha256 = hashlib.sha256(config.model.read_bytes()).hexdigest()
    return replace(result, model_sha256=sha256, graph=graph, checks=(checked,))


def _lower(result: BuildResult) -> BuildResult:
    given = graph_of(result)
    graph, carried = carry(given, family=result.config.board.cost_family)
    if graph is not given:
        check_equal(graph, given, frames := frames_of(result)[:GOLDEN_FRAMES])
        detail = f"{len(frames)} frames: every output equal"
        checked = Check("dense connections", "the integers themselves", detail)
        result = replace(result, graph=graph, checks=(*result.checks, checked))
    return replace(result, carried=carried, design=lower(graph))


def _fold(result: BuildResult, least: int = 0) -> BuildResult:
    """Fold; the weights of `least` layers at the least come from memory."""
    config, design, board = result.config, design_of(result), result.config.board
    family = board.cost_family
    _check_one_choice(config)
    if config.folding is not None:
        given = _read_foldings(config.folding, design)
        folded = fold(design, foldings=given.layers, family=family)
        if Backend.FINN in config.backends:
            check_whole(folded)
        check_streams(folded, _memory(result))
        return replace(result, design=folded, fifos=given.fifos)
    found = fold_streaming(design, _memory(result), fold=partial(_search, result), least=least)
    if Backend.FINN in config.backends:  # what was proved is not of these folds
        return replace(result, design=whole_folds(found.design))
    return replace(result, design=found.design, searched=found)


def _search(result: BuildResult, design: Design, least: int) -> Searched:
    """Fold as the configuration says, to `least` cycles a frame or more."""
    board, target = result.config.board, _target_cycles(result)
    if target is not None:
        found = _cheapest(result, design, target)
        check_bandwidth(found.design, _memory(result), target=target)
        return found
    port = 1 if result.config.maximize is Goal.FPS else _port_cycles(result)
    return fastest_folding(
        design,
        limit=room(board),
        family=board.cost_family,
        port_bits=board.data.bits,
        port_cycles=max(port, least),
        ultra=_memory(result).loads(design, result.config.backends),
    )


def _cheapest(result: BuildResult, design: Design, target: int) -> Searched:
    board = result.config.board
    try:
        return cheapest_folding(
            design,
            target_cycles=target,
            limit=room(board),
            family=board.cost_family,
            port_bits=board.data.bits,
            ultra=_memory(result).loads(design, result.config.backends),
        )
    except UnreachableTargetError as error:
        raise _as_asked(result, error) from error


def _as_asked(result: BuildResult, error: UnreachableTargetError) -> ConfigError:
    """Return the error in frames a second, if the target was."""
    fps = result.config.target_fps
    if fps is None:
        return error
    return ConfigError(
        f"{error.name}: target must be at most {result.clock_mhz * 1e6 / error.best:.12g} "
        f"frames/s ({error.best} cycles at {result.clock_mhz:.6g} MHz), not {fps:g}; "
        f"{error.reason}"
    )


def _port_cycles(result: BuildResult) -> int:
    """Return the cycles within which the board's port brings a frame and takes its results."""
    board = result.config.board
    sizes = frame_bytes(design_of(result))
    return max(1, int(board.port_cycles(*sizes, clock_mhz=result.clock_mhz)))


def _memory(result: BuildResult) -> WeightMemory:
    """Return what the board's memory gives layers whose weights stream."""
    board, clock = result.config.board, result.clock_mhz
    moved = sum(frame_bytes(design_of(result)))
    return WeightMemory.of(board, frame_bytes=moved, clock_mhz=clock)


def _check_one_choice(config: BuildConfig) -> None:
    choices = {
        "a file": config.folding,
        "target cycles": config.target_cycles,
        "target frames a second": config.target_fps,
        "what to maximize": config.maximize,
    }
    given = [name for name, value in choices.items() if value is not None]
    if len(given) > 1:
        raise ConfigError(f"folding: give one choice, not {' and '.join(given)}; leave one out")


def _target_cycles(result: BuildResult) -> int | None:
    """Return the cycles a frame that are asked for, if any."""
    config, fps = result.config, result.config.target_fps
    if fps is None:
        return config.target_cycles
    clock = result.clock_mhz * 1e6
    if not 0 < fps <= clock:
        raise ConfigError(
            f"folding: target must be above 0 and at most {clock:.12g} frames/s, one a cycle, "
            f"not {fps:g}"
        )
    return int(clock / fps)


def _read_foldings(file: Path, design: Design) -> FoldingFile:
    text = read_file(file, what="folding file")
    if file.suffix.lower() == ".json":
        return parse_finn_json(text, where=str(file), design=design)
    return parse_toml(text, where=str(file))


def _fifo(result: BuildResult) -> BuildResult:
    """Size the FIFOs; of a folding that was searched, one is found that then still fits."""
    board, memory = result.config.board, _memory(result)
    if result.searched is not None:
        try:
            searched, sizing = fitted(result.searched, board, memory)
        except UnreachableTargetError as error:
            raise _as_asked(result, error) from error
        except MisfitError as error:  # one layer more out of memory
            try:
                more = len(streamed(design_of(result))) + 1
                return _fifo(_fold(replace(result, design=result.searched.given), more))
            except MisfitError:
                raise error from None
        return replace(result, design=sizing.design, searched=searched, sizing=sizing)
    sizing = sized(design_of(result), board, memory)
    design = with_depths(sizing.design, dict(result.fifos), family=board.cost_family)
    return replace(result, design=on_board(design, board), sizing=sizing)


def _emit(result: BuildResult) -> BuildResult:
    design, board = design_of(result), result.config.board
    frames, family = frames_of(result)[:GOLDEN_FRAMES], board.cost_family
    outputs = design.run(frames)
    structure = STRUCTURES[family]
    top = emit_top(design, name=design.name, structure=structure, external_weights=True)
    rtl = emit_rtl(design, structure=Structure.BEHAVIOURAL)
    rtl |= emit_testbench(design, frames, outputs)
    rtl = (rtl | top.under(family.value)).under("rtl")  # no simulator knows its primitives
    golden = emit_golden(design, frames, outputs)
    if is_zynq(board):  # to take to a machine that has Vivado
        rtl |= emit_zynq_chip(design, board, clock_mhz=result.clock_mhz).files.under(CHIP)
    elif chip_open.is_open(board):
        chip = chip_open.emit_open_chip(design, board, clock_mhz=result.clock_mhz)
        rtl |= chip.files.under(chip_open.FOLDER)
    emitted = {Backend.RTL: rtl}
    both = (Backend.RTL,) if design.sources or design.loaded else (Backend.RTL, Backend.HLS)
    backends = result.config.backends or both
    if Backend.HLS in backends:
        hls = emit_hls(design, part=board.part, clock_ns=1000 / result.clock_mhz)
        emitted[Backend.HLS] = (hls | golden.under("tb")).under("hls")
    if Backend.FINN in backends:
        emitted[Backend.FINN] = finn_files(emit_finn(design)).under("finn")
    files = FileSet.union(emitted[backend] for backend in backends)
    return replace(result, files=files | golden.under("golden"))


def frames_of(result: BuildResult) -> IntArray:
    """Return the frames for golden vectors and proofs, as they are sent to the hardware."""
    graph, pixels = graph_of(result), pixels_of(result)
    return pixels if graph.host_part is None else Interpreter(graph.host_part).run(pixels)


def pixels_of(result: BuildResult) -> IntArray:
    """Return the images for golden vectors and proofs, as users give them."""
    pixels, entry = result.config.pixels, graph_of(result).on_pixels.input
    if pixels is None:
        codes = np.random.default_rng(0).integers(
            0, 1 << entry.dtype.bits, (RANDOM_FRAMES, entry.elements)
        )
        return entry.dtype.decode(codes)
    if pixels.shape[1] != entry.elements:
        raise ConfigError(
            f"images: must be frames of {entry.elements} pixels, not {pixels.shape[1]}; resize them"
        )
    return pixels


def _simulate(result: BuildResult) -> BuildResult:
    design = design_of(result)
    speed = performance(design)
    trace = simulate(design, frames=TRACED_FRAMES)
    slow = slowdown(design) if speed.period > design.bound else None
    return replace(result, performance=speed, trace=trace, slowdown=slow)


def _bitstream(result: BuildResult, *, say: Say) -> BuildResult:
    """Route the chip; the result is for the clock that closed."""
    config, start = result.config, result.clock_mhz
    choices: tuple[float, ...] = ()
    if config.clock_mhz is None:
        least = 0.0 if config.target_fps is None else start  # the folding is for this clock
        choices = clock_choices(config.board, least_mhz=least)
    made = make_bitstream(
        design_of(result), config.board, clock_mhz=start, choices=choices, say=say
    )
    found = _emit(replace(result, clock_mhz=made.routed.clock_mhz, bitstream=made))
    assert found.files is not None, "just emitted"
    chip = made.files.under(chip_open.FOLDER)  # as it was routed
    return replace(found, files=FileSet({**found.files.files, **chip.files}))


LINE: tuple[tuple[Step, Call], ...] = (
    (Step.IMPORT, _import),
    (Step.LOWER, _lower),
    (Step.FOLD, _fold),
    (Step.FIFO, _fifo),
    (Step.EMIT, _emit),
    (Step.SIMULATE, _simulate),
)


def timed(result: BuildResult, what: str, started: float) -> BuildResult:
    """Return a result with the seconds since `started` (of time.perf_counter)."""
    took = round(time.perf_counter() - started, 4)
    return replace(result, seconds=(*result.seconds, (what, took)))


def graph_of(result: BuildResult) -> Graph:
    """Return the graph of a build that has imported."""
    assert result.graph is not None, "the line imports first"
    return result.graph


def design_of(result: BuildResult) -> Design:
    """Return the design of a build that has lowered."""
    assert result.design is not None, "the line lowers before"
    return result.design
