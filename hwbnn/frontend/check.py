# SPDX-License-Identifier: Apache-2.0
"""Check: the graph gives what the oracle gives, on every output of every sample."""

from dataclasses import dataclass
from math import prod

import numpy as np

from hwbnn.errors import ConfigError, MismatchError
from hwbnn.frontend.chain import Chain
from hwbnn.frontend.dense import MAX_EXACT
from hwbnn.frontend.oracle import Oracle
from hwbnn.frontend.translation import Label, Translation
from hwbnn.ir.dtype import IntArray
from hwbnn.ir.graph import FloatArray, Graph
from hwbnn.ir.ops import ArgMax, Dense
from hwbnn.sim.reference import evaluate, frames_at_once

RANDOM_SAMPLES = 8
POWERS = (
    "its scales make the model's own float32 sums inexact; train with power-of-two scales "
    "(restrict_scaling_type POWER_OF_TWO) or with scale 1 before a batch norm"
)
LONG = (
    f"its float32 sums reach integers beyond {MAX_EXACT}, which float32 rounds, each order of "
    "adding otherwise; put fewer bits or a quantizer before that layer"
)
REPORT = "report this with the model"


@dataclass(frozen=True, eq=False)
class _Run:
    """Some of the frames, from the first on: all values of the graph, and of the model."""

    first: int
    values: dict[str, IntArray]
    tensors: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]


def default_samples(shape: tuple[int, ...]) -> IntArray:
    """Return a few images: black, white, halves, ramps, stripes, and seeded noise of two kinds."""
    elements = int(np.prod(shape))
    place = np.arange(elements)
    ramp = place * 255 // max(1, elements - 1)
    rng = np.random.default_rng(20160214)
    noise = rng.integers(0, 256, (RANDOM_SAMPLES // 2, elements))
    sparse = rng.integers(0, 256, noise.shape) * (rng.random(noise.shape) < 0.2)
    made = [0 * place, 0 * place + 255, ramp, ramp[::-1], place % 2 * 255, place // 28 % 2 * 255]
    return np.concatenate([np.stack(made), noise, sparse]).reshape(-1, *shape)


def check_outputs(
    graph: Graph, made: Translation, tail: Chain, tensor: str, samples: IntArray | None
) -> None:
    """Raise MismatchError if an output of the graph differs from the oracle's.

    Where the model's float32 sums are exact its outputs must be equal bit for bit. Where its own
    scales make them inexact, the graph's integer must be the one whose float is nearest.
    """
    pixels = default_samples(graph.input_shape) if samples is None else samples
    if not len(pixels) or prod(pixels.shape[1:]) != graph.input.elements:
        shape = " x ".join(map(str, pixels.shape))
        raise ConfigError(
            f"images: must be frames of {graph.input.elements} pixels, not {shape}; resize them"
        )
    frames = pixels.reshape(-1, graph.input.elements).astype(np.int64)
    oracle, batch = Oracle(made.model), frames_at_once(graph)
    for first in range(0, len(frames), batch):
        part = frames[first : first + batch]
        run = _Run(first, evaluate(graph, part), oracle.tensors(part, made.preprocess))
        _check_run(graph, made, tail, tensor, run)


def _check_run(graph: Graph, made: Translation, tail: Chain, tensor: str, run: _Run) -> None:
    integers = run.values[tail.source] * _sign(graph, made, tail)
    expected = run.tensors[tensor].reshape(len(integers), -1).astype(np.float32)
    actual = tail.evaluate(integers, np.arange(tail.elements))
    wrong = (actual != expected) & ~_nearest(tail, integers, expected, actual)
    if wrong.any():
        image, element = (int(i) for i in np.argwhere(wrong)[0])
        raise MismatchError(
            f"{graph.name}: output {element} of image {run.first + image} must be the model's "
            f"{expected[image, element]:.9g}, not {actual[image, element]:.9g}; "
            + _first_difference(made, run)
        )
    _check_labels(graph, made, run, expected)


def _sign(graph: Graph, made: Translation, tail: Chain) -> int:
    """-1 where the graph holds negated weights, to choose the least as the greatest."""
    ours, theirs = graph[tail.source], made.op(tail.source)
    if isinstance(ours, Dense) and isinstance(theirs, Dense):
        return 1 if np.array_equal(ours.weights, theirs.weights) else -1
    return 1


def _nearest(
    tail: Chain, integers: IntArray, expected: FloatArray, actual: FloatArray
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Where inexact sums still say the same integer: no neighbour of it is nearer."""
    if tail.exact:
        return np.zeros(actual.shape, np.bool_)
    assert tail.entry is not None
    low, high = tail.entry.low, tail.entry.high
    distance = np.abs(actual.astype(np.float64) - expected)
    near, every = np.isfinite(expected), np.arange(tail.elements)
    for step in (-1, 1):
        beside = tail.evaluate(np.clip(integers + step, low, high), every).astype(np.float64)
        near &= (distance <= np.abs(beside - expected)) | (beside == actual)
    size = np.abs(expected).max()
    return np.asarray(near & (distance <= 1e-4 * size))


def _check_labels(graph: Graph, made: Translation, run: _Run, expected: FloatArray) -> None:
    last = graph.ops[-1]
    if not isinstance(last, ArgMax):
        return
    labels = run.values[last.name][:, 0]
    if isinstance(made.result, Label):
        name = made.model.graph.output[0].name
        expected_labels = run.tensors[name].reshape(len(labels)).astype(np.int64)
    else:
        expected_labels = expected.argmax(axis=1)
    scores = run.values[last.source]
    frames = np.arange(len(labels))
    # Equal integers are a tie of ours, and the model's rounding noise decides for it.
    tie = scores[frames, labels] == scores[frames, expected_labels]
    exact = all(entry.exact for entry in made.sums.values())
    wrong = (labels != expected_labels) & ~(tie & (not exact))
    if wrong.any():
        image = int(np.flatnonzero(wrong)[0])
        raise MismatchError(
            f"{graph.name}: label of image {run.first + image} must be the model's "
            f"{expected_labels[image]}, not {labels[image]}; {REPORT}"
        )


def _first_difference(made: Translation, run: _Run) -> str:
    """Say which layer is the first to differ, and what to do."""
    exact = True
    for op in made.ops:
        if op.name in made.sums:
            exact = exact and made.sums[op.name].exact
        quantizer = made.quantizers.get(op.name)
        if quantizer is None or op.name not in run.values or quantizer.tensor not in run.tensors:
            continue
        order = quantizer.order
        ours = run.values[op.name][:, order]
        floats = np.asarray(run.tensors[quantizer.tensor], np.float32).reshape(ours.shape)
        theirs = quantizer.integers(floats, order)
        if (ours != theirs).any():
            image, element = (int(i) for i in np.argwhere(ours != theirs)[0])
            where = made.titles.get(quantizer.name, op.name)
            return (
                f"{where} is the first layer that differs: element {element} of image "
                f"{run.first + image} is {theirs[image, element]} in the model, "
                f"{ours[image, element]} in integers; " + (REPORT if exact else _inexact(made))
            )
    return f"no layer before it differs; {REPORT if exact else _inexact(made)}"


def _inexact(made: Translation) -> str:
    """Say why the model's own sums are not exact."""
    entries = made.sums.values()
    return LONG if any(max(-e.low, e.high) > MAX_EXACT for e in entries) else POWERS
