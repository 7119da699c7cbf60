# SPDX-License-Identifier: Apache-2.0
"""Each paper's own claim on Fashion-MNIST: its parts on and off, everything else alike.

    python -m benchmarks ablations

The network is sfc-w1a1; each method has the learning rate that the training benchmark found, so
run that one first.
"""

import json
import statistics
from dataclasses import dataclass
from typing import Any

from benchmarks.record import RESULTS, record
from benchmarks.training import Job, run_all

COMMAND = "python -m benchmarks ablations"
NETWORK = "sfc-w1a1"
EPOCHS = 10
SEEDS = (0, 1)
Options = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Claim:
    """What a paper says, and the settings of its method that show it."""

    paper: str
    method: str
    variants: tuple[Options, ...]


# Of R1 and R2 the strengths at which a small network is seen to follow them.
PULLS: tuple[Options, ...] = (
    (("regularizer", "none"),),
    (("regularizer", "R1"), ("strength", 1e-5)),
    (("regularizer", "R1"), ("strength", 1e-3)),
    (("regularizer", "R2"), ("strength", 1e-5)),
    (("regularizer", "R2"), ("strength", 1e-2)),
)
CLAIMS = (
    Claim("BNN+", "bnn+", PULLS),
    Claim("BNN+", "bnn+", ((("backward", "htanh"),), (("beta", 2.0),), (("beta", 10.0),))),
    Claim(
        "Self-Binarizing",
        "self-binarizing",
        tuple((("nu_max", nu),) for nu in (10.0, 30.0, 100.0, 300.0)),
    ),
    Claim(
        "Back to Simplicity",
        "back-to-simplicity",
        ((), (("scaled", True),), (("approx_sign", True),), (("clip", 1.0),)),
    ),
    Claim(
        "Trained Binarization",
        "trained-binarization",
        (
            (),
            (("trained_scales", False),),
            (("estimator", "ste"),),
            (("activations", "sign"),),
        ),
    ),
)
NOTE = (
    f"Fashion-MNIST, {NETWORK}, {EPOCHS} epochs, mean and range of {len(SEEDS)} seeds; the rest as "
    "the training benchmark, which found the learning rates. near alpha: weights whose magnitude "
    "is within 10 % of their scale. soft: test accuracy with tanh instead of sign. Differences "
    "under 0.5 are noise."
)


def main() -> None:
    """Train each variant, and record the table."""
    rates = _rates()
    jobs = {
        (claim, options): [
            Job(NETWORK, claim.method, rates[claim.method], EPOCHS, seed, options=options)
            for seed in SEEDS
        ]
        for claim in CLAIMS
        for options in claim.variants
    }
    done = run_all(job for group in jobs.values() for job in group)
    rows = []
    for (claim, options), group in jobs.items():
        runs = [done[job] for job in group]
        tests = [100 * run.test for run in runs]
        rows.append(
            {
                "paper": claim.paper,
                "setting": ", ".join(f"{n}={v}" for n, v in options) or "as published",
                "test %": round(statistics.mean(tests), 2),
                "range": f"{min(tests):.2f}..{max(tests):.2f}",
                "near alpha %": _percent(runs[0].measures.get("near_alpha")),
                "soft %": _percent(runs[0].measures.get("soft")),
                "flips %": _percent(runs[0].measures["flip_rate"]),
            }
        )
    record("ablations", rows, command=COMMAND, note=NOTE)


def _percent(share: float | None) -> float | str:
    return "" if share is None else round(100 * share, 2)


def _rates() -> dict[str, float]:
    rows = json.loads((RESULTS / "training.json").read_text())["rows"]
    ours = (r for r in rows if r["network"] == NETWORK and r["epochs"] == EPOCHS)
    return {row["method"]: row["learning rate"] for row in ours}


if __name__ == "__main__":
    main()
