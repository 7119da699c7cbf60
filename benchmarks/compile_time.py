# SPDX-License-Identifier: Apache-2.0
"""Compile time, model to report, as a user sees it: whole processes, imports included."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import record
from hwbnn import zoo
from tests.models import lfc

RUNS = 7
# FINN-plus 1.6.1, estimate only, on a machine of this size with 2 cores; not run here.
FINN_PLUS_SECONDS = {"TFC": 4.3, "LFC": 74.0, "CNV": 54.0}


def seconds(model: Path, folder: Path) -> float:
    """Wall time of one build until its report."""
    argv = [sys.executable, "-m", "hwbnn", "build", str(model), "--board", "pynq-z2"]
    argv += ["--output", str(folder), "--force"]
    started = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Build TFC, an LFC-size network and CNV several times and record the medians."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        large = folder / "lfc.onnx"
        large.write_bytes(lfc(seed=0).SerializeToString())
        rows = []
        models = {"TFC": zoo.path("tfc-w1a1"), "LFC": large, "CNV": zoo.path("cnv-w1a1")}
        for name, model in models.items():
            seconds(model, folder / "out")  # fills the caches of numba and Python
            times = [seconds(model, folder / "out") for _ in range(RUNS)]
            median = statistics.median(times)
            rows.append(
                {
                    "network": name,
                    "median s": round(median, 2),
                    "min s": round(min(times), 2),
                    "max s": round(max(times), 2),
                    "FINN-plus estimate s (elsewhere)": FINN_PLUS_SECONDS[name],
                    "times faster": round(FINN_PLUS_SECONDS[name] / median, 1),
                }
            )
    record(
        "compile_time",
        rows,
        command="python -m benchmarks compile_time",
        note="hwbnn build MODEL --board pynq-z2: HLS and RTL projects, test benches, golden "
        "vectors, timing engine, report. FINN-plus 1.6.1: its estimate-only flow alone, timed "
        "on another day on a machine of the same size.",
    )


if __name__ == "__main__":
    main()
