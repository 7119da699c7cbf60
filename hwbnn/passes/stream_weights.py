# SPDX-License-Identifier: Apache-2.0
"""Weights from memory: which layers stream theirs, at what pace; whether some can be loaded."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from hwbnn.board import Board
from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design, Instance
from hwbnn.ir.ram import LOAD_BYTES
from hwbnn.ir.unit import Knobs, Style
from hwbnn.passes.adapt import adapt
from hwbnn.passes.fold import with_units
from hwbnn.passes.search.fit import MisfitError, Searched
from hwbnn.step import Backend
from hwbnn.units.mvu import Mvu
from hwbnn.units.weight_source import WeightSource


@dataclass(frozen=True)
class WeightMemory:
    """What memory beside the chip gives: a port of `bits` for each layer that streams.

    bytes_a_cycle: that frames, results and weights may move together; frame_bytes: of a frame and
    its results. ultra_rams: of the board, which a port fills that no layer streams through.
    """

    board: str
    ports: tuple[str, ...]
    bits: int
    bytes_a_cycle: float
    frame_bytes: int
    ultra_rams: int = 0

    @classmethod
    def of(cls, board: Board, *, frame_bytes: int, clock_mhz: float) -> "WeightMemory":
        """Return what a board's memory gives at a clock."""
        data = board.data
        moved = board.memory_mb_s / clock_mhz
        urams = board.resources.uram
        return cls(board.id, data.weight_ports, data.bits, moved, frame_bytes, urams)

    def loads(self, design: Design, backends: Collection[Backend] = ()) -> bool:
        """Return whether UltraRAM can hold weights beside the layers of a design that stream.

        backends: that are asked for; HLS and FINN do not load it.
        """
        able = not {Backend.HLS, Backend.FINN} & set(backends)
        free = len(self.ports) - len(streamed(design))
        return able and self.ultra_rams > 0 and self.bits >= 8 * LOAD_BYTES and free > 0

    def cycles(self, weight_bytes: int) -> float:
        """Return the fewest cycles a frame in which so many bytes of weights can be read."""
        if not weight_bytes:
            return 0.0
        return (weight_bytes + self.frame_bytes) / self.bytes_a_cycle


Fold = Callable[[Design, int], Searched]


def fold_streaming(design: Design, memory: WeightMemory, *, fold: Fold, least: int = 0) -> Searched:
    """Fold with all weights on the chip; if nothing fits, with the fewest layers that stream.

    fold: folds a design to no fewer cycles a frame than it is told; MisfitError if it cannot.
    least: layers that stream in any case; MisfitError if there are not so many.
    """
    candidates, missing = _largest_first(design)[: len(memory.ports)], None
    for count in range(least, len(candidates) + 1):
        chosen = candidates[:count]
        streams = stream(design, [instance.name for instance in chosen])
        cycles = memory.cycles(sum(_frame_bytes(instance) for instance in chosen))
        try:
            return fold(streams, max(1, int(cycles)))
        except MisfitError as error:
            missing = error
    if missing is None:
        raise MisfitError(f"{design.name}: {least} layers must be able to stream; there are fewer")
    if not candidates:
        why = "no memory port for weights" if not memory.ports else "no layer that can stream"
        raise MisfitError(f"{missing}; {memory.board} has {why}")
    names = ", ".join(instance.name for instance in candidates)
    raise MisfitError(
        f"{missing}; that is with the weights of {len(candidates)} layers ({names}) out of memory"
    )


