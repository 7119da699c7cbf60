# SPDX-License-Identifier: Apache-2.0
"""Runs inside finn-plus' own environment: `finn_worker.py REQUEST.json ANSWER.json`.

It imports nothing of hwbnn, and its standard output is FINN's. What goes wrong in FINN is an
answer, too: `{"error": ...}`.
"""

import contextlib
import importlib
import importlib.metadata
import json
import os
import sys
import time
import traceback
import types
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def main(request: Path, answer: Path) -> None:
    """Do what a request asks, and write the answer."""
    wanted: Json = json.loads(request.read_text())
    started = time.perf_counter()
    _prepare(Path(wanted["work"]))
    imported = time.perf_counter() - started
    try:
        found = TASKS[wanted["task"]](wanted)
    except BaseException as error:
        found = {"error": _reason(error), "traceback": traceback.format_exc()}
    found["versions"] = {name: importlib.metadata.version(name) for name in VERSIONS}
    found["import_seconds"] = imported
    answer.write_text(json.dumps(found, default=_plain))


VERSIONS = ("finn-plus", "qonnx", "onnx", "numpy")


def _prepare(work: Path) -> None:
    """Load FINN without what it asks for at import and these tasks never use.

    torch serves its LayerNorm alone; finn.xsi is Vivado's simulator.
    """
    os.environ["FINN_BUILD_DIR"] = str(work)
    os.environ.setdefault("XILINX_VIVADO", "/not/installed/2024.2")
    stubs = ("torch", "torch.nn", "torch.nn.functional")
    for name in stubs:
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torch"].nn = sys.modules["torch.nn"]  # type: ignore[attr-defined]
    sys.modules["torch.nn"].functional = sys.modules[stubs[2]]  # type: ignore[attr-defined]
    _get("finn.util.settings").initialize_dummy_settings()
    for part in ("", ".hls", ".rtl"):
        _get(f"finn.custom_op.fpgadataflow{part}")
    for name in stubs:
        del sys.modules[name]
    _get("finn.xsi").SimEngine = object


def _get(module: str) -> Any:
    return importlib.import_module(module)


# ---- an emitted graph ----------------------------------------------------------------------------


def execute(wanted: Json) -> Json:
    """Run frames through a graph of hardware operators, node by node, in FINN's Python.

    `frames`: a .npy of float32 (frames, elements); every tensor goes to `tensors`, an .npz of
    (frames, elements).
    """
    np = _get("numpy")
    model = _wrapper(wanted["model"])
    plain = _get("finn.util.verification").despecialize_model(model)
    execute_onnx = _get("finn.core.onnx_exec").execute_onnx
    entry = plain.graph.input[0].name
    shape = plain.get_tensor_shape(entry)
    made: dict[str, list[Any]] = {}
    started = time.perf_counter()
    for frame in np.load(wanted["frames"]):
        inputs = {entry: frame.astype(np.float32).reshape(shape)}
        context = execute_onnx(plain, inputs, return_full_exec_context=True)
        names = [entry, *(name for node in plain.graph.node for name in node.output)]
        for name in names:
            made.setdefault(name, []).append(np.asarray(context[name]).reshape(-1))
    seconds = time.perf_counter() - started
    np.savez(wanted["tensors"], **{name: np.stack(rows) for name, rows in made.items()})
    return {"nodes": [node.op_type for node in model.graph.node], "seconds": seconds}


def nodes(wanted: Json) -> Json:
    """Return FINN's own estimates for each operator of a graph, having checked its streams."""
    model = _wrapper(wanted["model"])
    _check_streams(model)
    return _estimates(model, wanted["part"])


def _estimates(model: Any, part: str) -> Json:
    analysis = "finn.analysis.fpgadataflow"
    cycles = model.analysis(_get(f"{analysis}.exp_cycles_per_layer").exp_cycles_per_layer)
    resources = _get(f"{analysis}.res_estimation").res_estimation(model, part)
    annotated = model.transform(
        _get("finn.transformation.fpgadataflow.annotate_cycles").AnnotateCycles()
    )
    speed = annotated.analysis(_get(f"{analysis}.dataflow_performance").dataflow_performance)
    return {"cycles": cycles, "resources": resources, "performance": speed}


def _check_streams(model: Any) -> None:
    """Both ends of a stream must agree on its width, its folded size and its type."""
    operator = _get("qonnx.custom_op.registry").getCustomOp
    numpy = _get("numpy")
    for node in model.graph.node:
        unit = operator(node)
        unit.verify_node()
        for port, name in enumerate(node.output):
            shape, dtype = tuple(unit.get_normal_output_shape(port)), unit.get_output_datatype(port)
            if tuple(model.get_tensor_shape(name)) != shape:
                raise ValueError(f"{node.name}: {name} is {shape}")
            if model.get_tensor_datatype(name) != dtype:
                raise ValueError(f"{node.name}: {name} is of {dtype.name}")
            reader = model.find_consumer(name)
            if reader is None:
                continue
            index, other = list(reader.input).index(name), operator(reader)
            ends = (
                (unit.get_outstream_width(port), other.get_instream_width(index)),
                (dtype, other.get_input_datatype(index)),
                (
                    int(numpy.prod(unit.get_folded_output_shape(port))),
                    int(numpy.prod(other.get_folded_input_shape(index))),
                ),
            )
            for given, wanted in ends:
                if given != wanted:
                    raise ValueError(f"{node.name} to {reader.name}: {name}: {given}, {wanted}")


