# SPDX-License-Identifier: Apache-2.0
"""Report: what a build found, as JSON-able data; every figure says how it was obtained."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from hwbnn.board import Board
from hwbnn.emit.figure import Origin, figure
from hwbnn.emit.report_folding import FoldingBound, FoldingProof, folding_section
from hwbnn.emit.report_relief import advice, relief
from hwbnn.emit.report_weights import loaded_weights, streamed_weights
from hwbnn.emit.roofline import ASSUMPTION, Limit, Roofline, roofline
from hwbnn.emit.shell import monitor_cost, readers_cost, shell_cost
from hwbnn.ir.design import Design, Edge, Instance
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Permute
from hwbnn.ir.unit import KINDS, Resources, Style
from hwbnn.sim.engine import Performance, Trace

SCHEMA = "hwbnn/report@1"

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Check:
    """A proof that was made: of what, by what, and on how much."""

    name: str
    by: str
    detail: str


@dataclass(frozen=True)
class Cosimulated:
    """What Verilator did. latency: first beat in to the end of frame 0; period: cycles a frame."""

    frames: int
    cycles: int
    latency: int
    period: float


@dataclass(frozen=True, eq=False)
class Synthesised:
    """What Yosys counted: in total, and by layer."""

    total: Resources
    layers: Mapping[str, Resources]


@dataclass(frozen=True)
class Connections:
    """What a dense block carries between its layers (hwbnn.passes.carry.Carried).

    values: the concatenations. integers, chosen: prices in LUTs of what differs between the two
    forms, memories included; 0 if integers stay.
    """

    values: tuple[str, ...]
    carried: str
    integers: float
    chosen: float


@dataclass(frozen=True)
class FifoProof:
    """Bits of all FIFOs and window buffers as sized, and the least that full speed needs, proved.

    given: FIFOs whose depth the user set instead.
    """

    bits: int
    bound: int
    given: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Findings:
    """All that a report tells; None: the build stopped before."""

    version: str
    model: str
    model_sha256: str
    graph: Graph
    board: Board
    clock_mhz: float
    design: Design | None = None
    connections: tuple[Connections, ...] = ()
    folding: FoldingProof | FoldingBound | None = None
    fifo_sizing: FifoProof | None = None
    performance: Performance | None = None
    trace: Trace | None = None
    slowdown: str | None = None  # what keeps the design below its folding's speed
    cosimulated: Cosimulated | None = None
    synthesised: Synthesised | None = None
    routed: Json | None = None  # section of hwbnn.emit.report_routed
    checks: tuple[Check, ...] = ()
    seconds: tuple[tuple[str, float], ...] = ()


def report(findings: Findings) -> Json:
    """Return the report: docs/report.md says what each key means."""
    board, design = findings.board, findings.design
    found: Json = {
        "schema": SCHEMA,
        "hwbnn": findings.version,
        "name": findings.graph.name,
        "model": {"file": findings.model, "sha256": findings.model_sha256},
        "board": {"id": board.id, "name": board.name, "part": board.part},
        "clock_mhz": findings.clock_mhz,
        "input": _input(findings.graph),
        "classes": list(findings.graph.classes),
        "checks": [asdict(check) for check in findings.checks],
        "seconds": dict(findings.seconds),
    }
    if design is not None:
        found["layers"] = [_layer(i, design, findings) for i in design.instances]
        found["fifos"] = [_fifo(e, board, findings.trace) for e in design.edges]
        found["resources"] = _resources(design, board, findings.synthesised)
        speed = findings.performance
        period = float(design.bound if speed is None else speed.period)
        clock = findings.clock_mhz
        if design.sources:
            found["streamed_weights"] = streamed_weights(
                design, board, period=period, clock_mhz=clock
            )
        if design.loaded:
            found["loaded_weights"] = loaded_weights(design)
    if findings.connections:
        found["connections"] = [_connections(each) for each in findings.connections]
    if findings.folding is not None:
        found["folding"] = folding_section(findings.folding, ultra=board.resources.uram > 0)
    if findings.fifo_sizing is not None:
        sizing = findings.fifo_sizing
        found["fifo_sizing"] = {**asdict(sizing), "text": _sizing_text(sizing)}
    if design is not None and findings.performance is not None:
        bounds = _bounds(findings, design, findings.performance)
        found["performance"] = _performance(findings, design, findings.performance, bounds)
        found["roofline"] = _roofline(bounds)
        found["bottleneck"] = _bottleneck(findings, design, findings.performance, bounds)
    if findings.cosimulated is not None:
        found["cosimulation"] = _cosimulation(findings.cosimulated, findings.clock_mhz)
    if findings.routed is not None:
        found["routed"] = findings.routed
    return found


def _connections(found: Connections) -> Json:
    text = f"Connections of {found.values[0]} to {found.values[-1]} carry {found.carried}"
    if found.integers:
        text += (
            f": {found.chosen:,.0f} LUTs, memories included, instead of {found.integers:,.0f} "
            "with integers (modelled)"
        )
    return {**asdict(found), "text": f"{text}."}


def _input(graph: Graph) -> Json:
    return {
        "shape": list(graph.input_shape),
        "meaning": str(graph.preprocess),
        "sent": f"{graph.input.dtype} x {graph.input.elements}",
        "packed": graph.packed,
        "channels_last": any(isinstance(op, Permute) for op in graph.host),
    }


def _layer(instance: Instance, design: Design, findings: Findings) -> Json:
    unit = instance.unit
    memories = unit.memory_shapes()
    found: Json = {
        "name": instance.name,
        "origin": unit.origin,
        "unit": type(unit).__name__,
        "pe": unit.folding.pe,
        "simd": unit.folding.simd,
        "cycles": unit.cycles,
        "share": unit.cycles / design.bound,
        "memory_bits": sum(m.bits for m in memories if m.style is not Style.STREAM),
        "resources": _counts(unit.resources(findings.board.cost_family)),
    }
    if unit.buffers():
        found["buffers"] = [asdict(buffer) for buffer in unit.buffers()]
    if findings.trace is not None:
        found["stalls"] = _stalls(instance.name, findings.trace)
    if findings.synthesised is not None:
        found["synthesised"] = _counts(findings.synthesised.layers[instance.name])
    return found


def _sizing_text(proof: FifoProof) -> str:
    text = f"FIFOs and window buffers hold {proof.bits:,} bits"
    if proof.bits == proof.bound:
        text += "; proved: no fewer keep this folding's full speed."
    else:
        more = proof.bits / proof.bound - 1
        text += f", at most {more:.1%} above the proved least of {proof.bound:,} at full speed."
    if proof.given:
        text += f" Given by the user, and not counted: {', '.join(proof.given)}."
    return text


def _stalls(name: str, trace: Trace) -> Json:
    """Cycles a frame in which a firing waits for a word, and for room alone; means of the trace."""
    frames = len(trace.frame_ends)
    return {
        "starved": round(trace.starved[name] / frames, 1),
        "blocked": round(trace.blocked[name] / frames, 1),
    }


def _counts(resources: Resources) -> Json:
    return {name: round(value, 1) for name, value in asdict(resources).items()}


def _fifo(edge: Edge, board: Board, trace: Trace | None) -> Json:
    return {
        "name": edge.name,
        "from": edge.producer.instance if edge.producer else "input",
        "to": edge.consumer.instance if edge.consumer else "output",
        "bits": edge.stream.bits,
        "depth": edge.fifo.depth,
        "high_water": None if trace is None else trace.high_water[edge.name],
        "storage": edge.fifo.storage.name.lower(),
        "resources": _counts(edge.fifo.resources(board.cost_family)),
    }


def _resources(design: Design, board: Board, synthesised: Synthesised | None) -> Json:
    modelled = design.resources(board.cost_family)
    shell = _shell(design, board)
    fifos = sum((e.fifo.resources(board.cost_family) for e in design.edges), Resources())
    found: Json = {
        "modelled": _counts(modelled),
        "of_which_fifos": _counts(fifos),
        "limit": _counts(board.limit),
        "board": {kind: getattr(board.resources, kind) for kind in _kinds(board)},
        "bram_kbit": board.resources.bram_kbit,
        "shell": _counts(shell),
        "fits": ((synthesised.total if synthesised else modelled) + shell).within(board.limit),
    }
    if synthesised is not None:
        found["synthesised"] = _counts(synthesised.total)
    return found


def _shell(design: Design, board: Board) -> Resources:
    """Return what the chip has besides the layers."""
    link = shell_cost(board) + monitor_cost(design, board.cost_family)
    return link + readers_cost(design, board)


def _kinds(board: Board) -> list[str]:
    """Kinds of resources of a board; UltraRAMs where it has any."""
    return [kind for kind in KINDS if kind != "uram" or board.resources.uram]


def _bounds(findings: Findings, design: Design, speed: Performance) -> Roofline:
    clock = findings.clock_mhz
    return roofline(design, findings.board, period=float(speed.period), clock_mhz=clock)


def _performance(findings: Findings, design: Design, speed: Performance, bounds: Roofline) -> Json:
    clock = findings.clock_mhz * 1e6
    return {
        "cycles_per_frame": figure(float(speed.period), "cycles/frame"),
        "frames_per_second": figure(bounds.accelerator, "frames/s"),
        "latency_cycles": figure(speed.first_frame, "cycles"),
        "latency_us": figure(speed.first_frame / clock * 1e6, "us"),
        "port_frames_per_second": figure(bounds.board, "frames/s"),
        "board_frames_per_second": figure(min(bounds.board, bounds.accelerator), "frames/s"),
        "frame_bits": _frame_bits(design),
    }


def _roofline(bounds: Roofline) -> Json:
    return {
        "accelerator": figure(bounds.accelerator, "frames/s"),
        "port": figure(bounds.port, "frames/s"),
        "link": None if bounds.link is None else figure(bounds.link, "frames/s"),
        "limit": bounds.limit.value,
        "assumption": ASSUMPTION,
    }


def _cosimulation(run: Cosimulated, clock_mhz: float) -> Json:
    origin = Origin.COSIMULATED
    return {
        "frames": run.frames,
        "cycles": figure(run.cycles, "cycles", origin),
        "cycles_per_frame": figure(run.period, "cycles/frame", origin),
        "frames_per_second": figure(clock_mhz * 1e6 / run.period, "frames/s", origin),
        "latency_cycles": figure(run.latency, "cycles", origin),
        "latency_us": figure(run.latency / clock_mhz, "us", origin),
    }


def _frame_bits(design: Design) -> int:
    stream = design.input.stream
    return stream.dtype.bits * stream.elements * stream.vectors


def _bottleneck(findings: Findings, design: Design, speed: Performance, bounds: Roofline) -> Json:
    found: Json = {"name": speed.bottleneck, "cycles": design.bound, "relief": None}
    if findings.slowdown is not None:
        found["text"] = f"FIFOs keep the design below its folding's speed: {findings.slowdown}."
        return found
    smaller = "" if findings.graph.packed else "; a smaller input (--packed-input) would help"
    if bounds.limit is not Limit.ACCELERATOR:
        found["name"] = findings.board.data.port
        found["text"] = (
            f"The board's port {findings.board.data.port} brings {bounds.board:,.0f} frames/s, "
            f"and the design takes {bounds.accelerator:,.0f}: more parallelism would not help"
            f"{smaller}."
        )
    elif speed.bottleneck not in [instance.name for instance in design.instances]:
        found["text"] = (
            f"The stream {speed.bottleneck} at the border needs {design.bound} beats a frame: "
            f"give the layer there more lanes (PE or SIMD){smaller}."
        )
    elif speed.bottleneck in [instance.name for instance in design.sources]:
        found["text"] = (
            f"The memory brings the streamed weights of all layers in {design.bound:,} cycles a "
            "frame: fewer layers whose weights stream would help, or a larger board."
        )
    else:
        board, name = findings.board, speed.bottleneck
        used = design.resources(board.cost_family) + _shell(design, board)
        found["relief"] = relief(design, name, board=board, used=used, clock_mhz=findings.clock_mhz)
        alike = sum(i.unit.cycles == design.bound for i in design.instances if i.name != name)
        found["text"] = advice(name, design[name], found["relief"], alike=alike)
    return found