def frame_bytes(design: Design) -> tuple[int, int]:
    """Return the bytes of a frame and of its results."""
    given, made = (
        -(-stream.dtype.bits * stream.elements * stream.vectors // 8)
        for stream in (design.input.stream, design.output.stream)
    )
    return given, made


def streamed(design: Design) -> list[str]:
    """Return the layers whose weights stream."""
    return [i.name for i in design.instances if i.unit.knobs.weight_style is Style.STREAM]


def stream(design: Design, layers: Collection[str]) -> Design:
    """Return the design with the weights of some layers out of memory."""
    return with_units(
        design,
        tuple(
            Instance(i.name, i.unit.with_knobs(Knobs(weight_style=Style.STREAM)))
            if i.name in layers
            else i
            for i in design.instances
        ),
    )


def check_streams(design: Design, memory: WeightMemory) -> None:
    """Raise ConfigError if the board has too few ports, or too narrow ones, for a folded design."""
    problems = list(_load_problems(design, memory))
    layers = [i for i in design.instances if i.unit.weight_source() is not None]
    if len(layers) > len(memory.ports):
        problems.append(
            f"{design.name}: layers with streamed weights must be at most {len(memory.ports)} on "
            f'{memory.board}, a memory port each, not {len(layers)}; leave weights = "stream" of '
            "some out of the folding"
        )
    for layer in layers:
        bits = layer.unit.inputs[-1].bits
        if bits > memory.bits and memory.ports:
            problems.append(
                f"{layer.name}: pe * simd * weight bits must be at most {memory.bits}, the width "
                f"of a memory port, not {bits}; choose less"
            )
    if problems:
        raise ConfigError(problems)


def _load_problems(design: Design, memory: WeightMemory) -> Iterator[str]:
    """Say why the weights of a folded design that are to be loaded cannot be."""
    names = [instance.name for instance in design.loaded]
    if not names or memory.loads(design):
        return
    mend = 'set weights to "block"'
    if not memory.ultra_rams:
        missing = f"UltraRAM, which {memory.board} has not"
    elif memory.bits < 8 * LOAD_BYTES:
        missing = f"a memory port of {8 * LOAD_BYTES} bits, not of {memory.bits} as {memory.board}"
    else:
        missing = f"a memory port of {memory.board} that no layer streams through"
        mend += ', or leave weights = "stream" of one out'
    yield f'{", ".join(names)}: weights = "ultra" must have {missing}; {mend}'


def pace(design: Design, memory: WeightMemory) -> Design:
    """Hold the sources of an adapted design to the pace at which memory can feed them all."""
    least = least_cycles(design, memory)
    units = (
        replace(i, unit=i.unit.paced(least)) if isinstance(i.unit, WeightSource) else i
        for i in design.instances
    )
    return replace(design, instances=tuple(units))


def check_bandwidth(design: Design, memory: WeightMemory, *, target: int) -> None:
    """Raise ConfigError if memory cannot bring a folded design's weights in `target` cycles."""
    sources = pace(adapt(design), memory).sources
    least = max((source.unit.cycles for source in sources), default=0)
    if least > target:
        given = memory.bytes_a_cycle
        raise ConfigError(
            f"{design.name}: weights and frames must take at most {given:.4g} bytes a cycle of "
            f"{memory.board}'s memory, not {least / target * given:.4g} at {target} cycles a "
            f"frame; take a target of {least} cycles or more"
        )


def least_cycles(design: Design, memory: WeightMemory) -> float:
    """Return the fewest cycles a frame in which memory can bring an adapted design's weights."""
    units = [i.unit for i in design.sources]
    return memory.cycles(sum(u.frame_bytes for u in units if isinstance(u, WeightSource)))


def _largest_first(design: Design) -> list[Instance]:
    """Return the layers that may stream: the largest memories first.

    Of those whose sizes have as many digits in base two, that which is read least often in a frame.
    """
    layers = [i for i in design.instances if isinstance(i.unit, Mvu)]
    return sorted(layers, key=lambda i: (-_bits(i).bit_length(), _frame_bytes(i), -_bits(i)))


def _bits(instance: Instance) -> int:
    unit = instance.unit
    return unit.weights.size * unit.weight_dtype.bits if isinstance(unit, Mvu) else 0


def _frame_bytes(instance: Instance) -> int:
    """Return the least bytes a frame: without words that are not whole powers of two."""
    unit = instance.unit
    return -(-unit.vectors * _bits(instance) // 8) if isinstance(unit, Mvu) else 0
