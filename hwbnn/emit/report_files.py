# SPDX-License-Identifier: Apache-2.0
"""Report files: report.json, report.html, and FINN's report names and keys."""

import importlib.resources
import json
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from hwbnn.emit.file_set import FileSet
from hwbnn.emit.report import Json


def report_files(report: Json) -> FileSet:
    """Return report.json, report.html and report/*.json (as FINN names them)."""
    files = {"report.json": to_json(report), "report.html": report_html(report)}
    files |= {f"report/{name}": to_json(data) for name, data in finn_reports(report).items()}
    return FileSet.of(files)


def to_json(data: Any) -> str:
    """Return data as the JSON text of all our outputs."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def report_html(report: Json) -> str:
    """Return the report as one page that needs no other file."""
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    embedded = json.dumps(report, ensure_ascii=True).replace("<", "\\u003c")
    return environment.get_template("report.html.j2").render(r=report, embedded=embedded)


def _template(name: str) -> str:
    return importlib.resources.files("hwbnn.emit").joinpath(name).read_text(encoding="utf-8")


def finn_reports(report: Json) -> dict[str, Json]:
    """Return the reports that FINN's users read, by file name, with FINN's keys."""
    files: dict[str, Json] = {"time_per_step.json": report["seconds"]}
    layers = report.get("layers", [])
    if layers:
        files["estimate_layer_cycles.json"] = {x["name"]: x["cycles"] for x in layers}
        files["estimate_layer_resources.json"] = _layer_resources(report)
    if "performance" in report:
        files["estimate_network_performance.json"] = _network_performance(report)
    if "cosimulation" in report:
        files["rtlsim_performance.json"] = _rtlsim(report)
    return files


def _rtlsim(report: Json) -> Json:
    run, clock = report["cosimulation"], report["clock_mhz"]
    seconds = run["cycles"]["value"] / clock / 1e6
    return {
        "N": run["frames"],
        "cycles": run["cycles"]["value"],
        "runtime[ms]": seconds * 1000,
        "throughput[images/s]": run["frames"] / seconds,
        "stable_throughput[images/s]": run["frames_per_second"]["value"],
        "latency_cycles": run["latency_cycles"]["value"],
        "fclk[mhz]": clock,
    }


def _layer_resources(report: Json) -> Json:
    kbit = report["resources"]["bram_kbit"]
    found = {x["name"]: _finn_counts(x["resources"], kbit) for x in report["layers"]}
    found |= {f"fifo_{x['name']}": _finn_counts(x["resources"], kbit) for x in report["fifos"]}
    return found | {"total": _finn_counts(report["resources"]["modelled"], kbit)}


def _finn_counts(counts: Json, kbit: int) -> Json:
    return {
        "BRAM_18K": counts["bram"] * kbit / 18,
        "LUT": counts["lut"],
        "FF": counts["ff"],
        "URAM": counts["uram"],
        "DSP": counts["dsp"],
    }


def _network_performance(report: Json) -> Json:
    speed = report["performance"]
    slowest = max(report["layers"], key=lambda x: x["cycles"])
    return {
        "critical_path_cycles": speed["latency_cycles"]["value"],
        "max_cycles": speed["cycles_per_frame"]["value"],
        "max_cycles_node_name": slowest["name"],
        "estimated_throughput_fps": speed["frames_per_second"]["value"],
        "estimated_latency_ns": speed["latency_us"]["value"] * 1000,
    }