def hdl(wanted: Json) -> Json:
    """Generate the SystemVerilog of a graph's `nodes`; return top, files and streams of each."""
    model = _wrapper(wanted["model"])
    operator = _get("qonnx.custom_op.registry").getCustomOp
    found = {}
    for node in model.graph.node:
        if node.name not in wanted["nodes"]:
            continue
        folder = Path(wanted["work"]) / "hdl" / node.name
        folder.mkdir(parents=True, exist_ok=True)
        unit = operator(node)
        unit.set_nodeattr("code_gen_dir_ipgen", str(folder))
        unit.generate_hdl(model, wanted["part"], wanted["clock_ns"])
        files = [str(file) for file in unit.get_rtl_file_list(abspath=True)]
        found[node.name] = {
            "top": unit.get_nodeattr("gen_top_module"),
            "files": files,
            "in_bits": unit.get_instream_width_padded(),
            "out_bits": unit.get_outstream_width_padded(),
            "in_beats": _beats(unit.get_folded_input_shape()),
            "out_beats": _beats(unit.get_folded_output_shape()),
        }
    return {"hdl": found}


def _beats(folded: Any) -> int:
    return int(_get("numpy").prod(folded[:-1]))


# ---- FINN's own flow -----------------------------------------------------------------------------


def estimate(wanted: Json) -> Json:
    """Run finn-plus' estimate-only build on a QONNX model whose input are pixels."""
    config = _get("finn.builder.build_dataflow_config")
    output = Path(wanted["work"]) / "build"
    source = _pixels_in(wanted, Path(wanted["work"]) / "model.onnx")
    settings = config.DataflowBuildConfig(
        output_dir=str(output),
        synth_clk_period_ns=wanted["clock_ns"],
        fpga_part=wanted["part"],
        target_fps=wanted["target_fps"],
        folding_config_file=wanted["folding"],
        steps=config.estimate_only_dataflow_steps,
        generate_outputs=[config.DataflowOutputType.ESTIMATE_REPORTS],
        enable_build_pdb_debug=False,
        save_intermediate_models=True,
    )
    started = time.perf_counter()
    status = _get("finn.builder.build_dataflow").build_dataflow_cfg(str(source), settings)
    seconds = time.perf_counter() - started
    reports = {path.stem: json.loads(path.read_text()) for path in output.rglob("report/*.json")}
    steps = output / "time_per_step.json"
    found: Json = {
        "seconds": seconds,
        "steps": json.loads(steps.read_text()) if steps.is_file() else {},
        "reports": reports,
    }
    if status != 0 or "estimate_network_performance" not in reports:
        found["error"] = _logged(output) or f"the build ended with status {status}"
        return found
    found["outputs"] = _outputs(output, source, wanted["pixels"])
    return found


def _outputs(output: Path, source: Path, pixels: str) -> list[list[float]]:
    """Run images through what FINN made of the model: the last graph that is Python throughout.

    FINN may have its images channels last where the model has them first.
    """
    numpy = _get("numpy")
    execute_onnx = _get("finn.core.onnx_exec").execute_onnx
    model = _wrapper(str(output / "intermediate_models" / "step_minimize_bit_width_initial.onnx"))
    entry, end = model.graph.input[0].name, model.graph.output[0].name
    given = _wrapper(str(source))
    shape = given.get_tensor_shape(given.graph.input[0].name)
    images = numpy.load(pixels).astype(numpy.float32).reshape(-1, *shape)
    if model.get_tensor_shape(entry) != shape:
        images = numpy.moveaxis(images, 2, -1)
    assert list(images.shape[1:]) == model.get_tensor_shape(entry), images.shape
    found = (execute_onnx(model, {entry: image})[end] for image in images)
    return [result.reshape(-1).tolist() for result in found]


def _pixels_in(wanted: Json, target: Path) -> Path:
    """Put the scaling of pixels in front, as finn-examples do, and the choice of a class behind."""
    onnx = _get("onnx")
    model = _wrapper(wanted["model"])
    scale = wanted["preprocess"]
    helper, graph = onnx.helper, model.graph
    entry = graph.input[0].name
    steps = (
        ("Div", scale["divisor"], 1.0),
        ("Sub", scale["mean"], 0.0),
        ("Div", scale["std"], 1.0),
    )
    current, made = "pixels", []
    for index, (kind, number, nothing) in enumerate(steps):
        if number == nothing:
            continue
        graph.initializer.append(helper.make_tensor(f"scale_{index}", 1, [], [number]))
        made.append(helper.make_node(kind, [current, f"scale_{index}"], [f"scaled_{index}"]))
        current = f"scaled_{index}"
    if made:
        made[-1].output[0] = entry
        graph.input[0].name = "pixels"
        for index, node in enumerate(made):
            graph.node.insert(index, node)
    model.set_tensor_datatype(graph.input[0].name, _get("qonnx.core.datatype").DataType["UINT8"])
    if wanted["label"]:
        model = model.transform(_get("qonnx.transformation.insert_topk").InsertTopK(k=1))
    model.save(str(target))
    return target


def _logged(output: Path) -> str:
    """Return the last error of FINN's log."""
    for log in output.glob("*.log"):
        _, found, last = log.read_text(errors="replace").rpartition("ERROR:")
        if found:
            return last.strip().splitlines()[0].removeprefix("FINN ERROR: ")
    return ""


def _wrapper(path: str) -> Any:
    return _get("qonnx.core.modelwrapper").ModelWrapper(path)


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no reason given'}"


def _plain(value: Any) -> Any:
    """Return a number of NumPy's as one of Python's."""
    with contextlib.suppress(AttributeError):
        return value.item()
    return str(value)


TASKS = {"execute": execute, "nodes": nodes, "hdl": hdl, "estimate": estimate}

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
