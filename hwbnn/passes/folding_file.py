# SPDX-License-Identifier: Apache-2.0
"""Folding files: our own TOML by layer name, and FINN's folding configuration JSON."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from hwbnn import schema
from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Knobs, Multiplier, Style, Unit
from hwbnn.units import UNITS

WINDOWS, PADDING = "ConvolutionInputGenerator", "FMPadding"
FINN_STYLES = {
    "auto": Style.AUTO,
    "block": Style.BLOCK,
    "ultra": Style.BLOCK,
    "distributed": Style.DISTRIBUTED,
}
FINN_MULTIPLIERS = {"auto": None, "lut": Multiplier.LUT, "dsp": Multiplier.DSP}
_Choice = TypeVar("_Choice", Style, Multiplier)


class _Layer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    pe: int | None = None
    simd: int | None = None
    stages: int | None = None
    weights: str | None = None
    multipliers: str | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    layers: dict[str, _Layer]
    fifos: dict[str, int] = {}


@dataclass(frozen=True)
class FoldingFile:
    """What a user sets: knobs by layer, and depths by FIFO where they are not to be sized."""

    layers: dict[str, Knobs]
    fifos: dict[str, int] = field(default_factory=dict)


def parse_toml(text: str, *, where: str) -> FoldingFile:
    """Return what a TOML file says: the knobs of `[layers.NAME]`, and the depths of `[fifos]`."""
    parsed = schema.parse_toml(_File, text, where=where, what="folding file")
    layers = {name: _layer(where, name, layer) for name, layer in parsed.layers.items()}
    return FoldingFile(layers, parsed.fifos)


def _layer(where: str, name: str, layer: _Layer) -> Knobs:
    place = f"{where}: layers.{name}"
    style = _one_of(Style, layer.weights, f"{place}.weights")
    multipliers = _one_of(Multiplier, layer.multipliers, f"{place}.multipliers")
    return Knobs(layer.pe, layer.simd, layer.stages, style, multipliers)


def _one_of(choices: Iterable[_Choice], value: str | None, where: str) -> _Choice | None:
    known = {choice.value: choice for choice in choices}
    if value is not None and value not in known:
        raise ConfigError(f"{where} must be one of {', '.join(known)}, not {value}")
    return None if value is None else known[value]


def parse_finn_json(text: str, *, where: str, design: Design) -> FoldingFile:
    """Return the foldings of FINN's folding_config.json for the layers of a design.

    Nodes are matched by kind and index (`MVAU_hls_2`, `Thresholding_rtl_0`). Windows are numbered
    with those of pools where the file names a pool of its kind (Pool, from finn-plus 1.6 on), else
    without (StreamingMaxPool had its own); one more may stand for a convolution over a whole image,
    which needs none here. Padding has the lanes of the window behind it. FIFOs,
    width converters, joins and memory-mode keys have no counterpart here and are passed over.
    """
    nodes = _nodes(text, where)
    kinds = {kind for unit in UNITS for kind in unit.finn_nodes} - {PADDING}
    result: dict[str, Knobs] = {}
    named: dict[str, str] = {}  # layer to node
    problems: list[str] = []
    for node, attributes in nodes.items():
        match = re.fullmatch(r"([A-Za-z]+?)(?:_Batch)?(?:_hls|_rtl)?_([0-9]{1,9})", node)
        if match is None or match[1] not in kinds:
            continue
        layers = _layers(design, match[1], nodes)
        index = int(match[2])
        if match[1] == WINDOWS and 0 <= index - len(layers) < _whole_images(design):
            continue
        if index >= len(layers):
            problems.append(
                f"{where}: {node} must name one of {len(layers)} layers of its kind "
                f"({', '.join(layers) or 'none'}); remove or rename it"
            )
            continue
        layer = layers[index]
        if layer in named:
            problems.append(
                f"{where}: {layer} must be named once, not by {named[layer]} and {node}; "
                "number the nodes of a kind along the dataflow, whether _hls or _rtl"
            )
            continue
        named[layer] = node
        wrong = _finn_problems(attributes)
        problems += [f"{where}: {node}{problem}" for problem in wrong]
        if not wrong:
            result[layer] = _finn_layer(attributes, design[layer])
    if not named and not problems:
        problems = [f"{where}: folding file must name a layer, such as MVAU_0, not none; add it"]
    if problems:
        raise ConfigError(problems)
    return FoldingFile(result)


def _nodes(text: str, where: str) -> dict[str, Any]:
    """Return the attributes by node."""
    try:
        nodes = json.loads(text)
    except (ValueError, RecursionError) as error:  # numbers and nests without end, too
        raise ConfigError(f"{where}: folding file must be JSON; {error}") from error
    if not isinstance(nodes, dict):
        raise ConfigError(
            f"{where}: folding file must be an object by node name, not {type(nodes).__name__}; "
            "take FINN's folding_config.json"
        )
    return nodes


def _layers(design: Design, kind: str, nodes: dict[str, Any]) -> list[str]:
    """Return the layers that nodes of a kind number."""
    layers = [i for i in design.instances if kind in i.unit.finn_nodes]
    pools = any(re.match(r"Pool_(hls_|rtl_)?[0-9]", node) for node in nodes)
    if kind == WINDOWS and not pools:
        layers = [i for i in layers if "Pool" not in _reader(design, i.name).finn_nodes]
    return [layer.name for layer in layers]


def _whole_images(design: Design) -> int:
    """Count the products that take a whole image as one vector: FINN may have windows for those."""
    count = 0
    for instance in design.instances:
        if "MVAU" in instance.unit.finn_nodes and instance.unit.inputs[0].vectors == 1:
            count += _given_vectors(design, instance.name) > 1
    return count


def _given_vectors(design: Design, name: str) -> int:
    """Return how many vectors come, before width converters cut them otherwise."""
    (edge,) = design.into(name)
    if edge.producer is None or design[edge.producer.instance].foldable:
        return edge.stream.vectors
    return _given_vectors(design, edge.producer.instance)


def _reader(design: Design, name: str) -> Unit:
    """Return the unit that reads a window, past width converters."""
    (edge,) = design.out_of(name)
    assert edge.consumer is not None
    unit = design[edge.consumer.instance]
    return unit if unit.foldable else _reader(design, edge.consumer.instance)


def _finn_problems(attributes: object) -> list[str]:
    if not isinstance(attributes, dict):
        return [f" must be an object of attributes, not {attributes!r}"]
    problems = []
    for key, value in attributes.items():
        match key:
            case "PE" | "SIMD" if type(value) is not int:  # JSON's true is an int, too
                problems.append(f".{key} must be a whole number, not {value!r}")
            case "ram_style" if value not in tuple(FINN_STYLES):
                problems.append(f".{key} must be one of {', '.join(FINN_STYLES)}, not {value!r}")
            case "resType" if value not in tuple(FINN_MULTIPLIERS):
                known = ", ".join(FINN_MULTIPLIERS)
                problems.append(f".{key} must be one of {known}, not {value!r}")
            case "pe" | "Pe" | "simd" | "Simd":  # FINN has many keys: only what is meant for ours
                problems.append(f": key must be PE or SIMD, not {key}; write it in capitals")
            case _:
                pass
    return problems


def _finn_layer(attributes: dict[str, Any], unit: Unit) -> Knobs:
    weights = unit.knobs.weight_style is not None
    given = attributes.get("ram_style") if weights else None
    style = None if given is None else FINN_STYLES[given]
    simd = attributes.get("SIMD")
    if attributes.get("parallel_window") == 1:  # all taps at once; here a column of them
        simd = max(folding.simd for folding in unit.foldings())
    either = unit.knobs.multipliers is not None
    multipliers = FINN_MULTIPLIERS[attributes.get("resType", "auto")] if either else None
    return Knobs(attributes.get("PE"), simd, weight_style=style, multipliers=multipliers)


def to_toml(design: Design) -> str:
    """Return the folding of a design as a file that `parse_toml` reads back."""
    lines = ["# hwbnn folding: PE and SIMD by layer"]
    for instance in design.instances:
        if not instance.unit.foldable:
            continue
        knobs = instance.unit.knobs
        lines += ["", f"[layers.{instance.name}]", f"pe = {knobs.pe}", f"simd = {knobs.simd}"]
        if knobs.stages is not None:
            lines += [f"stages = {knobs.stages}"]
        if knobs.weight_style is not None:
            lines += [f'weights = "{knobs.weight_style.value}"']
        if knobs.multipliers is not None:
            lines += [f'multipliers = "{knobs.multipliers.value}"']
    return "\n".join(lines) + "\n"
