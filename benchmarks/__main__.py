# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks [NAME ...]`: run the named benchmarks, or all.

Behind the name of one whose `main` takes cases stand those that are wanted.
"""

import importlib
import inspect
import sys
from pathlib import Path

from hwbnn.cli import process

NOT_BENCHMARKS = {"__init__", "__main__", "record"}


def names() -> list[str]:
    """Every benchmark of this folder."""
    return sorted(
        p.stem for p in Path(__file__).parent.glob("*.py") if p.stem not in NOT_BENCHMARKS
    )


def main(wanted: list[str]) -> None:
    """Run benchmarks one after another, in a process like that of `hwbnn build`."""
    process.settle()
    first, cases = wanted[:1], wanted[1:]
    if cases and first[0] in names():
        module = importlib.import_module(f"benchmarks.{first[0]}")
        if inspect.signature(module.main).parameters:
            module.main(cases)
            return
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        sys.exit(f"benchmark must be one of {', '.join(names())}, not {', '.join(unknown)}")
    for name in wanted or names():
        print(f"== {name}")
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
