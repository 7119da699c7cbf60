# SPDX-License-Identifier: Apache-2.0
"""Battery of random networks whose branches meet: the oracle against the interpreter.

`python -m tests.dag_battery --networks 600` proves every one on 32 random images.
"""

import argparse

import numpy as np

from hwbnn.frontend import Oracle, import_model
from hwbnn.ir.graph import Graph
from hwbnn.ir.ops import Add, Concat
from hwbnn.sim.interpret import Interpreter
from tests.dag_models import random_dag_model


def proved(seed: int, *, images: int = 32) -> Graph:
    """Import a random network; its outputs are the model's own on random images, or this raises."""
    made = random_dag_model(seed)
    graph = import_model(made.model, name=f"dag{seed}")
    rng = np.random.default_rng([seed, 77])
    pixels = rng.integers(0, 256, (images, int(np.prod(graph.input_shape))))
    integers = Interpreter(graph.on_pixels).run(pixels)
    floats = integers if graph.output_values is None else graph.output_values.apply(integers)
    expected = Oracle(made.model).run(pixels, graph.preprocess)
    np.testing.assert_array_equal(floats, expected, err_msg=f"seed {seed}: {made.features}")
    return graph


def main() -> None:
    """Prove the networks of some seeds and count their joins."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    options = parser.parse_args()
    joins = {Add: 0, Concat: 0}
    for seed in range(options.first, options.first + options.networks):
        for op in proved(seed).ops:
            if isinstance(op, Add | Concat):
                joins[type(op)] += 1
    print(f"{options.networks} networks equal: {joins[Add]} sums, {joins[Concat]} concatenations")


if __name__ == "__main__":
    main()
