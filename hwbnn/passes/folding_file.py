# SPDX-License-Identifier: Apache-2.0
"""Folding files: our own TOML by layer name, and FINN's folding configuration JSON."""

import json
import re
import tomllib
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from hwbnn.errors import ConfigError
from hwbnn.ir.design import Design
from hwbnn.ir.unit import Style, Unit
from hwbnn.passes.fold import LayerFolding
from hwbnn.units.arg_max import ArgMax
from hwbnn.units.lookup import Lookup
from hwbnn.units.mvu import Mvu
from hwbnn.units.thresholds import Thresholds

# FINN's node names to our units; the index counts the nodes of that kind along the dataflow.
FINN_NODES: dict[str, tuple[type[Unit], ...]] = {
    "MVAU": (Mvu,),
    "MatrixVectorActivation": (Mvu,),
    "Thresholding": (Thresholds, Lookup),
    "LabelSelect": (ArgMax,),
}
FINN_STYLES = {
    "auto": Style.AUTO,
    "block": Style.BLOCK,
    "ultra": Style.BLOCK,
    "distributed": Style.DISTRIBUTED,
}


class _Layer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    pe: int | None = None
    simd: int | None = None
    stages: int | None = None
    weights: str | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    layers: dict[str, _Layer]


def parse_toml(text: str, *, where: str) -> dict[str, LayerFolding]:
    """Return the foldings of a TOML file: `[layers.NAME]` with pe, simd, stages, weights."""
    try:
        parsed = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: folding file must be TOML; {error}") from error
    except ValidationError as error:
        raise ConfigError(_problem(where, dict(e)) for e in error.errors()) from error
    return {name: _layer(where, name, layer) for name, layer in parsed.layers.items()}


def _problem(where: str, error: dict[str, Any]) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        keys = "layers" if len(error["loc"]) == 1 else ", ".join(_Layer.model_fields)
        return f"{where}: key must be one of {keys}, not {path}; remove or rename it"
    return f"{where}: {path}: {error['msg'].lower()}, not {error['input']!r}"


def _layer(where: str, name: str, layer: _Layer) -> LayerFolding:
    styles = [style.value for style in Style]
    if layer.weights is not None and layer.weights not in styles:
        raise ConfigError(
            f"{where}: layers.{name}.weights must be one of {', '.join(styles)}, "
            f"not {layer.weights}"
        )
    style = None if layer.weights is None else Style(layer.weights)
    return LayerFolding(layer.pe, layer.simd, layer.stages, style)


def parse_finn_json(text: str, *, where: str, design: Design) -> dict[str, LayerFolding]:
    """Return the foldings of FINN's folding_config.json for the layers of a design.

    Nodes are matched by kind and index (`MVAU_hls_2`, `Thresholding_rtl_0`). FIFOs, width
    converters and memory-mode keys have no counterpart here and are passed over.
    """
    try:
        nodes = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{where}: folding file must be JSON; {error}") from error
    if not isinstance(nodes, dict):
        raise ConfigError(f"{where}: folding file must be an object by node name")
    result: dict[str, LayerFolding] = {}
    problems: list[str] = []
    for node, attributes in nodes.items():
        match = re.fullmatch(r"([A-Za-z]+?)(?:_Batch)?(?:_hls|_rtl)?_(\d+)", node)
        if match is None or match[1] not in FINN_NODES:
            continue
        layers = [i.name for i in design.instances if isinstance(i.unit, FINN_NODES[match[1]])]
        index = int(match[2])
        if index >= len(layers):
            problems.append(
                f"{where}: {node} must name one of {len(layers)} layers of its kind "
                f"({', '.join(layers) or 'none'})"
            )
            continue
        result[layers[index]] = _finn_layer(attributes, has_weights=Mvu in FINN_NODES[match[1]])
    if problems:
        raise ConfigError(problems)
    return result


def _finn_layer(attributes: dict[str, Any], *, has_weights: bool) -> LayerFolding:
    style = FINN_STYLES.get(attributes.get("ram_style", "")) if has_weights else None
    return LayerFolding(
        pe=attributes.get("PE"),
        simd=attributes.get("SIMD"),
        weight_style=style,
    )


def to_toml(design: Design) -> str:
    """Return the folding of a design as a file that `parse_toml` reads back."""
    lines = ["# hwbnn folding: PE and SIMD by layer"]
    for instance in design.instances:
        unit = instance.unit
        if not isinstance(unit, (Mvu, Thresholds, Lookup, ArgMax)):
            continue
        lines += ["", f"[layers.{instance.name}]", f"pe = {unit.folding.pe}"]
        if isinstance(unit, Mvu):
            lines += [f"simd = {unit.simd}", f"stages = {unit.stages}"]
            lines += [f'weights = "{unit.weight_style.value}"']
    return "\n".join(lines) + "\n"
