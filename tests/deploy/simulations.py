# SPDX-License-Identifier: Apache-2.0
"""Packages of designs, and the simulated boards that run them."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from hwbnn import zoo
from hwbnn.board import find_board
from hwbnn.deploy.package import Contents, package
from hwbnn.deploy.runtime.simulated import SimulatedAxi, simulated_uart
from hwbnn.deploy.runtime.target import Target
from hwbnn.emit.chip_open import emit_open_chip
from hwbnn.emit.chip_zynq import emit_zynq_chip, is_zynq
from hwbnn.flow import BuildConfig, build
from hwbnn.ir.design import Design
from hwbnn.ir.graph import Graph
from hwbnn.ir.unit import Knobs, Style
from hwbnn.passes import adapt, fold, lower, size_fifos
from hwbnn.sim.engine import performance
from hwbnn.step import Step
from hwbnn.tools.cosim import cache_folder
from hwbnn.tools.simulated_board import behavioural, build_simulated_board
from tests.deploy.packages import Made
from tests.graphs import binary_mlp, finished
from tests.test_streamed_weights import FOLDING, cnn, folded


@dataclass(frozen=True, eq=False)
class Simulation:
    """A package and the program of its chip."""

    made: Made
    program: Path

    @property
    def design(self) -> Design:
        return self.made.contents.design

    @property
    def target(self) -> Target:
        """What the driver knows, with little memory."""
        contents = self.made.contents
        return Target(
            board=contents.board.id,
            family=contents.board.family.value,
            build_hash=contents.core.build_hash.hex(),
            clock_mhz=contents.clock_mhz,
            word_bytes=contents.board.word_bytes,
            fifos=contents.core.fifos,
            buffer_bytes=1 << 22,
            baud=getattr(contents.board.link, "baud", 0),
            weights=Target.of(json.loads(self.made.files.text("manifest.json"))).weights,
        )

    def axi(self, **options) -> SimulatedAxi:
        return SimulatedAxi(self.target, self.program, **options)

    def uart(self, **options):
        return simulated_uart(self.target, self.program, **options)


def simulate(graph: Graph, design: Design, board_id: str, *, images: np.ndarray) -> Simulation:
    """Return a design's package for a board at its default clock, and its simulation."""
    board = find_board(board_id)
    emit = emit_zynq_chip if is_zynq(board) else emit_open_chip
    clock = board.clock(None)
    chip = emit(design, board, clock_mhz=clock)
    sources = behavioural(chip.files, design, board)
    contents = Contents(
        graph=graph,
        design=design,
        board=board,
        clock_mhz=clock,
        core=chip.core,
        chip=sources,
        performance=performance(design, frames=64),
        images=images,
    )
    program = build_simulated_board(sources, link=board.link, cache=cache_folder())
    return Simulation(Made(contents, package(contents)), program)


@cache
def small(board_id: str) -> Simulation:
    """A 24-16-10 network."""
    graph = binary_mlp((24, 16, 10))
    images = np.random.default_rng(1).integers(0, 256, (3, 24))
    return simulate(graph, finished(graph), board_id, images=images)


@cache
def streamed(board_id: str) -> Simulation:
    """A small CNN, the weights of whose second convolution and dense layer lie in memory."""
    images = np.random.default_rng(2).integers(0, 256, (3, 192))
    return simulate(cnn(), size_fifos(adapt(folded())), board_id, images=images)


@cache
def loaded(board_id: str) -> Simulation:
    """The same, but the convolutions' weights are loaded into UltraRAM at the start."""
    conv0 = Knobs(6, 9, weight_style=Style.ULTRA)
    conv1 = Knobs(4, 27, weight_style=Style.ULTRA)  # words of two columns
    knobs = FOLDING | {"conv0": conv0, "conv1": conv1}
    design = size_fifos(adapt(fold(lower(cnn()), foldings=knobs)))
    images = np.random.default_rng(2).integers(0, 256, (3, 192))
    return simulate(cnn(), design, board_id, images=images)


@cache
def shipped(model: str, board_id: str, *, packed_input: bool = False) -> Simulation:
    """A trained model as `hwbnn build` makes it."""
    board, images = find_board(board_id), zoo.golden(model).images
    config = BuildConfig(zoo.path(model), "net", board, packed_input=packed_input, until=Step.FIFO)
    built = build(config)
    assert built.graph is not None and built.design is not None
    pixels = images[:8].reshape(8, -1).astype(np.int64)
    return simulate(built.graph, built.design, board_id, images=pixels)
